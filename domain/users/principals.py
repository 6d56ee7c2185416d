"""What can be done with the principals of a user: bind, make and rotate keys, restrict, disable, remove."""

from collections.abc import Callable, Sequence

from pydantic import AwareDatetime

from domain.ports import Clock, NewId
from domain.results import StorageUnavailable
from domain.users.principal import (
    MAX_PRINCIPALS,
    MAX_SECRETS,
    Kind,
    Principal,
    Scope,
    bound,
    hashed,
    key_text,
)
from domain.users.repository import EmailTaken, PrincipalTaken, UserNotFound, UserRepository, UserVersionConflict
from domain.users.service import MAX_CONFLICTS, NotAllowed
from domain.users.user import User, with_principals
from headrace.authoring.frozen import Frozen

NewSecret = Callable[[], str]
"""Returns 256 random bits as 43 characters of base64url."""


class PrincipalNotFound(Frozen):
    """The user has no such principal."""


class TooManyPrincipals(Frozen):
    """The user has as many principals as a user may have."""

    limit: int = MAX_PRINCIPALS


class NewPrincipal(Frozen):
    """A principal to add."""

    kind: Kind
    subject: str | None
    """As it is bound; None for a key."""
    name: str
    scopes: tuple[Scope, ...]
    expires_at: AwareDatetime | None


class PrincipalChange(Frozen):
    """What to change; None leaves a field as it is."""

    name: str | None = None
    scopes: tuple[Scope, ...] | None = None
    expires_at: AwareDatetime | None = None
    never_expires: bool = False
    """Takes an expiry away."""
    disabled: bool | None = None


class Stored(Frozen):
    """A principal as it now is, and for a new secret the key's text, which nobody can read again."""

    principal: Principal
    key: str | None = None


class _Next(Frozen):
    principals: tuple[Principal, ...]
    stored: Stored


Refusal = UserNotFound | PrincipalNotFound | PrincipalTaken | TooManyPrincipals | NotAllowed | StorageUnavailable


class PrincipalService:
    """The use cases around principals. An admin binds whom they like; a member has keys of their own."""

    def __init__(self, users: UserRepository, clock: Clock, new_id: NewId, new_secret: NewSecret) -> None:
        self._users = users
        self._clock = clock
        self._new_id = new_id
        self._new_secret = new_secret

    async def list(self, user_id: str, actor: User) -> tuple[Principal, ...] | UserNotFound | StorageUnavailable:
        """All of a user's principals."""
        found = await self._readable(user_id, actor)
        return found.principals if isinstance(found, User) else found

    async def add(self, user_id: str, new: NewPrincipal, actor: User) -> Stored | Refusal:
        """Bind a subject, or make a key."""
        principal_id, secret = self._new_id(), self._new_secret()

        def added(user: User) -> _Next | PrincipalTaken | TooManyPrincipals | NotAllowed:
            if refused := _not_allowed(new.kind, new.scopes, actor):
                return refused
            if new.subject is not None and bound(user.principals, new.subject):
                return PrincipalTaken()
            if len(user.principals) >= MAX_PRINCIPALS:
                return TooManyPrincipals()
            made = Principal(
                id=principal_id,
                kind=new.kind,
                subject=new.subject or f"key#{principal_id}",
                name=new.name,
                scopes=new.scopes,
                created_at=self._clock(),
                expires_at=new.expires_at,
                secrets=(hashed(secret),) if new.kind == "key" else (),
            )
            key = key_text(user.id, made.id, secret) if new.kind == "key" else None
            return _Next(principals=(*user.principals, made), stored=Stored(principal=made, key=key))

        return await self._change(user_id, actor, added)

    async def change(self, user_id: str, principal_id: str, change: PrincipalChange, actor: User) -> Stored | Refusal:
        """Rename, restrict, disable or enable a principal."""
        update = change.model_dump(exclude_none=True, exclude={"never_expires"})
        update |= {"expires_at": None} if change.never_expires else {}

        def changed(user: User) -> _Next | PrincipalNotFound | NotAllowed:
            return _with(user, principal_id, change.scopes or (), actor, lambda found: found.model_copy(update=update))

        return await self._change(user_id, actor, changed)

    async def rotate(self, user_id: str, principal_id: str, actor: User, *, keep_previous: bool) -> Stored | Refusal:
        """Give a key a new secret; the one before stays valid until the next rotation, if it is kept."""
        secret = self._new_secret()
        kept = MAX_SECRETS - 1 if keep_previous else 0

        def rotated(user: User) -> _Next | PrincipalNotFound | NotAllowed:
            if not any(each.id == principal_id and each.kind == "key" for each in user.principals):
                return PrincipalNotFound()
            key = key_text(user.id, principal_id, secret)
            return _with(
                user,
                principal_id,
                (),
                actor,
                lambda found: found.model_copy(update={"secrets": (hashed(secret), *found.secrets[:kept])}),
                key,
            )

        return await self._change(user_id, actor, rotated)

    async def remove(self, user_id: str, principal_id: str, actor: User) -> Stored | Refusal:
        """Remove a principal. Whoever signs in first with the user's address is bound anew."""

        def removed(user: User) -> _Next | PrincipalNotFound | NotAllowed:
            same = _with(user, principal_id, (), actor, lambda found: found)
            if not isinstance(same, _Next):
                return same
            left = tuple(each for each in user.principals if each.id != principal_id)
            return _Next(principals=left, stored=same.stored)

        return await self._change(user_id, actor, removed)

    async def _change(
        self,
        user_id: str,
        actor: User,
        step: Callable[[User], _Next | PrincipalNotFound | PrincipalTaken | TooManyPrincipals | NotAllowed],
    ) -> Stored | Refusal:
        for _ in range(MAX_CONFLICTS):
            current = await self._readable(user_id, actor)
            if not isinstance(current, User):
                return current
            following = step(current)
            if not isinstance(following, _Next):
                return following
            changed = with_principals(current, following.principals, self._clock())
            match await self._users.replace(changed, current):
                case User():
                    return following.stored
                case UserVersionConflict() | EmailTaken():
                    continue
                case PrincipalTaken() | StorageUnavailable() as refused:
                    return refused
        return StorageUnavailable(reason="throttled", detail="contended")

    async def _readable(self, user_id: str, actor: User) -> User | UserNotFound | StorageUnavailable:
        if user_id != actor.id and actor.role != "admin":
            return UserNotFound()
        return await self._users.get(user_id)


def _with(
    user: User,
    principal_id: str,
    scopes: Sequence[Scope],
    actor: User,
    change: Callable[[Principal], Principal],
    key: str | None = None,
) -> _Next | PrincipalNotFound | NotAllowed:
    """The user's principals with one of them changed."""
    found = next((each for each in user.principals if each.id == principal_id), None)
    if found is None:
        return PrincipalNotFound()
    if refused := _not_allowed(found.kind, (*found.scopes, *scopes), actor):
        return refused
    changed = change(found)
    principals = tuple(changed if each.id == principal_id else each for each in user.principals)
    return _Next(principals=principals, stored=Stored(principal=changed, key=key))


def _not_allowed(kind: str, scopes: Sequence[str], actor: User) -> NotAllowed | None:
    if actor.role == "admin":
        return None
    if kind != "key":
        return NotAllowed(reason="only an admin binds subjects and roles, and changes what is bound")
    if "on-behalf" in scopes:
        return NotAllowed(reason="only an admin grants on-behalf, and changes what has it")
    return None
