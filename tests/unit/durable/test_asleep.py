"""A handler that sleeps costs nothing until it wakes: nothing is written, so no stream record; nothing is sent."""

from datetime import timedelta

from domain.durable.attempts import JobSteps
from domain.jobs.catalogue import Catalogue
from domain.jobs.change import Change
from domain.jobs.dispatch import Dispatcher
from domain.jobs.documents import Documents
from domain.jobs.execution import JobExecutor
from domain.jobs.job import Job
from domain.jobs.run_due import DueJobRunner
from domain.jobs.sweeping import Sweeper
from headrace.authoring.context import JobContext
from headrace.authoring.job_type import WORKER, Policy
from headrace.authoring.json_text import JsonText
from headrace.testing.clock import FakeClock, half, numbered_ids
from headrace.testing.job_repository import FakeJobRepository
from headrace.testing.step_repository import FakeStepRepository
from headrace.testing.stream_positions import FakeStreamPositions
from headrace.testing.wake_queue import FakeWakeQueue
from tests.factories import NOW, queued
from tests.fakes.handlers import Count, Text, a_handler

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
SLEEP = timedelta(days=30)
LOOK_AHEAD = timedelta(minutes=15)
"""How long before its time a wake message is sent, at the most: SQS keeps none longer."""


class CountedJobs(FakeJobRepository):
    """Counts what is written, each of which is a stream record too."""

    def __init__(self) -> None:
        super().__init__()
        self.written = 0

    def _committed(self, change: Change) -> Job:
        self.written += 1
        return super()._committed(change)


async def test_nothing_is_written_and_nobody_invoked_between_falling_asleep_and_waking() -> None:
    jobs, clock, wakes = CountedJobs(), FakeClock(), FakeWakeQueue()

    async def run(_: Text, context: JobContext) -> Count:
        await context.sleep("cooling-off", SLEEP)
        return Count(words=1)

    catalogue = Catalogue([a_handler(run=run, policy=Policy(runner=WORKER))])
    steps = JobSteps(FakeStepRepository(jobs), Documents(), clock, numbered_ids())
    executor = JobExecutor(jobs, catalogue, clock, numbered_ids(), half, {}, steps=lambda: steps)
    sweeper = Sweeper(jobs, FakeStreamPositions(), wakes, catalogue, clock, half)
    job = queued(NOW, type="text.word_count", payload=JsonText('{"text":"x"}'))
    await jobs.add(Change(job), clock())
    await executor.execute(job, clock() + 2 * MINUTE)
    asleep = await jobs.get(job.id, clock())
    assert isinstance(asleep, Job)
    assert (asleep.status, asleep.wake_at) == ("waiting", NOW + SLEEP)

    jobs.written = 0
    sweeps = 0
    while clock() < NOW + SLEEP - LOOK_AHEAD - 2 * MINUTE:
        clock.forward(min(HOUR, NOW + SLEEP - LOOK_AHEAD - MINUTE - clock()))
        await sweeper.sweep(clock() + MINUTE)
        sweeps += 1
    assert sweeps >= 30 * 24 - 1
    assert (jobs.written, list(wakes.waiting)) == (0, [])

    clock.forward(1.5 * MINUTE)
    await sweeper.sweep(clock() + MINUTE)
    assert [wake.job_id for wake in wakes.waiting] == [job.id], "one message"
    assert jobs.written == 0
    clock.now = NOW + SLEEP
    (wake,) = wakes.take(clock())
    await DueJobRunner(jobs, executor, Dispatcher(catalogue, {}, clock), WORKER, clock).run(wake, clock() + 2 * MINUTE)
    woken = await jobs.get(job.id, clock())
    assert isinstance(woken, Job)
    assert (woken.status, jobs.written) == ("succeeded", 2), "claimed, and ended"
