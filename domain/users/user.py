"""The User aggregate and the one rule for email addresses."""

import re
from datetime import datetime
from typing import Literal, NewType

from pydantic import AwareDatetime, Field

from domain.users.principal import Principal
from domain.users.quota import DEFAULT, Quota
from headrace.authoring.frozen import Frozen

Role = Literal["member", "admin"]

Email = NewType("Email", str)
"""An address in its one canonical form."""

MAX_EMAIL = 254
"""RFC 5321's limit for a path, without its angle brackets."""

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_ATOM = r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+"
_ADDRESS = re.compile(rf"(?=.{{1,64}}@){_ATOM}(?:\.{_ATOM})*@(?:{_LABEL}\.)+{_LABEL}", re.ASCII)


class InvalidEmail(Frozen):
    """The text is not an address that Headrace accepts."""

    reason: str


class User(Frozen):
    """Somebody who may use the API. One address, one user."""

    id: str
    email: str
    name: str
    role: Role
    version: int
    created_at: AwareDatetime
    updated_at: AwareDatetime
    disabled: bool = False
    """No caller is this user; its jobs run on."""
    quota: Quota = DEFAULT
    principals: tuple[Principal, ...] = ()
    """The ways of being this user."""
    unknown: dict[str, str] = Field(default_factory=dict)
    """Attributes of a newer version, opaque: the store's own form by name. Kept through every change."""


def normalise_email(text: str) -> Email | InvalidEmail:
    """Trim and lower-case, ASCII only: the form under which an address is stored, claimed and found.

    The form is the dot-atom address of RFC 5321 with a domain of at least two labels; quoted local
    parts, comments and address literals, which no identity provider issues, are refused.
    """
    if not text.isascii():
        return InvalidEmail(reason="only ASCII addresses are accepted")
    address = text.strip().lower()
    if len(address) > MAX_EMAIL:
        return InvalidEmail(reason=f"an address has at most {MAX_EMAIL} characters")
    if not _ADDRESS.fullmatch(address):
        return InvalidEmail(reason="not an email address")
    return Email(address)


def new_user(id: str, email: Email, name: str, role: Role, now: datetime) -> User:
    """A user in its first version."""
    return User(id=id, email=email, name=name, role=role, version=1, created_at=now, updated_at=now)


def changed_user(
    user: User,
    now: datetime,
    *,
    email: Email | None,
    name: str | None,
    role: Role | None,
    disabled: bool | None = None,
    quota: Quota | None = None,
) -> User:
    """The user's next version; None leaves a field as it is."""
    return User(
        id=user.id,
        email=user.email if email is None else email,
        name=user.name if name is None else name,
        role=user.role if role is None else role,
        version=user.version + 1,
        created_at=user.created_at,
        updated_at=now,
        disabled=user.disabled if disabled is None else disabled,
        quota=user.quota if quota is None else quota,
        principals=user.principals,
        unknown=user.unknown,
    )


def with_principals(user: User, principals: tuple[Principal, ...], now: datetime) -> User:
    """The user's next version, with these principals."""
    changed = changed_user(user, now, email=None, name=None, role=None)
    return changed.model_copy(update={"principals": principals})
