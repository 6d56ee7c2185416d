"""Users: the rule for addresses, and permissions."""

import pytest

from domain.results import StaleVersion, StorageUnavailable
from domain.users.quota import Quota
from domain.users.repository import EmailTaken, PrincipalTaken, UserNotFound, UserVersionConflict
from domain.users.service import NotAllowed, UserChange, UserService
from domain.users.user import Email, InvalidEmail, User, normalise_email
from headrace.testing.clock import FakeClock, numbered_ids
from tests.factories import NOW, UserFactory
from tests.fakes.user_repository import FakeUserRepository

ADMIN = UserFactory.build(role="admin", id="admin")


def a_service(users: FakeUserRepository | None = None) -> UserService:
    return UserService(users or FakeUserRepository(), FakeClock(), numbered_ids())


async def created(service: UserService, email: str = "ada@example.com") -> User:
    user = await service.create(email, "Ada", "member")
    assert isinstance(user, User)
    return user


@pytest.mark.parametrize(
    "text", ["ada@example.com", " Ada@Example.COM\n", "a.b+c@sub.example.co", "o'hara_1@x-y.example", "a@b.c"]
)
def test_addresses_are_trimmed_and_lower_cased(text: str) -> None:
    assert normalise_email(text) == text.strip().lower()


@pytest.mark.parametrize(
    "text",
    ["", "ada", "@example.com", "ada@", "ada@example", "a..b@example.com", ".a@example.com", "a b@example.com",
     "ada@exa_mple.com", "ada@-example.com", "ada@example..com", '"a b"@example.com', "ada@[127.0.0.1]",
     "ádá@example.com", "ada@exämple.com", "a" * 65 + "@example.com", "a@" + "b" * 64 + ".com",
     "a@" + "b." * 130 + "com", "ada@example.com, bob@example.com", "ada\x00@example.com", "\u212a@example.com"],
)  # fmt: skip
def test_an_invalid_address_is_refused(text: str) -> None:
    assert isinstance(normalise_email(text), InvalidEmail)


async def test_a_user_is_found_by_an_address_in_any_case() -> None:
    service = a_service()
    user = await created(service, "Ada@Example.com")
    assert user.email == "ada@example.com"
    assert await service.find(" ADA@example.COM ") == user
    assert await service.find("bob@example.com") == UserNotFound()
    assert isinstance(await service.find("bob"), InvalidEmail)


async def test_one_address_belongs_to_one_user() -> None:
    service = a_service()
    await created(service)
    assert await service.create("ADA@example.com", "Other", "member") == EmailTaken(email="ada@example.com")
    assert isinstance(await service.create("ada", "Other", "member"), InvalidEmail)


async def test_a_member_sees_their_own_user_and_an_admin_sees_all() -> None:
    service = a_service()
    ada, bob = await created(service), await created(service, "bob@example.com")
    assert await service.get(ada.id, ada) == ada
    assert await service.get(bob.id, ada) == UserNotFound()
    assert await service.get(bob.id, ADMIN) == bob
    assert await service.change(bob.id, UserChange(name="x"), frozenset({1}), ada) == UserNotFound()


async def test_a_change_makes_the_next_version() -> None:
    service = a_service()
    ada = await created(service)
    changed = await service.change(ada.id, UserChange(name="Ada L.", email="Lady@example.com"), frozenset({1}), ADMIN)
    assert isinstance(changed, User)
    assert (changed.name, changed.email, changed.version, changed.updated_at) == ("Ada L.", "lady@example.com", 2, NOW)
    assert await service.find("ada@example.com") == UserNotFound()


async def test_a_change_of_a_stale_version_is_refused() -> None:
    service = a_service()
    ada = await created(service)
    assert await service.change(ada.id, UserChange(name="x"), frozenset({7}), ada) == StaleVersion(current_version=1)


async def test_only_an_admin_changes_a_role() -> None:
    service = a_service()
    ada = await created(service)
    assert isinstance(await service.change(ada.id, UserChange(role="admin"), frozenset({1}), ada), NotAllowed)
    assert isinstance(await service.change(ada.id, UserChange(role="member"), frozenset({1}), ada), User)
    promoted = await service.change(ada.id, UserChange(role="admin"), frozenset({2}), ADMIN)
    assert isinstance(promoted, User)
    assert promoted.role == "admin"


async def test_a_change_to_a_taken_or_invalid_address_is_refused() -> None:
    service = a_service()
    ada, _bob = await created(service), await created(service, "bob@example.com")
    taken = await service.change(ada.id, UserChange(email="BOB@example.com"), frozenset({1}), ADMIN)
    assert taken == EmailTaken(email="bob@example.com")
    assert isinstance(await service.change(ada.id, UserChange(email="bob"), frozenset({1}), ada), InvalidEmail)


async def test_only_an_admin_changes_an_address() -> None:
    service = a_service()
    ada, _bob = await created(service), await created(service, "bob@example.com")
    for email in ("free@example.com", "BOB@example.com"):
        refused = await service.change(ada.id, UserChange(email=email), frozenset({1}), ada)
        assert refused == NotAllowed(reason="only an admin changes an address")
    same = await service.change(ada.id, UserChange(email=" ADA@Example.com ", name="Ada L."), frozenset({1}), ada)
    assert isinstance(same, User)
    assert (same.email, same.name) == ("ada@example.com", "Ada L.")


class RacedUserRepository(FakeUserRepository):
    """Another writer wins the race, as often as a test says."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times

    async def replace(
        self, user: User, previous: User
    ) -> User | EmailTaken | PrincipalTaken | UserVersionConflict | StorageUnavailable:
        self.times -= 1
        return UserVersionConflict(user_id=user.id) if self.times >= 0 else await super().replace(user, previous)


async def test_a_change_that_loses_a_race_is_stale() -> None:
    service = a_service(RacedUserRepository(1))
    ada = await created(service)
    stale = await service.change(ada.id, UserChange(name="x"), frozenset({1}), ada)
    assert stale == StaleVersion(current_version=None)


async def test_a_change_of_any_version_is_applied_to_the_current_user() -> None:
    service = a_service(RacedUserRepository(2))
    ada = await created(service)
    changed = await service.change(ada.id, UserChange(name="x"), None, ada)
    assert isinstance(changed, User)
    assert changed.name == "x"


async def test_a_change_of_any_version_that_never_wins_can_be_tried_again_later() -> None:
    service = a_service(RacedUserRepository(100))
    ada = await created(service)
    assert isinstance(await service.change(ada.id, UserChange(name="x"), None, ada), StorageUnavailable)


def test_an_email_can_only_be_built_from_a_valid_address() -> None:
    assert Email("ada@example.com") == normalise_email("ada@example.com")
    assert StorageUnavailable(reason="timeout", detail="").reason == "timeout"


async def test_an_admin_disables_and_deletes_other_users_and_never_their_own() -> None:
    service = a_service()
    ada, bob = await created(service), await created(service, "bob@example.com")
    disable = UserChange(disabled=True)
    assert isinstance(await service.change(ada.id, disable, None, ada), NotAllowed)
    assert await service.delete(bob.id, None, ada) == UserNotFound()
    assert isinstance(await service.delete(ada.id, None, ada), NotAllowed)
    disabled = await service.change(ada.id, disable, None, ADMIN)
    assert isinstance(disabled, User)
    assert disabled.disabled
    own = ADMIN.model_copy(update={"id": bob.id})
    assert isinstance(await service.change(bob.id, disable, None, own), NotAllowed)
    assert isinstance(await service.delete(bob.id, None, own), NotAllowed)
    assert await service.delete(ada.id, frozenset({1}), ADMIN) == StaleVersion(current_version=2)
    assert await service.delete(ada.id, frozenset({2}), ADMIN) == disabled
    assert await service.delete(ada.id, None, ADMIN) == UserNotFound()
    assert await service.find("ada@example.com") == UserNotFound()
    assert isinstance(await created(service), User), "the address is free"


async def test_only_an_admin_changes_a_quota() -> None:
    service = a_service()
    ada = await created(service)
    change = UserChange(quota=Quota(unfinished=5))
    assert await service.change(ada.id, change, None, ada) == NotAllowed(reason="only an admin changes a quota")
    limited = await service.change(ada.id, change, None, ADMIN)
    assert isinstance(limited, User)
    assert limited.quota == Quota(unfinished=5)
    renamed = await service.change(ada.id, UserChange(name="x", quota=limited.quota), None, limited)
    assert isinstance(renamed, User), "what stays as it is may be said"
    assert renamed.quota == limited.quota


class Restless(FakeUserRepository):
    """Whoever removes or binds finds that the user has changed."""

    async def remove(self, user: User) -> User | UserVersionConflict | StorageUnavailable:
        return UserVersionConflict(user_id=user.id)

    async def replace(
        self, user: User, previous: User
    ) -> User | EmailTaken | PrincipalTaken | UserVersionConflict | StorageUnavailable:
        del user, previous
        return PrincipalTaken()


async def test_a_change_that_finds_no_rest_is_unavailable() -> None:
    service = a_service(Restless())
    ada = await created(service)
    assert isinstance(await service.delete(ada.id, None, ADMIN), StorageUnavailable)
    assert isinstance(await service.change(ada.id, UserChange(name="x"), None, ADMIN), StorageUnavailable)
