"""A message of the wake queue starts a job that is due, and does nothing else."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from domain.jobs.catalogue import Catalogue
from domain.jobs.change import Change
from domain.jobs.dispatch import Dispatcher
from domain.jobs.execution import JobExecutor
from domain.jobs.execution_results import Executed, Execution, Interrupted, NothingToDo
from domain.jobs.job import Job
from domain.jobs.repository import JobNotFound, JobRepository, JobUnreadable
from domain.jobs.run_due import MAX_EARLY, DueJobRunner
from domain.jobs.wake_queue import Wake
from domain.results import StorageUnavailable
from headrace.authoring.job_type import WORKER, Policy
from headrace.authoring.json_text import JsonText
from headrace.testing.clock import FakeClock, half, numbered_ids
from headrace.testing.job_repository import FakeJobRepository
from headrace.testing.virtual_loop import run_in_virtual_time
from tests.factories import NOW, cancelled, in_every_state, retrying, scheduled
from tests.fakes.faulty_job_repository import OUTAGE, FaultyJobRepository
from tests.fakes.handlers import a_handler

SECOND = timedelta(seconds=1)
KIND = "text.word_count"
PAYLOAD = JsonText('{"text":"a b"}')
CATALOGUE = Catalogue([a_handler(policy=Policy(timeout=5 * SECOND))])


async def run(job: Job, jobs: JobRepository, clock: FakeClock, due: datetime | None = None) -> Execution:
    executor = JobExecutor(jobs, CATALOGUE, clock, numbered_ids(), half, {})
    runner = DueJobRunner(jobs, executor, Dispatcher(CATALOGUE, {}, clock), WORKER, clock)
    return await runner.run(Wake(job_id=job.id, due=due or job.wake_at or NOW), clock() + timedelta(seconds=60))


async def stored(job: Job) -> FakeJobRepository:
    jobs = FakeJobRepository()
    await jobs.add(Change(job), NOW)
    return jobs


@pytest.mark.parametrize("wait", [scheduled, retrying])
async def test_a_due_job_is_claimed_straight_from_its_wait(wait: Callable[..., Job]) -> None:
    job = wait(type=KIND, payload=PAYLOAD)
    jobs, clock = await stored(job), FakeClock(job.wake_at or NOW)
    clock.forward(SECOND / 2)
    executed = await run(job, jobs, clock)
    assert isinstance(executed, Executed)
    assert [entry.status for entry in executed.job.history][-3:] == [job.status, "running", "succeeded"]
    assert executed.job.version == job.version + 2
    assert executed.waited == SECOND / 2, "since it was due"


async def test_a_message_that_comes_twice_runs_the_job_once() -> None:
    job = scheduled(type=KIND, payload=PAYLOAD)
    jobs, clock = await stored(job), FakeClock(job.wake_at or NOW)
    first, second = await run(job, jobs, clock), await run(job, jobs, clock)
    assert isinstance(first, Executed)
    assert second == NothingToDo(job_id=job.id, why="succeeded")


class LoopClock(FakeClock):
    """Goes with the time of the loop."""

    def __call__(self) -> datetime:
        return NOW + timedelta(seconds=asyncio.get_running_loop().time())


@pytest.mark.parametrize("early", [timedelta(milliseconds=50), MAX_EARLY])
def test_an_early_message_waits_out_a_little(early: timedelta) -> None:
    job = scheduled(run_at=NOW + early, type=KIND, payload=PAYLOAD)

    async def run_it() -> Execution:
        return await run(job, await stored(job), LoopClock())

    executed = run_in_virtual_time(run_it())
    assert isinstance(executed, Executed)
    assert executed.waited < timedelta(milliseconds=20)


async def test_a_message_that_comes_much_earlier_is_left_to_the_sweep() -> None:
    later = scheduled(run_at=NOW + MAX_EARLY + SECOND, type=KIND, payload=PAYLOAD)
    untouched = FaultyJobRepository(await stored(later), on_read=lambda: OUTAGE)
    assert await run(later, untouched, FakeClock()) == NothingToDo(job_id=later.id, why="early")


async def test_a_message_of_an_earlier_wait_does_not_start_the_next_one_early() -> None:
    job = retrying(type=KIND, payload=PAYLOAD)
    jobs = await stored(job)
    assert await run(job, jobs, FakeClock(), due=NOW - SECOND) == NothingToDo(job_id=job.id, why="retrying")
    assert await jobs.get(job.id, NOW) == job


@pytest.mark.parametrize("job", [each for each in in_every_state() if each.status not in {"queued", "scheduled"}])
async def test_a_message_for_a_job_that_has_moved_on_costs_a_read_and_no_write(job: Job) -> None:
    def write(_job: Job) -> None:
        raise AssertionError("written")

    jobs = FaultyJobRepository(await stored(job), on_replace=write)
    assert await run(job, jobs, FakeClock(), due=NOW) == NothingToDo(job_id=job.id, why=job.status)


async def test_a_job_that_is_long_overdue_is_left_to_the_sweep_which_ends_it() -> None:
    job = scheduled(type=KIND, payload=PAYLOAD)
    clock = FakeClock((job.wake_at or NOW) + timedelta(days=8))
    assert await run(job, await stored(job), clock) == NothingToDo(job_id=job.id, why="scheduled")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (JobUnreadable(job_id="1", detail="status"), "unreadable"),
        (OUTAGE, OUTAGE),
    ],
)
async def test_a_job_that_cannot_be_read_is_left_alone(
    answer: JobUnreadable | StorageUnavailable, expected: str | StorageUnavailable
) -> None:
    job = cancelled()
    got = await run(job, FaultyJobRepository(await stored(job), on_read=lambda: answer), FakeClock(), due=NOW)
    match got:
        case NothingToDo(why=why):
            assert why == expected
        case Interrupted(stage="claim", problem=problem):
            assert problem == expected
        case _:
            pytest.fail(str(got))


async def test_a_job_that_is_gone_needs_nothing() -> None:
    job = scheduled()
    assert await run(job, FakeJobRepository(), FakeClock(), due=NOW) == NothingToDo(job_id=job.id, why="gone")
    assert isinstance(await FakeJobRepository().get(job.id, NOW), JobNotFound)
