"""POST /v1/jobs/cancel and /v1/jobs/retry."""

import pytest
from pydantic import JsonValue

from tests.fakes.user_repository import FakeUserRepository
from tests.unit.api.conftest import ADMIN, MEMBER, OTHER, Api

KIND = "csv.profile"


@pytest.fixture
def api(users: FakeUserRepository) -> Api:
    api = Api(users=users)
    for who in (MEMBER, MEMBER, OTHER):
        form: JsonValue = {"type": KIND, "payload": {"csv": "a\n"}, "delay_seconds": 60, "tags": {"batch": "7"}}
        assert api.call("POST", "/v1/jobs", form, who=who).status == 202
    return api


def test_own_jobs_are_counted_and_cancelled(api: Api) -> None:
    form: dict[str, JsonValue] = {"filter": {"type": KIND, "tags": {"batch": "7"}}}
    dry = api.call("POST", "/v1/jobs/cancel", {**form, "dry_run": True})
    assert dry.json == {"matched": 2, "changed": 0, "incomplete": False}
    assert api.call("POST", "/v1/jobs/cancel", form).json == {"matched": 2, "changed": 2, "incomplete": False}
    again = api.call("POST", "/v1/jobs/retry", {"filter": {"status": "cancelled"}})
    assert again.json == {"matched": 2, "changed": 2, "incomplete": False}


def test_only_admins_change_jobs_of_others(api: Api) -> None:
    for owner in ("*", OTHER.id):
        form: JsonValue = {"filter": {"type": KIND, "owner": owner}}
        api.call("POST", "/v1/jobs/cancel", form).refused(403, "not_allowed")
    form = {"filter": {"type": KIND, "owner": "*"}}
    assert api.call("POST", "/v1/jobs/cancel", form, who=ADMIN).json["changed"] == 3


def test_an_empty_filter_and_what_no_index_lists_are_refused(api: Api) -> None:
    empties: tuple[dict[str, JsonValue], ...] = ({}, {"owner": "*"}, {"tags": {}})
    for empty in empties:
        api.call("POST", "/v1/jobs/retry", {"filter": empty}, who=ADMIN).refused(422, "invalid_request")
    everyones: JsonValue = {"filter": {"status": "failed", "owner": "*"}}
    assert api.call("POST", "/v1/jobs/retry", everyones, who=ADMIN).status == 422


def test_a_filter_may_name_several_values(api: Api) -> None:
    form: dict[str, JsonValue] = {
        "filter": {"type": [KIND, "other"], "status": ["scheduled", "queued"], "min_attempt": 1}
    }
    assert api.call("POST", "/v1/jobs/cancel", form).json["matched"] == 0
    form = {"filter": {"type": [KIND, "other"], "status": ["scheduled", "queued"], "lane": "none"}}
    assert api.call("POST", "/v1/jobs/cancel", form).json["matched"] == 0
    form = {"filter": {"type": [KIND, "other"], "created_from": "2000-01-01T00:00:00Z"}}
    assert api.call("POST", "/v1/jobs/cancel", form).json["matched"] == 2
    wrong: tuple[dict[str, JsonValue], ...] = (
        {"status": []}, {"status": ["lost"]}, {"type": ["x"] * 21}, {"priority": 10}, {"priority": ["1"]},
        {"min_attempt": 0}, {"created_to": "today"}, {"lane": ""}, {"status": {}},
    )  # fmt: skip
    for each in wrong:
        refused = api.call("POST", "/v1/jobs/cancel", {"filter": each}).refused(422, "invalid_request")
        assert refused.json["error_count"] == 1, "a flaw is named once, by a place that the client knows"


def test_jobs_with_a_tag_are_listed(api: Api) -> None:
    for tag, count in (("batch=7", 2), ("batch=8", 0), ("other=7", 0)):
        items = api.call("GET", "/v1/jobs", query={"tag": tag}).json["items"]
        assert isinstance(items, list)
        assert len(items) == count
    for no_tag in ("batch", "=7"):
        api.call("GET", "/v1/jobs", query={"tag": no_tag}).refused(422, "invalid_request")
    first = api.call("GET", "/v1/jobs", query={"tag": "batch=7", "limit": "1"})
    assert "tag=batch%3D7" in str(first.headers["link"])
