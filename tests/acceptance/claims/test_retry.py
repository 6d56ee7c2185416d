"""Claims about retries. The numbers are those of `../claims_of_others.md`."""

from datetime import timedelta

import pytest

from headrace.authoring.retry import Backoff, retry_delay
from headrace.testing import JobStack, SubmissionRefused
from tests.acceptance.claims.conftest import ATTEMPTS, BACKOFF, HOUR, MINUTE, TIMEOUT, Log, Worked, the_worker_dies


async def test_r01_a_job_that_succeeds_is_not_run_again(job_stack: JobStack, log: Log) -> None:
    job = await job_stack.submit("claims.work", {})
    await job_stack.travel(days=1)
    assert job_stack.job(job.id).result == Worked(attempt=1)
    assert log.ran == ["job 1"]


async def test_r02_an_attempt_that_raises_leaves_its_error_and_a_job_that_waits(job_stack: JobStack) -> None:
    job = await job_stack.submit("claims.work", {"fails": 1})
    await job_stack.drain()
    waits = job_stack.job(job.id)
    assert waits.error is not None
    assert (waits.status, waits.error.code, waits.error.message) == ("retrying", "RuntimeError", "attempt 1 broke")
    assert (waits.error.attempt, waits.error.at) == (1, job_stack.now)


async def test_r03_what_each_attempt_failed_by_is_kept(job_stack: JobStack) -> None:
    job = await job_stack.submit("claims.work", {"fails": 9})
    await job_stack.travel(days=1)
    failed = job_stack.job(job.id)
    assert failed.error is not None
    assert (failed.error.attempt, failed.error.message) == (ATTEMPTS, f"attempt {ATTEMPTS} broke")
    told = [entry.message for entry in job_stack._stored(job.id).history if entry.message]
    assert told == ["attempt 1 broke", "attempt 2 broke", "attempt 3 broke"]


@pytest.mark.parametrize("random", [0.1, 0.5, 0.999])
def test_r04_the_wait_grows_with_the_attempts(random: float) -> None:
    waits = [retry_delay(Backoff(), attempt, random) for attempt in range(1, 10)]
    assert waits == sorted(waits)
    assert len(set(waits)) == len(waits)


def test_r05_the_wait_never_passes_its_bound_and_never_overflows() -> None:
    longest = Backoff().cap
    assert all(retry_delay(Backoff(), attempt, 1) <= longest for attempt in range(1, 1000))
    assert retry_delay(Backoff(factor=100), 10**9, 1) == longest


def test_r06_jobs_that_failed_together_wait_differently() -> None:
    waits = {retry_delay(Backoff(), 5, number / 100) for number in range(100)}
    assert len(waits) == 100
    assert (min(waits), max(waits) < timedelta(seconds=32)) == (timedelta(0), True)


async def test_r07_a_job_that_has_used_its_attempts_fails_and_is_not_run_again(job_stack: JobStack, log: Log) -> None:
    job = await job_stack.submit("claims.work", {"fails": 9})
    await job_stack.travel(days=3)
    assert job_stack.job(job.id).status == "failed"
    assert log.ran == ["job 1", "job 2", "job 3"]


async def test_r08_a_submission_may_have_attempts_of_its_own(job_stack: JobStack, log: Log) -> None:
    job = await job_stack.submit("claims.work", {"fails": 9}, max_attempts=1)
    await job_stack.travel(days=1)
    assert (job_stack.job(job.id).status, log.ran) == ("failed", ["job 1"])


@pytest.mark.parametrize("attempts", [0, -1, 101])
async def test_r09_an_impossible_number_of_attempts_is_refused(job_stack: JobStack, attempts: int) -> None:
    with pytest.raises(ValueError, match="max_attempts"):
        await job_stack.submit("claims.work", {}, max_attempts=attempts)


async def test_r10_a_handler_may_say_when_it_is_tried_again(job_stack: JobStack) -> None:
    job = await job_stack.submit("claims.work", {"does": "come back"})
    await job_stack.drain()
    assert job_stack.job(job.id).due == job_stack.now + 5 * MINUTE
    await job_stack.travel(minutes=6)
    assert job_stack.job(job.id).result == Worked(attempt=2)


async def test_r11_a_time_that_is_past_is_now(job_stack: JobStack) -> None:
    job = await job_stack.submit("claims.work", {"does": "come back yesterday"})
    await job_stack.travel(seconds=1)
    assert job_stack.job(job.id).result == Worked(attempt=2)


async def test_r12_a_wait_that_a_handler_asks_for_has_a_bound(job_stack: JobStack) -> None:
    job = await job_stack.submit("claims.work", {"does": "come back next week"})
    await job_stack.drain()
    assert job_stack.job(job.id).due == job_stack.now + 24 * HOUR


async def test_r13_a_handler_may_give_up_though_attempts_are_left(job_stack: JobStack, log: Log) -> None:
    job = await job_stack.submit("claims.work", {"does": "give up"})
    await job_stack.travel(days=1)
    failed = job_stack.job(job.id)
    assert failed.error is not None
    assert (failed.status, failed.error.code, failed.error.message) == ("failed", "hopeless", "it is hopeless")
    assert log.ran == ["job 1"]


async def test_r14_an_attempt_that_takes_too_long_is_a_failed_one_and_says_so(job_stack: JobStack, log: Log) -> None:
    job = await job_stack.submit("claims.work", {"does": "sleep"})
    await job_stack.travel(seconds=TIMEOUT.total_seconds() + 1)
    late = job_stack.job(job.id)
    assert late.error is not None
    assert (late.status, late.error.code) == ("retrying", "timeout")
    assert "30" in late.error.message
    await job_stack.travel(days=1)
    assert (job_stack.job(job.id).status, len(log.ran)) == ("failed", ATTEMPTS)


async def test_r15_a_job_whose_worker_died_is_run_again(job_stack: JobStack, log: Log) -> None:
    job = await job_stack.submit("claims.work", {"does": "sleep once"})
    await job_stack.travel(seconds=1)
    await the_worker_dies(job_stack)
    await job_stack.travel(hours=5)
    assert job_stack.job(job.id).result == Worked(attempt=2)
    assert log.ran == ["job 1", "job 2"]


async def test_r16_a_job_is_left_alone_as_long_as_its_worker_has_time(job_stack: JobStack, log: Log) -> None:
    job = await job_stack.submit("claims.work", {"does": "sleep once"})
    await job_stack.travel(seconds=19)
    assert job_stack.job(job.id).status == "running"
    await job_stack.travel(hours=5)
    assert (job_stack.job(job.id).result, log.ran) == (Worked(attempt=1), ["job 1"])


async def test_r17_a_job_whose_worker_died_at_its_last_attempt_fails(job_stack: JobStack) -> None:
    job = await job_stack.submit("claims.work", {"does": "sleep once"}, max_attempts=1)
    await job_stack.travel(seconds=1)
    await the_worker_dies(job_stack)
    await job_stack.travel(hours=1)
    failed = job_stack.job(job.id)
    assert failed.error is not None
    assert (failed.status, failed.error.code) == ("failed", "lease_expired")


async def test_r18_a_job_that_was_to_be_cancelled_when_its_worker_died_is_cancelled(
    job_stack: JobStack, log: Log
) -> None:
    job = await job_stack.submit("claims.work", {"does": "sleep once"})
    await job_stack.travel(seconds=1)
    await job_stack.cancel(job.id)
    await the_worker_dies(job_stack)
    await job_stack.travel(hours=5)
    assert (job_stack.job(job.id).status, log.ran) == ("cancelled", ["job 1"])


async def test_r19_a_job_may_be_put_off_without_losing_an_attempt(job_stack: JobStack) -> None:
    job = await job_stack.submit("claims.work", {"does": "nap"}, max_attempts=1)
    await job_stack.drain()
    waits = job_stack.job(job.id)
    assert (waits.status, waits.attempt, waits.due) == ("waiting", 0, job_stack.now + 2 * HOUR)
    await job_stack.travel(hours=2)
    assert job_stack.job(job.id).result == Worked(attempt=1)


async def test_r20_a_job_that_is_put_off_for_no_time_goes_on_at_once(job_stack: JobStack) -> None:
    job = await job_stack.submit("claims.work", {"does": "no nap"}, max_attempts=1)
    await job_stack.drain()
    assert job_stack.job(job.id).result == Worked(attempt=1)


async def test_r21_a_job_of_an_unknown_type_is_refused(job_stack: JobStack) -> None:
    with pytest.raises(SubmissionRefused, match=r"no job type is named 'claims\.wrok'"):
        await job_stack.submit("claims.wrok", {})


async def test_r23_what_is_no_result_fails_the_job(job_stack: JobStack, log: Log) -> None:
    job = await job_stack.submit("claims.work", {"does": "nonsense"})
    await job_stack.travel(days=1)
    failed = job_stack.job(job.id)
    assert failed.error is not None
    assert (failed.status, failed.error.code, log.ran) == ("failed", "invalid_result", ["job 1"])


async def test_r24_a_payload_that_does_not_fit_is_refused_before_it_is_stored(job_stack: JobStack) -> None:
    with pytest.raises(SubmissionRefused, match="payload/fails"):
        await job_stack.submit("claims.work", {"fails": "often"})
    assert job_stack.submitted() == ()


async def test_r25_a_person_may_have_a_failed_job_tried_again(job_stack: JobStack, log: Log) -> None:
    job = await job_stack.submit("claims.work", {"fails": ATTEMPTS})
    await job_stack.travel(days=1)
    again = await job_stack.retry(job.id)
    assert (again.status, again.attempt, again.max_attempts) == ("queued", 0, ATTEMPTS)
    await job_stack.drain()
    assert log.ran[ATTEMPTS:] == ["job 1"]


def waiting(stack: JobStack) -> tuple[str, ...]:
    return tuple(job.status for job in stack.submitted())


@pytest.mark.parametrize(
    ("payload", "delay", "status"),
    [
        ({}, None, "succeeded"),
        ({"fails": 1}, None, "retrying"),
        ({}, HOUR, "scheduled"),
        ({"does": "sleep"}, None, "running"),
    ],
)
async def test_r26_only_a_job_that_has_failed_or_was_cancelled_is_tried_again(
    job_stack: JobStack, payload: dict[str, object], delay: timedelta | None, status: str
) -> None:
    job = await job_stack.submit("claims.work", payload, delay=delay)
    await job_stack.travel(seconds=1)
    assert waiting(job_stack) == (status,)
    with pytest.raises(ValueError, match="cannot be changed"):
        await job_stack.retry(job.id)
    assert waiting(job_stack) == (status,)


async def test_r27_a_handler_sees_which_attempt_it_is(job_stack: JobStack, log: Log) -> None:
    job = await job_stack.submit("claims.work", {"fails": 2})
    await job_stack.travel(days=1)
    assert log.ran == ["job 1", "job 2", "job 3"]
    assert job_stack.job(job.id).result == Worked(attempt=3)


async def test_r28_a_job_that_fails_holds_up_no_other(job_stack: JobStack) -> None:
    names = {"bad": 9, "good": 0, "worse": 9, "fine": 0}
    jobs = [await job_stack.submit("claims.work", {"name": name, "fails": fails}) for name, fails in names.items()]
    await job_stack.drain()
    assert [job_stack.job(job.id).status for job in jobs] == ["retrying", "succeeded", "retrying", "succeeded"]


async def test_r29_a_job_in_a_thread_is_tried_again_as_one_on_the_loop_is(job_stack: JobStack, log: Log) -> None:
    jobs = [await job_stack.submit(name, {"name": name, "fails": 1}) for name in ("claims.plain", "claims.work")]
    await job_stack.travel(hours=1)
    assert [job_stack.job(job.id).result for job in jobs] == [Worked(attempt=2), Worked(attempt=2)]
    assert sorted(log.ran) == ["claims.plain 1", "claims.plain 2", "claims.work 1", "claims.work 2"]


async def test_r30_the_wait_is_counted_from_the_end_of_the_attempt(job_stack: JobStack) -> None:
    """Half of the backoff's ceiling, by the randomness of tests."""
    job = await job_stack.submit("claims.work", {"fails": 2})
    await job_stack.drain()
    assert job_stack.job(job.id).due == job_stack.now + BACKOFF.base / 2
    await job_stack.travel(minutes=30)
    assert job_stack.job(job.id).due == job_stack.now + BACKOFF.base
