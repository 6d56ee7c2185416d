"""Claims about cancellation. The numbers are those of `../claims_of_others.md`."""

from datetime import timedelta

import pytest

from headrace.testing import JobStack
from headrace.testing.stack import StackJob
from tests.acceptance.claims.conftest import HOUR, Log, Worked


async def running(stack: JobStack, does: str) -> StackJob:
    """A job whose attempt is under way."""
    job = await stack.submit("claims.work", {"does": does})
    await stack.travel(seconds=1)
    assert stack.job(job.id).status == "running"
    return job


async def test_c01_a_waiting_job_is_cancelled_at_once_and_never_runs(job_stack: JobStack, log: Log) -> None:
    job = await job_stack.submit("claims.work", {})
    assert (await job_stack.cancel(job.id)).status == "cancelled"
    await job_stack.travel(days=1)
    assert (job_stack.job(job.id).status, log.ran) == ("cancelled", [])


async def test_c02_a_scheduled_job_is_cancelled_at_once_and_never_runs(job_stack: JobStack, log: Log) -> None:
    job = await job_stack.submit("claims.work", {}, delay=HOUR)
    assert (await job_stack.cancel(job.id)).status == "cancelled"
    await job_stack.travel(days=1)
    assert log.ran == []


async def test_c03_a_job_that_is_to_be_retried_is_cancelled_at_once(job_stack: JobStack, log: Log) -> None:
    job = await job_stack.submit("claims.work", {"fails": 9})
    await job_stack.drain()
    assert (await job_stack.cancel(job.id)).status == "cancelled"
    await job_stack.travel(days=1)
    assert log.ran == ["job 1"]


async def test_c04_a_running_job_is_asked_and_cancelled_when_it_stops(job_stack: JobStack) -> None:
    job = await running(job_stack, "obey")
    assert (await job_stack.cancel(job.id)).status == "running"
    await job_stack.travel(seconds=2)
    assert job_stack.job(job.id).status == "cancelled"


async def test_c05_a_handler_that_does_not_look_is_not_interrupted(job_stack: JobStack) -> None:
    job = await running(job_stack, "sleep once")
    await job_stack.cancel(job.id)
    await job_stack.travel(seconds=5)
    assert job_stack.job(job.id).status == "running"
    await job_stack.travel(seconds=20)
    assert job_stack.job(job.id).result == Worked(attempt=1)


async def test_c06_a_handler_that_finishes_all_the_same_has_succeeded(job_stack: JobStack) -> None:
    job = await running(job_stack, "finish when cancelled")
    await job_stack.cancel(job.id)
    await job_stack.travel(seconds=2)
    assert job_stack.job(job.id).result == Worked(attempt=1)


async def test_c07_a_job_that_breaks_when_it_is_asked_to_stop_is_not_tried_again(job_stack: JobStack, log: Log) -> None:
    job = await running(job_stack, "break when cancelled")
    await job_stack.cancel(job.id)
    await job_stack.travel(days=1)
    assert (job_stack.job(job.id).status, log.ran) == ("cancelled", ["job 1"])


async def test_c08_a_job_that_hangs_after_it_was_asked_to_stop_ends_with_its_time(
    job_stack: JobStack, log: Log
) -> None:
    job = await running(job_stack, "sleep")
    await job_stack.cancel(job.id)
    await job_stack.travel(days=1)
    assert (job_stack.job(job.id).status, log.ran) == ("cancelled", ["job 1"])


async def test_c09_a_job_that_would_be_put_off_is_cancelled_instead(job_stack: JobStack) -> None:
    job = await running(job_stack, "nap when cancelled")
    await job_stack.cancel(job.id)
    await job_stack.travel(seconds=2)
    assert job_stack.job(job.id).status == "cancelled"


async def test_c10_a_job_that_sleeps_is_cancelled_at_once(job_stack: JobStack) -> None:
    job = await job_stack.submit("claims.work", {"does": "nap"})
    await job_stack.drain()
    assert job_stack.job(job.id).status == "waiting"
    assert (await job_stack.cancel(job.id)).status == "cancelled"
    await job_stack.travel(days=1)
    assert job_stack.job(job.id).status == "cancelled"


@pytest.mark.parametrize(("does", "status"), [("work", "succeeded"), ("give up", "failed")])
async def test_c11_a_job_that_has_ended_stays_as_it_is(job_stack: JobStack, does: str, status: str) -> None:
    job = await job_stack.submit("claims.work", {"does": does})
    await job_stack.drain()
    with pytest.raises(ValueError, match="cannot be changed"):
        await job_stack.cancel(job.id)
    assert job_stack.job(job.id).status == status


async def test_c12_a_job_that_does_not_exist_is_told(job_stack: JobStack) -> None:
    other = await job_stack.submit("claims.work", {})
    with pytest.raises(LookupError, match="no job has the id"):
        await job_stack.cancel("00000000-0000-4000-8000-00000000dead")
    assert job_stack.job(other.id).status == "queued"


async def test_c13_asking_twice_is_asking_once(job_stack: JobStack) -> None:
    job = await running(job_stack, "obey")
    assert [(await job_stack.cancel(job.id)).status for _ in range(2)] == ["running"] * 2
    await job_stack.travel(seconds=2)
    assert job_stack.job(job.id).history.count("cancelled") == 1


async def test_c14_other_jobs_go_on(job_stack: JobStack, log: Log) -> None:
    first, second = [await job_stack.submit("claims.work", {"name": name}) for name in ("first", "second")]
    await job_stack.cancel(first.id)
    await job_stack.drain()
    assert (log.names(), job_stack.job(second.id).status) == (["second"], "succeeded")


async def test_c15_a_cancelled_job_may_be_tried_again(job_stack: JobStack) -> None:
    job = await job_stack.submit("claims.work", {}, delay=HOUR)
    await job_stack.cancel(job.id)
    assert (await job_stack.retry(job.id)).status == "queued"
    await job_stack.drain()
    assert job_stack.job(job.id).result == Worked(attempt=1)


async def test_c16_a_cancelled_job_is_kept_as_long_as_any_other(job_stack: JobStack) -> None:
    job = await job_stack.submit("claims.work", {})
    await job_stack.cancel(job.id)
    await job_stack.travel(days=6)
    assert job_stack.job(job.id).status == "cancelled"
    await job_stack.travel(days=2)
    assert job_stack.submitted() == ()


async def test_c17_a_handler_cannot_cancel_its_job_unasked(job_stack: JobStack) -> None:
    job = await job_stack.submit("claims.work", {"does": "stop"})
    await job_stack.drain()
    failed = job_stack.job(job.id)
    assert failed.error is not None
    assert (failed.status, failed.error.code) == ("failed", "stopped_unasked")


async def test_c18_a_job_that_stands_in_line_is_cancelled_and_lets_the_next_go(job_stack: JobStack, log: Log) -> None:
    jobs = [await job_stack.submit("claims.one", {"name": name}) for name in ("first", "second", "third")]
    await job_stack.travel(seconds=1)
    assert job_stack.job(jobs[1].id).status == "blocked"
    assert (await job_stack.cancel(jobs[1].id)).status == "cancelled"
    await job_stack.travel(minutes=1)
    assert log.names() == ["first", "third"]


async def test_c19_a_job_in_a_thread_sees_that_it_was_asked(job_stack: JobStack, log: Log) -> None:
    job = await job_stack.submit("claims.plain", {"does": "obey"})
    await job_stack.travel(seconds=1)
    assert (await job_stack.cancel(job.id)).status == "running"
    await job_stack.travel(seconds=2)
    assert (job_stack.job(job.id).status, log.ran) == ("cancelled", ["job 1"])


async def test_c20_a_cancelled_job_runs_no_later_than_the_moment_of_the_cancel(job_stack: JobStack, log: Log) -> None:
    """It was triggered before: the delivery finds nothing to do."""
    job = await job_stack.submit("claims.work", {}, run_at=job_stack.now + timedelta(seconds=1))
    await job_stack.travel(seconds=0.5)
    await job_stack.cancel(job.id)
    await job_stack.travel(minutes=5)
    assert (job_stack.job(job.id).status, log.ran) == ("cancelled", [])
