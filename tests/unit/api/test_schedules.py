"""/v1/schedules over fakes."""

import pytest
from pydantic import JsonValue

from domain.jobs.catalogue import Catalogue
from tests.fakes.user_repository import FakeUserRepository
from tests.unit.api.conftest import ADMIN, MEMBER, OTHER, Answer, Api

FORM: dict[str, JsonValue] = {
    "name": "nightly", "cron": "0 3 * * *", "timezone": "Europe/Oslo", "type": "csv.profile",
    "payload": {"csv": "a\n1\n"},
}  # fmt: skip
EVERY: dict[str, JsonValue] = {**{name: FORM[name] for name in ("name", "type", "payload")}, "every_seconds": 60}


@pytest.fixture
def api(users: FakeUserRepository) -> Api:
    return Api(users=users)


def created(api: Api, **fields: JsonValue) -> Answer:
    answer = api.call("POST", "/v1/schedules", {**FORM, **fields})
    assert answer.status == 201, answer.text
    return answer


def path_of(answer: Answer) -> str:
    return str(answer.headers["location"])


def test_a_schedule_is_created_read_and_listed(api: Api) -> None:
    answer = created(api, tags={"team": "ops"}, max_attempts=2, overlap="skip", missed="all", pause_after_failures=3)
    schedule = answer.json
    assert answer.headers["etag"] == '"1"'
    assert path_of(answer) == f"/v1/schedules/{schedule['id']}"
    assert schedule["next"] == [f"2026-11-{day}T02:00:00.000000Z" for day in range(24, 29)]
    expected = {
        **FORM, "every_seconds": None, "tags": {"team": "ops"}, "max_attempts": 2, "overlap": "skip", "missed": "all",
        "pause_after_failures": 3, "paused": False, "paused_at": None, "pause_reason": None, "last": None,
        "failures": 0, "problem": None, "version": 1, "owner_id": MEMBER.id,
    }  # fmt: skip
    assert {name: schedule[name] for name in expected} == expected
    assert schedule["links"] == {
        "self": path_of(answer), "pause": f"{path_of(answer)}/pause", "run": f"{path_of(answer)}/run",
    }  # fmt: skip
    assert api.call("GET", path_of(answer)).json == schedule
    unchanged = api.call("GET", path_of(answer), headers={"if-none-match": '"1"'})
    assert (unchanged.status, unchanged.text) == (304, "")
    (listed,) = as_list(api.call("GET", "/v1/schedules").json["items"])
    assert listed == {name: value for name, value in schedule.items() if name != "payload"}


def as_list(value: JsonValue) -> list[JsonValue]:
    assert isinstance(value, list)
    return value


def test_a_page_leads_to_the_next_and_an_admin_may_see_anothers(api: Api) -> None:
    ids = [str(created(api, name=str(number)).json["id"]) for number in range(3)]
    first = api.call("GET", "/v1/schedules", query={"limit": "2"})
    assert f"cursor={first.json['next']}" in str(first.headers["link"])
    second = api.call("GET", "/v1/schedules", query={"limit": "2", "cursor": str(first.json["next"])})
    found = [
        str(each["id"]) for page in (first, second) for each in as_list(page.json["items"]) if isinstance(each, dict)
    ]
    assert sorted(found) == sorted(ids)
    api.call("GET", "/v1/schedules", query={"cursor": "x"}).refused(400, "bad_cursor")
    api.call("GET", "/v1/schedules", query={"owner": MEMBER.id}, who=OTHER).refused(403, "not_allowed")
    theirs = api.call("GET", "/v1/schedules", query={"owner": MEMBER.id}, who=ADMIN).json
    assert len(as_list(theirs["items"])) == 3
    api.call("POST", "/v1/schedules", FORM).refused(409, "too_many_schedules")


@pytest.mark.parametrize(
    ("change", "code", "pointer"),
    [
        ({"cron": "0 25 * * *"}, "invalid_schedule", "/cron"),
        ({"cron": None}, "invalid_schedule", "/cron"),
        ({"every_seconds": 60}, "invalid_schedule", "/cron"),
        ({"timezone": "Oslo"}, "invalid_schedule", "/timezone"),
        ({"tags": {"tick": "x"}}, "invalid_schedule", "/tags/tick"),
        ({"payload": {}}, "invalid_payload", "/payload/csv"),
        ({"every_seconds": 4}, "invalid_request", "/every_seconds"),
        ({"overlap": "queue"}, "invalid_request", "/overlap"),
        ({"name": ""}, "invalid_request", "/name"),
        ({"paused": "yes"}, "invalid_request", "/paused"),
        ({"owner_id": "x"}, "invalid_request", "/owner_id"),
        ({"pause_after_failures": 0}, "invalid_request", "/pause_after_failures"),
    ],
)
def test_a_flaw_is_named_with_its_place(api: Api, change: dict[str, JsonValue], code: str, pointer: str) -> None:
    problem = api.call("POST", "/v1/schedules", {**FORM, **change}).refused(422, code).json
    (error,) = as_list(problem["errors"])
    assert isinstance(error, dict)
    assert error["pointer"] == pointer
    assert api.schedules.stored == ()


def test_other_refusals(api: Api) -> None:
    api.call("POST", "/v1/schedules", {**FORM, "type": "gone"}).refused(422, "unknown_job_type")
    large: dict[str, JsonValue] = {**FORM, "payload": {"csv": "x" * 300_000}}
    api.call("POST", "/v1/schedules", large).refused(413, "payload_too_large")
    api.call("POST", "/v1/schedules", FORM, headers={"idempotency-key": "é"}).refused(422, "invalid_idempotency_key")
    api.call("POST", "/v1/schedules", FORM, who=None).refused(401, "unauthenticated")
    half = b'{"name":"n","every_seconds":60,"type":"csv.profile","payload":1e999}'
    assert api.call("POST", "/v1/schedules", half).status in {400, 422}


def test_a_key_creates_one_schedule(api: Api) -> None:
    key = {"idempotency-key": "k"}
    first, again = (api.call("POST", "/v1/schedules", FORM, headers=key) for _ in range(2))
    assert first.status == again.status == 201
    assert again.headers["idempotency-replayed"] == "true"
    assert first.json == again.json
    api.call("POST", "/v1/schedules", EVERY, headers=key).refused(422, "idempotency_mismatch")


def test_another_tenants_schedule_is_as_one_that_does_not_exist(api: Api) -> None:
    path = path_of(created(api))
    for missing in (path, "/v1/schedules/nothing", "/v1/schedules/00000000-0000-4000-8000-999999999999"):
        for method, end in (("GET", ""), ("DELETE", ""), ("POST", "/pause"), ("POST", "/resume"), ("POST", "/run")):
            api.call(method, f"{missing}{end}", who=OTHER).refused(404, "schedule_not_found")
        change = api.call("PATCH", missing, {"name": "x"}, who=OTHER, headers={"if-match": "*"})
        change.refused(404, "schedule_not_found")
    assert api.call("GET", path, who=ADMIN).status == 200


def test_a_change_needs_the_version_and_leaves_what_it_does_not_name(api: Api) -> None:
    answer = created(api, max_attempts=2, pause_after_failures=3, tags={"a": "b"})
    path = path_of(answer)
    api.call("PATCH", path, {"name": "x"}).refused(428, "precondition_required")
    api.call("PATCH", path, {"name": "x"}, headers={"if-match": '"7"'}).refused(412, "stale_version")
    changed = api.call("PATCH", path, {"name": "x", "max_attempts": None}, headers={"if-match": '"1"'})
    assert changed.headers["etag"] == '"2"'
    assert {**answer.json, "name": "x", "max_attempts": None, "version": 2} == changed.json
    fast = api.call("PATCH", path, {"every_seconds": 60, "payload": {"csv": "b\n"}}, headers={"if-match": "*"}).json
    assert (fast["cron"], fast["every_seconds"], fast["payload"]) == (None, 60, {"csv": "b\n"})
    assert as_list(fast["next"])[0] == "2026-11-23T03:01:00.000000Z"
    both = api.call("PATCH", path, {"cron": "* * * * *", "every_seconds": 60}, headers={"if-match": "*"})
    both.refused(422, "invalid_schedule")
    api.call("PATCH", path, {"payload": None}, headers={"if-match": "*"}).refused(422, "invalid_payload")
    api.call("PATCH", path, {"timezone": None, "cron": None, "paused": True}, headers={"if-match": "*"}).refused(
        422, "invalid_request"
    )


def test_it_is_paused_resumed_run_and_deleted(api: Api) -> None:
    path = path_of(created(api))
    paused = api.call("POST", f"{path}/pause", headers={"if-match": '"1"'}).json
    assert (paused["paused"], paused["pause_reason"], paused["next"]) == (True, "requested", [])
    assert paused["links"] == {"self": path, "resume": f"{path}/resume", "run": f"{path}/run"}
    api.call("POST", f"{path}/resume", headers={"if-match": '"1"'}).refused(412, "stale_version")
    job = api.call("POST", f"{path}/run", headers={"idempotency-key": "k"})
    assert (job.status, job.json["type"], job.json["tags"]) == (202, "csv.profile", {"schedule": path.split("/")[-1]})
    again = api.call("POST", f"{path}/run", headers={"idempotency-key": "k"})
    assert (again.json["id"], again.headers["idempotency-replayed"]) == (job.json["id"], "true")
    assert api.call("POST", f"{path}/resume").json["paused"] is False
    api.call("DELETE", path, headers={"if-match": '"1"'}).refused(412, "stale_version")
    deleted = api.call("DELETE", path)
    assert (deleted.status, deleted.text) == (204, "")
    api.call("GET", path).refused(404, "schedule_not_found")
    assert api.call("GET", str(job.headers["location"])).status == 200


def test_a_preview_creates_nothing(api: Api) -> None:
    form: dict[str, JsonValue] = {"cron": "30 2 * * *", "timezone": "America/New_York", "count": 2}
    answer = api.call("POST", "/v1/schedules/preview", form)
    assert answer.json == {"next": ["2026-11-23T07:30:00.000000Z", "2026-11-24T07:30:00.000000Z"]}
    api.call("POST", "/v1/schedules/preview", {"cron": "* * *"}).refused(422, "invalid_schedule")
    assert api.schedules.stored == ()


def test_a_schedule_whose_job_type_is_gone_says_so(users: FakeUserRepository, api: Api) -> None:
    path = path_of(created(api))
    without = Api(users=users, types=Catalogue([]), schedules=api.schedules)
    problem = without.call("GET", path).json["problem"]
    assert problem == {"code": "unknown_job_type", "message": "its job type csv.profile is not known", "at": None}
    without.call("POST", f"{path}/run").refused(422, "unknown_job_type")
    assert without.call("POST", f"{path}/pause").status == 200
