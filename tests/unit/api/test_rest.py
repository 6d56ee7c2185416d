"""Identity, users, job types, health, documents, and what is logged."""

import json

import pytest
from pydantic import BaseModel, Field, JsonValue

from domain.jobs.catalogue import Catalogue
from domain.results import StorageUnavailable
from domain.users.repository import UserNotFound
from domain.users.user import Email, Role, User, changed_user
from functions.api.http.identity import sam_local_email
from functions.job_types import load_job_types
from tests.factories import NOW, UserFactory
from tests.fakes.handlers import a_handler
from tests.fakes.user_repository import FakeUserRepository
from tests.unit.api.conftest import ADMIN, ISSUER, MEMBER, OTHER, Api

CSV: dict[str, JsonValue] = {"type": "csv.profile", "payload": {"csv": "a\n1\n"}}


NOT_VERIFIED: tuple[JsonValue, ...] = ("false", False, "", "False", "yes", "1", 1, "null", None, "[true]", ["true"], {})


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
        *({"email": "member@example.com", "email_verified": value} for value in NOT_VERIFIED),
        {"email": "member@example.com"},
        {"email_verified": "true"},
    ],
)
def test_without_verified_claims_no_caller_is_admitted(api: Api, claims: dict[str, JsonValue] | None) -> None:
    answer = api.call(
        "GET", "/v1/jobs", who=claims, headers={"authorization": "Bearer x", "email": "admin@example.com"}
    )
    answer.refused(401, "unauthenticated")
    assert answer.headers["www-authenticate"] == 'Bearer realm="headrace"'


@pytest.mark.parametrize("value", NOT_VERIFIED)
def test_an_address_declared_unverified_is_refused_even_from_a_trusted_issuer(
    users: FakeUserRepository, value: JsonValue
) -> None:
    api, of_issuer = Api(users=users, trust_unverified_email=True), {"iss": ISSUER, "sub": "another"}
    unverified: dict[str, JsonValue] = {**of_issuer, "email": MEMBER.email, "email_verified": value}
    api.call("GET", "/v1/jobs", who=unverified).refused(401, "unauthenticated")


def test_a_token_without_email_verified_is_accepted_if_its_issuer_is_trusted(users: FakeUserRepository) -> None:
    api, of_issuer = Api(users=users, trust_unverified_email=True), {"iss": ISSUER, "sub": MEMBER.id}
    assert api.call("GET", "/v1/users/me", who={**of_issuer, "email": MEMBER.email}).json["id"] == MEMBER.id
    verified: dict[str, JsonValue] = {**of_issuer, "email": MEMBER.email, "email_verified": True}
    assert api.call("GET", "/v1/users/me", who=verified).status == 200


def claims(email: str, subject: str = "somebody") -> dict[str, JsonValue]:
    """Return the claims of a token with a verified address."""
    return {"iss": ISSUER, "sub": subject, "email": email, "email_verified": "true"}


def test_a_verified_caller_who_is_not_a_user_gets_403(api: Api) -> None:
    api.call("GET", "/v1/jobs", who=claims("stranger@example.com")).refused(403, "unknown_user")


def test_a_user_is_recognised_by_a_tokens_address_in_any_case(api: Api) -> None:
    assert api.call("GET", "/v1/users/me", who=claims("Member@EXAMPLE.com", MEMBER.id)).json["id"] == MEMBER.id


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
def test_an_identity_from_the_environment_is_accepted_only_under_sam_local(
    environment: dict[str, str], expected: str | None
) -> None:
    assert sam_local_email(environment) == expected


def test_under_sam_local_a_request_without_claims_belongs_to_the_named_user(users: FakeUserRepository) -> None:
    api = Api(users=users, local_email=ADMIN.email)
    assert api.call("GET", "/v1/users/me", who=None).json["id"] == ADMIN.id
    assert api.call("GET", "/v1/users/me").json["id"] == MEMBER.id, "claims win"


class CountingUserRepository(FakeUserRepository):
    """Counts look-ups by address."""

    def __init__(self) -> None:
        super().__init__()
        self.lookups = 0

    async def get_by_email(self, email: Email) -> User | UserNotFound | StorageUnavailable:
        self.lookups += 1
        return await super().get_by_email(email)


async def changed_role(users: FakeUserRepository, user: User, role: Role) -> None:
    """Change the user as another execution environment does."""
    current = await users.get(user.id)
    assert isinstance(current, User)
    await users.replace(changed_user(current, NOW, email=None, name=None, role=role), current)


async def test_each_request_looks_up_its_user_once() -> None:
    users = CountingUserRepository()
    await users.add(MEMBER)
    api = Api(users=users)
    for _ in range(5):
        assert api.call("GET", "/v1/jobs").status == 200
    api.call("GET", f"/v1/jobs/{OTHER.id}").refused(404, "job_not_found")
    assert users.lookups == 6


async def test_a_revoked_role_is_gone_at_once(api: Api, users: FakeUserRepository) -> None:
    assert api.call("GET", "/v1/failed-jobs", who=ADMIN, query={"type": "x"}).status == 200
    await changed_role(users, ADMIN, "member")
    api.call("GET", "/v1/failed-jobs", who=ADMIN, query={"type": "x"}).refused(403, "not_allowed")


async def test_a_granted_role_takes_effect_at_once(api: Api, users: FakeUserRepository) -> None:
    job_id = api.call("POST", "/v1/jobs", CSV, who=ADMIN).json["id"]
    api.call("GET", f"/v1/jobs/{job_id}").refused(404, "job_not_found")
    await changed_role(users, MEMBER, "admin")
    assert api.call("GET", f"/v1/jobs/{job_id}").status == 200


class SilentUserRepository(FakeUserRepository):
    async def get_by_email(self, email: Email) -> StorageUnavailable:
        del email
        return StorageUnavailable(reason="timeout", detail="ReadTimeoutError")


def test_while_users_cannot_be_read_no_caller_is_refused_as_unknown() -> None:
    Api(users=SilentUserRepository()).call("GET", "/v1/jobs").refused(503, "storage_unavailable")


def test_an_admin_creates_users(api: Api) -> None:
    answer = api.call("POST", "/v1/users", {"email": " Ada@Example.com ", "name": "Ada"}, who=ADMIN)
    user = answer.json
    assert answer.status == 201
    assert answer.headers["location"] == f"/v1/users/{user['id']}"
    assert answer.headers["etag"] == '"1"'
    assert (user["email"], user["name"], user["role"], user["version"]) == ("ada@example.com", "Ada", "member", 1)
    assert api.call("GET", "/v1/users/me", who=claims("ada@example.com")).json == user | {
        "version": 2,
        "updated_at": user["updated_at"],
    }
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
    assert api.call("GET", "/v1/users", who=ADMIN, query={"email": "nobody@example.com"}).json["items"] == []
    api.call("GET", "/v1/users", who=ADMIN, query={"email": "nobody"}).refused(422, "invalid_email")
    api.call("GET", "/v1/users", who=ADMIN, query={"email": ""}).refused(422, "invalid_email")


def test_a_member_sees_only_their_own_user(api: Api) -> None:
    assert api.call("GET", f"/v1/users/{MEMBER.id}").json["email"] == MEMBER.email
    theirs, nobodys = api.call("GET", f"/v1/users/{OTHER.id}"), api.call("GET", "/v1/users/nobody")
    assert (theirs.status, theirs.text) == (nobodys.status, nobodys.text)
    assert api.call("GET", f"/v1/users/{OTHER.id}", who=ADMIN).status == 200
    assert api.call("GET", "/v1/users/me", headers={"if-none-match": '"1"'}).status == 304


def test_users_change_themselves_with_the_version_that_they_read(api: Api) -> None:
    path = f"/v1/users/{MEMBER.id}"
    api.call("PATCH", path, {"name": "New"}).refused(428, "precondition_required")
    api.call("PATCH", path, {"name": "New"}, headers={"if-match": '"7"'}).refused(412, "stale_version")
    api.call("PATCH", path, {"name": "New"}, headers={"if-match": "nonsense"}).refused(412, "stale_version")
    changed = api.call("PATCH", path, {"name": "New"}, headers={"if-match": '"1"'})
    assert (changed.status, changed.json["name"], changed.headers["etag"]) == (200, "New", '"2"')
    api.call("PATCH", path, {"email": "x"}, headers={"if-match": '"2"'}).refused(422, "invalid_email")
    api.call("PATCH", path, {"role": "admin"}, headers={"if-match": '"2"'}).refused(403, "not_allowed")
    api.call("PATCH", f"/v1/users/{OTHER.id}", {"name": "x"}, headers={"if-match": '"1"'}).refused(
        404, "user_not_found"
    )


def test_a_member_does_not_change_its_address(api: Api) -> None:
    path, headers = f"/v1/users/{MEMBER.id}", {"if-match": '"1"'}
    taken = api.call("PATCH", path, {"email": OTHER.email}, headers=headers).refused(403, "not_allowed")
    free = api.call("PATCH", path, {"email": "free@example.com"}, headers=headers).refused(403, "not_allowed")
    assert taken.text == free.text, "the response does not reveal who has an address"
    assert api.call("GET", path).json["version"] == 1
    alike = api.call("PATCH", path, {"email": " MEMBER@Example.com ", "name": "New"}, headers=headers)
    assert (alike.status, alike.json["email"], alike.json["name"]) == (200, MEMBER.email, "New")


def test_an_admin_changes_addresses(api: Api) -> None:
    path, headers = f"/v1/users/{MEMBER.id}", {"if-match": '"1"'}
    api.call("PATCH", path, {"email": OTHER.email}, who=ADMIN, headers=headers).refused(409, "email_taken")
    changed = api.call("PATCH", path, {"email": "New@example.com"}, who=ADMIN, headers=headers)
    assert (changed.status, changed.json["email"]) == (200, "new@example.com")
    own = api.call("PATCH", f"/v1/users/{ADMIN.id}", {"email": "a@example.com"}, who=ADMIN, headers=headers)
    assert own.status == 200


def test_an_admin_gives_a_role(api: Api) -> None:
    changed = api.call("PATCH", f"/v1/users/{MEMBER.id}", {"role": "admin"}, who=ADMIN, headers={"if-match": '"1"'})
    assert changed.json["role"] == "admin"


def test_job_types_are_listed_with_their_schemas(api: Api) -> None:
    page = api.call("GET", "/v1/job-types").json
    assert page["next"] is None
    listed = page["items"]
    assert isinstance(listed, list)
    assert [each["name"] for each in listed if isinstance(each, dict)] == list(load_job_types("job_types").names())
    one = api.call("GET", "/v1/job-types/csv.profile").json
    assert one in listed
    schema = one["payload_schema"]
    assert isinstance(schema, dict)
    assert schema["required"] == ["csv"]
    api.call("GET", "/v1/job-types/nope").refused(404, "unknown_job_type")


def test_job_types_with_large_schemas_are_listed_page_by_page(users: FakeUserRepository) -> None:
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


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/v1/nope", 404), ("DELETE", "/v1/jobs", 405), ("POST", "/", 405)]
)
def test_a_missing_path_is_a_problem_document_too(api: Api, method: str, path: str, status: int) -> None:
    answer = api.call(method, path)
    answer.refused(status, {404: "not_found", 405: "method_not_allowed"}[status])


def test_a_wrong_method_is_refused_with_all_allowed_ones(api: Api) -> None:
    assert api.call("DELETE", "/v1/jobs").headers["allow"] == "GET, HEAD, OPTIONS, POST"
    assert api.call("PUT", f"/v1/users/{MEMBER.id}").headers["allow"] == "DELETE, GET, HEAD, OPTIONS, PATCH"
    assert api.call("DELETE", "/v1/jobs/batch").headers["allow"] == "GET, HEAD, OPTIONS, POST", (
        "it fits a job's path too"
    )
    assert {api.call("POST", path).headers["allow"] for path in ("/docs", "/healthz")} == {"GET, HEAD, OPTIONS"}


def test_options_says_what_a_path_allows_to_callers_who_are_not_known(api: Api) -> None:
    """A preflight request has no token."""
    for route in ("OPTIONS /v1/{proxy+}", "OPTIONS /iam/v1/{proxy+}", "ANY /key/v1/{proxy+}"):
        prefix = route.split()[1].removesuffix("/v1/{proxy+}")
        answer = api.call("OPTIONS", f"{prefix}/v1/jobs", who=None, route=route)
        assert (answer.status, answer.text, answer.headers["allow"]) == (204, "", "GET, HEAD, OPTIONS, POST")
    api.call("OPTIONS", "/v1/nope", who=None).refused(404, "not_found")


def test_one_line_is_logged_for_a_request_without_what_it_carried(api: Api) -> None:
    body = CSV | {"payload": {"csv": "canary-payload\n1\n"}}
    headers = {"authorization": "Bearer canary-token", "idempotency-key": "canary-key"}
    api.call("POST", "/v1/jobs", body, headers=headers)
    api.call("GET", "/v1/users", who=ADMIN, query={"email": "canary-address@example.com"})
    api.call("POST", "/v1/jobs", b'{"type":"csv.profile","payload":{"canary-field":1}}')
    lines = [json.loads(line) for line in api.log.getvalue().splitlines() if line.startswith("{")]
    logged = [line for line in lines if line["message"] == "request_answered"]
    assert [(line["method"], line["route"], line["status"]) for line in logged] == [
        ("POST", "/v1/jobs", 202), ("GET", "/v1/users", 200), ("POST", "/v1/jobs", 422),
    ]  # fmt: skip
    assert all(line["request_id"] == "request-1" for line in logged)
    assert "canary" not in json.dumps(lines)
    assert MEMBER.email not in json.dumps(lines)


def test_users_from_the_factory_are_valid() -> None:
    assert isinstance(UserFactory.build(), User)


@pytest.mark.parametrize("path", ["/v1/jobs/", "/v1/users/", "/v1/users/me/", "/healthz/", "/openapi.json/"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_extra_slash_is_not_found_and_does_not_redirect(api: Api, method: str, path: str) -> None:
    answer = api.call(method, path, who=ADMIN, headers={"host": "elsewhere.test"})
    assert "location" not in answer.headers
    answer.refused(404, "not_found")


@pytest.mark.parametrize("coding", ["gzip", "br", "gzip, identity"])
def test_a_body_in_a_content_coding_is_refused(api: Api, coding: str) -> None:
    body: JsonValue = {"type": "csv.profile", "payload": {"csv": "a"}}
    api.call("POST", "/v1/jobs", body, headers={"content-encoding": coding}).refused(415, "unsupported_media_type")
    assert api.call("POST", "/v1/jobs", body, headers={"content-encoding": "identity"}).status == 202
