"""A write that was applied and whose response was lost is sent again by the SDK: this is not a conflict."""

import json
from collections.abc import AsyncIterator

import pytest

from domain.jobs.change import Change
from domain.jobs.repository import CompanionRefused, JobExists, JobNotFound, VersionConflict
from domain.results import StorageUnavailable
from domain.schedules.repository import ScheduleConflict, ScheduleExists
from domain.schedules.schedule import paused
from domain.users.repository import EmailTaken, UserVersionConflict
from domain.users.user import Email, User, changed_user
from functions.runtime import LazyClient
from persistence.dynamodb.repositories.schedule_repository import DynamoScheduleRepository
from tests.companions import given_back, taken
from tests.conftest import job_repository_on, new_id, user_repository_on
from tests.factories import NOW, UserFactory, claimed, queued
from tests.integration.lossy_proxy import LossyProxy, lossy
from tests.schedules import a_schedule

PUT, TRANSACT = "PutItem", "TransactWriteItems"


@pytest.fixture(params=["moto", "ministack"])
def database(request: pytest.FixtureRequest) -> str:
    request.getfixturevalue(f"{request.param}_client")
    return str(request.getfixturevalue(f"{request.param}_url"))


async def through(
    database: str, operation: str, losses: int = 1, *, before: bool = False
) -> AsyncIterator[tuple[LazyClient, LossyProxy]]:
    async with lossy(database, operation, losses, before=before) as (url, proxy):
        client = LazyClient(url)
        yield client, proxy
        await client.close()


async def test_an_added_job_whose_response_was_lost_is_added(database: str) -> None:
    job = queued(id=new_id())
    async for client, proxy in through(database, PUT):
        jobs = job_repository_on(client)
        assert await jobs.add(Change(job), NOW) == job
        assert proxy.left == 0, "the answer was lost"
        assert await jobs.add(Change(job), NOW) == JobExists(current=job), "a second submission is another matter"


async def test_a_claim_whose_response_was_lost_belongs_to_its_author(database: str) -> None:
    job = queued(id=new_id())
    direct = LazyClient(database)
    await job_repository_on(direct).add(Change(job), NOW)
    await direct.close()
    claim = claimed(job)
    async for client, proxy in through(database, PUT):
        jobs = job_repository_on(client)
        assert await jobs.replace(Change(claim), job.version) == claim
        assert proxy.left == 0
        assert await jobs.replace(Change(claim), job.version) == VersionConflict(job_id=job.id, current=claim)


async def test_a_change_with_companions_whose_response_was_lost_is_made_once(database: str) -> None:
    job, lane = queued(id=new_id()), new_id()
    async for client, proxy in through(database, TRANSACT):
        jobs = job_repository_on(client)
        assert await jobs.add(Change(job, (taken(lane, job),)), NOW) == job
        assert proxy.left == 0, "the response was lost"
        again = Change(job, (taken(lane, job, 1),))
        assert await jobs.add(again, NOW) == JobExists(current=job), "a second submission is another matter"
        proxy.left = 1
        claim, given = claimed(job), given_back(lane, job)
        assert await jobs.replace(Change(claim, (given,)), job.version) == claim
        assert proxy.left == 0
        answer = await jobs.replace(Change(claim, (given,)), job.version)
        assert answer == VersionConflict(job_id=job.id, current=claim)
        bodies = [json.loads(call.body) for call in proxy.calls if call.operation == TRANSACT]
        writes = [[write["Put"]["Item"]["write_id"]["S"] for write in body["TransactItems"][:1]] for body in bodies]
        assert [[body["ClientRequestToken"]] for body in bodies] == writes, "the SDK's own retry is the same request"
        assert (writes[0], writes[3]) == (writes[1], writes[4])


@pytest.mark.parametrize("before", [True, False], ids=["never sent", "never answered"])
async def test_a_change_with_companions_that_is_cut_off_is_made_wholly_or_not_at_all(
    database: str, before: bool
) -> None:
    job, lane = queued(id=new_id()), new_id()
    async for client, proxy in through(database, TRANSACT, losses=3, before=before):
        answer = await job_repository_on(client).add(Change(job, (taken(lane, job),)), NOW)
        assert isinstance(answer, StorageUnavailable)
        assert proxy.left == 0
    direct = LazyClient(database)
    jobs = job_repository_on(direct)
    assert await jobs.get(job.id, NOW) == (JobNotFound(job_id=job.id) if before else job)
    rival = queued(id=new_id())
    answer = await jobs.add(Change(rival, (taken(lane, rival),)), NOW)
    assert answer == (rival if before else CompanionRefused(job_id=rival.id, index=0))
    await direct.close()


async def test_a_schedule_whose_response_was_lost_is_stored_once(database: str) -> None:
    schedule = a_schedule()
    async for client, proxy in through(database, PUT):
        schedules = DynamoScheduleRepository(client, "SchedulesTable", new_id)
        assert await schedules.add(schedule) == schedule
        assert proxy.left == 0, "the response was lost"
        assert await schedules.add(schedule) == ScheduleExists(current=schedule)
        proxy.left = 1
        still = paused(schedule, NOW)
        assert await schedules.replace(still, 1) == still
        assert proxy.left == 0
        assert await schedules.replace(still, 1) == ScheduleConflict(schedule_id=schedule.id)


async def test_an_added_user_whose_response_was_lost_is_added(database: str) -> None:
    user = UserFactory.build(id=new_id(), email=f"{new_id()}@example.com")
    async for client, proxy in through(database, TRANSACT):
        users = user_repository_on(client)
        assert await users.add(user) == user
        assert proxy.left == 0
        assert isinstance(await users.add(user.model_copy(update={"id": new_id()})), EmailTaken)


async def test_a_change_of_address_whose_response_was_lost_is_recognised(database: str) -> None:
    user = UserFactory.build(id=new_id(), email=f"{new_id()}@example.com")
    changed = changed_user(user, NOW, email=Email(f"{new_id()}@example.com"), name=None, role=None)
    async for client, proxy in through(database, "NoSuchOperation"):
        users = user_repository_on(client)
        assert await users.add(user) == user
        assert proxy.left == 1
    async for client, proxy in through(database, TRANSACT):
        users = user_repository_on(client)
        assert await users.replace(changed, user) == changed
        assert proxy.left == 0
        assert await users.get(user.id) == changed
        assert isinstance(await users.get_by_email(Email(changed.email)), User)
        again = changed_user(user, NOW, email=None, name="x", role=None)
        assert await users.replace(again, user) == UserVersionConflict(user_id=user.id)


@pytest.mark.parametrize("before", [True, False], ids=["never sent", "never answered"])
async def test_a_change_of_address_that_is_cut_off_is_made_wholly_or_not_at_all(database: str, before: bool) -> None:
    user = UserFactory.build(id=new_id(), email=f"{new_id()}@example.com")
    changed = changed_user(user, NOW, email=Email(f"{new_id()}@example.com"), name=None, role=None)
    direct = LazyClient(database)
    users = user_repository_on(direct)
    await users.add(user)
    async for client, proxy in through(database, TRANSACT, losses=3, before=before):
        assert isinstance(await user_repository_on(client).replace(changed, user), StorageUnavailable)
        assert proxy.left == 0
    current, free = (user, changed) if before else (changed, user)
    assert await users.get(user.id) == current
    rival = UserFactory.build(id=new_id(), email=current.email)
    assert await users.add(rival) == EmailTaken(email=current.email), "the claim is not lost"
    successor = UserFactory.build(id=new_id(), email=free.email)
    assert await users.add(successor) == successor, "nor doubled"
    await direct.close()
