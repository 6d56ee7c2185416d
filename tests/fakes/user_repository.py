"""Users in memory, held to the same conformance suite as the real repository."""

from datetime import datetime
from itertools import takewhile

from domain.paging import Page, PageRequest
from domain.results import BadCursor, StorageUnavailable
from domain.users.repository import EmailTaken, PrincipalTaken, UserNotFound, UserVersionConflict
from domain.users.user import Email, Role, User


class FakeUserRepository:
    """Three dictionaries: the users, the owners of addresses, and those of subjects. Lists users too."""

    def __init__(self) -> None:
        self._users: dict[str, User] = {}
        self._claims: dict[str, str] = {}
        self._subjects: dict[str, str] = {}

    async def add(self, user: User) -> User | EmailTaken | StorageUnavailable:
        if user.id in self._users:
            return StorageUnavailable(reason="rejected", detail="the new user's id is not new")
        if user.email in self._claims:
            return EmailTaken(email=user.email)
        self._users[user.id] = user
        self._claims[user.email] = user.id
        self._subjects.update(dict.fromkeys(_claimed(user), user.id))
        return user

    async def get(self, user_id: str) -> User | UserNotFound | StorageUnavailable:
        return self._users.get(user_id) or UserNotFound()

    async def get_by_email(self, email: Email) -> User | UserNotFound | StorageUnavailable:
        found = [user for user in self._users.values() if user.email == email]
        return found[0] if found else UserNotFound()

    async def get_by_principal(self, subject: str) -> User | UserNotFound | StorageUnavailable:
        return await self.get(self._subjects.get(subject, ""))

    async def replace(
        self, user: User, previous: User
    ) -> User | EmailTaken | PrincipalTaken | UserVersionConflict | StorageUnavailable:
        current = self._users.get(user.id)
        if current is None or current.version != previous.version:
            return UserVersionConflict(user_id=user.id)
        if user.email != previous.email and user.email in self._claims:
            return EmailTaken(email=user.email)
        before, after = _claimed(previous), _claimed(user)
        if (after - before) & set(self._subjects):
            return PrincipalTaken()
        del self._claims[previous.email]
        self._claims[user.email] = user.id
        self._free(before)
        self._subjects.update(dict.fromkeys(after, user.id))
        self._users[user.id] = user
        return user

    async def remove(self, user: User) -> User | UserVersionConflict | StorageUnavailable:
        current = self._users.get(user.id)
        if current is None or current.version != user.version:
            return UserVersionConflict(user_id=user.id)
        del self._users[user.id], self._claims[user.email]
        self._free(_claimed(user))
        return user

    async def page(
        self,
        role: Role | None,
        page: PageRequest,
        now: datetime,
    ) -> Page[User] | BadCursor | StorageUnavailable:
        """A cursor is the last user's place in the list, after the role that it is for."""
        users = sorted(self._users.values(), key=lambda user: (user.role, user.email))
        listed = [user for user in users if role in {None, user.role}]
        scope, _, last = (page.cursor or f"{role} ").partition(" ")
        if scope != str(role):
            return BadCursor()
        before = len(list(takewhile(lambda user: last and user.id != last, listed))) + 1 if last else 0
        shown = listed[before : before + page.limit]
        more = len(listed) > before + page.limit
        return Page(items=tuple(shown), next=f"{role} {shown[-1].id}" if more else None)

    def _free(self, subjects: set[str]) -> None:
        for subject in subjects:
            del self._subjects[subject]


def _claimed(user: User) -> set[str]:
    return {each.subject for each in user.principals if each.kind != "key"}
