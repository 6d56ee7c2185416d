"""/v1/stats and /v1/jobs/{id}/cost over HTTP."""

from datetime import timedelta

import pytest

from domain.stats.fact import fact_of
from domain.stats.recording import StatsRecorder
from tests.factories import NOW, failed, retrying, succeeded
from tests.fakes.user_repository import FakeUserRepository
from tests.unit.api.conftest import ADMIN, MEMBER, OTHER, Api


@pytest.fixture
def api(users: FakeUserRepository) -> Api:
    return Api(users=users)


def submitted(api: Api) -> str:
    return str(api.call("POST", "/v1/jobs", {"type": "csv.profile", "payload": {"csv": "a\n1\n"}}).json["id"])


def test_statistics_are_for_admins(api: Api) -> None:
    api.call("GET", "/v1/stats").refused(403, "not_allowed")
    answer = api.call("GET", "/v1/stats", who=ADMIN)
    assert (answer.status, answer.headers["cache-control"]) == (200, "no-store")


def test_what_is_unfinished_is_counted_by_state(api: Api) -> None:
    submitted(api)
    found = api.call("GET", "/v1/stats", who=ADMIN, query={"window": "24h"}).json
    assert isinstance(found["unfinished"], dict)
    assert (found["unfinished"]["by_status"], found["unfinished"]["exact"]) == ({"queued": 1}, True)
    assert isinstance(found["points"], list)
    assert (len(found["points"]), found["step_seconds"]) == (24, 3600)


async def test_what_ended_is_reported_by_type_outcome_and_error(api: Api) -> None:
    recorder = StatsRecorder(api.stats, api.clock, lambda: "token")
    done = [succeeded(type="a.b") for _ in range(3)]
    facts = [fact_of(job, None) for job in (*done, failed(id="job-1", type="a.b"), retrying(type="c"))]
    await recorder.count([fact for fact in facts if fact], NOW + timedelta(seconds=9))
    found = api.call("GET", "/v1/stats", who=ADMIN).json
    assert found["counts"] == {"succeeded": 3, "failed": 1, "cancelled": 0, "retrying": 1}
    assert isinstance(found["points"], list)
    assert found["points"][-1] == {**found["counts"], "at": "2026-11-23T03:00:00.000000Z"}
    types, failures = found["types"], found["failures"]
    assert isinstance(types, list)
    assert [each["type"] for each in types if isinstance(each, dict)] == ["a.b", "c"]
    assert failures == [
        {"type": "a.b", "code": "failed", "count": 1, "last_job_id": "job-1", "last_at": "2026-11-23T03:00:00.123456Z"}
    ]
    assert isinstance(found["running"], dict)
    assert found["running"] == {"count": 5, "mean": 0.0, "p50": 0.0005, "p90": 0.0005, "p95": 0.0005, "p99": 0.0005}
    one = api.call("GET", "/v1/stats", who=ADMIN, query={"type": "c", "unfinished": "false"}).json
    assert (one["counts"], one["unfinished"]) == ({"succeeded": 0, "failed": 0, "cancelled": 0, "retrying": 1}, None)


def test_an_unknown_window_is_refused(api: Api) -> None:
    api.call("GET", "/v1/stats", who=ADMIN, query={"window": "2h"}).refused(422, "invalid_request")


def test_a_jobs_cost_is_shown_to_those_who_may_see_the_job(api: Api) -> None:
    path = f"/v1/jobs/{submitted(api)}/cost"
    for who in (MEMBER, ADMIN):
        cost = api.call("GET", path, who=who).json
        assert isinstance(cost["usd"], float)
        assert 1e-6 < cost["usd"] < 1e-4
    api.call("GET", path, who=OTHER).refused(404, "job_not_found")
    api.call("GET", "/v1/jobs/%20/cost").refused(404, "job_not_found")
