"""`GET /v1/jobs?owner=*`: what admins see of everyone's jobs."""

import pytest

from domain.jobs.change import Change
from headrace.testing.job_repository import FakeJobRepository
from tests.conftest import new_id
from tests.factories import NOW, failed, queued, running, succeeded
from tests.fakes.user_repository import FakeUserRepository
from tests.unit.api.conftest import ADMIN, MEMBER, OTHER, Api


@pytest.fixture
async def api(users: FakeUserRepository) -> Api:
    jobs = FakeJobRepository()
    for owner in (MEMBER, OTHER):
        for make in (queued, running, failed, succeeded):
            await jobs.add(Change(make(id=new_id(), owner_id=owner.id)), NOW)
    return Api(jobs, users)


def listed(api: Api, **query: str) -> list[tuple[object, object]]:
    items = api.call("GET", "/v1/jobs", who=ADMIN, query={"owner": "*", **query}).json["items"]
    assert isinstance(items, list)
    return [(item["owner_id"], item["status"]) for item in items if isinstance(item, dict)]


def test_an_admin_lists_the_unfinished_jobs_of_everyone(api: Api) -> None:
    everyones = {(owner.id, status) for owner in (MEMBER, OTHER) for status in ("queued", "running")}
    assert set(listed(api)) == everyones
    assert set(listed(api, status="running")) == {(owner.id, "running") for owner in (MEMBER, OTHER)}
    assert listed(api, type="unknown") == []


def test_the_next_page_is_of_everyone_too(api: Api) -> None:
    first = api.call("GET", "/v1/jobs", who=ADMIN, query={"owner": "*", "limit": "3"})
    assert str(first.headers["link"]).startswith("</v1/jobs?owner=%2A&limit=3&cursor=")
    assert len(listed(api, cursor=str(first.json["next"]))) == 1


def test_failed_jobs_of_everyone_are_listed_by_type(api: Api) -> None:
    assert set(listed(api, status="failed", type="csv.profile")) == {(each.id, "failed") for each in (MEMBER, OTHER)}
    for query in ({"status": "failed"}, {"status": "failed", "type": "a,b"}, {"status": "failed,queued", "type": "a"}):
        refused = api.call("GET", "/v1/jobs", who=ADMIN, query={"owner": "*", **query}).refused(422, "not_listed")
        assert "listed alone and by type: status=failed, and one type=" in str(refused.json["detail"])


@pytest.mark.parametrize("status", ["succeeded", "cancelled"])
def test_jobs_that_no_index_holds_are_refused_with_what_to_ask_instead(api: Api, status: str) -> None:
    refused = api.call("GET", "/v1/jobs", who=ADMIN, query={"owner": "*", "status": status, "type": "csv.profile"})
    assert "listed by owner" in str(refused.refused(422, "not_listed").json["detail"])


def test_a_member_is_refused_as_for_any_other_owner(api: Api) -> None:
    everyones = api.call("GET", "/v1/jobs", query={"owner": "*"}).refused(403, "not_allowed")
    anothers = api.call("GET", "/v1/jobs", query={"owner": OTHER.id}).refused(403, "not_allowed")
    assert everyones.text == anothers.text
    api.call("GET", "/v1/jobs", query={"owner": "*", "status": "succeeded"}).refused(403, "not_allowed")
