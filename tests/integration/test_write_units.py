"""The write units of a job, measured on a database that charges as DynamoDB does."""

import json
from datetime import timedelta

from pydantic import BaseModel

from domain.durable.attempts import JobSteps
from domain.durable.signalling import Signalled, SignalService
from domain.jobs import transitions
from domain.jobs.catalogue import Catalogue
from domain.jobs.change import Change
from domain.jobs.dispatch import Dispatcher
from domain.jobs.documents import Documents
from domain.jobs.execution import JobExecutor
from domain.jobs.execution_results import Executed
from domain.jobs.job import Job
from domain.jobs.outcomes import Done as Succeeding
from domain.jobs.run_due import DueJobRunner
from domain.jobs.service import JobService
from domain.jobs.submission import Submission
from domain.jobs.submitting import SubmissionService, Submitted
from domain.jobs.sweeping import Sweeper
from domain.jobs.wake_queue import Wake
from domain.lanes.lanes import Lanes
from domain.lanes.releasing import Released
from domain.quotas.quotas import Quotas
from domain.schedules.sweeping import TickSweeper
from domain.schedules.tick_outcomes import (
    Made,
)
from domain.schedules.tick_queue import TickWake
from domain.schedules.ticking import (
    Ticker,
)
from domain.users.quota import Quota
from functions.runtime import LazyClient, new_random, now
from headrace import Done, Update, job_item
from headrace.authoring.context import JobContext
from headrace.authoring.job_type import WORKER, Policy
from headrace.authoring.json_text import JsonText
from headrace.testing.clock import FakeClock
from headrace.testing.wake_queue import FakeWakeQueue
from persistence.converters.attributes import item_size
from persistence.converters.dynamo_to_domain import job_to_item
from persistence.dynamodb.repositories.job_repository import DynamoJobRepository
from persistence.dynamodb.repositories.schedule_repository import DynamoScheduleRepository
from persistence.dynamodb.repositories.step_repository import DynamoStepRepository
from persistence.dynamodb.repositories.stream_positions import DynamoStreamPositions
from persistence.dynamodb.repositories.usage_repository import DynamoUsageRepository
from tests.companions import given_back, taken
from tests.conftest import job_repository_on, lane_repository_on, new_id
from tests.factories import NOW, UserFactory, claimed, finished, queued, scheduled
from tests.fakes.handlers import Count, Text, a_handler
from tests.fakes.schedule_repository import COMPANIONS, FakeTickQueue
from tests.fakes.user_repository import FakeUserRepository
from tests.integration.metering import Meter
from tests.schedules import a_schedule

SECOND = timedelta(seconds=1)
TICK_UNITS = 8.0
"""Twice the job and the schedule; the job's two entries in indexes, and the move of the schedule's."""


async def test_a_happy_job_costs_six_write_units_and_the_worker_reads_nothing(
    metered: tuple[LazyClient, Meter],
) -> None:
    client, meter = metered
    jobs, catalogue = job_repository_on(client), Catalogue([a_handler()])
    service = SubmissionService(jobs, catalogue, now, new_id)
    executor = JobExecutor(jobs, catalogue, now, new_id, new_random, {})
    submission = Submission(type="text.word_count", payload={"text": "x" * 150})
    submitted = await service.submit(submission, UserFactory.build(id=new_id()))
    assert isinstance(submitted, Submitted)
    create = meter.take()
    executed = await executor.execute(submitted.job, now() + 120 * SECOND)
    assert isinstance(executed, Executed)
    assert executed.outcome == "succeeded"
    work = meter.take()
    assert create == [("PutItem", 3.0)], "the item, its owner, its wake time"
    assert work == [("PutItem", 1.0), ("PutItem", 2.0)], "the claim moves no index; the end leaves one"
    assert item_size(job_to_item(executed.job, new_id())) <= 1024


async def test_a_job_under_a_quota_costs_four_units_more_and_one_for_its_minute(
    metered: tuple[LazyClient, Meter],
) -> None:
    client, meter = metered
    jobs, catalogue = job_repository_on(client), Catalogue([a_handler()])
    owner = UserFactory.build(id=new_id(), quota=Quota(unfinished=100, submissions_per_minute=100))
    quotas = Quotas(DynamoUsageRepository(client, "JobsTable", "LanesTable"), Quota(), now)
    service = SubmissionService(jobs, catalogue, now, new_id, quotas=quotas)
    submission = Submission(type="text.word_count", payload={"text": "x" * 50})
    for _ in range(3):
        submitted = await service.submit(submission, owner)
        assert meter.take() == [("Query", 0.5), ("UpdateItem", 1.0), ("PutItem", 5.0)], "two entries more"
    assert isinstance(submitted, Submitted)
    executor = JobExecutor(jobs, catalogue, now, new_id, new_random, {})
    assert isinstance(await executor.execute(submitted.job, now() + 120 * SECOND), Executed)
    assert meter.take() == [("PutItem", 1.0), ("PutItem", 4.0)], "the claim moves no index; the end leaves them"


async def test_a_job_in_the_callers_own_transaction_costs_four(metered: tuple[LazyClient, Meter]) -> None:
    client, meter = metered
    job = job_item(a_handler(), {"text": "x" * 150}, owner=new_id(), jobs_table="JobsTable")
    await (await client()).transact_write_items(TransactItems=[job.write])
    assert meter.take() == [("TransactWriteItems", 4.0)], "twice the item, and its two entries in indexes"


async def test_a_delay_costs_no_write_unit_and_one_read(metered: tuple[LazyClient, Meter]) -> None:
    client, meter = metered
    jobs, catalogue = job_repository_on(client), Catalogue([a_handler(policy=Policy(runner=WORKER))])
    executor = JobExecutor(jobs, catalogue, now, new_id, new_random, {})
    runner = DueJobRunner(jobs, executor, Dispatcher(catalogue, {}, now), WORKER, now)
    payload = JsonText(json.dumps({"text": "x" * 150}))
    job = scheduled(
        run_at=now() - SECOND, now=now() - 60 * SECOND, id=new_id(), type="text.word_count", payload=payload
    )
    await jobs.add(Change(job), now())
    assert meter.take() == [("PutItem", 3.0)]
    assert job.wake_at is not None
    executed = await runner.run(Wake(job_id=job.id, due=job.wake_at), now() + 120 * SECOND)
    assert isinstance(executed, Executed)
    assert meter.take() == [("GetItem", 1.0), ("PutItem", 1.0), ("PutItem", 2.0)]


async def without_positions(client: LazyClient) -> None:
    """Delete the positions that other tests left in the table."""
    database = await client()
    left = await database.scan(TableName="StreamPositionsTable")
    for item in left["Items"]:
        key = {name: item[name] for name in ("stream", "environment")}
        await database.delete_item(TableName="StreamPositionsTable", Key=key)


async def test_a_transaction_costs_twice_its_writes_and_a_change_alone_is_none(
    metered: tuple[LazyClient, Meter],
) -> None:
    client, meter = metered
    jobs, job, lane = job_repository_on(client), queued(id=new_id(), tags={}), new_id()
    await jobs.add(Change(job), NOW)
    assert meter.take() == [("PutItem", 3.0)]
    claim = claimed(job)
    assert await jobs.replace(Change(claim, (taken(lane, job),)), job.version) == claim
    assert meter.take() == [("TransactWriteItems", 4.0)], "claim and place, twice one unit each"
    done = finished(claim, Succeeding(result=JsonText("{}")))
    assert await jobs.replace(Change(done, (given_back(lane, job),)), claim.version) == done
    assert meter.take() == [("TransactWriteItems", 5.0)], "twice the end and the place, once the index that it leaves"


async def test_what_a_job_in_a_lane_costs_blocked_or_not(metered: tuple[LazyClient, Meter]) -> None:
    client, meter = metered
    jobs, catalogue = job_repository_on(client), Catalogue([a_handler(policy=Policy(limit=1, lane=new_id()))])
    lanes = Lanes(jobs, lane_repository_on(client), catalogue, now, new_random)
    service = SubmissionService(jobs, catalogue, now, new_id, lanes=lanes)
    executor = JobExecutor(jobs, catalogue, now, new_id, new_random, {}, lanes=lanes)
    submission, owner = Submission(type="text.word_count", payload={"text": "x" * 150}), UserFactory.build(id=new_id())

    async def submitted() -> Job:
        answer = await service.submit(submission, owner)
        assert isinstance(answer, Submitted)
        return answer.job

    first = await submitted()
    reads = [("Query", 0.5), ("Query", 1.0)]
    assert sorted(meter.take()) == [*reads, ("TransactWriteItems", 6.0)], "nobody waits: job and place, twice one unit"
    claim = transitions.claim(first, Policy(), "t", now() + 120 * SECOND, now())  # held while the others come
    assert isinstance(claim, Change)
    held = await jobs.replace(claim, 1)
    assert isinstance(held, Job)
    assert meter.take() == [("PutItem", 1.0)], "it has its place already"
    blocked = await submitted()
    assert blocked.status == "blocked"
    assert sorted(meter.take()) == [("PutItem", 4.0), ("Query", 1.0), ("Query", 1.0)], "it looks for a place again"
    assert (await submitted()).status == "blocked"
    assert sorted(meter.take()) == [("PutItem", 4.0), ("Query", 1.0), ("Query", 1.0)], "however long the line is"
    done = transitions.finish(held, Policy(), "t", Succeeding(result=JsonText("{}")), now(), 0.5)
    assert isinstance(done, Change)
    assert isinstance(await jobs.replace(done, 2), Job)
    assert meter.take() == [("TransactWriteItems", 5.0)], "the end and the place, twice; once the index that it leaves"
    assert await lanes.release(str(blocked.lane and blocked.lane.name)) == Released(count=1)
    let_go = [("BatchGetItem", 0.0), ("Query", 0.5), ("Query", 1.0), ("TransactWriteItems", 7.0)]
    assert sorted(meter.take()) == let_go, "out of the line into a place, and the wake time; the job is read for 1.0"
    queued_again = await jobs.get(blocked.id, now())
    assert isinstance(queued_again, Job)
    meter.take()
    assert isinstance(await executor.execute(queued_again, now() + 120 * SECOND), Executed)
    work = meter.take()
    written = [unit for unit in work if unit[0] in {"PutItem", "TransactWriteItems"}]
    assert written == [("PutItem", 1.0), ("TransactWriteItems", 5.0), ("TransactWriteItems", 7.0)], "the next goes too"
    assert sum(units for call, units in work if call == "Query") == 2.5, "its place, and who follows"
    assert [call for call, _ in work].count("BatchGetItem") == 1, "who follows is read, for 1.0"


async def test_a_tick_costs_its_job_twice_and_the_schedule_and_a_sweep_without_schedules_one_query(
    metered: tuple[LazyClient, Meter],
) -> None:
    client, meter = metered
    schedules = DynamoScheduleRepository(client, "SchedulesTable", new_id)
    jobs = DynamoJobRepository(client, "JobsTable", new_id, COMPANIONS)
    catalogue, users = Catalogue([a_handler()]), FakeUserRepository()
    owner = UserFactory.build(id=new_id())
    await users.add(owner)
    schedule = a_schedule(now() - 90 * SECOND, owner_id=owner.id)
    await schedules.add(schedule)
    assert meter.take() == [("PutItem", 3.0)], "the item, its owner, its next tick"
    submissions, service = SubmissionService(jobs, catalogue, now, new_id), JobService(jobs, catalogue, now)
    ticker = Ticker(schedules, jobs, submissions, service, users, FakeTickQueue(), now)
    (made,) = await ticker.tick(TickWake(schedule_id=schedule.id, due=now()))
    assert isinstance(made, Made)
    assert meter.take() == [("GetItem", 1.0), ("TransactWriteItems", TICK_UNITS)]
    await schedules.delete(schedule.id, 2)
    meter.take()
    far_past = now() - SECOND * 10**9
    await TickSweeper(schedules, FakeTickQueue(), lambda: far_past).sweep(far_past + SECOND * 60)
    assert meter.take() == [("Query", 0.5)]


async def test_a_sweep_without_work_reads_each_shard_twice_and_the_positions_once(
    metered: tuple[LazyClient, Meter], ministack_client: LazyClient
) -> None:
    await without_positions(ministack_client)
    client, meter = metered
    jobs = job_repository_on(client)
    far_past = now() - SECOND * 10**9
    positions = DynamoStreamPositions(client, "StreamPositionsTable")
    sweeper = Sweeper(jobs, positions, FakeWakeQueue(), Catalogue([a_handler()]), lambda: far_past, new_random)
    await sweeper.sweep(far_past + SECOND * 60)
    assert [operation for operation, _ in meter.take()] == ["Query"] * 17


class Approval(BaseModel):
    """A signal."""

    by: str


async def test_steps_sleeps_and_signals_cost_what_the_documentation_says(metered: tuple[LazyClient, Meter]) -> None:
    client, meter = metered
    jobs, clock = job_repository_on(client), FakeClock()

    async def run(_: Text, context: JobContext) -> Count:
        await context.step("charge", int)
        await context.sleep("cooling-off", timedelta(days=1))
        await context.signal("approved", Approval)
        return Count(words=1)

    catalogue = Catalogue([a_handler(run=run, policy=Policy(runner=WORKER))])
    repository = DynamoStepRepository(client, "JobStepsTable", "JobsTable")
    steps = JobSteps(repository, Documents(), clock, new_id)
    executor = JobExecutor(jobs, catalogue, clock, new_id, new_random, {}, steps=lambda: steps)
    runner = DueJobRunner(jobs, executor, Dispatcher(catalogue, {}, clock), WORKER, clock)
    owner = UserFactory.build(id=new_id(), role="member")
    submitted = await SubmissionService(jobs, catalogue, clock, new_id).submit(
        Submission(type="text.word_count", payload={"text": "x" * 150}), owner
    )
    assert isinstance(submitted, Submitted)
    meter.take()

    await executor.execute(submitted.job, clock() + 120 * SECOND)
    claim, step, pause = meter.take()
    assert claim == ("PutItem", 1.0), "the first attempt reads nothing"
    assert step == ("TransactWriteItems", 4.0), "a step: twice itself, and twice the check of the lease"
    assert pause == ("TransactWriteItems", 6.0), "a pause: twice the job and the sleep, and the wake index"

    clock.forward(timedelta(days=1))
    asleep = await jobs.get(submitted.job.id, clock())
    assert isinstance(asleep, Job)
    assert asleep.wake_at is not None
    meter.take()
    await runner.run(Wake(job_id=asleep.id, due=asleep.wake_at), clock() + 120 * SECOND)
    assert meter.take() == [
        ("GetItem", 1.0),
        ("PutItem", 1.0),
        ("Query", 1.0),
        ("TransactWriteItems", 6.0),
    ], "what wakes reads its job and its steps"

    service = JobService(jobs, catalogue, clock)
    signals = SignalService(jobs, service, repository, Documents(), catalogue, clock, new_id)
    signalled = await signals.send(asleep.id, "approved", {"by": "Ann"}, owner)
    assert isinstance(signalled, Signalled)
    assert meter.take() == [("GetItem", 1.0), ("GetItem", 1.0), ("TransactWriteItems", 6.0)]
    executed = await executor.execute(signalled.job, clock() + 120 * SECOND)
    assert isinstance(executed, Executed)
    assert executed.outcome == "succeeded"
    assert meter.take() == [("PutItem", 2.0), ("Query", 1.0), ("PutItem", 3.0)], "its history has passed 1 KB"


async def test_a_handlers_own_writes_cost_twice_what_they_cost_alone(
    metered: tuple[LazyClient, Meter], ministack_client: LazyClient
) -> None:
    client, meter = metered
    jobs = job_repository_on(client)

    async def run(_: Text, context: JobContext) -> Done[Count]:
        context.submit("text.word_count", {"text": "x" * 150}, name="next")
        return Done(Count(words=1), writes=[Update(table="AccountsOfUnits", key={"id": "a"}, add={"cents": 1})])

    await (await ministack_client()).create_table(
        TableName="AccountsOfUnits", BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    )  # fmt: skip
    executor = JobExecutor(jobs, Catalogue([a_handler(run=run)]), now, new_id, new_random, {})
    job = queued(now=now(), id=new_id(), type="text.word_count", payload=JsonText(json.dumps({"text": "x" * 150})))
    await jobs.add(Change(job), now())
    meter.take()
    executed = await executor.execute(job, now() + 120 * SECOND)
    assert isinstance(executed, Executed)
    assert executed.outcome == "succeeded"
    claim, end = meter.take()
    assert claim == ("PutItem", 1.0)
    assert end == ("TransactWriteItems", 9.0), (
        "the job 2 and its index 1, the update 2, the new job 2 and its indexes 2"
    )
