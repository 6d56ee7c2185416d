"""Binding, making and rotating keys, restricting and removing: who may, and what it does."""

from datetime import timedelta

import pytest

from domain.results import StorageUnavailable
from domain.users.identity import Identified, IdentityService
from domain.users.principal import MAX_PRINCIPALS, Kind, Scope, parse_key
from domain.users.principals import (
    NewPrincipal,
    PrincipalChange,
    PrincipalNotFound,
    PrincipalService,
    Stored,
    TooManyPrincipals,
)
from domain.users.repository import EmailTaken, PrincipalTaken, UserNotFound, UserVersionConflict
from domain.users.service import NotAllowed
from domain.users.user import User
from headrace.testing.clock import FakeClock, numbered_ids
from tests.factories import NOW, UserFactory
from tests.fakes.user_repository import FakeUserRepository

ADMIN = UserFactory.build(role="admin", id="00000000-0000-4000-9000-00000000000a")
ADA = UserFactory.build(id="00000000-0000-4000-9000-00000000000b")
KEY = NewPrincipal(kind="key", subject=None, name="ci", scopes=("submit",), expires_at=None)


def bound(subject: str, kind: Kind = "iam") -> NewPrincipal:
    return NewPrincipal(kind=kind, subject=subject, name="orders", scopes=("submit",), expires_at=None)


class World:
    def __init__(self, users: FakeUserRepository) -> None:
        secrets = iter([letter * 43 for letter in "abcdefghijklmnopqrstuvwxyz"])
        self.users = users
        self.principals = PrincipalService(users, FakeClock(), numbered_ids(), lambda: next(secrets))

    async def key(self, *scopes: Scope) -> Stored:
        made = await self.principals.add(ADA.id, KEY.model_copy(update={"scopes": scopes or ("submit",)}), ADMIN)
        assert isinstance(made, Stored)
        return made

    async def admits(self, key: str | None) -> bool:
        parsed = parse_key(key or "")
        assert parsed is not None
        found = await IdentityService(self.users, FakeClock(), numbered_ids()).by_key(parsed)
        return isinstance(found, Identified)


@pytest.fixture
async def world() -> World:
    users = FakeUserRepository()
    await users.add(ADMIN)
    await users.add(ADA)
    return World(users)


async def test_a_key_is_shown_once_and_stored_as_a_hash(world: World) -> None:
    made = await world.key()
    assert await world.admits(made.key)
    stored = await world.users.get(ADA.id)
    assert isinstance(stored, User)
    assert "a" * 43 not in stored.model_dump_json()
    assert await world.principals.list(ADA.id, ADA) == (made.principal,)


async def test_two_secrets_are_valid_while_a_key_is_rotated(world: World) -> None:
    first = await world.key()
    second = await world.principals.rotate(ADA.id, first.principal.id, ADA, keep_previous=True)
    assert isinstance(second, Stored)
    assert await world.admits(first.key)
    assert await world.admits(second.key)
    third = await world.principals.rotate(ADA.id, first.principal.id, ADA, keep_previous=True)
    assert isinstance(third, Stored)
    assert [await world.admits(each.key) for each in (first, second, third)] == [False, True, True]
    last = await world.principals.rotate(ADA.id, first.principal.id, ADA, keep_previous=False)
    assert isinstance(last, Stored)
    assert [await world.admits(each.key) for each in (second, third, last)] == [False, False, True]


async def test_a_principal_is_restricted_disabled_and_removed(world: World) -> None:
    made = await world.key("submit", "read")
    change = PrincipalChange(scopes=("read",), name="ci, read only")
    changed = await world.principals.change(ADA.id, made.principal.id, change, ADA)
    assert isinstance(changed, Stored)
    assert (changed.principal.scopes, changed.principal.name, changed.key) == (("read",), "ci, read only", None)
    await world.principals.change(ADA.id, made.principal.id, PrincipalChange(disabled=True), ADA)
    assert not await world.admits(made.key)
    await world.principals.change(ADA.id, made.principal.id, PrincipalChange(disabled=False), ADA)
    assert await world.admits(made.key)
    assert isinstance(await world.principals.remove(ADA.id, made.principal.id, ADA), Stored)
    assert not await world.admits(made.key)
    assert await world.principals.list(ADA.id, ADA) == ()


async def test_an_expiry_can_be_taken_away(world: World) -> None:
    made = await world.key("read")
    ends = PrincipalChange(expires_at=NOW + timedelta(days=1))
    for change, expected in ((ends, ends.expires_at), (PrincipalChange(name="n"), ends.expires_at)):
        changed = await world.principals.change(ADA.id, made.principal.id, change, ADA)
        assert isinstance(changed, Stored)
        assert changed.principal.expires_at == expected
    changed = await world.principals.change(ADA.id, made.principal.id, PrincipalChange(never_expires=True), ADA)
    assert isinstance(changed, Stored)
    assert changed.principal.expires_at is None


async def test_one_subject_is_one_user(world: World) -> None:
    assert isinstance(await world.principals.add(ADA.id, bound("iam#arn"), ADMIN), Stored)
    for user in (ADMIN, ADA):
        assert await world.principals.add(user.id, bound("iam#arn"), ADMIN) == PrincipalTaken()
    ada = await world.users.get(ADA.id)
    assert isinstance(ada, User)
    await world.principals.remove(ADA.id, ada.principals[0].id, ADMIN)
    assert isinstance(await world.principals.add(ADMIN.id, bound("iam#arn"), ADMIN), Stored)


async def test_a_member_has_keys_of_its_own_and_changes_nothing_else(world: World) -> None:
    assert isinstance(await world.principals.add(ADA.id, KEY, ADA), Stored)
    on_behalf = KEY.model_copy(update={"scopes": ("on-behalf",)})
    assert isinstance(await world.principals.add(ADA.id, on_behalf, ADA), NotAllowed)
    assert isinstance(await world.principals.add(ADA.id, bound("iam#arn"), ADA), NotAllowed)
    assert await world.principals.add(ADMIN.id, KEY, ADA) == UserNotFound()
    assert await world.principals.list(ADMIN.id, ADA) == UserNotFound()
    role = await world.principals.add(ADA.id, bound("iam#arn"), ADMIN)
    wide = await world.key("submit", "on-behalf")
    assert isinstance(role, Stored)
    for made in (role, wide):
        id = made.principal.id
        assert isinstance(await world.principals.remove(ADA.id, id, ADA), NotAllowed)
        assert isinstance(await world.principals.change(ADA.id, id, PrincipalChange(name="x"), ADA), NotAllowed)
    assert isinstance(await world.principals.rotate(ADA.id, wide.principal.id, ADA, keep_previous=True), NotAllowed)


async def test_what_is_not_there_is_not_found(world: World) -> None:
    role = await world.principals.add(ADA.id, bound("iam#arn"), ADMIN)
    assert isinstance(role, Stored)
    id = role.principal.id
    assert await world.principals.rotate(ADA.id, id, ADMIN, keep_previous=True) == PrincipalNotFound(), "no key"
    assert await world.principals.remove(ADA.id, "x", ADMIN) == PrincipalNotFound()
    assert await world.principals.change("x", id, PrincipalChange(), ADMIN) == UserNotFound()


async def test_a_user_has_no_more_principals_than_fit_into_its_item(world: World) -> None:
    for _ in range(MAX_PRINCIPALS):
        await world.key()
    assert await world.principals.add(ADA.id, KEY, ADMIN) == TooManyPrincipals()


@pytest.mark.parametrize("result", [UserVersionConflict(user_id="x"), StorageUnavailable(reason="server", detail="")])
async def test_a_change_that_cannot_be_stored_is_told(result: UserVersionConflict | StorageUnavailable) -> None:
    class Failing(FakeUserRepository):
        async def replace(
            self, user: User, previous: User
        ) -> User | EmailTaken | PrincipalTaken | UserVersionConflict | StorageUnavailable:
            del user, previous
            return result

    users = Failing()
    await users.add(ADA)
    assert isinstance(await World(users).principals.add(ADA.id, KEY, ADA), StorageUnavailable)
