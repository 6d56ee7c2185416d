"""/v1/jobs."""

import json
from datetime import timedelta

import pytest
from pydantic import BaseModel, ConfigDict, JsonValue

from domain.jobs import transitions
from domain.jobs.catalogue import Catalogue
from domain.jobs.change import Change
from domain.jobs.job import Job
from domain.jobs.outcomes import Done
from domain.jobs.repository import JobUnreadable
from headrace.authoring.json_text import to_json_text
from headrace.testing.job_repository import FakeJobRepository
from tests.factories import NOW, asked_to_stop, failed, finished, legal, retrying, running, succeeded
from tests.fakes.faulty_job_listing import FaultyJobListing
from tests.fakes.faulty_job_repository import OUTAGE, FaultyJobRepository
from tests.fakes.handlers import a_handler
from tests.fakes.user_repository import FakeUserRepository
from tests.unit.api.conftest import ADMIN, MEMBER, OTHER, Answer, Api

CSV: dict[str, JsonValue] = {"type": "csv.profile", "payload": {"csv": "a\n1\n"}}
NOBODY = "00000000-0000-4000-8000-999999999999"


@pytest.fixture
def api(users: FakeUserRepository) -> Api:
    return Api(users=users)


def submit(api: Api, **fields: JsonValue) -> Answer:
    answer = api.call("POST", "/v1/jobs", CSV | fields)
    assert answer.status == 202, answer.text
    return answer


def test_a_submission_is_accepted_with_location_and_etag(api: Api) -> None:
    answer = submit(api, tags={"k": "v"})
    job = answer.json
    assert answer.headers["location"] == f"/v1/jobs/{job['id']}"
    assert answer.headers["etag"] == '"1"'
    assert answer.headers["x-request-id"] == "request-1"
    assert job == {
        "id": job["id"], "type": "csv.profile", "status": "queued", "version": 1, "payload": {"csv": "a\n1\n"},
        "result": None, "payload_ref": None, "result_ref": None, "error": None, "attempt": 0, "max_attempts": 3,
        "progress": None, "cancel_requested": False,
        "run_at": None, "created_at": "2026-11-23T03:00:00.123456Z", "updated_at": "2026-11-23T03:00:00.123456Z",
        "started_at": None, "finished_at": None, "expires_at": job["expires_at"], "tags": {"k": "v"},
        "lane": None, "priority": None, "notify": None, "steps": 0, "waiting_for": [], "parent": None,
        "children": [], "traceparent": None,
        "payload_version": 1,
        "history": [{
            "status": "queued", "at": "2026-11-23T03:00:00.123456Z", "attempt": 0,
            "code": None, "message": None, "frame": None,
        }],
        "owner_id": MEMBER.id, "links": {"self": f"/v1/jobs/{job['id']}", "cancel": f"/v1/jobs/{job['id']}/cancel"},
    }  # fmt: skip


def test_a_job_is_read_back(api: Api) -> None:
    accepted = submit(api)
    read = api.call("GET", f"/v1/jobs/{accepted.json['id']}")
    assert (read.status, read.json, read.headers["etag"]) == (200, accepted.json, '"1"')


def test_a_time_is_returned_in_utc(api: Api) -> None:
    job = submit(api, run_at="2026-11-23T12:30:00+05:30").json
    assert (job["status"], job["run_at"]) == ("scheduled", "2026-11-23T07:00:00.000000Z")


def test_a_delay_schedules(api: Api) -> None:
    assert submit(api, delay_seconds=3).json["run_at"] == "2026-11-23T03:00:03.123456Z"


class Anything(BaseModel):
    """A payload with arbitrary members."""

    model_config = ConfigDict(extra="allow")


@pytest.mark.parametrize("number", ["12345678901234567890123456789", "0.1", "1e22", "-0.0", "1.7976931348623157e308"])
def test_numbers_in_a_payload_are_returned_exactly(users: FakeUserRepository, number: str) -> None:
    types = Catalogue([a_handler("any.thing", payload=Anything)])
    body = f'{{"type":"any.thing","payload":{{"n":{number}}}}}'.encode()
    answer = Api(users=users, types=types).call("POST", "/v1/jobs", body)
    assert answer.status == 202, answer.text
    assert repr(answer.json["payload"]) == repr({"n": json.loads(number)})


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 422, "invalid_request"),
        (b"{", 400, "invalid_json"),
        (b"nonsense", 400, "invalid_json"),
        (b"\xff\xfe", 400, "invalid_json"),
        (b"[" * 10_000 + b"]" * 10_000, 400, "invalid_json"),
        (b'{"type":"csv.profile","payload":' + b'{"a":' * 10_000 + b"1" + b"}" * 10_000 + b"}", 400, "invalid_json"),
        (b'{"type":"csv.profile","payload":{"csv":"\\ud800"}}', 400, "invalid_json"),
        (b'{"type":"csv.profile","payload":{"csv":NaN}}', 400, "invalid_json"),
        (b'{"type":"csv.profile","payload":{"csv":Infinity}}', 400, "invalid_json"),
        (b'{"type":"csv.profile","payload":{"csv":1e999}}', 422, "invalid_payload"),
        (b'{"type":"csv.profile","payload":{"csv":' + b"1" * 5000 + b"}}", 400, "invalid_json"),
        (b"[]", 422, "invalid_request"),
        (b"null", 422, "invalid_request"),
        (b'"text"', 422, "invalid_request"),
        (b"{}", 422, "invalid_request"),
        (b'{"type":"csv.profile"}', 422, "invalid_request"),
        (b'{"type":7,"payload":{}}', 422, "invalid_request"),
        (b'{"type":"","payload":{}}', 422, "invalid_request"),
        (b'{"type":"nope","payload":{}}', 422, "unknown_job_type"),
        (b'{"type":"csv.profile","payload":{}}', 422, "invalid_payload"),
        (b'{"type":"csv.profile","payload":[]}', 422, "invalid_payload"),
        (b'{"type":"csv.profile","payload":null}', 422, "invalid_payload"),
        (b'{"type":"csv.profile","payload":{"csv":1}}', 422, "invalid_payload"),
        (b'{"type":"csv.profile","payload":{"csv":"a","x":1}}', 422, "invalid_payload"),
    ],
    ids=lambda value: str(value[:40]) if isinstance(value, bytes) else str(value),
)
def test_a_body_of_the_wrong_kind_gets_a_problem_and_writes_nothing(
    api: Api, body: bytes, status: int, code: str
) -> None:
    api.call("POST", "/v1/jobs", body).refused(status, code)
    assert api.call("GET", "/v1/jobs").json["items"] == []


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"unknown": 1}, "/unknown"),
        ({"status": "succeeded"}, "/status"),
        ({"version": 9}, "/version"),
        ({"owner_id": "x"}, "/owner_id"),
        ({"id": "x"}, "/id"),
        ({"run_at": 1_800_000_000}, "/run_at"),
        ({"run_at": "tomorrow"}, "/run_at"),
        ({"run_at": "2026-12-01T00:00:00"}, "/run_at"),
        ({"delay_seconds": -1}, "/delay_seconds"),
        ({"delay_seconds": "3"}, "/delay_seconds"),
        ({"delay_seconds": True}, "/delay_seconds"),
        ({"delay_seconds": 1e300}, "/delay_seconds"),
        ({"run_at": "9999-12-31T23:59:59Z"}, "/run_at"),
        ({"run_at": "2026-12-01T00:00:00Z", "delay_seconds": 1}, "/delay_seconds"),
        ({"max_attempts": 0}, "/max_attempts"),
        ({"max_attempts": 101}, "/max_attempts"),
        ({"max_attempts": 1.5}, "/max_attempts"),
        ({"max_attempts": "3"}, "/max_attempts"),
        ({"tags": {"": "x"}}, "/tags"),
        ({"lane": ""}, "/lane"),
        ({"lane": "a\nb"}, "/lane"),
        ({"lane": "x" * 101}, "/lane"),
        ({"priority": 10}, "/priority"),
        ({"priority": True}, "/priority"),
        ({"unique": "always"}, "/unique"),
        ({"unique": "while-unfinished"}, "/unique"),
        ({"tags": {"k": 1}}, "/tags/k"),
        ({"tags": {f"k{n}": "v" for n in range(21)}}, "/tags"),
        ({"tags": {"a/b~c": "v" * 257}}, "/tags/a~1b~0c"),
        ({"payload": {"csv": "a", "delimiter": ""}}, "/payload/delimiter"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_a_wrong_field_is_refused_with_a_pointer_to_it(api: Api, fields: dict[str, JsonValue], pointer: str) -> None:
    problem = api.call("POST", "/v1/jobs", CSV | fields)
    assert problem.status == 422, problem.text
    errors = problem.json["errors"]
    assert isinstance(errors, list)
    assert any(isinstance(error, dict) and str(error["pointer"]).startswith(pointer) for error in errors), errors
    assert api.call("GET", "/v1/jobs").json["items"] == []


def test_a_problem_never_repeats_what_was_sent(api: Api) -> None:
    problem = api.call("POST", "/v1/jobs", CSV | {"payload": {"csv": 7, "token": "hunter2"}, "run_at": "hunter2"})
    assert "hunter2" not in problem.text


def test_bodies_and_payloads_have_a_limit(api: Api) -> None:
    api.call("POST", "/v1/jobs", CSV | {"payload": {"csv": "x" * 6_000_000}}).refused(413, "payload_too_large")
    api.call("POST", "/v1/jobs", CSV | {"payload": {"csv": "x" * 5_242_880}}).refused(413, "payload_too_large")
    assert api.call("GET", "/v1/jobs").json["items"] == []


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "", "application/jsonx"])
def test_a_body_without_a_json_content_type_is_refused(api: Api, media_type: str) -> None:
    answer = api.call("POST", "/v1/jobs", CSV, headers={"content-type": media_type})
    answer.refused(415, "unsupported_media_type")


@pytest.mark.parametrize("media_type", ["application/json; charset=utf-8", "application/vnd.job+json"])
def test_json_may_be_called_by_its_other_names(api: Api, media_type: str) -> None:
    assert api.call("POST", "/v1/jobs", CSV, headers={"content-type": media_type}).status == 202


def test_an_idempotency_key_identifies_one_job(api: Api) -> None:
    first = api.call("POST", "/v1/jobs", CSV, headers={"idempotency-key": "order 7"})
    again = api.call("POST", "/v1/jobs", CSV, headers={"idempotency-key": "order 7"})
    assert first.json == again.json
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    other = CSV | {"payload": {"csv": "b\n1\n"}}
    api.call("POST", "/v1/jobs", other, headers={"idempotency-key": "order 7"}).refused(422, "idempotency_mismatch")


@pytest.mark.parametrize("key", ["", "x" * 256, "tab\there"])
def test_an_idempotency_key_is_printable_ascii(api: Api, key: str) -> None:
    api.call("POST", "/v1/jobs", CSV, headers={"idempotency-key": key}).refused(422, "invalid_idempotency_key")


@pytest.mark.parametrize("job_id", [NOBODY, "x", "0" * 5000, "%00", "é", NOBODY.upper()])
def test_a_job_that_does_not_exist_is_not_found(api: Api, job_id: str) -> None:
    api.call("GET", f"/v1/jobs/{job_id}").refused(404, "job_not_found")
    api.call("POST", f"/v1/jobs/{job_id}/cancel").refused(404, "job_not_found")
    api.call("POST", f"/v1/jobs/{job_id}/retry").refused(404, "job_not_found")


def test_another_tenants_job_gets_the_response_of_a_missing_one(api: Api) -> None:
    job_id = submit(api).json["id"]
    for method, suffix in (("GET", ""), ("POST", "/cancel"), ("POST", "/retry")):
        theirs = api.call(method, f"/v1/jobs/{job_id}{suffix}", who=OTHER)
        nobodys = api.call(method, f"/v1/jobs/{NOBODY}{suffix}", who=OTHER)
        assert (theirs.status, theirs.text, theirs.headers) == (nobodys.status, nobodys.text, nobodys.headers)
    assert api.call("GET", f"/v1/jobs/{job_id}", who=ADMIN).status == 200


def test_jobs_are_listed_newest_first_with_a_cursor_and_a_link(api: Api) -> None:
    ids = []
    for _ in range(3):
        ids.append(submit(api).json["id"])
        api.clock.forward(timedelta(seconds=1))
    first = api.call("GET", "/v1/jobs", query={"limit": "2", "status": "queued"})
    items = first.json["items"]
    assert isinstance(items, list)
    assert [item["id"] for item in items if isinstance(item, dict)] == [ids[2], ids[1]]
    cursor = str(first.json["next"])
    assert first.headers["link"] == f'</v1/jobs?status=queued&limit=2&cursor={cursor}>; rel="next"'
    second = api.call("GET", "/v1/jobs", query={"limit": "2", "status": "queued", "cursor": cursor})
    assert [item["id"] for item in second.json["items"]] == [ids[0]]  # type: ignore[union-attr,index,call-overload]
    assert second.json["next"] is None
    api.call("GET", "/v1/jobs", query={"limit": "2", "cursor": cursor}).refused(400, "bad_cursor")
    api.call("GET", "/v1/jobs", query={"status": "queued", "cursor": cursor}, who=OTHER).refused(400, "bad_cursor")
    api.call("GET", "/v1/jobs", query={"cursor": "x"}).refused(400, "bad_cursor")


def test_a_list_has_jobs_of_several_statuses_types_and_tags_and_its_link_says_so(api: Api) -> None:
    given: tuple[dict[str, JsonValue], ...] = ({"a": "1", "b": "x y"}, {"a": "1"}, {"a": "2"})
    for tags in given:
        assert submit(api, tags=tags).status == 202
        api.clock.forward(timedelta(seconds=1))

    def found(text: str) -> int:
        items = api.call("GET", "/v1/jobs", query=text).json["items"]
        assert isinstance(items, list)
        return len(items)

    assert found("status=queued,running&type=csv.profile&type=other") == 3
    assert found("status=running&status=failed") == 0
    assert found("tag=a%3D1&tag=b%3Dx%20y") == 1
    assert found("lane=x&lane=y") == found("priority=1,2&priority=3") == found("min_attempt=1") == 0
    assert found("error_code=x") == found("created_to=2000-01-01T00:00:00Z") == 0
    assert found("created_from=2000-01-01T00%3A00%3A00%2B01%3A00&reverse=true") == 3
    text = "status=queued,failed&tag=a%3D1&tag=b%3Dx+y&lane=m%2Cn&created_from=2000-01-01T00:00:00Z&reverse=true"
    wide = api.call("GET", "/v1/jobs", query="status=queued,running&reverse=true&limit=1")
    following = str(wide.headers["link"]).removeprefix("<").partition(">")[0]
    assert "status=queued%2Crunning&reverse=true&limit=1" in following
    assert len(api.call("GET", "/v1/jobs", query=following.partition("?")[2]).json["items"]) == 1  # type: ignore[arg-type]
    assert api.call("GET", "/v1/jobs", query=text).json["items"] == []


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "0"}, {"limit": "101"}, {"limit": "x"}, {"status": "lost"}, {"type": "x" * 65}, {"status": ""},
        {"status": "queued,lost"}, {"status": "queued,"}, {"priority": "10"}, {"priority": "high"}, {"lane": ""},
        {"lane": "x" * 101}, {"min_attempt": "-1"}, {"created_from": "2026-11-27"}, {"created_to": "yesterday"},
        {"reverse": "perhaps"}, {"error_code": ""}, {"error_code": "x" * 201}, {"type": ",".join("x" * 21)},
    ],
)  # fmt: skip
def test_a_listing_with_wrong_parameters_is_refused(api: Api, query: dict[str, str]) -> None:
    api.call("GET", "/v1/jobs", query=query).refused(422, "invalid_request")


def test_a_tag_has_one_value(api: Api) -> None:
    api.call("GET", "/v1/jobs", query="tag=a%3D1&tag=a%3D2").refused(422, "invalid_request")


def test_a_list_has_no_documents_unless_they_are_included(api: Api) -> None:
    job = submit(api).json
    absent = {"payload", "result", "children"}
    bare = {name: value for name, value in job.items() if name.removesuffix("_ref") not in absent}

    def listed(**query: str) -> JsonValue:
        return api.call("GET", "/v1/jobs", query=query).json["items"]

    payload, result = {"payload": job["payload"]}, {"result": None}
    assert listed() == [bare]
    assert listed(include="payload") == [bare | payload]
    assert listed(include="result") == [bare | result]
    preview = {"payload_preview": json.dumps(job["payload"], separators=(",", ":"))}
    assert listed(include="preview") == [bare | preview]
    assert listed(include="payload,preview") == [bare | payload | preview]
    assert listed(include="payload,result") == listed(include="result,payload") == [bare | payload | result]


@pytest.mark.parametrize("include", ["", "payload,", "payload result", "payload, result", "owner", "Payload", "\n"])
def test_nothing_else_can_be_included(api: Api, include: str) -> None:
    for path, query in (("/v1/jobs", {}), ("/v1/failed-jobs", {"type": "x"})):
        api.call("GET", path, query={**query, "include": include}, who=ADMIN).refused(422, "invalid_request")


@pytest.mark.parametrize("sign", ["x", "é", '"', "\U0001f600"])
def test_a_list_of_large_jobs_has_pages_that_fit_lambdas_limit(api: Api, sign: str) -> None:
    text = sign * (250_000 // (len(to_json_text(sign).encode()) - 2))
    ids = [submit(api, payload={"csv": text}).json["id"] for _ in range(20)]
    cursor: JsonValue = ""
    seen: list[JsonValue] = []
    while cursor is not None:
        query = {"include": "payload,result", "limit": "100"} | ({"cursor": str(cursor)} if cursor else {})
        page = api.call("GET", "/v1/jobs", query=query)
        assert page.status == 200
        assert len(json.dumps({"body": page.text})) < 6_000_000
        items, cursor = page.json["items"], page.json["next"]
        assert isinstance(items, list)
        assert len(items) >= 1
        seen += [item["id"] for item in items if isinstance(item, dict)]
        assert ("link" in page.headers) == (cursor is not None)
        assert cursor is None or "include=payload%2Cresult" in str(page.headers["link"])
    assert set(seen) == set(ids)
    assert len(seen) == 20
    assert len(api.call("GET", "/v1/jobs", query={"limit": "100"}).text) < 50_000


def test_a_member_lists_only_their_own_jobs_and_an_admin_lists_all(api: Api) -> None:
    submit(api)
    theirs = api.call("GET", "/v1/jobs", who=OTHER, query={"owner": MEMBER.id}).refused(403, "not_allowed")
    nobodys = api.call("GET", "/v1/jobs", who=OTHER, query={"owner": NOBODY}).refused(403, "not_allowed")
    assert theirs.text == nobodys.text
    assert api.call("GET", "/v1/jobs", who=OTHER).json["items"] == []
    assert len(str(api.call("GET", "/v1/jobs", who=ADMIN, query={"owner": MEMBER.id}).json["items"])) > 10
    assert api.call("GET", "/v1/jobs", query={"owner": MEMBER.id}).json["items"] != []


def test_a_waiting_job_is_cancelled_and_retried(api: Api) -> None:
    job_id = submit(api, delay_seconds=60).json["id"]
    cancelled = api.call("POST", f"/v1/jobs/{job_id}/cancel")
    assert (cancelled.status, cancelled.json["status"]) == (200, "cancelled")
    assert cancelled.json["links"] == {"self": f"/v1/jobs/{job_id}", "retry": f"/v1/jobs/{job_id}/retry"}
    api.call("POST", f"/v1/jobs/{job_id}/cancel").refused(409, "illegal_transition")
    retried = api.call("POST", f"/v1/jobs/{job_id}/retry")
    assert (retried.status, retried.json["status"], retried.json["version"]) == (202, "queued", 3)
    api.call("POST", f"/v1/jobs/{job_id}/retry").refused(409, "illegal_transition")


def test_a_change_can_be_bound_to_the_version_that_was_read(api: Api) -> None:
    path = f"/v1/jobs/{submit(api, delay_seconds=60).json['id']}"
    api.call("POST", f"{path}/cancel", headers={"if-match": '"7"'}).refused(412, "stale_version")
    api.call("POST", f"{path}/cancel", headers={"if-match": "nonsense"}).refused(412, "stale_version")
    assert api.call("GET", path).json["version"] == 1
    assert api.call("POST", f"{path}/cancel", headers={"if-match": '"1"'}).status == 200
    api.call("POST", f"{path}/retry", headers={"if-match": '"1"'}).refused(412, "stale_version")
    assert api.call("POST", f"{path}/retry", headers={"if-match": "*"}).status == 202


async def stored(users: FakeUserRepository, job: Job) -> tuple[Api, str]:
    jobs = FakeJobRepository()
    await jobs.add(Change(job), NOW)
    return Api(jobs, users), f"/v1/jobs/{job.id}"


ID = "00000000-0000-4000-8000-00000000000a"


async def test_a_running_job_is_asked_to_stop(users: FakeUserRepository) -> None:
    api, path = await stored(users, running(id=ID, owner_id=MEMBER.id))
    asked = api.call("POST", f"{path}/cancel")
    assert (asked.status, asked.json["cancel_requested"], asked.json["status"]) == (202, True, "running")


async def test_every_state_is_shown_with_what_it_carries(users: FakeUserRepository) -> None:
    progress = legal(
        transitions.report_progress(asked_to_stop(id=ID, owner_id=MEMBER.id), "token-of-this-worker", 0.5, "half", NOW)
    )
    api, path = await stored(users, progress)
    shown = api.call("GET", path).json
    assert shown["progress"] == {"fraction": 0.5, "message": "half", "at": "2026-11-23T03:00:00.123456Z"}
    assert "lease" not in str(shown)
    api, path = await stored(users, succeeded(id=ID, owner_id=MEMBER.id))
    assert api.call("GET", path).json["result"] == {"rows": 1}
    api, path = await stored(users, failed(id=ID, owner_id=MEMBER.id))
    error = {
        "code": "failed",
        "message": "never",
        "attempt": 1,
        "at": "2026-11-23T03:00:00.123456Z",
        "reason": "permanent",
        "frames": [],
    }
    assert api.call("GET", path).json["error"] == error
    api, path = await stored(users, retrying(id=ID, owner_id=MEMBER.id))
    assert api.call("GET", path).json["run_at"] == "2026-11-23T03:00:01.123456Z"


def test_an_unchanged_resource_is_not_sent_again(api: Api) -> None:
    path = f"/v1/jobs/{submit(api).json['id']}"
    for tag in ('"1"', 'W/"1"', '"7", "1"', "*"):
        answer = api.call("GET", path, headers={"if-none-match": tag})
        assert (answer.status, answer.text, answer.headers["etag"]) == (304, "", '"1"')
    assert api.call("GET", path, headers={"if-none-match": '"7"'}).status == 200


def test_waiting_ends_after_the_requested_time(api: Api) -> None:
    path = f"/v1/jobs/{submit(api).json['id']}"
    answer = api.call("GET", path, headers={"prefer": "respond-async, wait=1"})
    assert (answer.status, answer.json["status"]) == (200, "queued")
    assert answer.headers["preference-applied"] == "wait=1"


async def test_waiting_ends_at_once_for_a_final_job(users: FakeUserRepository) -> None:
    api, path = await stored(users, succeeded(id=ID, owner_id=MEMBER.id))
    assert api.call("GET", path, headers={"prefer": "wait=20"}).json["status"] == "succeeded"


@pytest.mark.parametrize("prefer", ["wait=x", "wait", "", "wait=-1", "handling=strict"])
def test_an_unknown_preference_is_ignored(api: Api, prefer: str) -> None:
    path = f"/v1/jobs/{submit(api).json['id']}"
    answer = api.call("GET", path, headers={"prefer": prefer})
    assert answer.status == 200
    assert "preference-applied" not in answer.headers


def test_a_store_that_does_not_respond_is_reported_with_a_time_to_retry(users: FakeUserRepository) -> None:
    down = FaultyJobRepository(
        FakeJobRepository(), on_read=lambda: OUTAGE, on_add=lambda: OUTAGE, on_replace=lambda _: OUTAGE
    )
    api = Api(down, users, listing=FaultyJobListing(lambda _: OUTAGE))
    for method, path, body in (
        ("POST", "/v1/jobs", CSV),
        ("GET", "/v1/jobs", None),
        ("GET", f"/v1/jobs/{NOBODY}", None),
        ("GET", "/healthz", None),
    ):
        answer = api.call(method, path, body).refused(503, "storage_unavailable")
        assert answer.headers["retry-after"] == "1"


def test_a_job_that_cannot_be_read_is_a_problem_too(users: FakeUserRepository) -> None:
    broken = FaultyJobRepository(FakeJobRepository(), on_read=lambda: JobUnreadable(job_id=NOBODY, detail="version"))
    Api(broken, users).call("GET", f"/v1/jobs/{NOBODY}").refused(500, "job_unreadable")


def test_the_response_to_a_bug_contains_no_traceback(users: FakeUserRepository) -> None:
    def bug() -> None:
        raise ZeroDivisionError("hunter2")

    api = Api(FaultyJobRepository(FakeJobRepository(), on_read=bug), users)
    answer = api.call("GET", f"/v1/jobs/{NOBODY}")
    answer.refused(500, "internal_error")
    assert "hunter2" not in answer.text
    assert "ZeroDivisionError" in api.log.getvalue()
    assert "hunter2" not in api.log.getvalue(), "a message may quote what the client sent"


def test_every_5xx_is_counted_and_nothing_else(users: FakeUserRepository, capsys: pytest.CaptureFixture[str]) -> None:
    down = FaultyJobRepository(FakeJobRepository(), on_read=lambda: OUTAGE)
    api = Api(down, users)
    capsys.readouterr()
    api.call("GET", f"/v1/jobs/{NOBODY}").refused(503, "storage_unavailable")
    api.call("GET", "/v1/jobs/not-an-id")
    counted = [line for line in capsys.readouterr().out.splitlines() if '"ServerErrors"' in line]
    assert len(counted) == 1


async def test_a_result_is_returned_exactly(users: FakeUserRepository) -> None:
    result: dict[str, JsonValue] = {"big": 123456789012345678901234567890, "small": 1e-300, "text": "\u0000é"}
    done = finished(running(id=ID, owner_id=MEMBER.id), Done(result=to_json_text(result)))
    api, path = await stored(users, done)
    assert repr(api.call("GET", path).json["result"]) == repr(result)
