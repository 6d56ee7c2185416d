"""What the domain asks of the store of users."""

from datetime import datetime
from typing import Protocol

from domain.paging import Page, PageRequest
from domain.results import BadCursor, StorageUnavailable
from domain.users.user import Email, Role, User
from headrace.authoring.frozen import Frozen


class UserNotFound(Frozen):
    """No such user."""


class EmailTaken(Frozen):
    """The address belongs to a user already."""

    email: str


class PrincipalTaken(Frozen):
    """The subject is bound already, to this user or another."""


class UserVersionConflict(Frozen):
    """Somebody else changed the user first."""

    user_id: str


class UserRepository(Protocol):
    """Users, and the claims that keep their addresses and the subjects of their principals unique."""

    async def add(self, user: User) -> User | EmailTaken | StorageUnavailable:
        """Store a new user and claim its address, both or neither; an id that is taken is `rejected`."""

    async def get(self, user_id: str) -> User | UserNotFound | StorageUnavailable:
        """The stored user (strongly consistent)."""

    async def get_by_email(self, email: Email) -> User | UserNotFound | StorageUnavailable:
        """The user with this address, through the email index (eventually consistent)."""

    async def get_by_principal(self, subject: str) -> User | UserNotFound | StorageUnavailable:
        """The user that this subject is bound to (strongly consistent)."""

    async def replace(
        self, user: User, previous: User
    ) -> User | EmailTaken | PrincipalTaken | UserVersionConflict | StorageUnavailable:
        """Store the user's next version if `previous` is still the stored one.

        A new address and the subjects of new principals are claimed, and the old ones freed, in the same transaction.
        """

    async def remove(self, user: User) -> User | UserVersionConflict | StorageUnavailable:
        """Delete this version of the user, and free its address and its subjects, in one transaction."""


class UserListing(Protocol):
    """Lists of users."""

    async def page(
        self, role: Role | None, page: PageRequest, now: datetime
    ) -> Page[User] | BadCursor | StorageUnavailable:
        """Users by address, of one role or the admins and then the members (eventually consistent)."""
