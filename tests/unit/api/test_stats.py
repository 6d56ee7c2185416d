"""/v1/stats and /v1/jobs/{id}/cost over HTTP."""

import pytest

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
