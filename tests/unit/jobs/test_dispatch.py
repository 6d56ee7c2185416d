"""Jobs of another runner are sent to its queue, and run there."""

from datetime import timedelta

import pytest

from domain.durable.step import MAX_LIFE
from domain.jobs.catalogue import Catalogue
from domain.jobs.change import Change
from domain.jobs.dispatch import Dispatcher
from domain.jobs.execution import JobExecutor
from domain.jobs.execution_results import Dispatched, Executed, Interrupted
from domain.jobs.fitting import (
    KeptTooLong,
    UnrunnableJobType,
    refuse_kept_longer_than,
    refuse_unknown_runners,
    refuse_unrunnable,
)
from domain.jobs.job import Job, Queued
from domain.jobs.run_due import DueJobRunner
from domain.jobs.transitions import redrive
from domain.jobs.wake_queue import Wake, WakeQueue
from headrace.authoring.job_type import LONGEST_IN_WORKER, STANDARD, WORKER, Policy
from headrace.authoring.json_text import JsonText
from headrace.testing.clock import FakeClock, half, numbered_ids
from headrace.testing.job_repository import FakeJobRepository
from headrace.testing.wake_queue import FakeWakeQueue
from tests.factories import NOW, legal, queued, scheduled
from tests.fakes.handlers import a_handler

SECOND = timedelta(seconds=1)
LONG = Policy(timeout=60 * SECOND)
SHORT = Policy(timeout=5 * SECOND)
CATALOGUE = Catalogue([
    a_handler(name="video.cut", policy=LONG),
    a_handler(name="text.count", policy=SHORT),
    a_handler(name="gpu.render", policy=Policy(timeout=SECOND, runner="gpu")),
])  # fmt: skip


def a_dispatcher(**queues: FakeWakeQueue) -> Dispatcher:
    return Dispatcher(CATALOGUE, dict[str, WakeQueue](queues), FakeClock())


def a_job(type: str, id: str = "job", owner_id: str = "ann") -> Job:
    return queued(type=type, payload=JsonText('{"text":"a b"}'), id=id, owner_id=owner_id)


@pytest.mark.parametrize(
    ("policy", "runner"),
    [
        (Policy(timeout=LONGEST_IN_WORKER), WORKER),
        (Policy(timeout=LONGEST_IN_WORKER + SECOND), STANDARD),
        (Policy(timeout=SECOND, runner=STANDARD), STANDARD),
        (Policy(timeout=60 * SECOND, runner=WORKER), WORKER),
        (Policy(runner="gpu"), "gpu"),
    ],
)
def test_short_jobs_run_in_the_worker_and_others_where_they_say(policy: Policy, runner: str) -> None:
    assert policy.runs_in == runner


def test_a_type_that_this_version_does_not_know_has_no_runner() -> None:
    assert a_dispatcher().runner_of(a_job("of.tomorrow")) is None


async def test_each_job_goes_to_the_queue_of_its_runner_with_its_owner() -> None:
    standard, gpu = FakeWakeQueue(), FakeWakeQueue()
    cut, render = a_job("video.cut", id="1", owner_id="ann"), a_job("gpu.render", id="2", owner_id="bob")
    dispatched = await a_dispatcher(standard=standard, gpu=gpu).dispatch((cut, render))
    assert dispatched == (Dispatched(job_id="1", runner=STANDARD), Dispatched(job_id="2", runner="gpu"))
    assert [(wake.job_id, wake.owner_id) for wake in (*standard.waiting, *gpu.waiting)] == [("1", "ann"), ("2", "bob")]
    assert standard.take(NOW) != (), "at once"


async def test_a_job_whose_runner_has_no_queue_is_handed_back() -> None:
    (answer,) = await a_dispatcher().dispatch((a_job("video.cut"),))
    assert isinstance(answer, Interrupted)
    assert (answer.stage, answer.problem.detail) == ("dispatch", "the runner standard has no queue")


async def run_here(here: str, job: Job, dispatcher: Dispatcher) -> object:
    jobs, clock = FakeJobRepository(), FakeClock(job.wake_at or NOW)
    await jobs.add(Change(job), NOW)
    executor = JobExecutor(jobs, CATALOGUE, clock, numbered_ids(), half, {})
    return await DueJobRunner(jobs, executor, dispatcher, here, clock).run(
        Wake(job_id=job.id, due=NOW), clock() + timedelta(minutes=15)
    )


async def test_a_runner_claims_and_runs_what_its_message_names() -> None:
    assert isinstance(await run_here(STANDARD, a_job("video.cut"), a_dispatcher()), Executed)


async def test_a_runner_runs_short_jobs_whose_type_has_moved_to_the_worker() -> None:
    assert isinstance(await run_here(STANDARD, a_job("text.count"), a_dispatcher()), Executed)


@pytest.mark.parametrize("here", [WORKER, STANDARD])
async def test_a_message_that_reaches_another_function_is_sent_on_unclaimed(here: str) -> None:
    gpu = FakeWakeQueue()
    job = scheduled(type="gpu.render", payload=JsonText('{"text":"a"}'))
    assert await run_here(here, job, a_dispatcher(gpu=gpu)) == Dispatched(job_id=job.id, runner="gpu")
    assert [wake.job_id for wake in gpu.waiting] == [job.id]


def test_a_type_of_a_runner_that_is_not_declared_is_refused_at_start() -> None:
    with pytest.raises(UnrunnableJobType, match=r"gpu.render needs the runner gpu, but .* only standard, worker"):
        refuse_unknown_runners(CATALOGUE, {WORKER, STANDARD})
    refuse_unknown_runners(CATALOGUE, {WORKER, STANDARD, "gpu"})


def test_a_type_is_refused_at_the_start_of_the_runner_that_cannot_honour_its_timeout() -> None:
    refuse_unrunnable(CATALOGUE, WORKER, 60 * SECOND)
    refuse_unrunnable(CATALOGUE, STANDARD, 68 * SECOND)
    with pytest.raises(UnrunnableJobType, match=r"video.cut has a timeout of 60 s, and its runner, standard, can give"):
        refuse_unrunnable(CATALOGUE, STANDARD, 67 * SECOND)


def test_a_type_whose_jobs_might_outlive_their_large_payloads_is_refused_at_start() -> None:
    week = timedelta(days=7)
    refuse_kept_longer_than(CATALOGUE, MAX_LIFE + week)
    with pytest.raises(KeptTooLong, match=r"keeps its jobs for 7 days, .* lower Policy\(retention=…\) to 6 days, or"):
        refuse_kept_longer_than(CATALOGUE, MAX_LIFE + week - timedelta(days=1))


def test_a_runners_backlog_is_not_triggered_again_every_few_seconds() -> None:
    job = queued(NOW, LONG)
    triggered, now = 0, NOW
    while now < NOW + timedelta(hours=1):
        assert isinstance(job.state, Queued)
        assert job.wake_at is not None
        now = job.wake_at
        job, triggered = legal(redrive(job, LONG, now)), triggered + 1
    assert triggered <= 6
