"""`job_stack` plays a deployment in one process, on a clock that the test moves."""

import asyncio
import time
from datetime import timedelta

import pytest
from pydantic import BaseModel

from headrace import Backoff, Handler, JobContext, Retry, SyncJobContext, job_type
from headrace.testing import JobStack, SubmissionRefused
from headrace.testing.patience import Patience
from tests.documented.word_count import WordCount, count_words


class Work(BaseModel):
    fails: int = 0
    sleeps: float = 0


class Worked(BaseModel):
    attempts: int


@job_type("work.do", timeout=timedelta(seconds=30), backoff=Backoff(base=timedelta(hours=1), cap=timedelta(hours=1)))
async def work(payload: Work, context: JobContext) -> Worked | Retry:
    """Fail as often as asked, sleep as long as asked."""
    await context.report_progress(0.5, "half")
    await asyncio.sleep(payload.sleeps)
    if context.attempt <= payload.fails:
        return Retry(reason="not yet")
    return Worked(attempts=context.attempt)


@job_type("work.plain", settings=("CARRIER",))
def plain(payload: Work, context: SyncJobContext) -> Worked:
    """Work in a thread."""
    time.sleep(0.05)
    return Worked(attempts=len(context.settings.get("CARRIER", "")) + payload.fails)


@job_type("work.here", timeout=timedelta(seconds=10))
async def compute_here(payload: Work, context: JobContext) -> Worked:
    """Compute on the loop, which other jobs share."""
    ends = time.monotonic() + payload.sleeps
    while time.monotonic() < ends:  # noqa: ASYNC110 - it computes, in pieces
        await asyncio.sleep(0)
    return Worked(attempts=context.attempt)


@job_type("work.thread", timeout=timedelta(seconds=10))
def compute_in_thread(payload: Work, context: SyncJobContext) -> Worked:
    """Compute in a thread."""
    ends = time.monotonic() + payload.sleeps
    while time.monotonic() < ends:
        sum(range(1000))
    return Worked(attempts=context.attempt)


@pytest.fixture
def job_types() -> tuple[Handler, ...]:
    return count_words, work, plain, compute_here, compute_in_thread


async def test_a_submitted_job_waits_until_the_stack_is_drained(job_stack: JobStack) -> None:
    job = await job_stack.submit("text.word_count", {"text": "a b"})
    assert job_stack.job(job.id).status == "queued"
    await job_stack.drain()
    assert job_stack.job(job.id).result == WordCount(words=2)
    assert job_stack.job(job.id).history == ("queued", "running", "succeeded")


async def test_a_plain_handler_runs_with_the_settings_of_the_stack(job_stack: JobStack) -> None:
    job_stack.settings["CARRIER"] = "Bring"
    job = await job_stack.submit("work.plain", {})
    await job_stack.drain()
    assert job_stack.job(job.id).result == Worked(attempts=5)


async def test_a_delayed_job_runs_when_its_time_has_come(job_stack: JobStack) -> None:
    job = await job_stack.submit("work.do", {}, delay=timedelta(hours=3))
    await job_stack.drain()
    await job_stack.travel(hours=2)
    assert job_stack.job(job.id).status == "scheduled"
    await job_stack.travel(hours=1)
    assert job_stack.job(job.id).result == Worked(attempts=1)


async def test_retries_happen_on_the_way(job_stack: JobStack) -> None:
    job = await job_stack.submit("work.do", {"fails": 2})
    await job_stack.drain()
    waiting = job_stack.job(job.id)
    assert (waiting.status, waiting.due) == ("retrying", job_stack.now + timedelta(minutes=30))
    with pytest.raises(AssertionError, match=r"it is retrying \(retry: not yet\)"):
        _ = waiting.result
    await job_stack.travel(hours=3)
    assert job_stack.job(job.id).result == Worked(attempts=3)


async def test_a_hanging_attempt_times_out_when_the_clock_passes_its_limit(job_stack: JobStack) -> None:
    job = await job_stack.submit("work.do", {"sleeps": 3600}, max_attempts=1)
    begun = time.monotonic()
    await job_stack.travel(seconds=29)
    running = job_stack.job(job.id)
    assert running.status == "running"
    assert running.progress is not None
    assert running.progress.message == "half"
    await job_stack.travel(seconds=2)
    failed = job_stack.job(job.id)
    assert failed.error is not None
    assert (failed.status, failed.error.code) == ("failed", "timeout")
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize("type", ["work.here", "work.thread"])
async def test_an_attempt_that_computes_does_not_time_out_because_the_machine_is_slow(
    job_stack: JobStack, type: str
) -> None:
    job = await job_stack.submit(type, {"sleeps": 1})
    await job_stack.travel(hours=1)
    assert job_stack.job(job.id).result == Worked(attempts=1)


async def test_patience_with_what_computes_for_ever_ends() -> None:
    patience = Patience(longest=0.2)
    asyncio.get_running_loop().call_soon(lambda: None)
    assert not patience.is_quiet()
    assert not patience.is_over
    await asyncio.sleep(0.3)
    assert patience.is_over


async def test_a_handler_that_sleeps_within_its_limit_ends_in_its_time(job_stack: JobStack) -> None:
    job = await job_stack.submit("work.do", {"sleeps": 20})
    await job_stack.travel(minutes=5)
    assert job_stack.job(job.id).result == Worked(attempts=1)


async def test_time_limits_of_the_test_itself_are_left_alone_while_no_job_runs(job_stack: JobStack) -> None:
    await job_stack.submit("work.do", {"fails": 1})
    async with asyncio.timeout(5):
        await job_stack.travel(hours=3)


async def test_a_finished_job_is_gone_after_its_retention(job_stack: JobStack) -> None:
    job = await job_stack.submit("work.do", {"fails": 9})
    await job_stack.travel(days=1)
    assert job_stack.job(job.id).status == "failed"
    await job_stack.travel(days=7)
    assert job_stack.submitted() == ()
    with pytest.raises(LookupError, match="or it has expired"):
        job_stack.job(job.id)


async def test_jobs_are_listed_in_the_order_of_their_submission(job_stack: JobStack) -> None:
    first = await job_stack.submit("work.do", {}, tags={"a": "b"})
    await job_stack.submit("text.word_count", {"text": ""})
    again = await job_stack.submit("work.do", Work(fails=1), key="order-1")
    assert (await job_stack.submit("work.do", {"fails": 1}, key="order-1")).id == again.id
    assert [job.id for job in job_stack.submitted("work.do")] == [first.id, again.id]
    assert len(job_stack.submitted()) == 3
    assert job_stack.job(again.id).payload == {"fails": 1, "sleeps": 0.0}


async def test_a_person_cancels_and_retries(job_stack: JobStack) -> None:
    job = await job_stack.submit("work.do", {}, delay=timedelta(hours=1))
    assert (await job_stack.cancel(job.id)).status == "cancelled"
    assert (await job_stack.retry(job.id)).status == "queued"
    await job_stack.drain()
    with pytest.raises(ValueError, match="cannot be changed"):
        await job_stack.cancel(job.id)


async def test_what_the_api_refuses_is_refused(job_stack: JobStack) -> None:
    with pytest.raises(SubmissionRefused, match=r"no job type is named 'work.dont'; known are: text.word_count"):
        await job_stack.submit("work.dont", {})
    with pytest.raises(SubmissionRefused, match="payload/fails"):
        await job_stack.submit("work.do", {"fails": "x"})
    with pytest.raises(LookupError, match="no job has the id 7"):
        job_stack.job("7")
