"""/v1/webhooks and `notify`, over HTTP."""

import base64
import json

import pytest
from pydantic import JsonValue

from headrace.testing.job_repository import FakeJobRepository
from tests.fakes.user_repository import FakeUserRepository
from tests.unit.api.conftest import ADMIN, MEMBER, Api

URL = "https://example.com/hooks"


@pytest.fixture
def api(users: FakeUserRepository) -> Api:
    return Api(users=users)


def created(api: Api, **fields: JsonValue) -> dict[str, JsonValue]:
    answer = api.call("POST", "/v1/webhooks", {"url": URL, **fields}, who=ADMIN)
    assert answer.status == 201, answer.text
    return answer.json


def submission(**notify: JsonValue) -> JsonValue:
    return {"type": "csv.profile", "payload": {"csv": "a\n1\n"}, "notify": notify}


def test_a_secret_is_shown_once(api: Api) -> None:
    hook = created(api, description="ours")
    secret = str(hook["secret"])
    assert len(base64.b64decode(secret.removeprefix("whsec_"))) == 32
    path = f"/v1/webhooks/{hook['id']}"
    shown = [
        api.call("GET", path, who=ADMIN), api.call("GET", "/v1/webhooks", who=ADMIN),
        api.call("PATCH", path, {"description": "x"}, who=ADMIN), api.call("POST", f"{path}/test", who=ADMIN),
        api.call("GET", f"{path}/deliveries", who=ADMIN, query={"include": "payload"}),
    ]  # fmt: skip
    assert [answer.status for answer in shown] == [200, 200, 200, 202, 200]
    assert not [answer.text for answer in shown if "whsec_" in answer.text or secret[6:] in answer.text]
    assert "whsec_" not in api.log.getvalue()


def test_an_endpoint_has_defaults_and_is_changed_in_part(api: Api) -> None:
    hook = created(api)
    assert (hook["statuses"], hook["types"], hook["include"]) == (["succeeded", "failed", "cancelled"], [], [])
    path = f"/v1/webhooks/{hook['id']}"
    changed = api.call("PATCH", path, {"types": ["a.b", "a.b"], "enabled": False}, who=ADMIN).json
    assert (changed["types"], changed["status"], changed["disabled_reason"]) == (["a.b"], "disabled", "requested")
    assert (changed["url"], changed["version"]) == (URL, 2)
    again = api.call("PATCH", path, {"enabled": True}, who=ADMIN, headers={"if-match": '"2"'})
    assert (again.json["status"], again.headers["etag"]) == ("enabled", '"3"')
    api.call("PATCH", path, {"enabled": True}, who=ADMIN, headers={"if-match": '"2"'}).refused(412, "stale_version")
    assert api.call("GET", path, who=ADMIN, headers={"if-none-match": '"3"'}).status == 304


def test_a_rotation_shows_the_new_secret_and_how_long_the_old_one_lives(api: Api) -> None:
    hook = created(api)
    path = f"/v1/webhooks/{hook['id']}/rotate"
    first = api.call("POST", path, who=ADMIN).json
    assert first["secret"] != hook["secret"]
    assert first["previous_until"] == "2026-11-24T03:00:00.123456Z"
    assert api.call("POST", path, who=ADMIN, query={"overlap_seconds": "0"}).json["previous_until"] is None
    assert api.call("POST", path, who=ADMIN, query={"overlap_seconds": "999999"}).status == 422


def test_a_trial_is_listed_and_what_has_ended_is_replayed(api: Api) -> None:
    hook = created(api)
    path = f"/v1/webhooks/{hook['id']}"
    trial = api.call("POST", f"{path}/test", who=ADMIN).json
    assert (trial["type"], trial["owner_id"]) == ("webhook.deliver", hook["id"])
    replay = f"{path}/deliveries/{trial['id']}/replay"
    api.call("POST", replay, who=ADMIN).refused(409, "illegal_transition")
    assert api.call("POST", f"/v1/jobs/{trial['id']}/cancel", who=ADMIN).status == 200
    again = api.call("POST", replay, who=ADMIN)
    assert (again.status, again.json["payload"]) == (202, trial["payload"])
    listed = api.call("GET", f"{path}/deliveries", who=ADMIN).json["items"]
    assert isinstance(listed, list)
    assert {str(each["id"]) for each in listed if isinstance(each, dict)} == {str(trial["id"]), str(again.json["id"])}
    api.call("POST", f"{path}/deliveries/x/replay", who=ADMIN).refused(404, "job_not_found")


def test_a_deleted_endpoint_is_not_found(api: Api) -> None:
    hook = created(api)
    path = f"/v1/webhooks/{hook['id']}"
    assert api.call("DELETE", path, who=ADMIN).status == 204
    for method, below in (("GET", ""), ("DELETE", ""), ("PATCH", ""), ("POST", "/rotate"), ("POST", "/test")):
        body: JsonValue = {} if method == "PATCH" else None
        api.call(method, f"{path}{below}", body, who=ADMIN).refused(404, "webhook_not_found")
    api.call("GET", "/v1/webhooks/rubbish", who=ADMIN).refused(404, "webhook_not_found")
    api.call("POST", f"{path}/deliveries/{hook['id']}/replay", who=ADMIN).refused(404, "webhook_not_found")


def test_webhooks_are_for_admins(api: Api) -> None:
    path = f"/v1/webhooks/{created(api)['id']}"
    calls: list[tuple[str, str, JsonValue]] = [
        ("POST", "/v1/webhooks", {"url": URL}), ("GET", "/v1/webhooks", None), ("GET", path, None),
        ("PATCH", path, {}), ("DELETE", path, None), ("POST", f"{path}/rotate", None), ("POST", f"{path}/test", None),
        ("GET", f"{path}/deliveries", None), ("POST", f"{path}/deliveries/{MEMBER.id}/replay", None),
    ]  # fmt: skip
    for method, where, body in calls:
        api.call(method, where, body).refused(403, "not_allowed")


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "ftp://example.com"}, {"url": "https://user:pass@example.com"}, {"url": "https://exämple.com"},
        {"url": f"https://example.com/{'a' * 3000}"}, {"url": URL, "statuses": []},
        {"url": URL, "statuses": ["running"]}, {"url": URL, "include": ["everything"]}, {"url": URL, "secret": "mine"},
        {},
    ],
)  # fmt: skip
def test_a_flawed_endpoint_is_refused(api: Api, wrong: JsonValue) -> None:
    assert api.call("POST", "/v1/webhooks", wrong, who=ADMIN).status == 422


def test_there_are_twenty_at_most(api: Api) -> None:
    for _ in range(20):
        created(api)
    api.call("POST", "/v1/webhooks", {"url": URL}, who=ADMIN).refused(409, "too_many_webhooks")


def test_notify_needs_the_secret_that_signs_it(api: Api) -> None:
    refused = api.call("POST", "/v1/jobs", submission(url=URL)).refused(422, "invalid_payload")
    assert "POST /v1/notify-secret" in refused.text
    secret = api.call("POST", "/v1/notify-secret").json
    assert secret["previous_until"] is None
    job = api.call("POST", "/v1/jobs", submission(url=URL, include=["result"])).json
    assert job["notify"] == {"url": URL, "statuses": ["succeeded", "failed", "cancelled"], "include": ["result"]}
    assert api.call("GET", f"/v1/jobs/{job['id']}").json["notify"] == job["notify"]
    batch = api.call("POST", "/v1/jobs/batch", {"jobs": [submission(url=URL, statuses=["failed"])]}).json["results"]
    assert '"statuses": ["failed"]' in json.dumps(batch)


@pytest.mark.parametrize("notify", [{}, {"url": "x"}, {"url": URL, "statuses": ["queued"]}, {"url": URL, "more": 1}])
def test_a_flawed_notify_is_refused(api: Api, notify: dict[str, JsonValue]) -> None:
    api.call("POST", "/v1/notify-secret")
    answer = api.call("POST", "/v1/jobs", submission(**notify))
    assert answer.status == 422
    assert "/notify" in answer.text


def test_another_notify_under_the_same_key_is_another_submission(api: Api) -> None:
    api.call("POST", "/v1/notify-secret")
    key = {"idempotency-key": "k"}
    first = api.call("POST", "/v1/jobs", submission(url=URL), headers=key)
    again = api.call("POST", "/v1/jobs", submission(url=URL), headers=key)
    assert (again.json["id"], again.headers["idempotency-replayed"]) == (first.json["id"], "true")
    api.call("POST", "/v1/jobs", submission(url=f"{URL}/2"), headers=key).refused(422, "idempotency_mismatch")


def test_nobody_submits_a_delivery(api: Api) -> None:
    body: JsonValue = {"type": "webhook.deliver", "payload": {"message_id": "1", "signer_id": "x", "body": "{}"}}
    for who in (MEMBER, ADMIN):
        api.call("POST", "/v1/jobs", body, who=who).refused(422, "unknown_job_type")
    api.call("GET", "/v1/job-types/webhook.deliver").refused(404, "unknown_job_type")
    assert "webhook" not in api.call("GET", "/v1/job-types").text
    assert isinstance(api.jobs, FakeJobRepository)
    assert api.jobs.stored == ()
