"""Callers without a person's token: programs, roles of AWS, API keys; and who manages them."""

from collections.abc import Mapping

import pytest
from pydantic import JsonValue

from domain.users.user import User
from tests.fakes.user_repository import FakeUserRepository
from tests.unit.api.conftest import ADMIN, ISSUER, MEMBER, OTHER, Answer, Api

CSV: JsonValue = {"type": "csv.profile", "payload": {"csv": "a\n1\n"}}
ROLE = "arn:aws:iam::123456789012:role/orders"
SESSION: JsonValue = {"userArn": "arn:aws:sts::123456789012:assumed-role/orders/lambda", "accountId": "123456789012"}
PROGRAM: Mapping[str, JsonValue] = {"iss": ISSUER, "sub": "orders-program", "client_id": "orders-program"}
LATER = "2030-01-01T00:00:00Z"


@pytest.fixture
def api(users: FakeUserRepository) -> Api:
    return Api(users=users)


def add(api: Api, user: User = MEMBER, who: User = ADMIN, **form: JsonValue) -> Answer:
    return add_form(api, form, user, who)


def add_form(api: Api, form: Mapping[str, JsonValue], user: User = MEMBER, who: User = ADMIN) -> Answer:
    return api.call("POST", f"/v1/users/{user.id}/principals", {"name": "n", **form}, who=who)


def a_key(api: Api, *scopes: JsonValue, user: User = MEMBER) -> tuple[str, str]:
    """An API key, and its principal's id."""
    form: dict[str, JsonValue] = {"scopes": list(scopes)} if scopes else {}
    made = add_form(api, form, user)
    assert made.status == 201, made.text
    assert made.headers["cache-control"] == "no-store"
    return str(made.json["key"]), str(made.json["id"])


def by_key(
    api: Api, key: str, method: str = "GET", path: str = "/v1/users/me", body: JsonValue = None, **more: str
) -> Answer:
    headers = {"authorization": f"Bearer {key}", **more}
    return api.call(method, f"/key{path}", body, who=None, headers=headers, route="ANY /key/v1/{proxy+}")


def by_role(
    api: Api, iam: JsonValue = SESSION, method: str = "GET", path: str = "/v1/users/me", body: JsonValue = None
) -> Answer:
    return api.call(method, f"/iam{path}", body, authorizer={"iam": iam}, route="ANY /iam/v1/{proxy+}")


def test_a_program_submits_by_its_bound_subject(api: Api) -> None:
    refused = api.call("POST", "/v1/jobs", CSV, who=PROGRAM).refused(403, "unknown_user")
    assert f"{ISSUER}#orders-program" in refused.text, "what an admin has to bind"
    bound = add(api, subject="orders-program")
    assert (bound.status, bound.json["kind"], bound.json["subject"]) == (201, "token", f"{ISSUER}#orders-program")
    job = api.call("POST", "/v1/jobs", CSV, who=PROGRAM)
    assert (job.status, job.json["owner_id"]) == (202, MEMBER.id)
    other: dict[str, JsonValue] = {**PROGRAM, "iss": "https://other.test"}
    api.call("GET", "/v1/jobs", who=other).refused(403, "unknown_user")


def test_a_role_submits_by_its_session_and_no_other_does(api: Api) -> None:
    assert ROLE in by_role(api).refused(403, "unknown_user").text
    assert add(api, role_arn="arn:aws:iam::123456789012:role/with/a/path/orders").status == 201
    assert by_role(api, method="POST", path="/v1/jobs", body=CSV).json["owner_id"] == MEMBER.id
    for arn in (
        "arn:aws:sts::123456789012:assumed-role/other/lambda",
        "arn:aws:sts::999999999999:assumed-role/orders/x",
    ):
        by_role(api, {"userArn": arn}).refused(403, "unknown_user")
    nobodies: list[JsonValue] = [{}, {"userArn": None}, {"userArn": "arn:aws:iam::123456789012:root"}]
    for nobody in nobodies:
        by_role(api, nobody).refused(403, "unknown_user")


@pytest.mark.parametrize("prefix", ["/key", "/iam", ""])
def test_links_lead_where_the_caller_came_from(api: Api, prefix: str) -> None:
    add(api, ADMIN, role_arn=ROLE)
    bearer = {"authorization": f"Bearer {a_key(api, user=ADMIN)[0]}"} if prefix == "/key" else {}
    authorizer: dict[str, JsonValue] | None = {"iam": SESSION} if prefix == "/iam" else None
    who, route = None if prefix else ADMIN, f"ANY {prefix}/v1/{{proxy+}}"

    def call(method: str, path: str, body: JsonValue = None, **query: str) -> Answer:
        at = f"{prefix}{path}"
        return api.call(method, at, body, who=who, headers=bearer, authorizer=authorizer, route=route, query=query)

    schedule: JsonValue = {"name": "n", "type": "csv.profile", "payload": {"csv": "a"}, "every_seconds": 60}
    file: JsonValue = {"name": "a.csv", "content_type": "text/csv", "size": 1}
    webhook: JsonValue = {"url": "https://x.example.com/", "statuses": ["failed"]}
    user: JsonValue = {"email": "new@example.com", "name": "New"}
    created = {
        "jobs": call("POST", "/v1/jobs", CSV), "schedules": call("POST", "/v1/schedules", schedule),
        "files": call("POST", "/v1/files", file), "webhooks": call("POST", "/v1/webhooks", webhook),
        "users": call("POST", "/v1/users", user),
    }  # fmt: skip
    for name, answer in created.items():
        start = f"{prefix}/v1/{name}/{answer.json['id']}"
        assert answer.headers["location"] == start, answer.text
        links = answer.json.get("links", {"self": start})
        assert isinstance(links, dict)
        assert all(str(link).startswith(start) for link in links.values())
    job = f"/v1/jobs/{created['jobs'].json['id']}"
    assert call("POST", f"{job}/cancel").json["links"] == {"self": f"{prefix}{job}", "retry": f"{prefix}{job}/retry"}
    call("POST", "/v1/jobs", CSV)
    for path in ("/v1/jobs", "/v1/schedules", "/v1/failed-jobs"):
        following = call("GET", path, limit="1").headers.get("link", f"<{prefix}{path}?")
        assert str(following).startswith(f"<{prefix}{path}?")


def test_a_role_and_a_token_are_honoured_on_their_own_routes_alone(api: Api) -> None:
    add(api, role_arn=ROLE)
    key, _ = a_key(api)
    authorizer: dict[str, JsonValue] = {"iam": SESSION}
    api.call("GET", "/v1/users/me", authorizer=authorizer).refused(401, "unauthenticated")
    api.call("GET", "/v1/users/me", who=None, headers={"authorization": f"Bearer {key}"}).refused(
        401, "unauthenticated"
    )
    for prefix in ("/key", "/iam"):
        answer = api.call("GET", f"{prefix}/v1/users/me", who=ADMIN, route=f"ANY {prefix}/v1/{{proxy+}}")
        assert answer.status in {401, 403}
        assert api.call("GET", f"{prefix}/v1/users/me", who=ADMIN).status == 404, "no other route leads there"


def test_a_key_is_its_user_and_every_other_text_is_refused(api: Api) -> None:
    key, _ = a_key(api)
    assert by_key(api, key).json["id"] == MEMBER.id
    flipped = f"{key[:-1]}{'A' if key[-1] != 'A' else 'B'}"
    other_user = key.replace(MEMBER.id.replace("-", ""), OTHER.id.replace("-", ""))
    for wrong in (flipped, other_user, key[:-1], "", "x", "hr__", f"{key}x", key.upper()):
        refused = by_key(api, wrong).refused(401, "unauthenticated")
        assert str(refused.headers["www-authenticate"]).startswith("Bearer")
    api.call("GET", "/key/v1/users/me", who=None, route="ANY /key/v1/{proxy+}").refused(401, "unauthenticated")
    assert key.split("_", 2)[2] not in api.log.getvalue()


def test_the_scopes_of_a_key_bound_what_it_may_do(api: Api) -> None:
    submit, read = a_key(api, "submit")[0], a_key(api, "read")[0]
    manage, usual = a_key(api, "manage")[0], a_key(api, user=ADMIN)[0]
    job = by_key(api, submit, "POST", "/v1/jobs", CSV)
    assert job.status == 202
    path = f"/v1/jobs/{job.json['id']}"
    assert by_key(api, read, path=path).status == 200
    for key, method, at in (
        (submit, "GET", path), (submit, "POST", f"{path}/cancel"), (read, "POST", "/v1/jobs"),
        (read, "POST", f"{path}/cancel"), (manage, "GET", path), (manage, "POST", "/v1/jobs"),
        (manage, "POST", f"/v1/users/{MEMBER.id}/principals"), (submit, "POST", "/v1/users"),
    ):  # fmt: skip
        by_key(api, key, method, at, CSV if method == "POST" else None).refused(403, "insufficient_scope")
    assert by_key(api, manage, "POST", f"{path}/cancel").status == 200
    assert by_key(api, usual, "POST", "/v1/users", {"email": "new@example.com", "name": "New"}).status == 201


def test_a_key_with_the_scope_submits_on_behalf_of_another_and_does_nothing_else(api: Api) -> None:
    key, plain = a_key(api, "submit", "on-behalf")[0], a_key(api)[0]
    job = by_key(api, key, "POST", "/v1/jobs", CSV, **{"headrace-owner": OTHER.id})
    assert (job.status, job.json["owner_id"]) == (202, OTHER.id)
    assert api.call("GET", f"/v1/jobs/{job.json['id']}", who=OTHER).status == 200
    by_key(api, plain, "POST", "/v1/jobs", CSV, **{"headrace-owner": OTHER.id}).refused(403, "not_allowed")
    by_key(api, plain, "GET", "/v1/jobs", **{"headrace-owner": OTHER.id}).refused(403, "not_allowed")
    for nobody in ("", "x", "00000000-0000-4000-8000-000000000000"):
        by_key(api, key, "POST", "/v1/jobs", CSV, **{"headrace-owner": nobody}).refused(404, "user_not_found")
    api.call("POST", "/v1/jobs", CSV, who=ADMIN, headers={"headrace-owner": OTHER.id}).refused(403, "not_allowed")


def test_who_submits_on_behalf_of_another_names_none_of_its_secrets(api: Api) -> None:
    key, for_other = a_key(api, "submit", "on-behalf")[0], {"headrace-owner": OTHER.id}

    def job(secret: str) -> JsonValue:
        headers: JsonValue = {"authorization": {"secret": secret, "prefix": "Bearer "}}
        return {"type": "http.request", "payload": {"url": "https://mine.example.com/", "headers": headers}}

    told = "names the owner's secret 'stripe': who submits on behalf of an owner may name shared/… alone"
    refused = by_key(api, key, "POST", "/v1/jobs", job("stripe"), **for_other).refused(422, "invalid_payload")
    assert refused.json["errors"] == [{"pointer": "/payload", "detail": told}]
    batch = by_key(api, key, "POST", "/v1/jobs/batch", {"jobs": [job("stripe"), job("shared/mail")]}, **for_other)
    results = batch.json["results"]
    assert isinstance(results, list)
    assert [each["status"] for each in results if isinstance(each, dict)] == [422, 202]
    assert by_key(api, key, "POST", "/v1/jobs", job("shared/mail"), **for_other).status == 202
    assert by_key(api, key, "POST", "/v1/jobs", job("stripe")).status == 202, "its own"


def test_a_key_stands_for_the_same_job_whoever_submits_it(api: Api) -> None:
    key = a_key(api, "submit", "on-behalf")[0]
    idempotent = {"idempotency-key": "7"}
    job = by_key(api, key, "POST", "/v1/jobs", CSV, **idempotent, **{"headrace-owner": OTHER.id})
    again = api.call("POST", "/v1/jobs", CSV, who=OTHER, headers=idempotent)
    assert (again.status, again.headers.get("idempotency-replayed")) == (202, "true")
    assert again.json["id"] == job.json["id"]


def test_two_keys_are_valid_while_one_replaces_the_other(api: Api) -> None:
    old, id = a_key(api)
    path = f"/v1/users/{MEMBER.id}/principals/{id}"
    rotated = api.call("POST", f"{path}/rotate", {})
    new = str(rotated.json["key"])
    assert (rotated.status, rotated.json["valid_secrets"]) == (200, 2)
    assert by_key(api, old).status == by_key(api, new).status == 200
    last = str(api.call("POST", f"{path}/rotate", {"keep_previous": False}).json["key"])
    assert [by_key(api, key).status for key in (old, new, last)] == [401, 401, 200]
    shown = api.call("GET", f"/v1/users/{MEMBER.id}/principals").json["items"]
    assert isinstance(shown, list)
    assert all(isinstance(each, dict) and each["key"] is None for each in shown)
    assert 'secrets"' not in str(shown).replace("valid_secrets", "")


def test_a_disabled_principal_and_a_disabled_or_deleted_user_are_refused(api: Api) -> None:
    key, id = a_key(api)
    path = f"/v1/users/{MEMBER.id}"
    assert api.call("PATCH", f"{path}/principals/{id}", {"disabled": True}).json["disabled"] is True
    by_key(api, key).refused(403, "principal_inactive")
    api.call("PATCH", f"{path}/principals/{id}", {"disabled": False})
    assert by_key(api, key).status == 200
    disabled = api.call("PATCH", path, {"disabled": True}, who=ADMIN, headers={"if-match": "*"})
    assert disabled.json["disabled"] is True
    by_key(api, key).refused(403, "user_disabled")
    api.call("GET", "/v1/jobs").refused(403, "user_disabled")
    assert api.call("DELETE", path, who=ADMIN).status == 204
    by_key(api, key).refused(401, "unauthenticated")
    api.call("GET", "/v1/jobs").refused(403, "unknown_user")


def test_an_address_that_has_changed_hands_is_refused_until_an_admin_says_otherwise(api: Api) -> None:
    heir: dict[str, JsonValue] = {"iss": ISSUER, "sub": "heir", "email": MEMBER.email, "email_verified": "true"}
    api.call("GET", "/v1/users/me", who=heir).refused(403, "address_bound")
    path = f"/v1/users/{MEMBER.id}/principals/{MEMBER.principals[0].id}"
    api.call("DELETE", path).refused(403, "not_allowed")
    assert api.call("DELETE", path, who=ADMIN).status == 204
    assert api.call("GET", "/v1/users/me", who=heir).json["id"] == MEMBER.id
    api.call("GET", "/v1/users/me").refused(403, "address_bound")


@pytest.mark.parametrize(
    ("form", "status", "code"),
    [
        ({"subject": "a", "role_arn": ROLE}, 422, "invalid_request"),
        ({"issuer": ISSUER}, 422, "invalid_request"),
        ({"role_arn": "orders"}, 422, "invalid_subject"),
        ({"subject": "a", "issuer": "http://x"}, 422, "invalid_subject"),
        ({"scopes": []}, 422, "invalid_request"),
        ({"scopes": ["root"]}, 422, "invalid_request"),
        ({"name": ""}, 422, "invalid_request"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, 422, "invalid_request"),
        ({"expires_at": "2030-01-01T00:00:00"}, 422, "invalid_request"),
        ({"secrets": ["0"]}, 422, "invalid_request"),
    ],
)
def test_a_principal_that_cannot_be_is_refused(api: Api, form: dict[str, JsonValue], status: int, code: str) -> None:
    add_form(api, form).refused(status, code)


def test_who_has_no_token_names_the_issuer(api: Api) -> None:
    key, _ = a_key(api, user=ADMIN)
    path = f"/v1/users/{MEMBER.id}/principals"
    by_key(api, key, "POST", path, {"name": "n", "subject": "a"}).refused(422, "invalid_request")
    named: JsonValue = {"name": "n", "subject": "a", "issuer": ISSUER, "expires_at": LATER}
    assert by_key(api, key, "POST", path, named).status == 201
    by_key(api, key, "POST", path, named).refused(409, "principal_taken")


def test_a_member_manages_its_own_keys_alone(api: Api) -> None:
    assert add(api, who=MEMBER).status == 201
    add(api, who=MEMBER, subject="x").refused(403, "not_allowed")
    add(api, who=MEMBER, scopes=["on-behalf"]).refused(403, "not_allowed")
    add(api, user=OTHER, who=MEMBER).refused(404, "user_not_found")
    api.call("GET", f"/v1/users/{OTHER.id}/principals").refused(404, "user_not_found")
    theirs = f"principals/{OTHER.id}"
    calls: list[tuple[str, str, JsonValue]] = [
        ("PATCH", theirs, {}),
        ("POST", f"{theirs}/rotate", {}),
        ("DELETE", theirs, None),
    ]
    for method, path, body in calls:
        api.call(method, f"/v1/users/{OTHER.id}/{path}", body).refused(404, "user_not_found")
        api.call(method, f"/v1/users/{MEMBER.id}/{path}", body).refused(404, "principal_not_found")
        api.call(method, f"/v1/users/x/{path}", body).refused(404, "user_not_found")
    api.call("DELETE", f"/v1/users/{MEMBER.id}/principals/x").refused(404, "principal_not_found")


def test_an_admin_lists_users(api: Api) -> None:
    first = api.call("GET", "/v1/users", who=ADMIN, query={"limit": "2"}).json
    rest = api.call("GET", "/v1/users", who=ADMIN, query={"limit": "2", "cursor": str(first["next"])}).json
    items = [*first["items"], *rest["items"]]  # type: ignore[misc]  # they are lists
    assert [user["id"] for user in items if isinstance(user, dict)] == [ADMIN.id, MEMBER.id, OTHER.id]
    assert rest["next"] is None
    api.call("GET", "/v1/users", who=ADMIN, query={"role": "member", "cursor": str(first["next"])}).refused(
        400, "bad_cursor"
    )
    api.call("GET", "/v1/users").refused(403, "not_allowed")


def test_the_expiry_of_a_key_can_be_taken_away(api: Api) -> None:
    made = add(api, name="n", expires_at=LATER)
    path = f"/v1/users/{MEMBER.id}/principals/{made.json['id']}"
    assert str(made.json["expires_at"]).startswith("2030-01-01T00:00:00")
    assert api.call("PATCH", path, {"name": "m"}, who=ADMIN).json["expires_at"] == made.json["expires_at"]
    assert api.call("PATCH", path, {"expires_at": None}, who=ADMIN).json["expires_at"] is None
