"""Quotas over HTTP: 429 with Retry-After, and who sets them."""

import pytest
from pydantic import JsonValue

from domain.users.quota import Quota
from tests.fakes.user_repository import FakeUserRepository
from tests.unit.api.conftest import ADMIN, MEMBER, OTHER, Api

CSV: JsonValue = {"type": "csv.profile", "payload": {"csv": "a\n1\n"}}
SCHEDULE: JsonValue = {"name": "nightly", "cron": "0 3 * * *", "type": "csv.profile", "payload": {"csv": "a"}}
MATCH = {"if-match": "*"}


@pytest.mark.parametrize("quota", [Quota(unfinished=1), Quota(submissions_per_minute=1)])
def test_a_submission_beyond_the_quota_is_refused_for_a_while(users: FakeUserRepository, quota: Quota) -> None:
    api = Api(users=users, quota=quota)
    assert api.call("POST", "/v1/jobs", CSV).status == 202
    refused = api.call("POST", "/v1/jobs", CSV).refused(429, "quota_exceeded")
    assert 0 < int(str(refused.headers["retry-after"])) <= 60
    assert str(refused.json["detail"]).endswith(f"Try again in {refused.headers['retry-after']} s.")
    assert api.call("POST", "/v1/jobs", CSV, who=OTHER).status == 202, "another owner has a quota of its own"


def test_each_entry_of_a_batch_counts_and_so_does_a_schedule_that_is_run_by_hand(
    users: FakeUserRepository,
) -> None:
    api = Api(users=users, quota=Quota(submissions_per_minute=2))
    results = api.call("POST", "/v1/jobs/batch", {"jobs": [CSV, CSV, CSV]}).json["results"]
    assert isinstance(results, list)
    assert sorted(str(result["status"]) for result in results if isinstance(result, dict)) == ["202", "202", "429"]
    schedule = api.call("POST", "/v1/schedules", SCHEDULE).json
    api.call("POST", f"/v1/schedules/{schedule['id']}/run").refused(429, "quota_exceeded")


def test_a_replay_is_no_submission(users: FakeUserRepository) -> None:
    api = Api(users=users, quota=Quota(unfinished=1))
    key = {"idempotency-key": "one"}
    first = api.call("POST", "/v1/jobs", CSV, headers=key)
    again = api.call("POST", "/v1/jobs", CSV, headers=key)
    assert (again.status, again.json["id"]) == (202, first.json["id"])


def test_an_admin_sets_a_users_quota_and_the_user_sees_it(users: FakeUserRepository) -> None:
    api, path = Api(users=users), f"/v1/users/{MEMBER.id}"
    assert api.call("GET", path).json["quota"] == {"unfinished": None, "submissions_per_minute": None}
    api.call("PATCH", path, {"quota": {"unfinished": 9}}, headers=MATCH).refused(403, "not_allowed")
    changed = api.call("PATCH", path, {"quota": {"unfinished": 1}}, who=ADMIN, headers=MATCH)
    assert changed.json["quota"] == {"unfinished": 1, "submissions_per_minute": None}
    assert api.call("GET", "/v1/users/me").json["quota"] == changed.json["quota"]
    assert api.call("PATCH", path, {"name": "n"}, headers=MATCH).json["quota"] == changed.json["quota"]
    assert api.call("POST", "/v1/jobs", CSV).status == 202
    api.call("POST", "/v1/jobs", CSV).refused(429, "quota_exceeded")
    back = api.call("PATCH", path, {"quota": {}}, who=ADMIN, headers=MATCH)
    assert back.json["quota"] == {"unfinished": None, "submissions_per_minute": None}
    assert api.call("POST", "/v1/jobs", CSV).status == 202
    flawed: list[JsonValue] = [{"unfinished": -1}, {"unfinished": 10_001}, {"submissions_per_minute": 1.5}, {"more": 1}]
    for wrong in flawed:
        api.call("PATCH", path, {"quota": wrong}, who=ADMIN, headers=MATCH).refused(422, "invalid_request")
