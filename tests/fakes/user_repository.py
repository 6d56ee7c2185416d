"""Users in memory, held to the same conformance suite as the real repository."""

from domain.results import StorageUnavailable
from domain.users.repository import EmailTaken, UserNotFound, UserVersionConflict
from domain.users.user import Email, User


class FakeUserRepository:
    """Two dictionaries: the users, and the owners of addresses."""

    def __init__(self) -> None:
        self._users: dict[str, User] = {}
        self._claims: dict[str, str] = {}

    async def add(self, user: User) -> User | EmailTaken | StorageUnavailable:
        if user.id in self._users:
            return StorageUnavailable(reason="rejected", detail="the new user's id is not new")
        if user.email in self._claims:
            return EmailTaken(email=user.email)
        self._users[user.id] = user
        self._claims[user.email] = user.id
        return user

    async def get(self, user_id: str) -> User | UserNotFound:
        return self._users.get(user_id) or UserNotFound()

    async def get_by_email(self, email: Email) -> User | UserNotFound:
        found = [user for user in self._users.values() if user.email == email]
        return found[0] if found else UserNotFound()

    async def replace(self, user: User, previous: User) -> User | EmailTaken | UserVersionConflict:
        current = self._users.get(user.id)
        if current is None or current.version != previous.version:
            return UserVersionConflict(user_id=user.id)
        if user.email != previous.email:
            if user.email in self._claims:
                return EmailTaken(email=user.email)
            del self._claims[previous.email]
            self._claims[user.email] = user.id
        self._users[user.id] = user
        return user
