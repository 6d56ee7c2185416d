"""Jobs from submission to result, over real HTTP and through real processes."""

import asyncio
import json
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import httpx
import pytest

from headrace import job_item
from headrace.emulator.state import Folder
from persistence.dynamodb.client import open_client
from tests.e2e.conftest import PAGE, Receiver, Stack, submit, wait


def until_called(server: Receiver) -> None:
    ends = time.monotonic() + 60
    while not server.calls:
        assert time.monotonic() < ends
        time.sleep(0.05)


def moment(text: object) -> datetime:
    return datetime.fromisoformat(str(text))


def test_a_job_runs_from_submission_to_its_result(api: httpx.Client) -> None:
    answer = api.post("/v1/jobs", json={"type": "csv.profile", "payload": {"csv": "city,n\nBergen,1\nBodo,2\n"}})
    assert answer.status_code == 202
    assert answer.headers["location"] == f"/v1/jobs/{answer.json()['id']}"
    assert answer.headers["etag"] == '"1"'
    job = wait(api, answer.json()["id"])
    assert job["status"] == "succeeded"
    result = job["result"]
    assert isinstance(result, dict)
    assert (result["rows"], [column["type"] for column in result["columns"]]) == (2, ["text", "integer"])
    history = job["history"]
    assert isinstance(history, list)
    assert [entry["status"] for entry in history] == ["queued", "running", "succeeded"]


def test_waiting_responds_when_the_job_is_final(api: httpx.Client) -> None:
    job = submit(api, delay_seconds=1)
    began = time.monotonic()
    final = api.get(f"/v1/jobs/{job['id']}", headers={"prefer": "wait=20"})
    assert final.json()["status"] == "succeeded"
    assert 0.5 < time.monotonic() - began < 10


def test_waiting_responds_soon_after_a_short_job_has_ended(api: httpx.Client) -> None:
    late = []
    for _ in range(20):
        job = submit(api)
        final = api.get(f"/v1/jobs/{job['id']}", headers={"prefer": "wait=10"})
        late.append(time.time() - moment(final.json()["finished_at"]).timestamp())
        assert final.headers["preference-applied"] == "wait=10"
    assert sorted(late)[10] < 0.2, "60 ms on a quiet machine; polling each 250 ms, it was 130"


def test_a_scheduled_job_starts_within_two_seconds_of_its_time(api: httpx.Client) -> None:
    jobs = [wait(api, submit(api, delay_seconds=3)["id"]) for _ in range(1)]
    for job in jobs:
        late = moment(job["started_at"]) - moment(job["created_at"]) - timedelta(seconds=3)
        assert timedelta(0) <= late < timedelta(seconds=2)


def test_a_retry_starts_within_two_seconds_of_its_time(api: httpx.Client, receiver: tuple[str, Receiver]) -> None:
    url, server = receiver
    server.statuses, server.headers = [503, 429], {"Retry-After": "2"}
    job = wait(api, submit(api, "http.request", {"url": url})["id"])
    assert (job["status"], job["attempt"]) == ("succeeded", 3)
    history = job["history"]
    assert isinstance(history, list)
    retried = [moment(entry["at"]) for entry in history if entry["status"] == "retrying"]
    started = [moment(entry["at"]) for entry in history if entry["status"] == "running"][1:]
    for before, after in zip(retried, started, strict=True):
        assert timedelta(seconds=2) <= after - before < timedelta(seconds=4)
    assert len(set(server.calls)) == 1, "every delivery carries the same idempotency key"
    assert server.calls[0] == job["id"]


def test_a_job_whose_runner_is_killed_still_ends_with_the_attempt_counted(
    api: httpx.Client, receiver: tuple[str, Receiver], stack_running: Stack
) -> None:
    url, server = receiver
    server.delay = 8
    job = submit(api, "http.request", {"url": url, "timeout_seconds": 20})
    until_called(server)
    assert api.get(f"/v1/jobs/{job['id']}").json()["status"] == "running"
    for pid in stack_running.environments("StandardRunnerFunction"):
        os.kill(pid, signal.SIGKILL)
    server.delay = 0
    # The lease (30 s), what the index allows for the trigger (15 s), a sweep (15 s), the backoff.
    final = wait(api, job["id"], seconds=90)
    assert (final["status"], final["attempt"]) == ("succeeded", 2)
    history = final["history"]
    assert isinstance(history, list)
    assert [entry["code"] for entry in history if entry["status"] == "retrying"] == ["lease_expired"]


def test_a_running_job_is_asked_to_stop_and_not_retried(api: httpx.Client, receiver: tuple[str, Receiver]) -> None:
    url, server = receiver
    server.delay, server.statuses = 2, [503] * 10
    job = submit(api, "http.request", {"url": url})
    until_called(server)
    asked = api.post(f"/v1/jobs/{job['id']}/cancel")
    assert (asked.status_code, asked.json()["cancel_requested"]) == (202, True)
    assert wait(api, job["id"])["status"] == "cancelled"
    assert len(server.calls) == 1


def test_a_waiting_job_is_cancelled_and_retried(api: httpx.Client) -> None:
    job = submit(api, delay_seconds=3600)
    cancelled = api.post(f"/v1/jobs/{job['id']}/cancel")
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
    again = api.post(f"/v1/jobs/{job['id']}/cancel")
    assert (again.status_code, again.json()["code"]) == (409, "illegal_transition")
    assert api.post(f"/v1/jobs/{job['id']}/retry").status_code == 202
    assert wait(api, job["id"])["status"] == "succeeded"


def test_a_thousand_jobs_from_sixteen_clients_all_end_and_none_succeeds_twice(stack_running: Stack) -> None:
    with stack_running.client() as setup:
        answer = setup.post("/v1/users", json={"email": "load@example.com", "name": "Load"})
        assert answer.status_code == 201
    with stack_running.client("load@example.com") as api, ThreadPoolExecutor(16) as clients:
        jobs = list(clients.map(lambda n: submit(api, payload={"csv": f"n\n{n}\n"}), range(1000)))
        assert len({job["id"] for job in jobs}) == 1000
        ends = time.monotonic() + 300
        while remaining := unfinished(api):
            assert time.monotonic() < ends, remaining
            time.sleep(0.5)
        listed = everything(api)
        assert {job["id"] for job in listed} == {job["id"] for job in jobs}
        for job in listed:
            history = job["history"]
            assert isinstance(history, list)
            assert [entry["status"] for entry in history] == ["queued", "running", "succeeded"]
            assert job["version"] == 3


def unfinished(api: httpx.Client) -> list[dict[str, object]]:
    """A job of each status that is not final, in the order in which a job has them; to list all would take longer."""
    queries = [{"status": status, "limit": 1} for status in ("queued", "running", "retrying")]
    return [job for query in queries for job in api.get("/v1/jobs", params=query).json()["items"]]


def everything(api: httpx.Client) -> list[dict[str, object]]:
    jobs: list[dict[str, object]] = []
    cursor = None
    while True:
        page = api.get("/v1/jobs", params={"limit": 100} | ({"cursor": cursor} if cursor else {})).json()
        jobs = [*jobs, *page["items"]]
        cursor = page["next"]
        if cursor is None:
            return jobs


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "invalid_json"),
        (b'{"type":"csv.profile","payload":{"csv":NaN}}', 400, "invalid_json"),
        (b'{"type":"csv.profile","payload":{"csv":"\\ud800"}}', 400, "invalid_json"),
        (b"[" * 10_000, 400, "invalid_json"),
        (b'{"type":"csv.profile","payload":' + b"[" * 10_000 + b"]" * 10_000 + b"}", 400, "invalid_json"),
        (b'{"type":"csv.profile","payload":{"csv":"\xff"}}', 400, "invalid_json"),
        (b'{"type":"csv.profile","payload":{"csv":"' + b"x" * 5_400_000 + b'"}}', 413, "payload_too_large"),
        (b'{"type":"csv.profile","payload":{"csv":"' + b"x" * 5_250_000 + b'"}}', 413, "payload_too_large"),
        (b'{"type":"csv.profile","payload":{"csv":7}}', 422, "invalid_payload"),
        (b'{"type":"csv.profile","payload":{"csv":"a"},"status":"succeeded"}', 422, "invalid_request"),
        (b'{"type":"nope","payload":{}}', 422, "unknown_job_type"),
        (b"", 422, "invalid_request"),
        (
            b'{"type":"http.request","payload":{"url":"https://example.com","expect_status":['
            + b"0," * 119_999
            + b"0]}}",
            422,
            "invalid_payload",
        ),
        (b"{" + b",".join(b'"%d":0' % n for n in range(60_000)) + b"}", 422, "invalid_request"),
        (b'{"type":"csv.profile","payload":{"csv":"a"},"run_at":"20271126"}', 422, "invalid_request"),
    ],
    ids=lambda value: str(value[:30]) if isinstance(value, bytes) else str(value),
)
def test_bad_input_gets_a_problem_document_and_writes_nothing(
    api: httpx.Client, body: bytes, status: int, code: str
) -> None:
    before = api.get("/v1/jobs", params={"limit": 1}).json()["items"]
    answer = api.post("/v1/jobs", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["code"], problem["request_id"]) == (code, answer.headers["x-request-id"])
    assert len(problem["errors"]) == min(problem["error_count"], 20)
    assert api.get("/v1/jobs", params={"limit": 1}).json()["items"] == before


def test_a_key_identifies_the_meaning_of_a_submission(api: httpx.Client) -> None:
    first = {"type": "csv.profile", "payload": {"csv": "a\n1\n"}, "tags": {"x": "1", "y": "2"}}
    again = first | {
        "payload": {"delimiter": ",", "csv": "a\n1\n"}, "tags": {"y": "2", "x": "1"}, "max_attempts": 3,
        "delay_seconds": 0, "run_at": None,
    }  # fmt: skip
    headers = {"idempotency-key": "meaning"}
    made, replayed = (api.post("/v1/jobs", json=body, headers=headers) for body in (first, again))
    assert (made.status_code, replayed.status_code) == (202, 202)
    assert (made.json()["id"], "true") == (replayed.json()["id"], replayed.headers["idempotency-replayed"])
    other = api.post("/v1/jobs", json=first | {"tags": {"x": "1"}}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_mismatch")


def test_ids_and_cursors_of_other_tenants_show_nothing(stack_running: Stack) -> None:
    with stack_running.client() as admin:
        admin.post("/v1/users", json={"email": "eve@example.com", "name": "Eve"})
        mine = submit(admin)
        submit(admin)
        cursor = admin.get("/v1/jobs", params={"limit": 1}).json()["next"]
    with stack_running.client("eve@example.com") as eve:
        theirs = eve.get(f"/v1/jobs/{mine['id']}")
        nobodys = eve.get("/v1/jobs/00000000-0000-4000-8000-000000000000")
        ids = ("request_id",)
        assert {**theirs.json(), ids[0]: ""} == {**nobodys.json(), ids[0]: ""}
        assert theirs.status_code == 404
        bad = eve.get("/v1/jobs", params={"cursor": cursor})
        assert (bad.status_code, bad.json()["code"]) == (400, "bad_cursor")


@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Bearer x.y.z", "Basic ZGV2Og=="])
def test_a_request_without_a_token_is_refused_on_every_route(stack_running: Stack, authorization: str | None) -> None:
    headers = {"authorization": authorization} if authorization is not None else {}
    answer = httpx.get(f"{stack_running.url}/v1/jobs", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_a_caller_with_a_token_who_is_not_a_user_is_refused(stack_running: Stack) -> None:
    with stack_running.client("stranger@example.com") as stranger:
        answer = stranger.get("/v1/jobs")
    assert (answer.status_code, answer.json()["code"]) == (403, "unknown_user")


def test_open_paths_need_no_token(stack_running: Stack) -> None:
    assert httpx.get(f"{stack_running.url}/healthz").json() == {"status": "ok"}
    assert httpx.get(f"{stack_running.url}/openapi.json").json()["info"]["title"] == "Headrace"
    for path in ("/", "/docs"):
        assert httpx.get(f"{stack_running.url}{path}").headers["content-type"] == "text/html; charset=utf-8"
    assert httpx.get(f"{stack_running.url}/.well-known/jwks.json").json()["keys"]
    assert httpx.get(f"{stack_running.url}/elsewhere").status_code == 404


def test_a_page_of_a_permitted_origin_may_ask_and_read_and_another_may_not(
    stack_running: Stack, api: httpx.Client
) -> None:
    """What a browser does, without its refusals: it asks without a token, and reads if the headers say so."""
    asks = {"access-control-request-method": "POST", "access-control-request-headers": "authorization,content-type"}
    for prefix in ("", "/iam", "/key"):
        url = f"{stack_running.url}{prefix}/v1/jobs"
        preflight = httpx.options(url, headers={"origin": PAGE, **asks})
        assert (preflight.status_code, preflight.headers["allow"]) == (204, "GET, HEAD, OPTIONS, POST")
        assert preflight.headers["access-control-allow-origin"] == PAGE
        assert "POST" in preflight.headers["access-control-allow-methods"].split(",")
        assert {"authorization", "content-type"} <= {*preflight.headers["access-control-allow-headers"].split(",")}
        elsewhere = httpx.options(url, headers={"origin": "https://elsewhere.test", **asks})
        assert not any(name.startswith("access-control-") for name in elsewhere.headers)
    answer = api.post("/v1/jobs", json={"type": "csv.profile", "payload": {"csv": "a\n1\n"}}, headers={"origin": PAGE})
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert {"location", "etag", "x-request-id"} <= {*answer.headers["access-control-expose-headers"].split(",")}
    assert "access-control-allow-credentials" not in answer.headers


def test_head_has_the_length_of_what_get_has(api: httpx.Client) -> None:
    job = wait(api, submit(api)["id"])
    for path in (f"/v1/jobs/{job['id']}", "/openapi.json", "/healthz"):
        get, head = api.get(path), api.head(path)
        assert (head.status_code, head.headers["content-length"]) == (200, str(len(get.content)))
        assert head.content == b""


def test_a_trace_goes_from_the_submission_to_the_logs_and_to_what_the_job_calls(
    stack_running: Stack, api: httpx.Client, receiver: tuple[str, Receiver]
) -> None:
    trace, (url, server) = "4bf92f3577b34da6a3ce929d0e0e4736", receiver
    traceparent = f"00-{trace}-00f067aa0ba902b7-01"
    server.statuses = [503]
    body = {"type": "http.request", "payload": {"url": f"{url}/traced", "method": "GET"}}
    job = api.post("/v1/jobs", json=body, headers={"traceparent": traceparent}).json()
    ended = wait(api, job["id"], seconds=60)
    assert (ended["status"], ended["attempt"], ended["traceparent"]) == ("succeeded", 2, traceparent)
    sent = server.traces
    assert [each[:36] for each in sent] == [f"00-{trace}-"] * 2
    log = (stack_running.folder / ".headrace/logs/StandardRunnerFunction.log").read_text().splitlines()
    lines = [json.loads(line) for line in log if str(job["id"]) in line and '"job_attempt_' in line]
    assert len(lines) == 4
    assert {line["trace_id"] for line in lines} == {trace}
    assert {line["span_id"] for line in lines} == {each[36:52] for each in sent}


def test_no_error_path_writes_a_secret_to_a_log(
    stack_running: Stack, api: httpx.Client, receiver: tuple[str, Receiver]
) -> None:
    canary, (url, server) = "canary-8c1f", receiver
    server.statuses = [400]
    job = submit(api, payload={"csv": f"a\n{canary}\n"}, tags={"note": canary})
    ended = [
        wait(api, each["id"])
        for each in (
            job,
            submit(api, payload={"csv": f"{canary},{canary}\n1,2\n"}),
            submit(api, payload={"csv": f'a,b\n1,"{canary}\n'}),
            submit(
                api, "http.request", {"url": f"{url}/{canary}", "headers": {"Authorization": canary}, "body": canary}
            ),
            submit(api, "http.request", {"url": f"http://10.0.0.1/{canary}"}),
        )
    ]
    assert [each["status"] for each in ended] == ["succeeded", "failed", "failed", "failed", "failed"]
    answers = [
        api.get("/v1/users", params={"email": f"{canary}@example.com"}),
        api.post("/v1/users", json={"email": f"{canary}@example.com", "name": canary, "role": canary}),
        api.post("/v1/jobs", json={"type": "csv.profile", "payload": {canary: canary}}),
        api.post("/v1/jobs", json={"type": canary, "payload": {}}),
        api.post("/v1/jobs", content=f'{{"{canary}'.encode(), headers={"content-type": "application/json"}),
        api.post("/v1/jobs", content=canary.encode(), headers={"content-type": canary}),
        api.post("/v1/jobs/batch", json={"jobs": [canary]}),
        api.post(
            "/v1/jobs", json={"type": "csv.profile", "payload": {"csv": canary}}, headers={"idempotency-key": canary}
        ),
        api.get(f"/v1/jobs/{canary}"),
        api.get("/v1/jobs", params={"cursor": canary, "type": canary}),
        api.get("/v1/failed-jobs", params={"type": canary}),
        api.get(f"/v1/{canary}"),
        api.patch(f"/v1/users/{canary}", json={"email": canary}, headers={"if-match": canary}),
        httpx.get(f"{stack_running.url}/v1/jobs", headers={"authorization": f"Bearer {canary}"}),
    ]
    assert all(answer.status_code < 500 for answer in answers)
    with stack_running.client(f"{canary}@example.com") as stranger:
        assert stranger.get("/v1/jobs").status_code == 403
    logs = stack_running.folder / ".headrace/logs"
    for log in logs.glob("*Function.log"):
        text = log.read_text()
        assert canary not in text, log.name
        assert "dev@example.com" not in text
        assert "eyJ" not in text, "a token"
    assert canary not in (stack_running.folder / "stderr").read_text()
    assert str(job["id"]) in (logs / "WorkerFunction.log").read_text()


async def test_a_job_in_a_transaction_of_the_callers_own_is_run(stack_running: Stack, api: httpx.Client) -> None:
    running = Folder(stack_running.folder / ".headrace").running()
    assert running is not None
    me = await asyncio.to_thread(api.get, "/v1/users/me")
    owner = str(me.json()["id"])
    job = job_item("csv.profile", {"csv": "a\n1\n"}, owner=owner, jobs_table="JobsTable")
    async with open_client(running.endpoint_url) as database:
        await database.transact_write_items(TransactItems=[job.write])
    done = await asyncio.to_thread(wait, api, job.id)
    assert (done["status"], done["owner_id"]) == ("succeeded", owner)
