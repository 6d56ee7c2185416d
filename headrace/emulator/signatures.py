"""Credentials of the local stack's IAM roles, and the verification of what they sign.

AWS's Signature Version 4, as API Gateway verifies it (IAM User Guide, "Create a signed AWS API request"). There is no
STS on this machine: an access key names its role, and its secret follows from a secret of the stack's folder.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import quote, unquote

from pydantic import JsonValue

from headrace.authoring.frozen import Frozen
from headrace.emulator.cloudformation import ACCOUNT, REGION
from headrace.emulator.state import Folder

SERVICE: Final = "execute-api"
WINDOW: Final = timedelta(minutes=5)
"""How far the time of a signature may be from now, either way: API Gateway's."""
ROLE_NAME: Final = re.compile(r"[\w+=,.@-]{1,64}", re.ASCII)
_ALGORITHM = "AWS4-HMAC-SHA256"
_KEY_PREFIX = "HEADRACE"
_SESSION = "local"
_CREDENTIAL = re.compile(r"([A-Z0-9]{8,128})/([0-9]{8})/([a-z0-9-]{1,32})/([a-z0-9-]{1,32})/aws4_request")
_AUTHORIZATION = re.compile(
    rf"{_ALGORITHM} Credential=([^,\s]+),\s*SignedHeaders=([a-z0-9;_-]+),\s*Signature=([0-9a-f]{{64}})"
)
_DATE = "%Y%m%dT%H%M%SZ"


class Credentials(Frozen):
    """What a caller signs with."""

    access_key_id: str
    secret_access_key: str


class SignedRequest(Frozen):
    """What a signature covers."""

    method: str
    path: str
    """As sent, encoded once."""
    query: str
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes


class InvalidSignature(Frozen):
    """The request is not signed by a role of this stack, or not now, or not for this API."""

    reason: str


class RoleAuthority:
    """Gives a role its credentials, and verifies signatures made with them."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def credentials(self, role: str) -> Credentials:
        """The credentials of a role; `role` matches `ROLE_NAME`."""
        key = _KEY_PREFIX + base64.b32encode(role.encode()).decode().rstrip("=")
        return Credentials(access_key_id=key, secret_access_key=self._secret_of(key))

    def verify(self, request: SignedRequest, now: datetime) -> str | InvalidSignature:
        """The name of the role that signed the request."""
        parsed = _AUTHORIZATION.fullmatch(request.headers.get("authorization", "").strip())
        credential = _CREDENTIAL.fullmatch(parsed[1]) if parsed else None
        if parsed is None or credential is None:
            return InvalidSignature(reason="it has no signature of version 4; headrace credentials ROLE prints a key")
        flaw = _flaw(request, credential, parsed[2].split(";"), now)
        if flaw:
            return InvalidSignature(reason=flaw)
        key = self._secret_of(credential[1]).encode()
        role = _role_of(credential[1])
        expected = _signature(key, credential, request, parsed[2])
        if role is None or not hmac.compare_digest(expected, parsed[3]):
            return InvalidSignature(reason="the signature is not that of a key of this stack for this request")
        return role

    def _secret_of(self, key: str) -> str:
        return base64.b64encode(_mac(self._secret, key)[:30]).decode()


def local_roles(folder: Folder) -> RoleAuthority:
    """The authority of this folder; its secret is generated on first use."""
    return RoleAuthority(folder.secret("role-key"))


def role_arn(role: str) -> str:
    """The ARN to bind."""
    return f"arn:aws:iam::{ACCOUNT}:role/{role}"


def iam_authorizer(role: str, access_key: str) -> dict[str, JsonValue]:
    """`requestContext.authorizer` of a request that a session of this role signed."""
    caller = f"AROALOCAL:{_SESSION}"
    return {
        "iam": {
            "accessKey": access_key,
            "accountId": ACCOUNT,
            "callerId": caller,
            "cognitoIdentity": None,
            "principalOrgId": None,
            "userArn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{_SESSION}",
            "userId": caller,
        }
    }


def _flaw(request: SignedRequest, credential: re.Match[str], signed: list[str], now: datetime) -> str:
    """What is wrong with a request, whatever its signature; empty when nothing is."""
    _, day, region, service = credential.groups()
    if (region, service) != (REGION, SERVICE):
        return f"it is signed for {service} in {region}; sign it for {SERVICE} in {REGION}"
    required = {"host", *(name for name in request.headers if name.startswith("x-amz-"))}
    if not required <= set(signed) <= set(request.headers) or "x-amz-date" not in signed:
        return "host, x-amz-date and all headers that begin with x-amz- must be signed, and be there"
    try:
        at = datetime.strptime(request.headers["x-amz-date"], _DATE).replace(tzinfo=UTC)
    except ValueError:
        return "x-amz-date is not a time such as 20261127T100000Z"
    if abs(now - at) > WINDOW or f"{at:%Y%m%d}" != day:
        return "its x-amz-date is more than five minutes from now, or not of the day that it is signed for"
    declared = request.headers.get("x-amz-content-sha256")
    if declared is not None and declared != hashlib.sha256(request.body).hexdigest():
        return "its x-amz-content-sha256 is not that of its body"
    return ""


def _signature(secret: bytes, credential: re.Match[str], request: SignedRequest, signed: str) -> str:
    _, day, region, service = credential.groups()
    canonical = "\n".join((
        request.method,
        quote(_normalised(request.path), safe="/~"),
        _canonical_query(request.query),
        *(f"{name}:{' '.join(request.headers[name].split())}" for name in sorted(signed.split(";"))),
        "",
        signed,
        hashlib.sha256(request.body).hexdigest(),
    ))  # fmt: skip
    scope = f"{day}/{region}/{service}/aws4_request"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = "\n".join((_ALGORITHM, request.headers["x-amz-date"], scope, digest))
    key = b"AWS4" + secret
    for part in (day, region, service, "aws4_request"):
        key = _mac(key, part)
    return _mac(key, text).hex()


def _normalised(path: str) -> str:
    """Without dot segments and empty ones (RFC 3986, 5.2.4), as every service but S3 does."""
    kept: list[str] = []
    segments = path.split("/")
    for segment in segments:
        if segment == "..":
            kept = kept[:-1]
        elif segment not in {"", "."}:
            kept = [*kept, segment]
    trailing = "/" if kept and segments[-1] in {"", ".", ".."} else ""
    return f"/{'/'.join(kept)}{trailing}"


def _canonical_query(query: str) -> str:
    pairs = [pair.partition("=") for pair in query.split("&") if pair]
    encoded = sorted((_encoded(name), _encoded(value)) for name, _, value in pairs)
    return "&".join(f"{name}={value}" for name, value in encoded)


def _encoded(text: str) -> str:
    return quote(unquote(text), safe="-_.~")


def _role_of(key: str) -> str | None:
    digits = key.removeprefix(_KEY_PREFIX)
    try:
        role = base64.b32decode(digits + "=" * (-len(digits) % 8)).decode()
    except (binascii.Error, ValueError):
        return None
    return role if key.startswith(_KEY_PREFIX) and ROLE_NAME.fullmatch(role) else None


def _mac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()
