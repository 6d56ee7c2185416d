"""The conformance suite of `UsageRepository`, for the fake, moto's server and MiniStack."""

import asyncio
from datetime import timedelta
from typing import NamedTuple

import pytest

from domain.jobs.change import Change
from domain.jobs.job import Job
from domain.jobs.outcomes import Done
from domain.jobs.repository import JobRepository
from domain.quotas.usage import UsageRepository
from functions.runtime import LazyClient
from headrace.authoring.json_text import JsonText
from headrace.authoring.outcomes import Fail
from headrace.testing.job_repository import FakeJobRepository
from persistence.dynamodb.repositories.usage_repository import DynamoUsageRepository
from tests.conftest import job_repository_on, new_id
from tests.factories import NOW, claimed, finished, queued
from tests.fakes.usage import FakeUsage

MINUTE = NOW.replace(second=0, microsecond=0)


class Store(NamedTuple):
    usage: UsageRepository
    jobs: JobRepository


@pytest.fixture(params=["fake", "moto", "ministack"])
def store(request: pytest.FixtureRequest) -> Store:
    return the_store(request)


@pytest.fixture(params=["fake", "ministack"])
def raced_store(request: pytest.FixtureRequest) -> Store:
    """Without moto, whose server takes no lock (docs/decisions/008)."""
    return the_store(request)


def the_store(request: pytest.FixtureRequest) -> Store:
    if request.param == "fake":
        jobs = FakeJobRepository()
        return Store(FakeUsage(jobs), jobs)
    client = request.getfixturevalue(f"{request.param}_client")
    assert isinstance(client, LazyClient)
    return Store(DynamoUsageRepository(client, "JobsTable", "LanesTable"), job_repository_on(client))


async def added(store: Store, owner: str, *, counted: bool = True) -> Job:
    job = queued(id=new_id(), owner_id=owner).model_copy(update={"counted": counted})
    assert await store.jobs.add(Change(job), NOW) == job
    return job


async def test_unfinished_jobs_of_the_owner_are_counted_to_the_limit(store: Store) -> None:
    owner = new_id()
    assert await store.usage.unfinished(owner, 10) == 0
    for _ in range(3):
        await added(store, owner)
    await added(store, new_id())
    await added(store, owner, counted=False)
    assert await store.usage.unfinished(owner, 10) == 3
    assert await store.usage.unfinished(owner, 2) == 2


@pytest.mark.parametrize("outcome", [Done(result=JsonText("{}")), Fail(reason="never")], ids=["succeeded", "failed"])
async def test_a_job_counts_until_it_has_ended(store: Store, outcome: Done | Fail) -> None:
    owner = new_id()
    job = await added(store, owner)
    running = claimed(job)
    assert await store.jobs.replace(Change(running), job.version) == running
    assert await store.usage.unfinished(owner, 10) == 1
    ended = finished(running, outcome)
    assert await store.jobs.replace(Change(ended), running.version) == ended
    assert await store.usage.unfinished(owner, 10) == 0
    read = await store.jobs.get(job.id, NOW)
    assert isinstance(read, Job)
    assert read == ended
    assert read.counted
    assert not read.unknown


async def test_what_is_read_of_an_unfinished_job_is_what_was_written(store: Store) -> None:
    job = await added(store, new_id())
    assert await store.jobs.get(job.id, NOW) == job


async def test_submissions_of_a_minute_are_counted(store: Store) -> None:
    owner = new_id()
    assert [await store.usage.take(owner, MINUTE, 3) for _ in range(5)] == [True] * 3 + [False] * 2
    assert await store.usage.take(owner, MINUTE + timedelta(minutes=1), 3) is True
    assert await store.usage.take(new_id(), MINUTE, 3) is True
    assert await store.usage.take(owner, MINUTE, 4) is True, "the limit was raised"


async def test_submissions_at_once_are_counted_exactly(raced_store: Store) -> None:
    owner = new_id()
    taken = await asyncio.gather(*(raced_store.usage.take(owner, MINUTE, 3) for _ in range(8)))
    assert sorted(map(bool, taken)) == [False] * 5 + [True] * 3
