"""Identity, users, job types, health, documents, and what is logged."""

import json

import pytest
from pydantic import BaseModel, Field, JsonValue
from starlette.requests import Request

from domain.jobs.job_type import Catalogue
from domain.results import StorageUnavailable
from domain.users.repository import UserNotFound
from domain.users.service import UserService
from domain.users.user import Email, Role, User, changed_user
from functions.api.identity import MAX_REMEMBERED, REMEMBERED_SECONDS, identifier, sam_local_email
from tests.factories import NOW, UserFactory
from tests.fakes.clock import FakeClock, numbered_ids
from tests.fakes.handlers import a_handler
from tests.fakes.user_repository import FakeUserRepository
from tests.unit.api.conftest import ADMIN, MEMBER, OTHER, Api

CSV: dict[str, JsonValue] = {"type": "csv.profile", "payload": {"csv": "a\n1\n"}}


@pytest.fixture
def api(users: FakeUserRepository) -> Api:
    return Api(users=users)


@pytest.mark.parametrize(
    "claims",
    [
        None,
        {},
        {"sub": "member@example.com"},
        {"email": ""},
        {"email": "not an address"},
        {"email": ["member@example.com"]},
        {"email": "member@example.com", "email_verified": "false"},
        {"email": "member@example.com", "email_verified": False},
    ],
)
def test_without_verified_claims_nobody_comes_in(api: Api, claims: dict[str, JsonValue] | None) -> None:
    answer = api.call(
        "GET", "/v1/jobs", who=claims, headers={"authorization": "Bearer x", "email": "admin@example.com"}
    )
    answer.refused(401, "unauthenticated")
    assert answer.headers["www-authenticate"] == "Bearer"


def test_a_verified_stranger_is_told_so(api: Api) -> None:
    api.call("GET", "/v1/jobs", who={"email": "stranger@example.com"}).refused(403, "unknown_user")


def test_a_user_is_known_in_whatever_case_the_token_has_the_address(api: Api) -> None:
    assert api.call("GET", "/v1/users/me", who={"email": "Member@EXAMPLE.com"}).json["id"] == MEMBER.id


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, None),
        ({"SAM_LOCAL_EMAIL": "a@b.c"}, None),
        ({"SAM_LOCAL_EMAIL": "a@b.c", "AWS_SAM_LOCAL": "false"}, None),
        ({"SAM_LOCAL_EMAIL": "", "AWS_SAM_LOCAL": "true"}, None),
        ({"SAM_LOCAL_EMAIL": "a@b.c", "AWS_SAM_LOCAL": "true"}, "a@b.c"),
    ],
)
def test_an_identity_from_the_environment_is_honoured_under_sam_local_alone(
    environment: dict[str, str], expected: str | None
) -> None:
    assert sam_local_email(environment) == expected


def test_under_sam_local_a_request_without_claims_is_the_named_users(users: FakeUserRepository) -> None:
    api = Api(users=users, local_email=ADMIN.email)
    assert api.call("GET", "/v1/users/me", who=None).json["id"] == ADMIN.id
    assert api.call("GET", "/v1/users/me").json["id"] == MEMBER.id, "claims win"


class CountingUserRepository(FakeUserRepository):
    """Counts the look-ups by address."""

    def __init__(self) -> None:
        super().__init__()
        self.lookups = 0

    async def get_by_email(self, email: Email) -> User | UserNotFound:
        self.lookups += 1
        return await super().get_by_email(email)


async def an_api_that_counts() -> tuple[Api, CountingUserRepository]:
    users = CountingUserRepository()
    for user in (MEMBER, ADMIN):
        await users.add(user)
    return Api(users=users), users


async def changed_role(users: FakeUserRepository, user: User, role: Role) -> None:
    """As another execution environment does it."""
    standing = await users.get(user.id)
    assert isinstance(standing, User)
    await users.replace(changed_user(standing, NOW, email=None, name=None, role=role), standing)


async def test_a_member_is_looked_up_once_in_a_while_and_an_admin_each_time() -> None:
    api, users = await an_api_that_counts()
    for _ in range(5):
        assert api.call("GET", "/v1/jobs").status == 200
    assert users.lookups == 1
    for _ in range(5):
        assert api.call("GET", "/v1/jobs", who=ADMIN).status == 200
    assert users.lookups == 6


async def test_a_role_that_was_taken_away_is_gone_at_once() -> None:
    api, users = await an_api_that_counts()
    assert api.call("GET", "/v1/failed-jobs", who=ADMIN, query={"type": "x"}).status == 200
    await changed_role(users, ADMIN, "member")
    api.call("GET", "/v1/failed-jobs", who=ADMIN, query={"type": "x"}).refused(403, "not_allowed")


async def test_a_role_that_was_given_counts_at_once() -> None:
    api, users = await an_api_that_counts()
    job_id = api.call("POST", "/v1/jobs", CSV, who=ADMIN).json["id"]
    new_user: JsonValue = {"email": "new@example.com", "name": "New"}
    api.call("POST", "/v1/users", new_user).refused(403, "not_allowed")
    api.call("GET", f"/v1/jobs/{job_id}").refused(404, "job_not_found")
    await changed_role(users, MEMBER, "admin")
    assert api.call("GET", f"/v1/jobs/{job_id}").status == 200
    assert api.call("POST", "/v1/users", new_user).status == 201, "with the body that was sent"


async def test_a_member_is_looked_up_again_after_some_seconds_and_each_address_on_its_own() -> None:
    users, seconds = CountingUserRepository(), FakeSeconds()
    others = [UserFactory.build(email=f"u{n}@example.com") for n in range(MAX_REMEMBERED + 1)]
    for user in (MEMBER, *others):
        await users.add(user)
    identify = identifier(UserService(users, FakeClock(), numbered_ids()), seconds=seconds)

    async def ask(email: str) -> User:
        event = {"requestContext": {"authorizer": {"jwt": {"claims": {"email": email}}}}}
        return await identify(Request({"type": "http", "aws.event": event}))

    assert await ask(MEMBER.email) == await ask(MEMBER.email) == MEMBER
    assert users.lookups == 1
    seconds.now += REMEMBERED_SECONDS
    await ask(MEMBER.email)
    assert users.lookups == 2
    assert [await ask(user.email) for user in others] == others, "however many there are"


class FakeSeconds:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class SilentUserRepository(FakeUserRepository):
    async def get_by_email(self, email: Email) -> StorageUnavailable:  # type: ignore[override]
        del email
        return StorageUnavailable(reason="timeout", detail="ReadTimeoutError")


def test_while_users_cannot_be_read_nobody_is_turned_away_as_a_stranger() -> None:
    Api(users=SilentUserRepository()).call("GET", "/v1/jobs").refused(503, "storage_unavailable")


def test_an_admin_creates_users(api: Api) -> None:
    answer = api.call("POST", "/v1/users", {"email": " Ada@Example.com ", "name": "Ada"}, who=ADMIN)
    user = answer.json
    assert answer.status == 201
    assert answer.headers["location"] == f"/v1/users/{user['id']}"
    assert answer.headers["etag"] == '"1"'
    assert (user["email"], user["name"], user["role"], user["version"]) == ("ada@example.com", "Ada", "member", 1)
    assert api.call("GET", "/v1/users/me", who={"email": "ada@example.com"}).json == user
    again = api.call("POST", "/v1/users", {"email": "ADA@example.com", "name": "Other"}, who=ADMIN)
    again.refused(409, "email_taken")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"email": "nope", "name": "x"}, "invalid_email"),
        ({"email": "á@example.com", "name": "x"}, "invalid_email"),
        ({"email": "a@example.com"}, "invalid_request"),
        ({"email": "a@example.com", "name": ""}, "invalid_request"),
        ({"email": 7, "name": "x"}, "invalid_request"),
        ({"email": "a@example.com", "name": "x", "role": "root"}, "invalid_request"),
        ({"email": "a@example.com", "name": "x", "id": "x"}, "invalid_request"),
    ],
)
def test_a_user_of_the_wrong_form_is_refused(api: Api, body: dict[str, JsonValue], code: str) -> None:
    api.call("POST", "/v1/users", body, who=ADMIN).refused(422, code)


def test_members_do_not_manage_users(api: Api) -> None:
    api.call("POST", "/v1/users", {"email": "a@example.com", "name": "x"}).refused(403, "not_allowed")
    api.call("GET", "/v1/users", query={"email": "member@example.com"}).refused(403, "not_allowed")


def test_an_admin_finds_users_by_address(api: Api) -> None:
    found = api.call("GET", "/v1/users", who=ADMIN, query={"email": " MEMBER@example.com "}).json["items"]
    assert isinstance(found, list)
    assert [user["id"] for user in found if isinstance(user, dict)] == [MEMBER.id]
    assert api.call("GET", "/v1/users", who=ADMIN, query={"email": "nobody@example.com"}).json == {"items": []}
    api.call("GET", "/v1/users", who=ADMIN, query={"email": "nobody"}).refused(422, "invalid_email")
    api.call("GET", "/v1/users", who=ADMIN).refused(422, "invalid_request")


def test_a_member_sees_itself_alone(api: Api) -> None:
    assert api.call("GET", f"/v1/users/{MEMBER.id}").json["email"] == MEMBER.email
    theirs, nobodys = api.call("GET", f"/v1/users/{OTHER.id}"), api.call("GET", "/v1/users/nobody")
    assert (theirs.status, theirs.text) == (nobodys.status, nobodys.text)
    assert api.call("GET", f"/v1/users/{OTHER.id}", who=ADMIN).status == 200
    assert api.call("GET", "/v1/users/me", headers={"if-none-match": '"1"'}).status == 304


def test_a_user_changes_itself_with_the_version_that_it_read(api: Api) -> None:
    path = f"/v1/users/{MEMBER.id}"
    api.call("PATCH", path, {"name": "New"}).refused(428, "precondition_required")
    api.call("PATCH", path, {"name": "New"}, headers={"if-match": '"7"'}).refused(412, "stale_version")
    api.call("PATCH", path, {"name": "New"}, headers={"if-match": "nonsense"}).refused(412, "stale_version")
    changed = api.call("PATCH", path, {"name": "New"}, headers={"if-match": '"1"'})
    assert (changed.status, changed.json["name"], changed.headers["etag"]) == (200, "New", '"2"')
    taken = api.call("PATCH", path, {"email": OTHER.email}, headers={"if-match": '"2"'})
    taken.refused(409, "email_taken")
    api.call("PATCH", path, {"email": "x"}, headers={"if-match": '"2"'}).refused(422, "invalid_email")
    api.call("PATCH", path, {"role": "admin"}, headers={"if-match": '"2"'}).refused(403, "not_allowed")
    api.call("PATCH", f"/v1/users/{OTHER.id}", {"name": "x"}, headers={"if-match": '"1"'}).refused(
        404, "user_not_found"
    )


def test_an_admin_gives_a_role(api: Api) -> None:
    changed = api.call("PATCH", f"/v1/users/{MEMBER.id}", {"role": "admin"}, who=ADMIN, headers={"if-match": '"1"'})
    assert changed.json["role"] == "admin"


def test_job_types_are_told_with_their_schemas(api: Api) -> None:
    page = api.call("GET", "/v1/job-types").json
    assert page["next"] is None
    listed = page["items"]
    assert isinstance(listed, list)
    assert [each["name"] for each in listed if isinstance(each, dict)] == ["csv.profile", "http.request"]
    one = api.call("GET", "/v1/job-types/csv.profile").json
    assert one in listed
    schema = one["payload_schema"]
    assert isinstance(schema, dict)
    assert schema["required"] == ["csv"]
    api.call("GET", "/v1/job-types/nope").refused(404, "unknown_job_type")


def test_job_types_with_large_schemas_come_page_by_page(users: FakeUserRepository) -> None:
    class Documented(BaseModel):
        text: str = Field(description="é" * 200_000)

    names = [f"type{n}.large" for n in range(10)]
    api = Api(users=users, types=Catalogue([a_handler(name, payload=Documented) for name in names]))
    seen: list[JsonValue] = []
    cursor: JsonValue = None
    for _ in range(10):
        page = api.call("GET", "/v1/job-types", query={"cursor": str(cursor)} if cursor else {})
        assert len(json.dumps({"body": page.text})) < 6_000_000
        items, cursor = page.json["items"], page.json["next"]
        assert isinstance(items, list)
        seen += [item["name"] for item in items if isinstance(item, dict)]
        if cursor is None:
            break
    assert seen == names


def test_health_is_open(api: Api) -> None:
    answer = api.call("GET", "/healthz", who=None)
    assert (answer.status, answer.json) == (200, {"status": "ok"})


def test_the_openapi_document_is_served(api: Api) -> None:
    document = api.call("GET", "/openapi.json", who=None).json
    paths = document["paths"]
    assert isinstance(paths, dict)
    assert {"/v1/jobs", "/v1/jobs/{job_id}", "/v1/users/me", "/healthz"} <= set(paths)
    assert "HTTPValidationError" not in json.dumps(document)
    assert api.call("GET", "/docs", who=None).headers["content-type"].startswith("text/html")  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/v1/nope", 404), ("DELETE", "/v1/jobs", 405), ("GET", "/", 404)]
)
def test_what_is_not_there_is_a_problem_too(api: Api, method: str, path: str, status: int) -> None:
    answer = api.call(method, path)
    answer.refused(status, {404: "not_found", 405: "method_not_allowed"}[status])


def test_a_wrong_method_is_told_with_all_the_right_ones(api: Api) -> None:
    assert api.call("DELETE", "/v1/jobs").headers["allow"] == "GET, POST"
    assert api.call("PUT", f"/v1/users/{MEMBER.id}").headers["allow"] == "GET, PATCH"


def test_one_line_is_logged_for_a_request_without_what_it_carried(api: Api) -> None:
    body = CSV | {"payload": {"csv": "canary-payload\n1\n"}}
    headers = {"authorization": "Bearer canary-token", "idempotency-key": "canary-key"}
    api.call("POST", "/v1/jobs", body, headers=headers)
    api.call("GET", "/v1/users", who=ADMIN, query={"email": "canary-address@example.com"})
    api.call("POST", "/v1/jobs", b'{"type":"csv.profile","payload":{"canary-field":1}}')
    lines = [json.loads(line) for line in api.log.getvalue().splitlines() if line.startswith("{")]
    told = [line for line in lines if line["message"] == "request_answered"]
    assert [(line["method"], line["route"], line["status"]) for line in told] == [
        ("POST", "/v1/jobs", 202), ("GET", "/v1/users", 200), ("POST", "/v1/jobs", 422),
    ]  # fmt: skip
    assert all(line["request_id"] == "request-1" for line in told)
    assert "canary" not in json.dumps(lines)
    assert MEMBER.email not in json.dumps(lines)


def test_users_of_tests_are_users() -> None:
    assert isinstance(UserFactory.build(), User)
