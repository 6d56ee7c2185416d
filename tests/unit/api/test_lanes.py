"""/v1/lanes and /v1/jobs/{id}/why."""

from datetime import timedelta

import pytest
from pydantic import JsonValue

from domain.jobs.change import Change
from domain.jobs.job import Job
from headrace.testing.job_repository import FakeJobRepository
from tests.conftest import new_id
from tests.factories import NOW, blocked, queued, scheduled
from tests.fakes.user_repository import FakeUserRepository
from tests.unit.api.conftest import ADMIN, MEMBER, OTHER, Api

MINE = f"{MEMBER.id}/reports"
PATH = f"/v1/lanes/{MINE}"


@pytest.fixture
async def api(users: FakeUserRepository) -> Api:
    api = Api(FakeJobRepository(), users)
    api.clock.now = NOW
    return api


async def waits(api: Api, job: Job) -> Job:
    assert isinstance(await api.jobs.add(Change(job), NOW), Job)
    return job


def test_lanes_are_for_admins(api: Api) -> None:
    for path in ("/v1/lanes", PATH):
        api.call("GET", path).refused(403, "not_allowed")
    api.call("PATCH", PATH, {"limit": 1}).refused(403, "not_allowed")
    for action in ("pause", "resume", "drain"):
        api.call("POST", f"{PATH}/{action}").refused(403, "not_allowed")


def test_a_lane_that_nobody_uses_is_empty(api: Api) -> None:
    lane = api.call("GET", PATH, who=ADMIN)
    assert lane.json == {
        "name": MINE, "limit": None, "rate": None, "mode": "open", "version": 0,
        "running": 0, "waiting": 0, "places": [],
    }  # fmt: skip
    assert lane.headers["etag"] == '"0"'
    api.call("GET", f"/v1/lanes/{'x' * 201}", who=ADMIN).refused(422, "invalid_request")


def test_limit_and_rate_are_changed_each_by_itself_and_left_to_the_types_again(api: Api) -> None:
    changed = api.call("PATCH", PATH, {"limit": 3}, who=ADMIN, headers={"if-match": '"0"'})
    assert (changed.json["limit"], changed.json["rate"], changed.json["version"]) == (3, None, 1)
    rate: JsonValue = {"count": 100, "per_seconds": 60.0}
    changed = api.call("PATCH", PATH, {"rate": rate}, who=ADMIN)
    assert (changed.json["limit"], changed.json["rate"]) == (3, rate)
    changed = api.call("PATCH", PATH, {"limit": None}, who=ADMIN)
    assert (changed.json["limit"], changed.json["rate"]) == (None, rate)
    changed = api.call("PATCH", PATH, {"rate": None}, who=ADMIN)
    assert (changed.json["limit"], changed.json["rate"], changed.json["version"]) == (None, None, 4)
    api.call("PATCH", PATH, {"limit": 1}, who=ADMIN, headers={"if-match": '"1"'}).refused(412, "stale_version")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"limit": -1}, "/limit"),
        ({"limit": 1001}, "/limit"),
        ({"limit": "1"}, "/limit"),
        ({"rate": {"count": 0, "per_seconds": 1}}, "/rate/count"),
        ({"rate": {"count": 51, "per_seconds": 1}}, "/rate"),
        ({"rate": {"count": 1, "per_seconds": 1e9}}, "/rate/per_seconds"),
        ({"speed": 1}, "/speed"),
    ],
)
def test_what_no_lane_can_have_is_refused_with_its_place(api: Api, body: JsonValue, pointer: str) -> None:
    refused = api.call("PATCH", PATH, body, who=ADMIN).refused(422, "invalid_request")
    errors = refused.json["errors"]
    assert isinstance(errors, list)
    assert [error["pointer"] for error in errors if isinstance(error, dict)] == [pointer]


def test_a_lane_is_paused_drained_and_opened_again(api: Api) -> None:
    for action, mode in (("pause", "paused"), ("drain", "draining"), ("resume", "open")):
        assert api.call("POST", f"{PATH}/{action}", who=ADMIN).json["mode"] == mode
    odd = f"{PATH}/pause"
    assert api.call("POST", f"{odd}/pause", who=ADMIN).json["name"] == f"{MINE}/pause"
    assert api.call("GET", odd, who=ADMIN).json["mode"] == "paused", "of the lane that is called so"


def test_a_lane_that_drains_refuses_new_jobs_and_a_paused_one_makes_them_wait(api: Api) -> None:
    job: JsonValue = {"type": "csv.profile", "payload": {"csv": "a\n1\n"}, "lane": "reports", "priority": 9}
    api.call("POST", f"{PATH}/drain", who=ADMIN)
    api.call("POST", "/v1/jobs", job).refused(409, "lane_draining")
    api.call("POST", f"{PATH}/pause", who=ADMIN)
    accepted = api.call("POST", "/v1/jobs", job)
    assert (accepted.status, accepted.json["status"]) == (202, "blocked")
    why = api.call("GET", f"/v1/jobs/{accepted.json['id']}/why")
    assert (why.json["code"], why.json["text"]) == ("lane_paused", f"first in the line of lane {MINE}, which is paused")
    listed = api.call("GET", "/v1/lanes", who=ADMIN)
    items = listed.json["items"]
    assert isinstance(items, list)
    assert [(lane["name"], lane["waiting"]) for lane in items if isinstance(lane, dict)] == [(MINE, 1)]
    api.call("POST", f"{PATH}/resume", who=ADMIN)
    assert api.call("GET", f"/v1/jobs/{accepted.json['id']}/why").json["code"] == "triggered", "it was let go"


def test_lanes_are_listed_by_page(api: Api) -> None:
    for name in ("a", "b", "c"):
        api.call("PATCH", f"/v1/lanes/{name}", {"limit": 1}, who=ADMIN)
    first = api.call("GET", "/v1/lanes", who=ADMIN, query={"limit": "2"})
    assert first.json["next"] == "b"
    assert first.headers["link"] == '</v1/lanes?limit=2&after=b>; rel="next"'
    last = api.call("GET", "/v1/lanes", who=ADMIN, query={"limit": "2", "after": "b"})
    items = last.json["items"]
    assert isinstance(items, list)
    assert [lane["name"] for lane in items if isinstance(lane, dict)] == ["c"]
    assert last.json["next"] is None


async def test_a_job_is_explained_to_its_owner_and_to_admins_alone(api: Api) -> None:
    job = await waits(api, scheduled(NOW + timedelta(hours=1), id=new_id(), type="csv.profile", owner_id=MEMBER.id))
    path = f"/v1/jobs/{job.id}/why"
    for who in (MEMBER, ADMIN):
        assert api.call("GET", path, who=who).json["code"] == "due_later"
    api.call("GET", path, who=OTHER).refused(404, "job_not_found")
    api.call("GET", "/v1/jobs/nonsense/why").refused(404, "job_not_found")


async def test_a_blocked_job_says_who_is_before_it(api: Api) -> None:
    first = await waits(api, blocked(NOW, id=new_id(), type="csv.profile", owner_id=MEMBER.id))
    second = await waits(api, blocked(NOW + timedelta(seconds=1), id=new_id(), type="csv.profile", owner_id=MEMBER.id))
    lane = api.call("GET", f"/v1/jobs/{second.id}/why").json["lane"]
    assert lane == {"name": "stripe:7", "limit": 1, "taken": 0, "ahead": 1, "holders": []}
    assert api.call("GET", f"/v1/jobs/{first.id}/why").json["code"] == "lane_free"
    other = await waits(api, queued(id=new_id(), type="of.tomorrow", owner_id=MEMBER.id))
    assert api.call("GET", f"/v1/jobs/{other.id}/why").json["code"] == "unknown_type"
