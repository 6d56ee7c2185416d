"""What can be done with users: create, read, find by email, list, change, delete."""

from domain.ports import Clock, NewId
from domain.results import StaleVersion, StorageUnavailable
from domain.users.quota import Quota
from domain.users.repository import (
    EmailTaken,
    PrincipalTaken,
    UserNotFound,
    UserRepository,
    UserVersionConflict,
)
from domain.users.user import InvalidEmail, Role, User, changed_user, new_user, normalise_email
from headrace.authoring.frozen import Frozen

MAX_CONFLICTS = 5


class NotAllowed(Frozen):
    """The actor is known but may not do this."""

    reason: str


class UserChange(Frozen):
    """What to change; None leaves a field as it is."""

    email: str | None = None
    name: str | None = None
    role: Role | None = None
    disabled: bool | None = None
    quota: Quota | None = None
    """The whole of it."""


class UserService:
    """The use cases around users. A member may read itself, an admin every user."""

    def __init__(self, users: UserRepository, clock: Clock, new_id: NewId) -> None:
        self._users = users
        self._clock = clock
        self._new_id = new_id

    async def create(self, email: str, name: str, role: Role) -> User | InvalidEmail | EmailTaken | StorageUnavailable:
        """Add a user; of many attempts with one address, one succeeds."""
        address = normalise_email(email)
        if isinstance(address, InvalidEmail):
            return address
        return await self._users.add(new_user(self._new_id(), address, name, role, self._clock()))

    async def find(self, email: str) -> User | UserNotFound | InvalidEmail | StorageUnavailable:
        """The user with this address, in whatever case or spacing it is given."""
        address = normalise_email(email)
        if isinstance(address, InvalidEmail):
            return address
        return await self._users.get_by_email(address)

    async def get(self, user_id: str, reader: User) -> User | UserNotFound | StorageUnavailable:
        """A user that the reader may see; any other is answered as one that does not exist."""
        if user_id != reader.id and reader.role != "admin":
            return UserNotFound()
        return await self._users.get(user_id)

    async def change(
        self, user_id: str, change: UserChange, expected: frozenset[int] | None, actor: User
    ) -> User | UserNotFound | InvalidEmail | EmailTaken | NotAllowed | StaleVersion | StorageUnavailable:
        """Change a user whose version is in `expected`; None is any version.

        Only an admin changes an address or a role: the user of an address is the one who signs in with it.
        """
        for _ in range(MAX_CONFLICTS):
            changed = await self._change(user_id, change, expected, actor)
            match changed:
                case UserVersionConflict() if expected is not None:
                    return StaleVersion(current_version=None)
                case UserVersionConflict():
                    continue
                case _:
                    return changed
        return StorageUnavailable(reason="throttled", detail="contended")

    async def delete(
        self, user_id: str, expected: frozenset[int] | None, actor: User
    ) -> User | UserNotFound | NotAllowed | StaleVersion | StorageUnavailable:
        """Delete a user with its address and principals, whose version is in `expected`; its jobs stay and run on."""
        if user_id == actor.id:
            return NotAllowed(reason="only an admin deletes a user, and never their own")
        if actor.role != "admin":
            return UserNotFound()
        for _ in range(MAX_CONFLICTS):
            current = await self._users.get(user_id)
            if not isinstance(current, User):
                return current
            if expected is not None and current.version not in expected:
                return StaleVersion(current_version=current.version)
            removed = await self._users.remove(current)
            if not isinstance(removed, UserVersionConflict):
                return removed
        return StorageUnavailable(reason="throttled", detail="contended")

    async def _change(
        self, user_id: str, change: UserChange, expected: frozenset[int] | None, actor: User
    ) -> (
        User
        | UserNotFound
        | InvalidEmail
        | EmailTaken
        | NotAllowed
        | StaleVersion
        | UserVersionConflict
        | StorageUnavailable
    ):
        current = await self.get(user_id, actor)
        if not isinstance(current, User):
            return current
        email = None if change.email is None else normalise_email(change.email)
        if isinstance(email, InvalidEmail):
            return email
        if actor.role != "admin" and email not in {None, current.email}:
            return NotAllowed(reason="only an admin changes an address")
        if actor.role != "admin" and change.role not in {None, current.role}:
            return NotAllowed(reason="only an admin changes a role")
        if change.disabled not in {None, current.disabled} and (actor.role != "admin" or user_id == actor.id):
            return NotAllowed(reason="only an admin disables a user, and never their own")
        if actor.role != "admin" and change.quota not in {None, current.quota}:
            return NotAllowed(reason="only an admin changes a quota")
        if expected is not None and current.version not in expected:
            return StaleVersion(current_version=current.version)
        changed = changed_user(
            current, self._clock(), email=email, name=change.name, role=change.role, disabled=change.disabled,
            quota=change.quota,
        )  # fmt: skip
        replaced = await self._users.replace(changed, current)
        return UserVersionConflict(user_id=user_id) if isinstance(replaced, PrincipalTaken) else replaced
