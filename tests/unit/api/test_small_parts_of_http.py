"""HEAD, 304, conditions, ids and headers of any form."""

import json

import pytest
from pydantic import JsonValue

from domain.jobs.job import Job
from domain.jobs.repository import JobNotFound
from domain.users.repository import UserNotFound
from domain.users.user import User
from headrace.testing.job_repository import FakeJobRepository
from tests.fakes.user_repository import FakeUserRepository
from tests.unit.api.conftest import ADMIN, MEMBER, Api

CSV: dict[str, JsonValue] = {"type": "csv.profile", "payload": {"csv": "a\n1\n"}}
ANY_BYTES = ("\udce9", "\u00e9", "caf\udce9", "\u20ac", "\x00", "\U0001f600", '"', "a" * 8000)
HEADERS = ("idempotency-key", "if-match", "if-none-match", "prefer", "content-type", "host", "x-forwarded-port",
           "x-forwarded-proto", "accept", "cookie", "user-agent", "origin", "range", "x-\u00e9")  # fmt: skip
STRANGE_IDS = (
    "x", "0" * 3000, "%2F", "a%2Fb", "%00", "%0a", "%ff", "\u00e9", "\udce9", "%ED%A0%80", "..%2F..", "%252F", "~",
    "0B9F5F6E-4C1D-4E54-9B57-6D2F6F0C7A11", f"{MEMBER.id}%0a", f"{MEMBER.id}%20",
    f"%20{MEMBER.id}", f"{MEMBER.id}%00", MEMBER.id[:-1], "*",
)  # fmt: skip


@pytest.fixture
def api(users: FakeUserRepository) -> Api:
    return Api(users=users)


@pytest.mark.parametrize(
    "path",
    ["/v1/jobs", "/v1/job-types", "/v1/job-types/csv.profile", "/v1/users/me", "/healthz", "/openapi.json", "/docs",
     "/", "/v1/jobs/nope", "/v1/failed-jobs", "/v1/nope", "/v1/jobs/{job}", f"/v1/users/{MEMBER.id}"],
)  # fmt: skip
def test_head_is_answered_as_get_so_that_the_gateway_counts_its_content(api: Api, path: str) -> None:
    path = path.format(job=api.call("POST", "/v1/jobs", CSV).json["id"])
    get, head = api.call("GET", path), api.call("HEAD", path)
    assert (head.status, head.headers, head.text) == (get.status, get.headers, get.text)
    assert head.headers["content-length"] == str(len(get.text.encode()))


def test_head_is_logged_as_what_it_is(api: Api) -> None:
    api.call("HEAD", "/v1/jobs")
    line = json.loads(api.log.getvalue().splitlines()[-1])
    assert (line["method"], line["route"], line["status"]) == ("HEAD", "/v1/jobs", 200)


def test_a_304_has_the_headers_of_the_200(api: Api) -> None:
    for path in (f"/v1/jobs/{api.call('POST', '/v1/jobs', CSV).json['id']}", "/v1/users/me", f"/v1/users/{MEMBER.id}"):
        for more in ({}, {"prefer": "wait=1"} if "jobs" in path else {}):
            full = api.call("GET", path, headers=more)
            for method in ("GET", "HEAD"):
                same = api.call(method, path, headers={"if-none-match": 'W/"1", "x"', **more})
                assert (same.status, same.text) == (304, "")
                assert dict(same.headers) == {n: v for n, v in full.headers.items() if n != "content-length"}


@pytest.mark.parametrize("field", ["nonsense", '"1', "1", '*, "1"', "", "\u00e9", "\udce9"])
def test_a_malformed_if_none_match_is_ignored(api: Api, field: str) -> None:
    assert api.call("GET", "/v1/users/me", headers={"if-none-match": field}).status == 200


@pytest.mark.parametrize(
    ("field", "status"),
    [
        ('"1"', 200), ('"9", "1"', 200), ('"1" , "x,y"', 200), ("*", 200), (" * ", 200), (',"1",', 200),
        ('W/"1"', 412), ('"9"', 412), ('"01"', 412), ('"x"', 412), ('"1.0"', 412), ('"' + "9" * 5000 + '"', 412),
        ("1", 412), ('"1', 412), ('*, "1"', 412), ("", 412), ("\u00e9", 412), ("\udce9", 412), ('"\u0661"', 412),
        ('W/"1", "1"', 200),
    ],
)  # fmt: skip
def test_a_change_is_made_at_one_of_the_versions_that_are_named(api: Api, field: str, status: int) -> None:
    headers = {"if-match": field}
    assert api.call("PATCH", f"/v1/users/{MEMBER.id}", {"name": "New"}, headers=headers).status == status
    job = f"/v1/jobs/{api.call('POST', '/v1/jobs', CSV | {'delay_seconds': 60}).json['id']}"
    assert api.call("POST", f"{job}/cancel", headers=headers).status == status


def test_a_path_with_an_extra_slash_is_not_found(api: Api) -> None:
    for method, path in (("GET", "/v1/jobs/"), ("POST", "/v1/jobs/"), ("GET", "/healthz/"), ("GET", "//v1/jobs")):
        api.call(method, path).refused(404, "not_found")


class NoCalls(FakeJobRepository):
    """A repository that must not be called."""

    async def get(self, job_id: str, now: object) -> Job | JobNotFound:
        raise AssertionError(f"read {job_id}")


class NoReads(FakeUserRepository):
    """Finds users only by their address."""

    async def get(self, user_id: str) -> User | UserNotFound:
        raise AssertionError(f"read {user_id}")


@pytest.mark.parametrize("strange", STRANGE_IDS, ids=lambda text: ascii(text)[:20])
async def test_an_id_of_another_form_is_not_found_without_a_call(strange: str) -> None:
    users = NoReads()
    for user in (MEMBER, ADMIN):
        await users.add(user)
    api = Api(NoCalls(), users)
    for who in (MEMBER, ADMIN):
        for method, path, body in (
            ("GET", f"/v1/jobs/{strange}", None),
            ("POST", f"/v1/jobs/{strange}/cancel", None),
            ("POST", f"/v1/jobs/{strange}/retry", None),
            ("GET", f"/v1/users/{strange}", None),
            ("HEAD", f"/v1/users/{strange}", None),
            ("GET", f"/v1/job-types/{strange}", None),
        ):
            assert api.call(method, path, body, who=who).status == 404, (method, path)
        patched = api.call("PATCH", f"/v1/users/{strange}", {"name": "x"}, who=who, headers={"if-match": "*"})
        assert patched.status in {404, 405}


@pytest.mark.parametrize("name", HEADERS)
def test_no_header_leads_to_a_5xx_response(api: Api, name: str) -> None:
    job = f"/v1/jobs/{api.call('POST', '/v1/jobs', CSV).json['id']}"
    requests = (
        ("GET", job, None),
        ("POST", "/v1/jobs", CSV),
        ("POST", f"{job}/cancel", None),
        ("PATCH", f"/v1/users/{MEMBER.id}", CSV),
    )
    for value in ANY_BYTES:
        for method, path, body in requests:
            assert str(api.call(method, path, body, headers={name: value}).status) < "500", (value, path)


@pytest.mark.parametrize("host", ["a:b", "[::1]:8080", ":", "a:99999999999999999999", "::::", "", "a:80", "a b"])
def test_no_host_leads_to_a_5xx_response(api: Api, host: str) -> None:
    assert api.call("GET", "/v1/jobs", headers={"host": host}).status == 200
    assert api.call("GET", "/v1/jobs", headers={"host": "x", "x-forwarded-port": host}).status == 200


@pytest.mark.parametrize("key", ["\udce9", "\u00e9", "a\udce9b"])
def test_a_key_that_is_not_text_is_refused(api: Api, key: str) -> None:
    api.call("POST", "/v1/jobs", CSV, headers={"idempotency-key": key}).refused(422, "invalid_idempotency_key")
    assert api.call("GET", "/v1/jobs").json["items"] == []


def test_a_request_id_of_another_form_is_replaced(api: Api) -> None:
    given = "r\u20ac" * 1000
    answer = api.call("GET", "/v1/jobs", request_id=given)
    assert (answer.status, len(str(answer.headers["x-request-id"]))) == (200, 36)
