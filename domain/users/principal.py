"""Principals: what a caller proves to be, bound to a user. The rules for subjects, scopes and API keys."""

import hashlib
import hmac
import re
from collections.abc import Iterable
from datetime import datetime
from typing import Final, Literal

from pydantic import AwareDatetime

from headrace.authoring.frozen import Frozen, Stored

Kind = Literal["sign-in", "token", "iam", "key"]
"""A person's subject at the identity provider, bound by a verified address; a subject that an admin bound; a role or
user of AWS; an API key."""

Scope = Literal["submit", "read", "manage", "on-behalf"]
"""What a principal may do of what its user may; `on-behalf` submits jobs that belong to other users."""

USUAL_SCOPES: Final[tuple[Scope, ...]] = ("submit", "read", "manage")

MAX_PRINCIPALS = 20
"""Of one user: they are a part of its item."""
MAX_SECRETS = 2
"""Valid secrets of one key: the new one and, until its callers have the new one, the one before."""
MAX_SUBJECT = 1024
"""Characters of issuer and subject together, or of an ARN; DynamoDB's limit for a key is 2,048 bytes."""

_KEY = re.compile(r"hr_([0-9a-f]{32})([0-9a-f]{8})_([A-Za-z0-9_-]{43})")
_USER_ARN = re.compile(r"arn:aws[a-z-]*:iam::[0-9]{12}:user/[\w+=,.@/-]{1,600}", re.ASCII)
_ROLE_ARN = re.compile(r"(arn:aws[a-z-]*):iam::([0-9]{12}):role/(?:[\x21-\x7e]{1,512}/)?([\w+=,.@-]{1,64})", re.ASCII)
_SESSION_ARN = re.compile(
    r"(arn:aws[a-z-]*):sts::([0-9]{12}):assumed-role/([\w+=,.@-]{1,64})/[\w+=,.@-]{2,64}", re.ASCII
)


class Principal(Stored):
    """One way of being a user. Kind and scopes are text, so that those of a newer version can be read."""

    id: str
    kind: str
    subject: str
    """`ISSUER#SUBJECT`, `iam#ARN` or `key#ID`; of one user only."""
    name: str
    scopes: tuple[str, ...]
    created_at: AwareDatetime
    expires_at: AwareDatetime | None = None
    disabled: bool = False
    secrets: tuple[str, ...] = ()
    """SHA-256 of the valid secrets of a key in hexadecimal, the newest first."""


class KeyText(Frozen):
    """The parts of an API key."""

    user_id: str
    key_id: str
    """The first characters of the principal's id."""
    secret: str


class InvalidSubject(Frozen):
    """The text cannot be bound."""

    reason: str


def token_subject(issuer: str, subject: str) -> str | InvalidSubject:
    """The form in which a token's subject is bound. An issuer is an https URL, so that no subject looks like a role."""
    if not issuer.startswith("https://") or "#" in issuer:
        return InvalidSubject(reason="an issuer begins with https:// and has no #")
    if not subject or len(issuer) + len(subject) > MAX_SUBJECT or not (issuer + subject).isprintable():
        return InvalidSubject(reason=f"issuer and subject are printable and have up to {MAX_SUBJECT} characters")
    return f"{issuer}#{subject}"


def iam_subject(arn: str) -> str | InvalidSubject:
    """The form in which a role or user of AWS is bound; of a session, its role.

    A session's ARN lacks the role's path, and an account has no two roles of one name: the path is left out.
    """
    if session := _SESSION_ARN.fullmatch(arn):
        return f"iam#{session[1]}:iam::{session[2]}:role/{session[3]}"
    if role := _ROLE_ARN.fullmatch(arn):
        return f"iam#{role[1]}:iam::{role[2]}:role/{role[3]}"
    if _USER_ARN.fullmatch(arn):
        return f"iam#{arn}"
    return InvalidSubject(reason="not the ARN of an IAM role, of a session of one, or of an IAM user")


def key_text(user_id: str, principal_id: str, secret: str) -> str:
    """An API key. It names its user, so that verifying it takes one read."""
    return f"hr_{user_id.replace('-', '')}{principal_id[:8]}_{secret}"


def parse_key(text: str) -> KeyText | None:
    """The parts of an API key; None for any other text."""
    match = _KEY.fullmatch(text)
    if match is None:
        return None
    digits = match[1]
    user_id = "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
    return KeyText(user_id=user_id, key_id=match[2], secret=match[3])


def hashed(secret: str) -> str:
    """What is stored of a secret. It is random, 256 bits: a slow hash would only slow the caller."""
    return hashlib.sha256(secret.encode()).hexdigest()


def key_of(principals: Iterable[Principal], key: KeyText) -> Principal | None:
    """The principal that the key proves."""
    given = hashed(key.secret)
    keys = (each for each in principals if each.kind == "key" and each.id[:8] == key.key_id)
    return next((each for each in keys if any(hmac.compare_digest(given, kept) for kept in each.secrets)), None)


def bound(principals: Iterable[Principal], subject: str) -> Principal | None:
    """The principal with this subject."""
    return next((each for each in principals if each.subject == subject), None)


def is_active(principal: Principal, now: datetime) -> bool:
    """Whether it may be used."""
    return not principal.disabled and (principal.expires_at is None or now < principal.expires_at)


def needed_scopes(method: str, path: str) -> frozenset[Scope]:
    """What a request needs; `path` is below `/v1`. What is not named here needs `manage`.

    Who changes users and principals could give itself any scope but `on-behalf`: it needs them all.
    """
    if method in {"GET", "HEAD"}:
        return frozenset({"read"})
    if is_submission(method, path):
        return frozenset({"submit"})
    if path == "/v1/users" or path.startswith("/v1/users/"):
        return frozenset(USUAL_SCOPES)
    return frozenset({"manage"})


def is_submission(method: str, path: str) -> bool:
    """Whether a request submits jobs, or a file for them: what may be done on behalf of another user."""
    return method == "POST" and path in {"/v1/jobs", "/v1/jobs/batch", "/v1/files"}
