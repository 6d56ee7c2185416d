# Generated from _async by scripts/unasync.py: change that, and run `make docs`.
"""The client against a running stack."""

import io
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from headrace_client import Client, Conflict, InvalidRequest, Job, NotAllowed, NotFound, Retry, Submission
from tests.lossy import losing_every_other_answer

TABLE = {"csv": "city,people\nBergen,291940\nBodo,53712\n"}


@pytest.fixture
def client(stack: tuple[str, str]) -> Iterator[Client]:
    url, token = stack
    with Client(url, token=token) as client:
        yield client


def test_a_job_is_submitted_and_its_result_comes(client: Client) -> None:
    job = client.submit("csv.profile", TABLE, tags={"from": "client"})
    assert (job.status, job.tags, job.payload) == ("queued", {"from": "client"}, TABLE)
    result = client.result(job, timeout=60)
    assert isinstance(result, dict)
    assert result["rows"] == 2
    ended = client.get(job)
    assert [change.status for change in ended.history] == ["queued", "running", "succeeded"]
    assert ended.started_at is not None
    assert ended.finished_at is not None
    assert ended.started_at <= ended.finished_at


def test_one_key_is_one_job(client: Client) -> None:
    key = uuid.uuid4().hex
    jobs = [client.submit("csv.profile", TABLE, key=key) for _ in range(2)]
    assert jobs[0].id == jobs[1].id
    with pytest.raises(InvalidRequest, match="idempotency_mismatch"):
        client.submit("csv.profile", {"csv": "a\n"}, key=key)


def test_many_are_accepted_in_their_order_once(client: Client) -> None:
    key = uuid.uuid4().hex
    many = [Submission("csv.profile", {"csv": f"n\n{n}\n"}, delay=600) for n in range(30)]
    many[7] = Submission("no.such.type", {})
    first, second = client.submit_many(many, key=key), client.submit_many(many, key=key)
    assert [outcome.job and outcome.job.id for outcome in first] == [each.job and each.job.id for each in second]
    assert [place for place, outcome in enumerate(first) if outcome.job is None] == [7]
    assert isinstance(first[7].error, InvalidRequest)
    assert first[29].accepted().payload == {"csv": "n\n29\n"}


def test_lost_answers_make_no_job_twice(client: Client, stack: tuple[str, str]) -> None:
    url, token = stack
    run = uuid.uuid4().hex
    with losing_every_other_answer(url) as lossy:
        for _ in range(6):
            with Client(lossy, token=token, retry=Retry(first=0.01)) as unlucky:
                unlucky.submit("csv.profile", TABLE, delay=600, tags={"run": run})
        with Client(lossy, token=token, retry=Retry(first=0.01)) as unlucky:
            many = [Submission("csv.profile", TABLE, delay=600, tags={"run": run})] * 30
            assert all(outcome.job is not None for outcome in unlucky.submit_many(many))
    found = [job for job in client.jobs(status="scheduled") if job.tags.get("run") == run]
    assert len(found) == 36


def test_a_job_is_cancelled_and_retried(client: Client) -> None:
    job = client.submit("csv.profile", TABLE, delay=600)
    cancelled = client.cancel(job)
    assert cancelled.is_final
    with pytest.raises(Conflict, match="illegal_transition"):
        client.cancel(job)
    assert (client.retry(job)).status == "queued"
    seen = [each for each in client.stream(job, every=0.1)]
    assert seen[-1].status == "succeeded"


def test_all_jobs_are_iterated_over(client: Client) -> None:
    jobs = [client.submit("csv.profile", TABLE, delay=600) for _ in range(5)]
    found: list[Job] = []
    for job in client.jobs(status="scheduled", type="csv.profile", include=["payload"], page_size=2):
        found.append(job)
        if job.id == jobs[0].id:
            break
    ids = [job.id for job in found]
    assert {job.id for job in jobs} <= set(ids)
    assert len(ids) == len(set(ids))
    assert found[-1].payload == TABLE


def test_files_and_large_documents_go_past_the_api(client: Client, tmp_path: Path) -> None:
    content = "n\n" + "1\n" * 600_000
    (tmp_path / "numbers.csv").write_text(content)
    file = client.upload(tmp_path / "numbers.csv")
    done = client.download(file, tmp_path / "again.csv")
    assert (tmp_path / "again.csv").read_text() == content
    assert (done.size, done.name) == (len(content), "numbers.csv")
    assert (client.link(file)).startswith("http://127.0.0.1")
    sink = io.BytesIO()
    client.download(file.id, sink)
    assert sink.getvalue() == content.encode()
    job = client.submit("csv.profile", {"csv": content}, delay=600)
    assert client.document(job, "payload") == {"csv": content}


def test_refusals_are_told_apart(client: Client, stack: tuple[str, str]) -> None:
    with pytest.raises(NotFound, match="job_not_found"):
        client.get("unheard-of")
    with pytest.raises(InvalidRequest) as raised:
        client.submit("csv.profile", {"csv": 7})
    assert raised.value.problem.errors[0].pointer == "/payload/csv"
    assert raised.value.problem.request_id
    with Client(stack[0], token="not.a.jwt") as stranger:
        with pytest.raises(NotAllowed, match="this is not a JWT"):
            stranger.get("unheard-of")


def test_other_routes_are_called_by_their_path(client: Client) -> None:
    found = client.call("GET", "/job-types")
    assert isinstance(found["items"], list)
    me = client.call("GET", "/users/me")
    assert me["email"] == "dev@example.com"
