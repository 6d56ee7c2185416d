"""The conformance suite of `ScheduleRepository` and `ScheduleListing`, for the fakes, moto's server and MiniStack."""

import asyncio
import time
from dataclasses import dataclass
from datetime import timedelta

import pytest

from domain.jobs.change import Change
from domain.jobs.job import Job
from domain.jobs.repository import CompanionRefused, JobExists, JobNotFound, JobRepository
from domain.paging import Page, PageRequest
from domain.results import BadCursor, ItemTooLarge, StorageUnavailable
from domain.schedules.repository import (
    ScheduleConflict,
    ScheduleExists,
    ScheduleListing,
    ScheduleNotFound,
    ScheduleRepository,
)
from domain.schedules.schedule import Problem, Schedule, Tick, changed, due_at, paused, resumed, ticked
from domain.schedules.timing import Timing
from functions.runtime import LazyClient
from headrace.authoring.json_text import JsonText
from headrace.testing.clock import half
from headrace.testing.job_repository import FakeJobRepository
from persistence.cursors import CursorCodec
from persistence.dynamodb.repositories.job_repository import DynamoJobRepository
from persistence.dynamodb.repositories.schedule_listing import DynamoScheduleListing
from persistence.dynamodb.repositories.schedule_repository import DynamoScheduleRepository
from tests.conftest import new_id
from tests.factories import NOW, queued
from tests.fakes.job_listing import CURSOR_KEY
from tests.fakes.schedule_repository import COMPANIONS, FakeScheduleRepository
from tests.schedules import a_schedule, a_spec

MINUTE = timedelta(minutes=1)
CRON = Timing(cron="30 2 * * *", timezone="America/New_York")


@dataclass
class Store:
    schedules: ScheduleRepository
    listing: ScheduleListing
    jobs: JobRepository


def dynamo(client: LazyClient, table: str = "SchedulesTable") -> Store:
    cursors = CursorCodec(CURSOR_KEY)
    return Store(
        DynamoScheduleRepository(client, table, new_id),
        DynamoScheduleListing(client, table, cursors, half, asyncio.sleep, time.monotonic),
        DynamoJobRepository(client, "JobsTable", new_id, COMPANIONS),
    )


@pytest.fixture(params=["fake", "moto", "ministack"])
def store(request: pytest.FixtureRequest) -> Store:
    if request.param == "fake":
        jobs = FakeJobRepository(COMPANIONS)
        fake = FakeScheduleRepository(jobs)
        return Store(fake, fake, jobs)
    return dynamo(request.getfixturevalue(f"{request.param}_client"))


def a_full_schedule() -> Schedule:
    schedule = a_schedule(
        timing=CRON,
        payload=JsonText('{"text":"é","n":12345678901234567890123,"f":1.0,"e":""}'),
        tags={"team": "ops"},
        max_attempts=3,
        overlap="skip",
        pause_after_failures=2,
    ).model_copy(update={"fingerprint": "f" * 32})
    tick = Tick(at=NOW, job_id=new_id())
    return ticked(schedule, NOW, NOW, made=tick, problem=Problem(code="x", message="y", at=NOW))


async def test_a_schedule_comes_back_as_it_was_stored(store: Store) -> None:
    for schedule in (a_schedule(), a_full_schedule(), paused(a_full_schedule(), NOW, "failures")):
        assert await store.schedules.add(schedule) == schedule
        assert await store.schedules.get(schedule.id) == schedule
    unknown = new_id()
    assert await store.schedules.get(unknown) == ScheduleNotFound(schedule_id=unknown)


async def test_an_id_is_taken_once(store: Store) -> None:
    first = a_schedule()
    await store.schedules.add(first)
    second = first.model_copy(update={"spec": a_spec(name="other")})
    assert await store.schedules.add(second) == ScheduleExists(current=first)
    assert await store.schedules.get(first.id) == first


async def test_only_the_next_version_replaces(store: Store) -> None:
    first = a_schedule()
    await store.schedules.add(first)
    second = changed(first, a_spec(name="other"), NOW)
    assert await store.schedules.replace(second, 1) == second
    assert await store.schedules.replace(changed(first, a_spec(name="late"), NOW), 1) == ScheduleConflict(
        schedule_id=first.id
    )
    assert await store.schedules.get(first.id) == second
    missing = a_schedule()
    assert await store.schedules.replace(missing, 1) == ScheduleConflict(schedule_id=missing.id)
    assert isinstance(await store.schedules.get(missing.id), ScheduleNotFound)


async def test_what_is_too_large_is_not_sent(store: Store) -> None:
    large = a_schedule(payload=JsonText('"' + "x" * 420_000 + '"'))
    assert isinstance(await store.schedules.add(large), ItemTooLarge)
    assert isinstance(await store.schedules.replace(large, 1), ItemTooLarge)


async def test_a_schedule_is_deleted_at_its_version(store: Store) -> None:
    schedule = a_schedule()
    await store.schedules.add(schedule)
    assert await store.schedules.delete(schedule.id, 7) == ScheduleConflict(schedule_id=schedule.id)
    assert await store.schedules.get(schedule.id) == schedule
    for _ in range(2):
        assert await store.schedules.delete(schedule.id, 1) is None, "and again: it is gone"
    assert isinstance(await store.schedules.get(schedule.id), ScheduleNotFound)


async def test_what_ticks_is_due_and_what_is_paused_is_not(store: Store) -> None:
    schedules = [a_schedule(NOW - timedelta(days=30) + number * MINUTE) for number in range(5)]
    for schedule in schedules:
        await store.schedules.add(schedule)
    still = paused(schedules[1], NOW)
    await store.schedules.replace(still, 1)
    until = due_at(schedules[3])
    assert until is not None
    ids, after = [], None
    while True:
        page = await store.schedules.due(until, 2, after)
        assert not isinstance(page, StorageUnavailable)
        assert len(page.entries) <= 2
        ids += [(entry.id, entry.wake_at) for entry in page.entries]
        if page.next is None:
            break
        after = page.next
    expected = [(each.id, due_at(each)) for each in (schedules[0], schedules[2], schedules[3])]
    assert [entry for entry in ids if entry[0] in {each.id for each in schedules}] == expected
    for schedule in (still, *schedules[2:]):
        await store.schedules.delete(schedule.id, schedule.version)
    await store.schedules.delete(schedules[0].id, 1)


async def test_an_owners_schedules_are_listed_newest_first_without_payloads(store: Store) -> None:
    owner = new_id()
    schedules = [a_schedule(NOW + number * MINUTE, owner_id=owner) for number in range(5)]
    for schedule in (*schedules, a_schedule()):
        await store.schedules.add(schedule)
    found: list[Schedule] = []
    cursor = None
    while True:
        page = await store.listing.list_by_owner(owner, PageRequest(limit=2, cursor=cursor), NOW)
        assert isinstance(page, Page)
        assert len(page.items) <= 2
        found += page.items
        cursor = page.next
        if cursor is None:
            break
        assert await store.listing.list_by_owner(new_id(), PageRequest(limit=2, cursor=cursor), NOW) == BadCursor()
    assert {each.spec.payload for each in found} == {"null"}
    payload = schedules[0].spec.payload
    whole = [each.model_copy(update={"spec": each.spec.model_copy(update={"payload": payload})}) for each in found]
    assert whole == schedules[::-1]
    assert await store.schedules.count(owner, 100) == 5
    assert await store.schedules.count(owner, 3) == 3
    assert await store.schedules.count(new_id(), 3) == 0


async def test_a_tick_and_its_job_are_committed_together_or_not_at_all(store: Store) -> None:
    schedule = a_schedule()
    await store.schedules.add(schedule)
    job = queued(id=new_id())
    due = due_at(schedule)
    assert due is not None
    following = ticked(schedule, due, due, made=Tick(at=due, job_id=job.id))
    change = Change(job, (store.schedules.companion(following, 1),))
    assert await store.jobs.add(change, NOW) == job
    assert await store.schedules.get(schedule.id) == following
    # Another worker, which read the schedule before that: neither under the tick's id, nor under another.
    assert isinstance(await store.jobs.add(change, NOW), JobExists)
    other = queued(id=new_id())
    late = Change(other, (store.schedules.companion(following, 1),))
    assert await store.jobs.add(late, NOW) == CompanionRefused(job_id=other.id, index=0)
    assert isinstance(await store.jobs.get(other.id, NOW), JobNotFound)
    assert await store.schedules.get(schedule.id) == following
    assert await store.schedules.replace(resumed(paused(following, NOW), NOW), following.version) != following


@pytest.mark.parametrize("database", ["ministack"])
async def test_of_many_workers_at_one_tick_one_succeeds(database: str, request: pytest.FixtureRequest) -> None:
    store = dynamo(request.getfixturevalue(f"{database}_client"))
    schedule = a_schedule()
    await store.schedules.add(schedule)
    due = due_at(schedule)
    assert due is not None

    async def make() -> object:
        job = queued(id=new_id())
        following = ticked(schedule, due, due, made=Tick(at=due, job_id=job.id))
        return await store.jobs.add(Change(job, (store.schedules.companion(following, 1),)), NOW)

    results = await asyncio.gather(*(make() for _ in range(10)))
    assert sum(isinstance(result, Job) for result in results) == 1


async def test_attributes_of_a_newer_version_are_kept_and_rubbish_is_named(ministack_client: LazyClient) -> None:
    store, client = dynamo(ministack_client), await ministack_client()
    schedule = a_schedule()
    await store.schedules.add(schedule)
    item = (await client.get_item(TableName="SchedulesTable", Key={"id": {"S": schedule.id}}))["Item"]
    newer = {"jitter": {"M": {"n": {"N": "3"}, "f": {"N": "1.5"}, "l": {"L": [{"NULL": True}, {"BOOL": True}]}}}}
    await client.put_item(TableName="SchedulesTable", Item={**item, **newer})
    read = await store.schedules.get(schedule.id)
    assert isinstance(read, Schedule)
    await store.schedules.replace(paused(read, NOW), 1)
    kept = (await client.get_item(TableName="SchedulesTable", Key={"id": {"S": schedule.id}}))["Item"]
    assert kept["jitter"] == newer["jitter"]
    for name, rubbish in (("version", "one"), ("status", b"x")):
        id = new_id()
        value = {"B": rubbish} if isinstance(rubbish, bytes) else {"S": rubbish}
        await client.put_item(TableName="SchedulesTable", Item={"id": {"S": id}, name: value})
        found = await store.schedules.get(id)
        assert isinstance(found, StorageUnavailable)
        assert "unreadable" in found.detail
        assert isinstance(await store.schedules.add(schedule.model_copy(update={"id": id})), StorageUnavailable)


async def test_a_table_that_is_not_there_is_told_as_a_result(ministack_client: LazyClient) -> None:
    store, schedule = dynamo(ministack_client, "NoSuchTable"), a_schedule()
    schedules = store.schedules
    assert isinstance(await schedules.add(schedule), StorageUnavailable)
    assert isinstance(await schedules.get(schedule.id), StorageUnavailable)
    assert isinstance(await schedules.replace(schedule, 1), StorageUnavailable)
    assert isinstance(await schedules.delete(schedule.id, 1), StorageUnavailable)
    assert isinstance(await schedules.due(NOW, 1, None), StorageUnavailable)
    assert isinstance(await schedules.count("owner", 1), StorageUnavailable)
    assert isinstance(await store.listing.list_by_owner("owner", PageRequest(), NOW), StorageUnavailable)
