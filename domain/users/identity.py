"""Who a caller is: from what it proved (a token, an AWS role, an API key) to a user."""

from domain.ports import Clock, NewId
from domain.results import StorageUnavailable
from domain.users.principal import (
    MAX_PRINCIPALS,
    USUAL_SCOPES,
    KeyText,
    Principal,
    bound,
    is_active,
    key_of,
)
from domain.users.repository import EmailTaken, PrincipalTaken, UserNotFound, UserRepository, UserVersionConflict
from domain.users.service import MAX_CONFLICTS
from domain.users.user import Email, User, with_principals
from headrace.authoring.frozen import Frozen


class Identified(Frozen):
    """A caller, and what it may do of what its user may."""

    user: User
    scopes: frozenset[str]


class UserDisabled(Frozen):
    """An admin has disabled the user."""


class PrincipalInactive(Frozen):
    """The principal is disabled, or has expired."""


class AddressBound(Frozen):
    """The user of this address signs in as another subject: the address has changed hands."""


Identification = Identified | UserNotFound | UserDisabled | PrincipalInactive | AddressBound | StorageUnavailable


class IdentityService:
    """Finds the user of a caller. What is bound decides; an address does so only until its user first signs in."""

    def __init__(self, users: UserRepository, clock: Clock, new_id: NewId) -> None:
        self._users = users
        self._clock = clock
        self._new_id = new_id

    async def by_address(self, email: Email) -> Identification:
        """By an address alone, for `sam local`, where there are no tokens."""
        found = await self._users.get_by_email(email)
        return self._admit(found, None) if isinstance(found, User) else found

    async def by_token(self, issuer: str, subject: str, email: Email | None) -> Identification:
        """By a verified token. `subject` is bound to `ISSUER#SUBJECT`; `email` is an address that the issuer verified.

        A person costs one query; the second sign-in and all others find the subject in the user that the address found.
        """
        found = UserNotFound() if email is None else await self._users.get_by_email(email)
        if isinstance(found, StorageUnavailable):
            return found
        if isinstance(found, User) and (principal := bound(found.principals, subject)):
            return self._admit(found, principal)
        known = await self._by_subject(subject)
        if isinstance(known, UserNotFound) and isinstance(found, User):
            return await self._bind(found, issuer, subject)
        return known

    async def by_iam(self, subject: str) -> Identification:
        """By a role or user of AWS whose signature was verified."""
        return await self._by_subject(subject)

    async def by_key(self, key: KeyText) -> Identification:
        """By an API key; a wrong one is answered like one whose user does not exist."""
        found = await self._users.get(key.user_id)
        if not isinstance(found, User):
            return found
        principal = key_of(found.principals, key)
        return UserNotFound() if principal is None else self._admit(found, principal)

    async def other(self, user_id: str) -> Identification:
        """The user on whose behalf a caller submits."""
        found = await self._users.get(user_id)
        return self._admit(found, None) if isinstance(found, User) else found

    async def _by_subject(self, subject: str) -> Identification:
        found = await self._users.get_by_principal(subject)
        if not isinstance(found, User):
            return found
        principal = bound(found.principals, subject)
        return UserNotFound() if principal is None else self._admit(found, principal)

    def _admit(self, user: User, principal: Principal | None) -> Identified | UserDisabled | PrincipalInactive:
        if user.disabled:
            return UserDisabled()
        if principal is None:
            return Identified(user=user, scopes=frozenset(USUAL_SCOPES))
        if not is_active(principal, self._clock()):
            return PrincipalInactive()
        return Identified(user=user, scopes=frozenset(principal.scopes))

    async def _bind(self, found: User, issuer: str, subject: str) -> Identification:
        """Bind the first subject of an issuer that comes with the address of `found`."""
        user, email = found, found.email
        for _ in range(MAX_CONFLICTS):
            if principal := bound(user.principals, subject):
                return self._admit(user, principal)
            if user.disabled:
                return UserDisabled()
            if user.email != email or len(user.principals) >= MAX_PRINCIPALS:
                return UserNotFound()
            if any(each.kind == "sign-in" and each.subject.startswith(f"{issuer}#") for each in user.principals):
                return AddressBound()
            signed_in = with_principals(user, (*user.principals, self._sign_in(subject)), self._clock())
            match await self._users.replace(signed_in, user):
                case User() as stored:
                    return Identified(user=stored, scopes=frozenset(USUAL_SCOPES))
                case UserVersionConflict():
                    current = await self._users.get(user.id)
                    if not isinstance(current, User):
                        return current
                    user = current
                case PrincipalTaken() | EmailTaken():
                    return await self._by_subject(subject)
                case StorageUnavailable() as failed:
                    return failed
        return StorageUnavailable(reason="throttled", detail="contended")

    def _sign_in(self, subject: str) -> Principal:
        name = "first sign-in with the address"
        scopes = USUAL_SCOPES
        id, now = self._new_id(), self._clock()
        return Principal(id=id, kind="sign-in", subject=subject, name=name, scopes=scopes, created_at=now)
