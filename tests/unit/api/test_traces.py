"""The trace of a submission: taken from its header, kept, shown, and not what makes two submissions differ."""

import pytest
from pydantic import JsonValue

from functions.api.http.event import Event
from functions.api.http.xray import with_traceparent
from tests.fakes.user_repository import FakeUserRepository
from tests.unit.api.conftest import Api

CSV: dict[str, JsonValue] = {"type": "csv.profile", "payload": {"csv": "a\n1\n"}}
ONE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
OTHER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
XRAY = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"


@pytest.fixture
def api(users: FakeUserRepository) -> Api:
    return Api(users=users)


def test_a_job_keeps_the_trace_of_its_submission_through_a_persons_retry(api: Api) -> None:
    job = api.call("POST", "/v1/jobs", CSV, headers={"traceparent": ONE})
    path = f"/v1/jobs/{job.json['id']}"
    api.call("POST", f"{path}/cancel")
    for answer in (job, api.call("GET", path), api.call("POST", f"{path}/retry")):
        assert answer.json["traceparent"] == ONE
    listed = api.call("GET", "/v1/jobs").json["items"]
    assert isinstance(listed, list)
    assert isinstance(listed[0], dict)
    assert listed[0]["traceparent"] == ONE


def test_all_jobs_of_a_batch_are_in_its_trace(api: Api) -> None:
    results = api.call("POST", "/v1/jobs/batch", {"jobs": [CSV, CSV]}, headers={"traceparent": ONE}).json["results"]
    assert isinstance(results, list)
    jobs = [result["job"] for result in results if isinstance(result, dict)]
    assert [job["traceparent"] for job in jobs if isinstance(job, dict)] == [ONE, ONE]


@pytest.mark.parametrize("field", ["", "x", f"{ONE},{ONE}", ONE.upper(), "00-é", "\udce9", "0" * 8000])
def test_an_invalid_trace_stops_no_submission(api: Api, field: str) -> None:
    job = api.call("POST", "/v1/jobs", CSV, headers={"traceparent": field})
    assert (job.status, job.json["traceparent"]) == (202, None)


@pytest.mark.parametrize("start", [{}, {"delay_seconds": 60}])
def test_a_repeated_submission_is_the_same_job_whatever_its_trace(api: Api, start: dict[str, JsonValue]) -> None:
    first = api.call("POST", "/v1/jobs", CSV | start, headers={"idempotency-key": "k", "traceparent": ONE})
    for trace in ({"traceparent": OTHER}, {}):
        again = api.call("POST", "/v1/jobs", CSV | start, headers={"idempotency-key": "k", **trace})
        assert (again.status, again.json["id"], again.json["traceparent"]) == (202, first.json["id"], ONE)


def test_xrays_trace_stands_in_for_a_missing_header() -> None:
    taken = "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01"
    assert with_traceparent({"headers": {"a": "b"}}, XRAY) == {"headers": {"a": "b", "traceparent": taken}}
    others: list[Event] = [{"headers": {"Traceparent": ONE}}, {"headers": None}, {}]
    for event in others:
        assert with_traceparent(event, XRAY) == event
    for other in (None, "", XRAY.replace("Sampled=1", "Sampled=0")):
        assert with_traceparent({"headers": {}}, other) == {"headers": {}}
