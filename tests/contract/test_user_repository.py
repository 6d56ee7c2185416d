"""The conformance suite of `UserRepository`, for the fake, moto's server and MiniStack."""

import asyncio

import pytest

from domain.paging import Page, PageRequest
from domain.results import BadCursor, StorageUnavailable
from domain.users.principal import Principal
from domain.users.repository import (
    EmailTaken,
    PrincipalTaken,
    UserListing,
    UserNotFound,
    UserRepository,
    UserVersionConflict,
)
from domain.users.user import Email, Role, User, changed_user, with_principals
from functions.runtime import LazyClient
from persistence.cursors import CursorCodec
from persistence.dynamodb.repositories.user_listing import DynamoUserListing
from tests.conftest import new_id, user_repository_on
from tests.factories import NOW, UserFactory
from tests.fakes.job_listing import CURSOR_KEY
from tests.fakes.user_repository import FakeUserRepository


def repository(request: pytest.FixtureRequest) -> UserRepository:
    if request.param == "fake":
        return FakeUserRepository()
    client = request.getfixturevalue(f"{request.param}_client")
    assert isinstance(client, LazyClient)
    return user_repository_on(client)


@pytest.fixture(params=["fake", "moto", "ministack"])
def users(request: pytest.FixtureRequest) -> UserRepository:
    return repository(request)


@pytest.fixture(params=["fake", "ministack"])
def raced_users(request: pytest.FixtureRequest) -> UserRepository:
    """Without moto, whose server checks a condition and writes without a lock between its threads."""
    return repository(request)


def an_address() -> Email:
    return Email(f"{new_id()}@example.com")


def a_user(email: str | None = None) -> User:
    return UserFactory.build(id=new_id(), email=email or an_address())


def moved(user: User, email: Email) -> User:
    return changed_user(user, NOW, email=email, name=None, role=None)


async def test_a_user_is_found_by_id_and_by_address(users: UserRepository) -> None:
    user = a_user()
    assert await users.add(user) == user
    assert await users.get(user.id) == user
    assert await users.get_by_email(Email(user.email)) == user


async def test_a_missing_user_is_not_found(users: UserRepository) -> None:
    assert await users.get(new_id()) == UserNotFound()
    assert await users.get_by_email(an_address()) == UserNotFound()


async def test_one_address_belongs_to_one_user(users: UserRepository) -> None:
    first = a_user()
    await users.add(first)
    second = a_user(first.email)
    assert await users.add(second) == EmailTaken(email=first.email)
    assert await users.get(second.id) == UserNotFound()
    assert await users.get_by_email(Email(first.email)) == first


async def test_a_taken_id_is_refused_and_changes_nothing(users: UserRepository) -> None:
    first = a_user()
    await users.add(first)
    second = a_user().model_copy(update={"id": first.id})
    refused = await users.add(second)
    assert isinstance(refused, StorageUnavailable)
    assert refused.reason == "rejected"
    assert await users.get(first.id) == first
    other = a_user(email=second.email)
    assert await users.add(other) == other


@pytest.mark.parametrize("database", ["moto", "ministack"])
async def test_an_address_that_is_claimed_by_another_is_not_freed(
    database: str, request: pytest.FixtureRequest
) -> None:
    source = request.getfixturevalue(f"{database}_client")
    assert isinstance(source, LazyClient)
    users, client = user_repository_on(source), await source()
    user = a_user()
    await users.add(user)
    claim = {"email": {"S": user.email}, "user_id": {"S": "somebody-else"}, "write_id": {"S": "theirs"}}
    await client.put_item(TableName="UserEmailsTable", Item=claim)
    assert not isinstance(await users.replace(moved(user, an_address()), user), User)
    left = await client.get_item(TableName="UserEmailsTable", Key={"email": {"S": user.email}}, ConsistentRead=True)
    assert left.get("Item") == claim
    assert await users.get(user.id) == user


async def test_of_many_sign_ups_at_once_one_succeeds(raced_users: UserRepository) -> None:
    email = an_address()
    results = await asyncio.gather(*(raced_users.add(a_user(email)) for _ in range(20)))
    assert sum(isinstance(result, User) for result in results) == 1
    assert sum(isinstance(result, EmailTaken) for result in results) == 19


async def test_a_change_of_name_keeps_the_address(users: UserRepository) -> None:
    user = a_user()
    await users.add(user)
    renamed = changed_user(user, NOW, email=None, name="Ada", role="admin")
    assert await users.replace(renamed, user) == renamed
    assert await users.get(user.id) == renamed
    assert await users.add(a_user(user.email)) == EmailTaken(email=user.email)


async def test_a_change_of_address_claims_the_new_one_and_frees_the_old(users: UserRepository) -> None:
    user = a_user()
    await users.add(user)
    changed = moved(user, an_address())
    assert await users.replace(changed, user) == changed
    assert await users.get_by_email(Email(changed.email)) == changed
    assert await users.get_by_email(Email(user.email)) == UserNotFound()
    assert await users.add(a_user(changed.email)) == EmailTaken(email=changed.email)
    successor = a_user(user.email)
    assert await users.add(successor) == successor


async def test_a_change_to_a_taken_address_changes_nothing(users: UserRepository) -> None:
    user, other = a_user(), a_user()
    await users.add(user)
    await users.add(other)
    assert await users.replace(moved(user, Email(other.email)), user) == EmailTaken(email=other.email)
    assert await users.get(user.id) == user
    assert await users.get_by_email(Email(other.email)) == other


async def test_a_change_of_a_stale_version_changes_nothing(users: UserRepository) -> None:
    user = a_user()
    await users.add(user)
    current = changed_user(user, NOW, email=None, name="Ada", role=None)
    await users.replace(current, user)
    for stale in (changed_user(user, NOW, email=None, name="Bob", role=None), moved(user, an_address())):
        assert await users.replace(stale, user) == UserVersionConflict(user_id=user.id)
    assert await users.get(user.id) == current


async def test_a_change_of_a_missing_user_creates_nothing(users: UserRepository) -> None:
    nobody = a_user()
    assert await users.replace(moved(nobody, an_address()), nobody) == UserVersionConflict(user_id=nobody.id)
    assert await users.get(nobody.id) == UserNotFound()


def a_principal(kind: str = "iam") -> Principal:
    subject = f"{kind}#{new_id()}"
    return Principal(
        id=new_id(), kind=kind, subject=subject, name="n", scopes=("read",), created_at=NOW, secrets=("0" * 64,)
    )


async def with_these(users: UserRepository, user: User, *principals: Principal) -> User:
    changed = with_principals(user, principals, NOW)
    assert await users.replace(changed, user) == changed
    return changed


async def test_a_user_is_found_by_the_subject_of_a_principal(users: UserRepository) -> None:
    principal, key = a_principal(), a_principal("key")
    user = a_user()
    await users.add(user)
    bound = await with_these(users, user, principal, key)
    assert await users.get_by_principal(principal.subject) == bound
    assert await users.get(user.id) == bound
    assert await users.get_by_principal(key.subject) == UserNotFound(), "a key names its user"
    await with_these(users, bound, key)
    assert await users.get_by_principal(principal.subject) == UserNotFound()


async def test_one_subject_is_one_user(users: UserRepository) -> None:
    first, second, principal = a_user(), a_user(), a_principal()
    await users.add(first)
    await users.add(second)
    bound = await with_these(users, first, principal)
    taken = changed_user(with_principals(second, (principal,), NOW), NOW, email=an_address(), name=None, role=None)
    taken = taken.model_copy(update={"version": 2})
    assert await users.replace(taken, second) == PrincipalTaken()
    assert await users.get(second.id) == second, "nothing was changed"
    assert await users.get_by_principal(principal.subject) == bound
    await with_these(users, bound)
    await with_these(users, second, principal)


async def test_of_many_binders_at_once_one_succeeds(raced_users: UserRepository) -> None:
    principal = a_principal()
    them = [a_user() for _ in range(10)]
    for user in them:
        await raced_users.add(user)
    results = await asyncio.gather(
        *(raced_users.replace(with_principals(user, (principal,), NOW), user) for user in them)
    )
    assert sum(isinstance(result, User) for result in results) == 1
    assert sum(isinstance(result, PrincipalTaken) for result in results) == 9


async def test_a_removed_user_frees_its_address_and_its_subjects(users: UserRepository) -> None:
    user, principal = a_user(), a_principal()
    await users.add(user)
    bound = await with_these(users, user, principal, a_principal("key"))
    assert await users.remove(user) == UserVersionConflict(user_id=user.id), "another version"
    assert await users.remove(bound) == bound
    assert await users.get(user.id) == UserNotFound()
    assert await users.get_by_principal(principal.subject) == UserNotFound()
    successor = a_user(user.email)
    assert await users.add(successor) == successor
    await with_these(users, successor, principal)
    assert await users.remove(bound) == UserVersionConflict(user_id=user.id)


@pytest.fixture(params=["fake", "moto", "ministack"])
def listed(request: pytest.FixtureRequest) -> tuple[UserRepository, UserListing]:
    if request.param == "fake":
        fake = FakeUserRepository()
        return fake, fake
    client = request.getfixturevalue(f"{request.param}_client")
    assert isinstance(client, LazyClient)
    return user_repository_on(client), DynamoUserListing(client, "UsersTable", CursorCodec(CURSOR_KEY))


async def test_users_are_listed_page_by_page_admins_first(listed: tuple[UserRepository, UserListing]) -> None:
    users, listing = listed
    added = [a_user() for _ in range(3)] + [a_user().model_copy(update={"role": "admin"}) for _ in range(2)]
    for user in added:
        await users.add(user)

    async def all_of(role: Role | None, limit: int) -> list[User]:
        found, cursor = list[User](), None
        while True:
            page = await listing.page(role, PageRequest(limit=limit, cursor=cursor), NOW)
            assert isinstance(page, Page)
            assert len(page.items) <= limit
            found, cursor = [*found, *page.items], page.next
            if cursor is None:
                return found

    ours = {user.id for user in added}
    expected = sorted(added, key=lambda user: (user.role, user.email))
    for limit in (1, 2, 3, 100):
        assert [user for user in await all_of(None, limit) if user.id in ours] == expected
        admins = [user for user in await all_of("admin", limit) if user.id in ours]
        assert admins == expected[:2]
    first = await listing.page(None, PageRequest(limit=1), NOW)
    assert isinstance(first, Page)
    assert await listing.page("admin", PageRequest(limit=1, cursor=first.next), NOW) == BadCursor()
