"""Access control: every route of the OpenAPI document, for every kind of caller."""

import json
import time
from collections.abc import Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3
import httpx
import jwt
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from headrace.emulator.cloudformation import REGION, ROOT
from headrace.emulator.tokens import AUDIENCE, ISSUER
from headrace_client.aws import SigV4
from tests.e2e.conftest import Stack, submit, wait

DOCUMENT = json.loads((ROOT / "docs/openapi.json").read_text())
OPERATIONS = [
    (method.upper(), path)
    for path, operations in DOCUMENT["paths"].items()
    for method in operations
    if path.startswith("/v1/")
]
ANOTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
NOBODY = "00000000-0000-4000-8000-000000000000"
CSV = {"type": "csv.profile", "payload": {"csv": "a\n1\n"}}

WEBHOOK = {"url": "http://10.0.0.1/", "types": ["of.no.job"]}
"""Its deliveries fail at once, for the address is private."""
NIGHTLY = {"name": "nightly", "cron": "0 3 * * *", **CSV}

BODIES: dict[tuple[str, str], object] = {
    ("PATCH", "/v1/lanes/{lane}"): {"limit": 2},
    ("POST", "/v1/webhooks"): WEBHOOK,
    ("PATCH", "/v1/webhooks/{webhook_id}"): {"description": "changed"},
    ("POST", "/v1/schedules"): NIGHTLY,
    ("POST", "/v1/schedules/preview"): {"cron": "0 3 * * *"},
    ("PATCH", "/v1/schedules/{schedule_id}"): {"name": "Renamed"},
    ("POST", "/v1/jobs"): CSV,
    ("POST", "/v1/jobs/batch"): {"jobs": [CSV]},
    ("POST", "/v1/jobs/{job_id}/signals/{name}"): {"by": "Ann"},
    ("POST", "/v1/failed-jobs/retry"): {"type": "csv.profile", "dry_run": True},
    ("POST", "/v1/jobs/cancel"): {"filter": {"type": "csv.profile"}, "dry_run": True},
    ("POST", "/v1/jobs/retry"): {"filter": {"type": "csv.profile"}, "dry_run": True},
    ("POST", "/v1/files"): {"name": "a.csv", "content_type": "text/csv", "size": 3},
    ("POST", "/v1/users"): {"email": "tenants-new@example.com", "name": "New"},
    ("PATCH", "/v1/users/{user_id}"): {"name": "Renamed"},
    ("POST", "/v1/users/{user_id}/principals"): {"name": "a key"},
    ("PATCH", "/v1/users/{user_id}/principals/{principal_id}"): {"name": "renamed"},
    ("POST", "/v1/users/{user_id}/principals/{principal_id}/rotate"): {},
}
QUERIES: dict[tuple[str, str], dict[str, str]] = {
    ("GET", "/v1/failed-jobs"): {"type": "csv.profile"},
    ("GET", "/v1/users"): {"email": "tenant-a@example.com"},
}
# The status codes for a member and an admin; a route that is missing here fails the tests below.
ALLOWED: dict[tuple[str, str], tuple[int, int]] = {
    ("POST", "/v1/jobs"): (202, 202),
    ("GET", "/v1/jobs"): (200, 200),
    ("POST", "/v1/jobs/batch"): (207, 207),
    ("GET", "/v1/jobs/{job_id}"): (200, 200),
    ("GET", "/v1/jobs/{job_id}/payload"): (200, 200),
    ("GET", "/v1/jobs/{job_id}/result"): (404, 404),
    ("POST", "/v1/files"): (201, 201),
    ("GET", "/v1/files/{file_id}"): (409, 409),
    ("GET", "/v1/jobs/{job_id}/steps"): (200, 200),
    ("GET", "/v1/jobs/{job_id}/children"): (200, 200),
    ("POST", "/v1/jobs/{job_id}/signals/{name}"): (202, 202),
    ("POST", "/v1/jobs/{job_id}/cancel"): (200, 200),
    ("POST", "/v1/jobs/{job_id}/retry"): (409, 409),
    ("GET", "/v1/jobs/{job_id}/why"): (200, 200),
    ("GET", "/v1/jobs/{job_id}/cost"): (200, 200),
    ("GET", "/v1/stats"): (403, 200),
    ("POST", "/v1/jobs/cancel"): (200, 200),
    ("POST", "/v1/jobs/retry"): (200, 200),
    ("GET", "/v1/lanes"): (403, 200),
    ("GET", "/v1/lanes/{lane}"): (403, 200),
    ("PATCH", "/v1/lanes/{lane}"): (403, 200),
    ("POST", "/v1/lanes/{lane}/pause"): (403, 200),
    ("POST", "/v1/lanes/{lane}/resume"): (403, 200),
    ("POST", "/v1/lanes/{lane}/drain"): (403, 200),
    ("POST", "/v1/webhooks"): (403, 201),
    ("GET", "/v1/webhooks"): (403, 200),
    ("GET", "/v1/webhooks/{webhook_id}"): (403, 200),
    ("PATCH", "/v1/webhooks/{webhook_id}"): (403, 200),
    ("DELETE", "/v1/webhooks/{webhook_id}"): (403, 204),
    ("POST", "/v1/webhooks/{webhook_id}/rotate"): (403, 200),
    ("POST", "/v1/webhooks/{webhook_id}/test"): (403, 202),
    ("GET", "/v1/webhooks/{webhook_id}/deliveries"): (403, 200),
    ("POST", "/v1/webhooks/{webhook_id}/deliveries/{delivery_id}/replay"): (403, 202),
    ("POST", "/v1/notify-secret"): (200, 200),
    ("POST", "/v1/schedules"): (201, 201),
    ("POST", "/v1/schedules/preview"): (200, 200),
    ("GET", "/v1/schedules"): (200, 200),
    ("GET", "/v1/schedules/{schedule_id}"): (200, 200),
    ("PATCH", "/v1/schedules/{schedule_id}"): (200, 200),
    ("DELETE", "/v1/schedules/{schedule_id}"): (204, 204),
    ("POST", "/v1/schedules/{schedule_id}/pause"): (200, 200),
    ("POST", "/v1/schedules/{schedule_id}/resume"): (200, 200),
    ("POST", "/v1/schedules/{schedule_id}/run"): (202, 202),
    ("GET", "/v1/failed-jobs"): (403, 200),
    ("POST", "/v1/failed-jobs/retry"): (403, 200),
    ("GET", "/v1/job-types"): (200, 200),
    ("GET", "/v1/job-types/{name}"): (200, 200),
    ("POST", "/v1/users"): (403, 201),
    ("GET", "/v1/users"): (403, 200),
    ("GET", "/v1/users/me"): (200, 200),
    ("GET", "/v1/users/{user_id}"): (200, 200),
    ("PATCH", "/v1/users/{user_id}"): (200, 200),
    ("DELETE", "/v1/users/{user_id}"): (403, 403),  # an admin does not delete its own user
    ("GET", "/v1/users/{user_id}/principals"): (200, 200),
    ("POST", "/v1/users/{user_id}/principals"): (201, 201),
    ("PATCH", "/v1/users/{user_id}/principals/{principal_id}"): (404, 404),
    ("POST", "/v1/users/{user_id}/principals/{principal_id}/rotate"): (404, 404),
    ("DELETE", "/v1/users/{user_id}/principals/{principal_id}"): (404, 404),
}
IDS = ("job_id", "user_id", "file_id", "schedule_id")
FOREIGN = [operation for operation in OPERATIONS if any(id in operation[1] for id in IDS)]


class Signed(httpx.Auth):
    """Signs for a path that the stack serves below `/iam`."""

    requires_request_body = True

    def __init__(self, credentials: Mapping[str, str], region: str | None = None, service: str = "execute-api") -> None:
        keys = Credentials(credentials["AWS_ACCESS_KEY_ID"], credentials["AWS_SECRET_ACCESS_KEY"])
        self._sign = SigV4(region or credentials["AWS_REGION"], keys, service)

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        return self._sign.auth_flow(request)


class Tenants:
    """Two tenants and an admin on one stack, and tokens of every kind."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.key = load_pem_private_key((stack.folder / ".headrace/token-key.pem").read_bytes(), password=None)
        for name in ("tenant-a", "tenant-b"):
            stack.cli.run("users", "create", f"{name}@example.com")
        stack.cli.run("users", "create", "tenant-admin@example.com", "--admin")
        with self.client("tenant-a") as owner:
            self.owner_id = owner.get("/v1/users/me").json()["id"]
            self.file_id = owner.post("/v1/files", json=BODIES["POST", "/v1/files"]).json()["id"]

    def client(self, name: str) -> httpx.Client:
        return self.with_token(self.token(f"{name}@example.com"))

    def with_token(self, token: str | None) -> httpx.Client:
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        # There is no TLS: some hundred clients need not read this machine's certificates.
        return httpx.Client(base_url=self.stack.url, headers=headers, timeout=40, verify=False)

    def token(self, email: str | None, /, key: object = None, **claims: object) -> str:
        now = int(time.time())
        values = {
            "sub": email,
            "email": email,
            "email_verified": True,
            "iss": ISSUER,
            "aud": AUDIENCE,
            "iat": now,
            "exp": now + 600,
            **claims,
        }
        present = {name: value for name, value in values.items() if value is not None}
        return jwt.encode(present, key or self.key, algorithm="RS256")  # type: ignore[arg-type]

    def machines(self, name: str, email: str) -> dict[str, httpx.Client]:
        """A program, an IAM role and an API key, bound to a user as an admin does it."""
        run = self.stack.cli.ok
        run("users", "bind", email, "--subject", name)
        run("users", "bind", email, "--role-arn", f"arn:aws:iam::000000000000:role/{name}")
        key = json.loads(run("users", "key", email, "--name", name, "--json"))["key"]
        signed = Signed(json.loads(run("credentials", name, "--json")))
        return {
            "program": self.with_token(run("token", "--client", name)),
            "role": httpx.Client(base_url=f"{self.stack.url}/iam", auth=signed, timeout=40),
            "key": httpx.Client(
                base_url=f"{self.stack.url}/key", headers={"authorization": f"Bearer {key}"}, timeout=40
            ),
        }

    def call(self, client: httpx.Client, operation: tuple[str, str], job_id: str, user_id: str) -> httpx.Response:
        method, path = operation
        headers = {"if-match": '"1"'} if method == "PATCH" else {}
        file_id = NOBODY if job_id == NOBODY else self.file_id
        schedule_id = self.a_schedule() if "schedule_id" in path and job_id != NOBODY else NOBODY
        webhook_id, delivery_id = self.a_delivery() if "webhook_id" in path and job_id != NOBODY else (NOBODY, NOBODY)
        filled = path.format(
            job_id=job_id, user_id=user_id, file_id=file_id, schedule_id=schedule_id, name="csv.profile", lane="a-lane",
            webhook_id=webhook_id, delivery_id=delivery_id, principal_id=NOBODY,
        )  # fmt: skip
        body = BODIES.get(operation)
        return client.request(method, filled, json=body, params=QUERIES.get(operation), headers=headers)

    def a_delivery(self) -> tuple[str, str]:
        """An endpoint, and a delivery to it. There is one at a time."""
        with self.client("tenant-admin") as admin:
            for left in admin.get("/v1/webhooks").json()["items"]:
                if left["types"] == WEBHOOK["types"]:
                    admin.delete(f"/v1/webhooks/{left['id']}")
            webhook_id = str(admin.post("/v1/webhooks", json=WEBHOOK).json()["id"])
            return webhook_id, str(admin.post(f"/v1/webhooks/{webhook_id}/test").json()["id"])

    def a_schedule(self) -> str:
        """A schedule of the first tenant."""
        with self.client("tenant-a") as owner:
            return str(owner.post("/v1/schedules", json=NIGHTLY).json()["id"])

    def a_job(self) -> str:
        """A job of the first tenant that waits for an hour."""
        with self.client("tenant-a") as owner:
            return str(submit(owner, delay_seconds=3600)["id"])


@pytest.fixture(scope="module")
def tenants(stack_running: Stack) -> Tenants:
    return Tenants(stack_running)


def test_every_route_has_its_expected_responses() -> None:
    assert set(OPERATIONS) == set(ALLOWED)


@pytest.mark.parametrize("operation", OPERATIONS, ids=" ".join)
def test_an_invalid_token_is_refused_on_every_route(tenants: Tenants, operation: tuple[str, str]) -> None:
    good, member = tenants.token("tenant-a@example.com"), "tenant-a@example.com"
    header, payload, signature = good.split(".")
    forged = f"{header}.{payload}.{signature[:-6]}AAAAAA"
    bad = {
        "no token": None,
        "empty": ".",
        "forged": forged,
        "another key": tenants.token(member, ANOTHER_KEY),
        "expired": tenants.token(member, exp=int(time.time()) - 60),
        "without an end": tenants.token(member, exp=None),
        "not yet": tenants.token(member, nbf=int(time.time()) + 600),
        "wrong audience": tenants.token(member, aud="another"),
        "wrong issuer": tenants.token(member, iss="http://elsewhere.example"),
        "unsigned": jwt.encode({"email": member, "iss": ISSUER, "aud": AUDIENCE}, "", algorithm="none"),
        "unverified address": tenants.token(member, sub="another", email_verified=False),
        "verified by a word": tenants.token(member, sub="another", email_verified="yes"),
        "verified by a list": tenants.token(member, sub="another", email_verified=["true"]),
        "does not say whether it is verified": tenants.token(member, sub="another", email_verified=None),
        "no subject": tenants.token(member, sub=None),
        "neither address nor subject": tenants.token(None),
    }
    for name, token in bad.items():
        with tenants.with_token(token) as client:
            answer = tenants.call(client, operation, NOBODY, NOBODY)
        assert answer.status_code == 401, (name, answer.text)
        assert answer.headers["www-authenticate"].startswith("Bearer"), name


@pytest.mark.parametrize("operation", OPERATIONS, ids=" ".join)
def test_a_claim_in_a_header_or_a_body_is_ignored(tenants: Tenants, operation: tuple[str, str]) -> None:
    with tenants.with_token(None) as client:
        client.headers.update({"email": "tenant-admin@example.com", "x-amzn-oidc-data": "x", "x-role": "admin"})
        assert tenants.call(client, operation, NOBODY, NOBODY).status_code == 401


@pytest.mark.parametrize("operation", OPERATIONS, ids=" ".join)
def test_a_verified_caller_who_is_not_a_user_is_refused(tenants: Tenants, operation: tuple[str, str]) -> None:
    with tenants.client("nobodys-address") as stranger:
        answer = tenants.call(stranger, operation, NOBODY, NOBODY)
    assert (answer.status_code, answer.json()["code"]) == (403, "unknown_user")


@pytest.mark.parametrize("operation", OPERATIONS, ids=" ".join)
def test_an_owner_and_an_admin_get_the_documented_responses(tenants: Tenants, operation: tuple[str, str]) -> None:
    for caller, expected in zip(("tenant-a", "tenant-admin"), ALLOWED[operation], strict=True):
        with tenants.client(caller) as client:
            me = client.get("/v1/users/me")
            answer = tenants.call(client, operation, tenants.a_job(), me.json()["id"])
            if operation[0] == "PATCH":
                assert answer.status_code in {expected, 412}, answer.text
            elif operation == ("POST", "/v1/users") or (caller == "tenant-admin" and "replay" in operation[1]):
                # A user may be there already; a delivery that has not ended yet cannot be replayed.
                assert answer.status_code in {expected, 409}, answer.text
            else:
                assert answer.status_code == expected, answer.text


@pytest.mark.parametrize("operation", FOREIGN, ids=" ".join)
def test_another_tenants_data_gets_the_response_of_missing_data(tenants: Tenants, operation: tuple[str, str]) -> None:
    job_id = tenants.a_job()
    with tenants.client("tenant-b") as other:
        theirs = tenants.call(other, operation, job_id, tenants.owner_id)
        nobodys = tenants.call(other, operation, NOBODY, NOBODY)
    assert theirs.status_code == nobodys.status_code == 404
    volatile = {"request_id": ""}
    assert theirs.json() | volatile == nobodys.json() | volatile
    moving = {"date", "x-request-id"}
    assert {n: v for n, v in theirs.headers.items() if n not in moving} == {
        n: v for n, v in nobodys.headers.items() if n not in moving
    }
    with tenants.client("tenant-a") as owner:
        assert owner.get(f"/v1/jobs/{job_id}").json()["status"] == "scheduled", "nothing was changed"


def test_a_machine_submits_as_its_user_and_another_tenants_data_is_missing_data(tenants: Tenants) -> None:
    with tenants.client("tenant-b") as user:
        owner_id = user.get("/v1/users/me").json()["id"]
    for kind, machine in tenants.machines("machine-b", "tenant-b@example.com").items():
        with machine:
            job = submit(machine)
            assert job["owner_id"] == owner_id, kind
            links = job["links"]
            assert isinstance(links, dict)
            assert machine.get(f"{tenants.stack.url}{links['self']}").json()["id"] == job["id"], kind
            assert machine.get("/v1/jobs", params={"limit": 1, "include": "payload,result"}).status_code == 200, kind
            assert wait(machine, str(job["id"]))["status"] == "succeeded", kind
            assert machine.get("/v1/failed-jobs", params={"type": "csv.profile"}).status_code == 403, kind
            theirs = tenants.a_job()
            for operation in FOREIGN:
                answer = tenants.call(machine, operation, theirs, tenants.owner_id)
                nobodys = tenants.call(machine, operation, NOBODY, NOBODY)
                assert answer.status_code == nobodys.status_code == 404, (kind, operation, answer.text)
                assert answer.json() | {"request_id": ""} == nobodys.json() | {"request_id": ""}


def test_a_machine_that_is_bound_to_nobody_or_proves_nothing_is_refused(tenants: Tenants) -> None:
    run, url = tenants.stack.cli.ok, tenants.stack.url
    credentials = json.loads(run("credentials", "nobody", "--json"))
    bound = json.loads(run("credentials", "machine-x", "--json"))
    run("users", "bind", "tenant-b@example.com", "--role-arn", bound["role_arn"])
    forged = {**bound, "AWS_SECRET_ACCESS_KEY": "x" * 40}
    signed = {
        "nobody's role": (Signed(credentials), "unknown_user"),
        "a wrong secret": (Signed(forged), None),
        "another region": (Signed(bound, region="eu-west-1"), None),
        "another service": (Signed(bound, service="dynamodb"), None),
        "no signature": (None, None),
    }
    for name, (auth, code) in signed.items():
        answer = httpx.post(f"{url}/iam/v1/jobs", json=CSV, auth=auth)
        assert (answer.status_code, answer.json().get("code")) == (403, code), name
    stale = datetime.now(UTC) - timedelta(minutes=6)
    request = AWSRequest("GET", f"{url}/iam/v1/jobs", headers={"host": url.removeprefix("http://")})
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("botocore.auth.get_current_datetime", lambda: stale.replace(tzinfo=None))
        SigV4Auth(
            Credentials(bound["AWS_ACCESS_KEY_ID"], bound["AWS_SECRET_ACCESS_KEY"]), "execute-api", REGION
        ).add_auth(request)
    assert httpx.get(f"{url}/iam/v1/jobs", headers=dict(request.headers.items())).status_code == 403, "stale"
    assert httpx.post(f"{url}/iam/v1/jobs", json=CSV, auth=Signed(bound)).status_code == 202
    program = {"sub": "machine-x", "client_id": "machine-x", "email_verified": None}
    with tenants.with_token(tenants.token(None, **program)) as unbound:
        assert (unbound.get("/v1/jobs").status_code, unbound.get("/v1/jobs").json()["code"]) == (403, "unknown_user")
    run("users", "bind", "tenant-b@example.com", "--subject", "machine-x")
    with tenants.with_token(tenants.token(None, **program)) as program_bound:
        assert program_bound.get("/v1/jobs").status_code == 200
    for wrong in ({"aud": "another"}, {"iss": "https://elsewhere.test"}, {"exp": int(time.time()) - 60}):
        with tenants.with_token(tenants.token(None, **{**program, **wrong})) as refused:
            assert refused.get("/v1/jobs").status_code == 401, wrong


def test_a_member_keeps_the_address_that_an_admin_gave(tenants: Tenants) -> None:
    with tenants.client("tenant-b") as member, tenants.client("tenant-admin") as admin:
        me = member.get("/v1/users/me")
        path, headers = f"/v1/users/{me.json()['id']}", {"if-match": "*"}
        for address in ("somebody-else@example.com", "tenant-admin@example.com"):
            refused = member.patch(path, json={"email": address}, headers=headers)
            assert (refused.status_code, refused.json()["code"]) == (403, "not_allowed")
        renamed = member.patch(path, json={"email": " TENANT-B@example.com", "name": "B"}, headers=headers)
        assert (renamed.status_code, renamed.json()["email"]) == (200, "tenant-b@example.com")
        added = admin.post("/v1/users", json={"email": "somebody-else@example.com", "name": "Else"})
        assert added.status_code == 201


def test_a_cursor_is_bound_to_its_tenant_and_its_query(tenants: Tenants) -> None:
    tenants.a_job()
    tenants.a_job()
    with tenants.client("tenant-a") as owner, tenants.client("tenant-b") as other:
        cursor = owner.get("/v1/jobs", params={"limit": 1}).json()["next"]
        flipped = [
            cursor[:n] + ("A" if cursor[n] != "A" else "B") + cursor[n + 1 :] for n in (0, 20, 60, len(cursor) - 1)
        ]
        refused = [
            *(owner.get("/v1/jobs", params={"cursor": each}) for each in flipped),
            owner.get("/v1/jobs", params={"cursor": cursor, "status": "queued"}),
            other.get("/v1/jobs", params={"cursor": cursor}),
        ]
    assert [(answer.status_code, answer.json()["code"]) for answer in refused] == [(400, "bad_cursor")] * len(refused)


def test_two_hundred_submissions_with_one_key_are_one_job(tenants: Tenants) -> None:
    with tenants.client("tenant-a") as owner, ThreadPoolExecutor(100) as clients:
        key = {"idempotency-key": "tenants-once"}
        body = CSV | {"delay_seconds": 3600}
        answers = list(clients.map(lambda _: owner.post("/v1/jobs", json=body, headers=key), range(200)))
        assert {answer.status_code for answer in answers} == {202}
        assert len({answer.text for answer in answers}) == 1, "200 equal answers"
        assert sum("idempotency-replayed" not in answer.headers for answer in answers) == 1
        other = owner.post("/v1/jobs", json=CSV, headers=key)
        assert (other.status_code, other.json()["code"]) == (422, "idempotency_mismatch")


def test_fifty_sign_ups_with_one_address_leave_one_user(tenants: Tenants) -> None:
    spellings = ["fifty@example.com", "FIFTY@example.com", " fifty@Example.COM", "Fifty@EXAMPLE.com "]
    with tenants.client("tenant-admin") as admin, ThreadPoolExecutor(50) as clients:
        bodies = [{"email": spellings[n % 4], "name": f"Number {n}"} for n in range(50)]
        answers = list(clients.map(lambda body: admin.post("/v1/users", json=body), bodies))
        codes = sorted(answer.status_code for answer in answers)
        assert codes == [201] + [409] * 49
        winner = next(answer.json() for answer in answers if answer.status_code == 201)
        found = admin.get("/v1/users", params={"email": "fifty@example.com"}).json()["items"]
        assert [user["id"] for user in found] == [winner["id"]]
    assert rows(tenants.stack, "UsersTable", "fifty@example.com") == [winner["id"]]
    assert rows(tenants.stack, "UserEmailsTable", "fifty@example.com") == [winner["id"]]


def rows(stack: Stack, table: str, email: str) -> list[str]:
    """Return the owners of a table's rows with an address; tests may scan."""
    endpoint = json.loads((stack.folder / ".headrace/stack.json").read_text())["endpoint_url"]
    client = boto3.client("dynamodb", endpoint_url=endpoint)
    items = client.get_paginator("scan").paginate(TableName=table).build_full_result()["Items"]
    return [item.get("user_id", item.get("id", {}))["S"] for item in items if item["email"]["S"] == email]


def test_the_signing_key_is_nowhere_in_the_logs(tenants: Tenants) -> None:
    secrets = [
        (tenants.stack.folder / ".headrace" / name).read_text().strip() for name in ("cursor-key", "token-key.pem")
    ]
    for log in Path(tenants.stack.folder / ".headrace/logs").glob("*.log"):
        assert not any(secret in log.read_text() for secret in secrets)


def test_users_and_their_keys_are_managed_by_commands(tenants: Tenants) -> None:
    run, email = tenants.stack.cli.ok, "managed@example.com"
    run("users", "create", email)
    listed = run("users", "list", "--role", "member", "--limit", "100")
    assert email in listed
    made = json.loads(run("users", "key", email, "--name", "ci", "--scope", "read", "--json"))
    rotated = json.loads(run("users", "rotate", email, made["id"], "--json"))
    shown = run("users", "principals", email)
    assert f"{made['id']}  key  key#{made['id']}  read" in shown

    def admitted(key: str) -> int:
        headers = {"authorization": f"Bearer {key}"}
        return httpx.get(f"{tenants.stack.url}/key/v1/users/me", headers=headers).status_code

    assert [admitted(made["key"]), admitted(rotated["key"])] == [200, 200]
    last = json.loads(run("users", "rotate", email, made["id"], "--revoke", "--json"))
    assert [admitted(rotated["key"]), admitted(last["key"])] == [401, 200]
    assert "disabled" in run("users", "disable", email)
    assert admitted(last["key"]) == 403
    assert "disabled" not in run("users", "enable", email)
    assert admitted(last["key"]) == 200
    run("users", "unbind", email, made["id"])
    assert admitted(last["key"]) == 401
    run("users", "delete", email)
    assert tenants.stack.cli.run("users", "principals", email).returncode == 3
    assert tenants.stack.cli.run("users", "bind", "tenant-b@example.com").returncode == 2
    assert tenants.stack.cli.run("token").returncode == 2
    assert tenants.stack.cli.run("credentials", "no such role").returncode == 5
    logs = "".join(path.read_text() for path in (tenants.stack.folder / ".headrace/logs").glob("*.log"))
    secrets = [str(each["key"]).split("_", 2)[2] for each in (made, rotated, last)]  # one may have "_" itself
    assert not [secret for secret in secrets if secret in logs]
