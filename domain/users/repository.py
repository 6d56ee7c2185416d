"""What the domain asks of the store of users."""

from typing import Protocol

from domain.results import StorageUnavailable
from domain.users.user import Email, User
from headrace.authoring.frozen import Frozen


class UserNotFound(Frozen):
    """No such user."""


class EmailTaken(Frozen):
    """The address belongs to a user already."""

    email: str


class UserVersionConflict(Frozen):
    """Somebody else changed the user first."""

    user_id: str


class UserRepository(Protocol):
    """Users, and the claims that keep their addresses unique."""

    async def add(self, user: User) -> User | EmailTaken | StorageUnavailable:
        """Store a new user and claim its address, both or neither; an id that is taken is `rejected`."""

    async def get(self, user_id: str) -> User | UserNotFound | StorageUnavailable:
        """The stored user (strongly consistent)."""

    async def get_by_email(self, email: Email) -> User | UserNotFound | StorageUnavailable:
        """The user with this address, through the email index (eventually consistent)."""

    async def replace(self, user: User, previous: User) -> User | EmailTaken | UserVersionConflict | StorageUnavailable:
        """Store the user's next version if `previous` is still the stored one.

        A new address is claimed, and the old one freed, in the same transaction.
        """
