"""A change with companions is committed whole or not at all: on the fake, on moto's server and on MiniStack."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import NamedTuple

import pytest
from pydantic import JsonValue

from domain.jobs.change import (
    MAX_COMPANIONS,
    OF_USERS,
    Change,
    Check,
    Companion,
    Condition,
    Delete,
    FollowUp,
    If,
    IfAbsent,
    IfEqual,
    IfNewer,
    Key,
    Moved,
    Put,
    Update,
)
from domain.jobs.job import Job
from domain.jobs.repository import CompanionRefused, JobExists, JobNotFound, JobRepository, VersionConflict
from domain.results import StorageUnavailable
from functions.runtime import LazyClient
from headrace.testing.job_repository import FakeJobRepository
from persistence.converters.attributes import to_attribute
from tests.companions import COMPANION_TABLES, TABLE, given_back, place, taken
from tests.conftest import job_repository_on, new_id
from tests.factories import NOW, claimed, queued

Read = Callable[[Key], Awaitable[object]]


class Store(NamedTuple):
    """A repository, and a look at what its companions left."""

    jobs: JobRepository
    read: Read


def _on_a_fake() -> Store:
    jobs = FakeJobRepository(COMPANION_TABLES)

    async def read(key: Key) -> object:
        item = jobs.item(TABLE, key)
        return None if item is None else plain(item)

    return Store(jobs, read)


def _on(source: LazyClient) -> Store:
    async def read(key: Key) -> object:
        wanted = {name: to_attribute(value) for name, value in key.items()}
        found = await (await source()).get_item(TableName=COMPANION_TABLES[TABLE], Key=wanted, ConsistentRead=True)
        return {name: normal(attribute) for name, attribute in found["Item"].items()} if "Item" in found else None

    return Store(job_repository_on(source), read)


def the_store(request: pytest.FixtureRequest) -> Store:
    if request.param == "fake":
        return _on_a_fake()
    source = request.getfixturevalue(f"{request.param}_client")
    assert isinstance(source, LazyClient)
    return _on(source)


@pytest.fixture(params=["fake", "moto", "ministack"])
def store(request: pytest.FixtureRequest) -> Store:
    return the_store(request)


@pytest.fixture(params=["fake", "ministack"])
def exact_store(request: pytest.FixtureRequest) -> Store:
    """Without moto, whose server has no lock between its threads, and takes 1 for true and what is absent for null."""
    return the_store(request)


def item(key: Key, **values: JsonValue) -> object:
    return plain({**key, **values})


def plain(values: Mapping[str, JsonValue]) -> object:
    return {name: normal(to_attribute(value)) for name, value in values.items()}


def normal(attribute: object) -> object:
    """An attribute with its numbers as numbers: databases write the same one in several ways."""
    match attribute:
        case {"N": str(digits)}:
            return Decimal(digits)
        case dict():
            return {name: normal(member) for name, member in attribute.items()}
        case list():
            return [normal(member) for member in attribute]
        case _:
            return attribute


async def added(store: Store) -> Job:
    job = queued(id=new_id())
    assert await store.jobs.add(Change(job), NOW) == job
    return job


async def test_a_change_and_its_companions_are_written_together(store: Store) -> None:
    job, lane = await added(store), new_id()
    claim = claimed(job)
    assert await store.jobs.replace(Change(claim, (taken(lane, job),)), job.version) == claim
    assert await store.jobs.get(job.id, NOW) == claim
    assert await store.read(place(lane)) == item(place(lane), holder=job.id)
    done = claim.model_copy(update={"version": claim.version + 1})
    assert await store.jobs.replace(Change(done, (given_back(lane, job),)), claim.version) == done
    assert await store.read(place(lane)) is None


async def test_a_new_job_may_carry_companions(store: Store) -> None:
    job, lane = queued(id=new_id()), new_id()
    assert await store.jobs.add(Change(job, (taken(lane, job),)), NOW) == job
    assert await store.jobs.get(job.id, NOW) == job
    assert await store.read(place(lane)) == item(place(lane), holder=job.id)


async def test_a_refused_companion_leaves_everything_as_it_was(store: Store) -> None:
    first, second, lane = await added(store), await added(store), new_id()
    await store.jobs.replace(Change(claimed(first), (taken(lane, first),)), first.version)
    refused = Change(claimed(second), (taken(new_id(), second), taken(lane, second), taken(lane, second, 1)))
    answer = await store.jobs.replace(refused, second.version)
    assert answer == CompanionRefused(job_id=second.id, index=1)
    assert await store.jobs.get(second.id, NOW) == second
    assert await store.read(place(lane)) == item(place(lane), holder=first.id)
    for companion in (refused.companions[0], refused.companions[2]):
        assert await store.read(companion.key) is None


async def test_a_new_job_whose_companion_is_refused_does_not_exist(store: Store) -> None:
    job, lane = queued(id=new_id()), new_id()
    absent = Check(table=TABLE, key=place(lane), condition=IfEqual(attributes={"holder": job.id}))
    assert await store.jobs.add(Change(job, (absent,)), NOW) == CompanionRefused(job_id=job.id, index=0)
    assert await store.jobs.get(job.id, NOW) == JobNotFound(job_id=job.id)


async def test_the_jobs_own_conflict_is_named_before_a_companions(store: Store) -> None:
    job, lane = await added(store), new_id()
    claim = claimed(job)
    await store.jobs.replace(Change(claim, (taken(lane, job),)), job.version)
    again = Change(claim, (taken(lane, job), taken(lane, job, 1)))
    assert await store.jobs.replace(again, job.version) == VersionConflict(job_id=job.id, current=claim)
    assert await store.jobs.add(again, NOW) == JobExists(current=claim)
    missing = claim.model_copy(update={"id": new_id()})
    answer = await store.jobs.replace(Change(missing, again.companions), claim.version)
    assert answer == VersionConflict(job_id=missing.id, current=None)
    assert await store.read(place(lane, 1)) is None


async def test_a_conflict_alone_writes_no_companion(store: Store) -> None:
    job, lane = await added(store), new_id()
    answer = await store.jobs.replace(Change(claimed(job), (taken(lane, job),)), job.version + 1)
    assert answer == VersionConflict(job_id=job.id, current=job)
    assert await store.read(place(lane)) is None


async def test_unconditional_companions_overwrite_and_delete_what_stands(store: Store) -> None:
    job, lane = await added(store), new_id()
    seats = [place(lane, number) for number in range(3)]
    puts = tuple(Put(table=TABLE, key=seat, values={"holder": "somebody", "since": 1}) for seat in seats[:2])
    await store.jobs.replace(Change(claimed(job), puts), job.version)
    over = Put(table=TABLE, key=seats[0], values={"holder": job.id})
    gone, never_there = Delete(table=TABLE, key=seats[1]), Delete(table=TABLE, key=seats[2])
    moved = claimed(job).model_copy(update={"version": 3})
    assert await store.jobs.replace(Change(moved, (over, gone, never_there)), 2) == moved
    assert [await store.read(seat) for seat in seats] == [item(seats[0], holder=job.id), None, None]


VALUES: tuple[JsonValue, ...] = (
    None, True, 0, -7, 10**38 - 1, 3 * 10**60, 0.1, -1.5e100, "", "é\n", [], {}, [1, [None, "x"]], {"is": {"a": 2}},
)  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=repr)
async def test_a_value_is_stored_exactly_and_equals_itself(store: Store, value: JsonValue) -> None:
    job, lane = queued(id=new_id()), new_id()
    assert await store.jobs.add(Change(job, (Put(table=TABLE, key=place(lane), values={"size": value}),)), NOW) == job
    assert await store.read(place(lane)) == item(place(lane), size=value)
    held = Delete(table=TABLE, key=place(lane), condition=IfEqual(attributes={"size": value}))
    claim = claimed(job)
    assert await store.jobs.replace(Change(claim, (held,)), job.version) == claim
    assert await store.read(place(lane)) is None


CONDITIONS = {
    "absent": (IfAbsent(), False),
    "equal": (IfEqual(attributes={"holder": "a"}), True),
    "equal twice": (IfEqual(attributes={"holder": "a", "since": 1}), True),
    "by the key": (IfEqual(attributes={"number": 0}), True),
    "another value": (IfEqual(attributes={"holder": "b"}), False),
    "one of two": (IfEqual(attributes={"holder": "a", "since": 2}), False),
    "another type": (IfEqual(attributes={"since": "1"}), False),
    "newer": (IfNewer(name="since", value=2), True),
    "as old": (IfNewer(name="since", value=1), False),
    "newer than nothing": (IfNewer(name="until", value=2), False),
    "no such attribute": (IfEqual(attributes={"until": 1}), False),
}


@pytest.mark.parametrize("name", CONDITIONS)
@pytest.mark.parametrize("kind", ["put", "delete", "check"])
async def test_a_condition_is_about_the_item_that_stands(store: Store, name: str, kind: str) -> None:
    condition, holds = CONDITIONS[name]
    job, lane = queued(id=new_id()), new_id()
    standing = Put(table=TABLE, key=place(lane), values={"holder": "a", "since": 1})
    await store.jobs.add(Change(job, (standing,)), NOW)
    kinds: dict[str, Companion] = {
        "put": Put(table=TABLE, key=place(lane), values={"holder": "c"}, condition=condition),
        "delete": Delete(table=TABLE, key=place(lane), condition=condition),
        "check": Check(table=TABLE, key=place(lane), condition=condition),
    }
    left = {"put": item(place(lane), holder="c"), "delete": None, "check": item(place(lane), **standing.values)}
    claim = claimed(job)
    answer = await store.jobs.replace(Change(claim, (kinds[kind],)), job.version)
    assert answer == (claim if holds else CompanionRefused(job_id=job.id, index=0))
    assert await store.read(place(lane)) == (left[kind] if holds else item(place(lane), **standing.values))


@pytest.mark.parametrize(
    ("attributes", "holds"), [({"since": 1.0}, True), ({"since": True}, False), ({"until": None}, False)], ids=repr
)
async def test_a_number_is_no_truth_value_and_what_is_absent_is_not_null(
    exact_store: Store, attributes: dict[str, JsonValue], holds: bool
) -> None:
    job, lane = queued(id=new_id()), new_id()
    await exact_store.jobs.add(Change(job, (Put(table=TABLE, key=place(lane), values={"since": 1}),)), NOW)
    check, claim = Check(table=TABLE, key=place(lane), condition=IfEqual(attributes=attributes)), claimed(job)
    answer = await exact_store.jobs.replace(Change(claim, (check,)), job.version)
    assert answer == (claim if holds else CompanionRefused(job_id=job.id, index=0))


async def test_nothing_stands_under_a_free_key(store: Store) -> None:
    job, lane = await added(store), new_id()
    free = Check(table=TABLE, key=place(lane), condition=IfAbsent())
    never = Delete(table=TABLE, key=place(lane), condition=IfEqual(attributes={"holder": job.id}))
    claim = claimed(job)
    assert await store.jobs.replace(Change(claim, (never,)), job.version) == CompanionRefused(job_id=job.id, index=0)
    assert await store.jobs.replace(Change(claim, (free,)), job.version) == claim


async def test_an_item_of_its_key_alone_stands(store: Store) -> None:
    job, lane = queued(id=new_id()), new_id()
    await store.jobs.add(Change(job, (Put(table=TABLE, key=place(lane), condition=IfAbsent()),)), NOW)
    assert await store.read(place(lane)) == item(place(lane))
    refused = Change(claimed(job), (taken(lane, job),))
    assert await store.jobs.replace(refused, job.version) == CompanionRefused(job_id=job.id, index=0)


async def test_as_many_companions_as_are_allowed_are_written(store: Store) -> None:
    job, lane = await added(store), new_id()
    claim = claimed(job)
    many = tuple(taken(lane, job, number) for number in range(MAX_COMPANIONS))
    assert await store.jobs.replace(Change(claim, many), job.version) == claim
    assert await store.read(place(lane, MAX_COMPANIONS - 1)) is not None


def a_large(lane: str, number: int, size: int) -> Put:
    return Put(table=TABLE, key=place(lane, number), values={"text": "x" * size})


REFUSED: dict[str, Callable[[str, Job], tuple[Companion, ...]]] = {
    "too many": lambda lane, job: tuple(taken(lane, job, number) for number in range(MAX_COMPANIONS + 1)),
    "an unknown table": lambda lane, job: (taken(lane, job), Put(table="orders", key={"id": lane})),
    "two on one item": lambda lane, job: (taken(lane, job), given_back(lane, job)),
    "an item beyond 400 KB": lambda lane, _: (a_large(lane, 0, 400 * 1024),),
    "items beyond 4 MB": lambda lane, _: tuple(a_large(lane, number, 390 * 1024) for number in range(11)),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_what_no_transaction_takes_is_refused_and_nothing_is_written(store: Store, name: str) -> None:
    job, lane = await added(store), new_id()
    answer = await store.jobs.replace(Change(claimed(job), REFUSED[name](lane, job)), job.version)
    assert isinstance(answer, StorageUnavailable)
    assert answer.reason == "rejected"
    assert await store.jobs.get(job.id, NOW) == job
    assert await store.read(place(lane)) is None


async def test_of_many_jobs_that_want_one_place_one_gets_it(exact_store: Store) -> None:
    lane = new_id()
    jobs = [await added(exact_store) for _ in range(8)]

    async def claim(job: Job) -> object:
        return await exact_store.jobs.replace(Change(claimed(job), (taken(lane, job),)), job.version)

    answers = await asyncio.gather(*(claim(job) for job in jobs))
    winners = [answer for answer in answers if isinstance(answer, Job)]
    assert len(winners) == 1
    assert await exact_store.read(place(lane)) == item(place(lane), holder=winners[0].id)
    for job in jobs:
        found = await exact_store.jobs.get(job.id, NOW)
        assert found == (winners[0] if job.id == winners[0].id else job)


async def committed(store: Store, *companions: Companion) -> bool:
    """Whether a change with these companions was committed."""
    added = await store.jobs.add(Change(queued(id=new_id()), companions), NOW)
    assert isinstance(added, Job | CompanionRefused), added
    return isinstance(added, Job)


async def test_an_update_sets_adds_and_removes_and_keeps_the_rest(store: Store) -> None:
    key = place(new_id())
    values: dict[str, JsonValue] = {"kept": "k", "cents": 100, "note": "n", "changed": 1}
    assert await committed(store, Put(table=TABLE, key=key, values=values))
    update = Update(
        table=TABLE,
        key=key,
        set={"changed": {"deep": [1]}, "new": None},
        add={"cents": -30, "count": 2},
        remove=("note",),
    )
    assert await committed(store, update)
    assert await store.read(key) == item(key, kept="k", cents=70, count=2, changed={"deep": [1]}, new=None)


async def test_an_update_makes_what_is_not_there(store: Store) -> None:
    key = place(new_id())
    assert await committed(store, Update(table=TABLE, key=key, add={"count": 1.5}))
    assert await store.read(key) == item(key, count=1.5)
    assert await committed(store, Update(table=TABLE, key=key, remove=("count",)))
    assert await store.read(key) == item(key)


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        (If(), True),
        (If(equal={"cents": 100, "open": True}), True),
        (If(equal={"cents": 99}), False),
        (If(at_least={"cents": 100}), True),
        (If(at_least={"cents": 100.5}), False),
        (If(at_most={"cents": 100}), True),
        (If(at_most={"cents": 99}), False),
        (If(at_most={"nothing": 99}), False),
        (If(missing=("nothing",)), True),
        (If(missing=("nothing", "open")), False),
        (If(equal={"open": True}, at_least={"cents": 1}, at_most={"cents": 200}, missing=("x",)), True),
        (IfEqual(attributes={"open": True}), True),
        (IfAbsent(), False),
        (IfNewer(name="cents", value=101), True),
        (IfNewer(name="cents", value=100), False),
    ],
)
async def test_a_condition_holds_for_an_item_or_nothing_is_written(
    store: Store, condition: Condition, holds: bool
) -> None:
    key, other = place(new_id()), place(new_id())
    assert await committed(store, Put(table=TABLE, key=key, values={"cents": 100, "open": True}))
    update = Update(table=TABLE, key=key, add={"cents": 1}, condition=condition)
    assert await committed(store, Put(table=TABLE, key=other), update) is holds
    assert await store.read(key) == item(key, cents=101 if holds else 100, open=True)
    assert (await store.read(other) is not None) is holds
    check = Check(table=TABLE, key=place(new_id()), condition=condition)
    assert await committed(store, check) is isinstance(condition, IfAbsent | IfNewer)


async def test_a_truth_value_is_no_number_to_compare(exact_store: Store) -> None:
    key = place(new_id())
    assert await committed(exact_store, Put(table=TABLE, key=key, values={"open": True}))
    assert not await committed(exact_store, Check(table=TABLE, key=key, condition=If(at_least={"open": 0})))


async def test_a_table_of_headraces_own_is_none_of_a_handlers(store: Store) -> None:
    own = COMPANION_TABLES[TABLE]
    for name in (own, "", f"arn:aws:dynamodb:eu-central-1:123456789012:table/{own}"):
        put = Put(table=f"{OF_USERS}{name}", key=place(new_id()))
        refused = await store.jobs.add(Change(queued(id=new_id()), (put,)), NOW)
        assert refused == StorageUnavailable(reason="rejected", detail=f"no such table: {OF_USERS}{name}")


async def test_several_jobs_are_moved_together_or_not_at_all(store: Store) -> None:
    one, two = [queued(id=new_id(), owner_id="somebody") for _ in range(2)]
    assert await committed(store, FollowUp(job=one), FollowUp(job=two))
    further = [claimed(job) for job in (one, two)]
    stale, key = Moved(job=further[1], expected_version=9), place(new_id())
    assert not await committed(store, Moved(job=further[0], expected_version=1), Put(table=TABLE, key=key), stale)
    assert await store.jobs.get_all((one.id, new_id(), two.id), NOW) == {one.id: one, two.id: two}
    assert await store.read(key) is None
    assert not await committed(store, Moved(job=queued(id=new_id()), expected_version=1)), "there is none"
    assert await committed(store, *(Moved(job=job, expected_version=1) for job in further))
    assert await store.jobs.get_all((one.id, two.id), NOW) == {job.id: job for job in further}
    assert await store.jobs.get_all((one.id,), one.expires_at + timedelta(days=1)) == {}


async def test_a_follow_up_is_a_job_like_any_other(store: Store) -> None:
    following = queued(id=new_id(), owner_id="somebody")
    assert await committed(store, FollowUp(job=following))
    assert await store.jobs.get(following.id, NOW) == following


async def test_a_follow_up_whose_id_is_taken_is_refused_with_all_the_rest(store: Store) -> None:
    following, key = queued(id=new_id()), place(new_id())
    assert await committed(store, FollowUp(job=following))
    assert not await committed(store, Put(table=TABLE, key=key), FollowUp(job=following))
    assert await store.read(key) is None
