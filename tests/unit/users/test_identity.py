"""From what a caller proves to a user."""

from datetime import timedelta

import pytest

from domain.results import StorageUnavailable
from domain.users.identity import (
    AddressBound,
    Identified,
    IdentityService,
    PrincipalInactive,
    UserDisabled,
)
from domain.users.principal import MAX_PRINCIPALS, USUAL_SCOPES, KeyText, Kind, Principal, hashed
from domain.users.repository import EmailTaken, PrincipalTaken, UserNotFound, UserVersionConflict
from domain.users.user import Email, User, changed_user, with_principals
from headrace.testing.clock import FakeClock, numbered_ids
from tests.factories import UserFactory
from tests.fakes.user_repository import FakeUserRepository

ISSUER = "https://issuer.test"
ADA = Email("ada@example.com")
SUBJECT = f"{ISSUER}#ada"
DOWN = StorageUnavailable(reason="timeout", detail="")


@pytest.fixture
def users() -> FakeUserRepository:
    return FakeUserRepository()


def identities(users: FakeUserRepository, clock: FakeClock | None = None) -> IdentityService:
    return IdentityService(users, clock or FakeClock(), numbered_ids())


async def added(users: FakeUserRepository, email: str = ADA, **fields: object) -> User:
    user = await users.add(UserFactory.build(email=email).model_copy(update=fields))
    assert isinstance(user, User)
    return user


def a_principal(subject: str, kind: Kind = "token", **fields: object) -> Principal:
    made = Principal(id="1", kind=kind, subject=subject, name="", scopes=USUAL_SCOPES, created_at=FakeClock()())
    return made.model_copy(update=fields)


async def test_the_first_sign_in_binds_the_subject_and_later_ones_cost_one_look_up(users: FakeUserRepository) -> None:
    user = await added(users)
    first = await identities(users).by_token(ISSUER, SUBJECT, ADA)
    assert isinstance(first, Identified)
    assert (first.user.id, first.user.version, first.scopes) == (user.id, 2, frozenset(USUAL_SCOPES))
    (bound,) = first.user.principals
    assert (bound.kind, bound.subject) == ("sign-in", SUBJECT)
    assert await identities(users).by_token(ISSUER, SUBJECT, ADA) == first
    assert await users.get_by_principal(SUBJECT) == first.user


async def test_an_address_that_has_changed_hands_is_no_identity(users: FakeUserRepository) -> None:
    await added(users)
    await identities(users).by_token(ISSUER, SUBJECT, ADA)
    assert await identities(users).by_token(ISSUER, f"{ISSUER}#another", ADA) == AddressBound()


async def test_who_is_bound_stays_the_user_under_another_address(users: FakeUserRepository) -> None:
    user, other = await added(users), await added(users, "new@example.com")
    await identities(users).by_token(ISSUER, SUBJECT, ADA)
    for email in ("new@example.com", "nobody@example.com", None):
        found = await identities(users).by_token(ISSUER, SUBJECT, Email(email) if email else None)
        assert isinstance(found, Identified)
        assert found.user.id == user.id
    assert await users.get(other.id) == other, "nothing was bound to the user of the address"


async def test_another_issuer_binds_a_subject_of_its_own(users: FakeUserRepository) -> None:
    await added(users)
    await identities(users).by_token(ISSUER, SUBJECT, ADA)
    found = await identities(users).by_token("https://next.test", "https://next.test#ada", ADA)
    assert isinstance(found, Identified)
    assert len(found.user.principals) == 2


async def test_a_stranger_and_a_token_without_an_address_are_no_users(users: FakeUserRepository) -> None:
    await added(users)
    assert await identities(users).by_token(ISSUER, SUBJECT, Email("stranger@example.com")) == UserNotFound()
    assert await identities(users).by_token(ISSUER, SUBJECT, None) == UserNotFound()
    assert await identities(users).by_iam("iam#arn") == UserNotFound()


async def test_a_bound_role_has_the_scopes_of_its_principal(users: FakeUserRepository) -> None:
    user = await added(users, principals=(a_principal("iam#arn", "iam", scopes=("submit",)),))
    assert await identities(users).by_iam("iam#arn") == Identified(user=user, scopes=frozenset({"submit"}))


async def test_a_disabled_user_is_not_admitted_however_it_comes(users: FakeUserRepository) -> None:
    key = KeyText(user_id="u", key_id="1", secret="s")
    keys = a_principal("key#1", "key", secrets=(hashed("s"),))
    await added(users, id="u", disabled=True, principals=(a_principal("iam#arn", "iam"), keys))
    service = identities(users)
    assert await service.by_token(ISSUER, SUBJECT, ADA) == UserDisabled()
    assert await service.by_iam("iam#arn") == UserDisabled()
    assert await service.by_key(key) == UserDisabled()
    assert await service.other("u") == UserDisabled()
    assert await service.by_address(ADA) == UserDisabled()


async def test_a_principal_that_is_disabled_or_has_expired_is_not_admitted(users: FakeUserRepository) -> None:
    clock = FakeClock()
    ends = clock.now + timedelta(hours=1)
    await added(users, principals=(a_principal("iam#a", expires_at=ends), a_principal("iam#b", disabled=True)))
    assert isinstance(await identities(users, clock).by_iam("iam#a"), Identified)
    clock.forward(timedelta(hours=1))
    assert await identities(users, clock).by_iam("iam#a") == PrincipalInactive()
    assert await identities(users, clock).by_iam("iam#b") == PrincipalInactive()


async def test_a_key_is_its_user_and_a_wrong_one_nobody(users: FakeUserRepository) -> None:
    user = await added(users, id="u", principals=(a_principal("key#1", "key", secrets=(hashed("s"),)),))
    service = identities(users)
    right = KeyText(user_id="u", key_id="1", secret="s")
    assert await service.by_key(right) == Identified(user=user, scopes=frozenset(USUAL_SCOPES))
    assert await service.by_key(right.model_copy(update={"secret": "t"})) == UserNotFound()
    assert await service.by_key(right.model_copy(update={"user_id": "v"})) == UserNotFound()


async def test_on_behalf_of_a_user_and_by_an_address_alone(users: FakeUserRepository) -> None:
    user = await added(users, id="u")
    expected = Identified(user=user, scopes=frozenset(USUAL_SCOPES))
    assert await identities(users).other("u") == await identities(users).by_address(ADA) == expected
    assert await identities(users).other("v") == UserNotFound()
    assert await identities(users).by_address(Email("x@example.com")) == UserNotFound()


async def test_a_user_with_as_many_principals_as_there_may_be_is_not_bound(users: FakeUserRepository) -> None:
    await added(users, principals=tuple(a_principal(f"iam#{number}") for number in range(MAX_PRINCIPALS)))
    assert await identities(users).by_token(ISSUER, SUBJECT, ADA) == UserNotFound()


class Raced(FakeUserRepository):
    """Another writer comes first, once: with `change`, or with nothing when it is None."""

    def __init__(
        self, change: str, result: UserVersionConflict | PrincipalTaken | EmailTaken | StorageUnavailable | None = None
    ) -> None:
        super().__init__()
        self.change = change
        self.result = result

    async def replace(
        self, user: User, previous: User
    ) -> User | EmailTaken | PrincipalTaken | UserVersionConflict | StorageUnavailable:
        if self.result is not None:
            return self.result
        change, self.change = self.change, ""
        match change:
            case "bound":
                theirs = with_principals(previous, (a_principal(SUBJECT, "sign-in"),), previous.updated_at)
            case "disabled":
                theirs = changed_user(previous, previous.updated_at, email=None, name=None, role=None, disabled=True)
            case "moved":
                theirs = changed_user(previous, previous.updated_at, email=Email("b@c.de"), name=None, role=None)
            case "removed":
                await super().remove(previous)
                theirs = user
            case _:
                theirs = user
        return await super().replace(theirs, previous) if theirs is user else await self._first(theirs, user, previous)

    async def _first(
        self, theirs: User, user: User, previous: User
    ) -> User | EmailTaken | PrincipalTaken | UserVersionConflict | StorageUnavailable:
        await super().replace(theirs, previous)
        return await super().replace(user, previous)


@pytest.mark.parametrize(
    ("change", "expected"),
    [("bound", Identified), ("disabled", UserDisabled), ("moved", UserNotFound), ("removed", UserNotFound)],
)
async def test_a_first_sign_in_that_loses_a_race_looks_again(change: str, expected: type[object]) -> None:
    users = Raced(change)
    await added(users)
    assert isinstance(await identities(users).by_token(ISSUER, SUBJECT, ADA), expected)


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (PrincipalTaken(), UserNotFound()),
        (DOWN, DOWN),
        (UserVersionConflict(user_id="u"), StorageUnavailable(reason="throttled", detail="contended")),
    ],
)
async def test_a_first_sign_in_that_cannot_be_stored_is_not_admitted(
    result: UserVersionConflict | PrincipalTaken | StorageUnavailable, expected: object
) -> None:
    users = Raced("", result)
    await added(users)
    assert await identities(users).by_token(ISSUER, SUBJECT, ADA) == expected


class Silent(FakeUserRepository):
    async def get_by_email(self, email: Email) -> User | UserNotFound | StorageUnavailable:
        del email
        return DOWN


async def test_while_users_cannot_be_read_nobody_is_unknown() -> None:
    assert await identities(Silent()).by_token(ISSUER, SUBJECT, ADA) == DOWN


async def test_a_claim_without_its_principal_is_nobody(users: FakeUserRepository) -> None:
    user = await added(users, principals=(a_principal("iam#arn"),))
    users._users[user.id] = user.model_copy(update={"principals": ()})
    assert await identities(users).by_iam("iam#arn") == UserNotFound()
