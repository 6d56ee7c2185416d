"""/v1/jobs/batch and /v1/failed-jobs."""

import json

import pytest
from pydantic import JsonValue

from domain.jobs.change import Change
from domain.jobs.job import Job, Succeeded
from headrace.authoring.json_text import to_json_text
from headrace.testing.job_repository import FakeJobRepository
from tests.conftest import new_id
from tests.factories import NOW, failed
from tests.fakes.faulty_job_repository import OUTAGE, FaultyJobRepository
from tests.fakes.user_repository import FakeUserRepository
from tests.unit.api.conftest import ADMIN, MEMBER, Answer, Api

CSV: dict[str, JsonValue] = {"type": "csv.profile", "payload": {"csv": "a\n1\n"}}


@pytest.fixture
def api(users: FakeUserRepository) -> Api:
    return Api(users=users)


def results(answer: Answer) -> list[dict[str, JsonValue]]:
    assert answer.status == 207, answer.text
    found = answer.json["results"]
    assert isinstance(found, list)
    return [result for result in found if isinstance(result, dict)]


def test_each_entry_of_a_batch_is_independent_and_results_are_in_order(api: Api) -> None:
    entries: list[JsonValue] = [
        CSV,
        CSV | {"type": "nope"},
        CSV | {"payload": {}},
        {"type": "csv.profile"},
        7,
        CSV | {"delay_seconds": 60},
        CSV | {"run_at": "2026-12-01T00:00:00Z", "delay_seconds": 1},
        CSV | {"payload": {"csv": "x" * 5_242_880}},
    ]
    reported = results(api.call("POST", "/v1/jobs/batch", {"jobs": entries}))
    assert [result["status"] for result in reported] == [202, 422, 422, 422, 422, 202, 422, 413]
    codes = [result["problem"]["code"] if isinstance(result["problem"], dict) else None for result in reported]
    assert codes == [
        None, "unknown_job_type", "invalid_payload", "invalid_payload", "invalid_payload", None, "invalid_payload",
        "payload_too_large",
    ]  # fmt: skip
    accepted = [result["job"] for result in reported if isinstance(result["job"], dict)]
    listed = api.call("GET", "/v1/jobs").json["items"]
    assert isinstance(listed, list)
    assert {job["id"] for job in accepted} == {job["id"] for job in listed if isinstance(job, dict)}


@pytest.mark.parametrize(
    "body", [{"jobs": []}, {"jobs": [CSV] * 26}, {"jobs": CSV}, {}, [CSV], {"jobs": [CSV], "more": 1}]
)
def test_a_batch_has_one_to_twenty_five_entries(api: Api, body: JsonValue) -> None:
    api.call("POST", "/v1/jobs/batch", body).refused(422, "invalid_request")
    assert api.call("GET", "/v1/jobs").json["items"] == []


def test_a_batch_can_be_repeated_without_harm(api: Api) -> None:
    body: JsonValue = {"jobs": [CSV, CSV]}
    first = results(api.call("POST", "/v1/jobs/batch", body, headers={"idempotency-key": "k"}))
    again = results(api.call("POST", "/v1/jobs/batch", body, headers={"idempotency-key": "k"}))
    assert first == again
    ids = {job["id"] for result in first if isinstance(job := result["job"], dict)}
    assert len(ids) == 2, "equal entries are two jobs"
    single = api.call("POST", "/v1/jobs", CSV, headers={"idempotency-key": "k"}).json["id"]
    assert single not in ids
    api.call("POST", "/v1/jobs/batch", body, headers={"idempotency-key": "\t"}).refused(422, "invalid_idempotency_key")


async def test_the_response_to_a_batch_of_large_jobs_with_results_fits_lambdas_limit(
    users: FakeUserRepository,
) -> None:
    jobs = FakeJobRepository()
    api = Api(jobs, users)
    body = json.dumps({"jobs": [CSV | {"payload": {"csv": "é" * 3_000}}] * 25}, ensure_ascii=False).encode()
    first = results(api.call("POST", "/v1/jobs/batch", body, headers={"idempotency-key": "k"}))
    for result in first:
        assert isinstance(result["job"], dict)
        current = await jobs.get(str(result["job"]["id"]), NOW)
        assert isinstance(current, Job)
        result_text = to_json_text({"text": "é" * 60_000})
        state = Succeeded(finished_at=NOW, result=result_text)
        await jobs.replace(Change(current.model_copy(update={"state": state, "version": 2})), 1)
    answer = api.call("POST", "/v1/jobs/batch", body, headers={"idempotency-key": "k"})
    assert len(json.dumps(answer.text)) < 6_000_000
    again = results(answer)
    assert [result["status"] for result in again] == [202] * 25
    whole = [result for result in again if not result["omitted"]]
    assert 0 < len(whole) < 25
    for result in again:
        assert isinstance(result["job"], dict)
        assert (result["job"]["result"] is None) == (result["omitted"] == ["payload", "result"])
        assert (result["job"]["payload"] is None) == (result["omitted"] == ["payload", "result"])
    assert {str(result["job"]["id"]) for result in again if isinstance(result["job"], dict)} == {
        str(result["job"]["id"]) for result in first if isinstance(result["job"], dict)
    }


def test_a_batch_while_the_store_is_down_reports_it_for_each_entry(users: FakeUserRepository) -> None:
    api = Api(FaultyJobRepository(FakeJobRepository(), on_add=lambda: OUTAGE), users)
    assert [result["status"] for result in results(api.call("POST", "/v1/jobs/batch", {"jobs": [CSV]}))] == [503]


@pytest.fixture
async def failing(users: FakeUserRepository) -> Api:
    jobs = FakeJobRepository()
    for _ in range(3):
        await jobs.add(Change(failed(id=new_id(), owner_id=MEMBER.id)), NOW)
    return Api(jobs, users)


def test_an_admin_lists_failed_jobs_of_every_owner_page_by_page(failing: Api) -> None:
    first = failing.call("GET", "/v1/failed-jobs", who=ADMIN, query={"type": "csv.profile", "limit": "2"})
    assert first.status == 200
    items, cursor = first.json["items"], str(first.json["next"])
    assert isinstance(items, list)
    assert len(items) == 2
    assert str(first.headers["link"]).startswith("</v1/failed-jobs?type=csv.profile&limit=2&cursor=")
    query = {"type": "csv.profile", "cursor": cursor}
    rest = failing.call("GET", "/v1/failed-jobs", who=ADMIN, query=query).json
    assert len(str(rest["items"])) > 10
    assert rest["next"] is None
    failing.call("GET", "/v1/failed-jobs", who=ADMIN, query=query | {"type": "x"}).refused(400, "bad_cursor")
    failing.call("GET", "/v1/failed-jobs", who=ADMIN).refused(422, "invalid_request")


def test_failed_jobs_are_for_admins(failing: Api) -> None:
    failing.call("GET", "/v1/failed-jobs", query={"type": "csv.profile"}).refused(403, "not_allowed")
    failing.call("POST", "/v1/failed-jobs/retry", {"type": "csv.profile"}).refused(403, "not_allowed")


def test_an_admin_retries_failed_jobs_after_a_dry_run(failing: Api) -> None:
    wanted: dict[str, JsonValue] = {"type": "csv.profile", "error_code": "failed", "limit": 2}
    dry = failing.call("POST", "/v1/failed-jobs/retry", wanted | {"dry_run": True}, who=ADMIN)
    assert dry.json == {"matched": 2, "retried": 0, "incomplete": False}
    for number in (2, 1, 0):
        answer = failing.call("POST", "/v1/failed-jobs/retry", wanted, who=ADMIN)
        assert answer.json == {"matched": number, "retried": number, "incomplete": False}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"type": ""},
        {"limit": 5},
        {"type": "a", "limit": 0},
        {"type": "a", "limit": 501},
        {"type": "a", "dry_run": "yes"},
        {"type": "a", "owner": "x"},
    ],
)
def test_a_bulk_retry_without_a_filter_is_refused(failing: Api, body: dict[str, JsonValue]) -> None:
    failing.call("POST", "/v1/failed-jobs/retry", body, who=ADMIN).refused(422, "invalid_request")
