"""AWS signatures, made by AWS's own SDK and verified by the local stack."""

import hashlib
from datetime import UTC, datetime, timedelta

import botocore.credentials
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

from headrace.emulator.cloudformation import REGION
from headrace.emulator.signatures import (
    SERVICE,
    WINDOW,
    InvalidSignature,
    RoleAuthority,
    SignedRequest,
    iam_authorizer,
    role_arn,
)

ROLES = RoleAuthority("0" * 64)
HOST = "http://127.0.0.1:8080"


def signed(
    path: str = "/iam/v1/jobs",
    query: str = "",
    body: bytes = b"{}",
    method: str = "POST",
    role: str = "orders",
    region: str = REGION,
    service: str = SERVICE,
    roles: RoleAuthority = ROLES,
    more: dict[str, str] | None = None,
) -> SignedRequest:
    keys = roles.credentials(role)
    request = AWSRequest(method, f"{HOST}{path}{'?' if query else ''}{query}", data=body, headers={})
    request.headers["host"] = "127.0.0.1:8080"
    for name, value in (more or {}).items():
        request.headers[name] = value
    credentials = botocore.credentials.Credentials(keys.access_key_id, keys.secret_access_key)
    SigV4Auth(credentials.get_frozen_credentials(), service, region).add_auth(request)
    headers = {name.lower(): value for name, value in request.headers.items()}
    return SignedRequest(method=method, path=path, query=query, headers=headers, body=body)


def verified(request: SignedRequest, later: timedelta = timedelta()) -> str | InvalidSignature:
    return ROLES.verify(request, datetime.now(UTC) + later)


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/iam/v1/jobs", ""),
        ("/iam/v1/jobs", "limit=5&cursor=a-b_c~d.e&include=payload%2Cresult"),
        ("/iam/v1/users", "email=ada%40example.com&b=&a=1&a=0"),
        ("/iam/v1/job-types/a%20b%2Fc", ""),
        ("/iam//v1/./jobs/../jobs/", ""),
    ],
)
def test_what_the_sdk_signs_is_verified(path: str, query: str) -> None:
    assert verified(signed(path, query, b"", "GET")) == "orders"


def test_a_role_is_named_by_its_key_and_by_its_session() -> None:
    for role in ("a", "Headrace_Caller+=,.@-", "x" * 64):
        assert verified(signed(role=role)) == role
    iam = iam_authorizer("orders", "KEY")["iam"]
    assert isinstance(iam, dict)
    assert iam["userArn"] == "arn:aws:sts::000000000000:assumed-role/orders/local"
    assert role_arn("orders") == "arn:aws:iam::000000000000:role/orders"


@pytest.mark.parametrize(
    "change",
    [
        {"body": b'{"type": "another"}'},
        {"path": "/iam/v1/users"},
        {"query": "a=1"},
        {"method": "DELETE"},
    ],
)
def test_a_signature_is_for_its_request_alone(change: dict[str, object]) -> None:
    assert isinstance(verified(signed().model_copy(update=change)), InvalidSignature)


@pytest.mark.parametrize("later", [WINDOW + timedelta(seconds=2), -WINDOW - timedelta(seconds=2)])
def test_a_stale_signature_is_refused(later: timedelta) -> None:
    assert isinstance(verified(signed(), later), InvalidSignature)
    assert verified(signed(), later / 2) == "orders"


def test_a_signature_for_another_service_region_or_stack_is_refused() -> None:
    others = (signed(service="dynamodb"), signed(region="eu-west-1"), signed(roles=RoleAuthority("1" * 64)))
    assert all(isinstance(verified(each), InvalidSignature) for each in others)


def test_a_header_of_aws_that_is_not_signed_or_not_true_is_refused() -> None:
    request = signed()
    added = request.model_copy(update={"headers": {**request.headers, "x-amz-security-token": "t"}})
    assert isinstance(verified(added), InvalidSignature)
    right = hashlib.sha256(b"{}").hexdigest()
    assert verified(signed(more={"x-amz-content-sha256": right})) == "orders"
    assert isinstance(verified(signed(more={"x-amz-content-sha256": "UNSIGNED-PAYLOAD"})), InvalidSignature)


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer x", "AWS4-HMAC-SHA256 Credential=a, SignedHeaders=host, Signature=0",
     f"AWS4-HMAC-SHA256 Credential=A/20261127/{REGION}/{SERVICE}/x, SignedHeaders=host, Signature={'0' * 64}"],
)  # fmt: skip
def test_what_is_no_signature_is_refused(authorization: str) -> None:
    request = signed()
    headers = {**request.headers, "authorization": authorization}
    assert isinstance(verified(request.model_copy(update={"headers": headers})), InvalidSignature)


@pytest.mark.parametrize("date", ["", "yesterday", "20261301T000000Z"])
def test_a_time_that_is_none_is_refused(date: str) -> None:
    request = signed()
    headers = {**request.headers, "x-amz-date": date}
    assert isinstance(verified(request.model_copy(update={"headers": headers})), InvalidSignature)


def test_a_key_of_no_role_is_refused() -> None:
    request = signed()
    for other in ("AKIAIOSFODNN7EXAMPLE", "HEADRACE11111111", "HEADRACE0000000000"):
        text = request.headers["authorization"].replace(ROLES.credentials("orders").access_key_id, other)
        headers = {**request.headers, "authorization": text}
        assert isinstance(verified(request.model_copy(update={"headers": headers})), InvalidSignature)
