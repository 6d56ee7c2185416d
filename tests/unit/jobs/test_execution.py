"""One attempt of a job, from the claim to the recorded outcome."""

import asyncio
import threading
from collections.abc import Callable, Mapping
from datetime import timedelta

import pytest
from pydantic import BaseModel

from domain.jobs import transitions
from domain.jobs.catalogue import Catalogue
from domain.jobs.change import Change
from domain.jobs.execution import JobExecutor
from domain.jobs.execution_results import Executed, Interrupted, LeaseLost, NothingToDo, NotStarted, UnknownJobType
from domain.jobs.fitting import UnrunnableJobType, refuse_longer_than
from domain.jobs.guard import MAX_RESULT_BYTES
from domain.jobs.job import Failed, Job, Retrying, Running, Succeeded
from domain.jobs.repository import CompanionRefused, JobRepository, JobUnreadable, VersionConflict
from domain.results import ItemTooLarge, StorageUnavailable
from functions.runtime import now as real_now
from headrace.authoring.context import JobContext, SyncJobContext
from headrace.authoring.job_type import Handler, JobType, Policy
from headrace.authoring.json_text import JsonText
from headrace.authoring.outcomes import Fail, Retry, Stopped
from headrace.testing.clock import FakeClock, half, numbered_ids
from headrace.testing.job_repository import FakeJobRepository
from tests.factories import NOW, POLICY, claimed, legal, queued, running, scheduled, succeeded
from tests.fakes.faulty_job_repository import OUTAGE, Fault, FaultyJobRepository
from tests.fakes.handlers import Count, Run, Text, a_handler, count_words

KIND = "text.word_count"
DEADLINE = NOW + timedelta(minutes=5)
Clock = Callable[[], object]


def an_executor(
    jobs: JobRepository,
    *handlers: Handler,
    clock: FakeClock | None = None,
    settings: Mapping[str, str] | None = None,
) -> JobExecutor:
    chosen = handlers or (a_handler(),)
    return JobExecutor(jobs, Catalogue(chosen), clock or FakeClock(), numbered_ids(), half, settings or {})


async def stored(jobs: FakeJobRepository, text: str = "one two", max_attempts: int = 3) -> Job:
    job = queued(type=KIND, payload=JsonText(f'{{"text":"{text}"}}'), max_attempts=max_attempts)
    await jobs.add(Change(job), NOW)
    return job


async def run_with(run: Run, policy: Policy = POLICY, max_attempts: int = 3) -> Job:
    """Execute a job whose handler does `run`; return the stored job."""
    jobs = FakeJobRepository()
    job = await stored(jobs, max_attempts=max_attempts)
    executed = await an_executor(jobs, a_handler(run=run, policy=policy)).execute(job, DEADLINE)
    assert isinstance(executed, Executed)
    assert await jobs.get(job.id, NOW) == executed.job
    return executed.job


async def test_a_job_is_claimed_run_and_its_result_committed() -> None:
    jobs = FakeJobRepository()
    job = await stored(jobs)
    executed = await an_executor(jobs).execute(job, DEADLINE)
    assert isinstance(executed, Executed)
    assert isinstance(executed.job.state, Succeeded)
    assert executed.job.state.result == '{"words":2}'
    assert (executed.outcome, executed.job.attempt, executed.job.version) == ("succeeded", 1, 3)
    assert await jobs.get(job.id, NOW) == executed.job


async def test_waiting_and_running_time_are_reported() -> None:
    jobs, clock = FakeJobRepository(), FakeClock(NOW + timedelta(seconds=2))

    async def slow(document: Text, context: JobContext) -> Count:
        clock.forward(timedelta(seconds=3))
        return await count_words(document, context)

    executed = await an_executor(jobs, a_handler(run=slow), clock=clock).execute(await stored(jobs), DEADLINE)
    assert isinstance(executed, Executed)
    assert (executed.waited, executed.ran) == (timedelta(seconds=2), timedelta(seconds=3))


async def test_a_handler_that_asks_for_a_retry_gets_one() -> None:
    async def busy(_document: Text, _context: JobContext) -> Retry:
        return Retry(reason="busy", after=timedelta(seconds=9))

    job = await run_with(busy)
    assert isinstance(job.state, Retrying)
    assert job.state.retry_at == NOW + timedelta(seconds=9)


async def test_a_handler_that_gives_up_ends_the_job() -> None:
    async def hopeless(_document: Text, _context: JobContext) -> Fail:
        return Fail(reason="no")

    assert (await run_with(hopeless)).status == "failed"


async def test_an_exception_counts_as_a_retryable_failure_with_its_type_and_message() -> None:
    async def crash(_document: Text, _context: JobContext) -> Count:
        raise LookupError("no such thing")

    job = await run_with(crash)
    assert isinstance(job.state, Retrying)
    assert (job.state.error.code, job.state.error.message) == ("LookupError", "no such thing")


async def test_an_exception_without_a_message_is_reported_by_its_type() -> None:
    async def crash(_document: Text, _context: JobContext) -> Count:
        raise RuntimeError

    job = await run_with(crash)
    assert isinstance(job.state, Retrying)
    assert job.state.error.message == "RuntimeError"


@pytest.mark.parametrize("error", [SystemExit(3), asyncio.CancelledError()])
async def test_a_base_exception_is_the_jobs_failure_too(error: BaseException) -> None:
    async def leave(_document: Text, _context: JobContext) -> Count:
        raise error

    job = await run_with(leave)
    assert isinstance(job.state, Retrying)
    assert job.state.error.code == type(error).__name__


async def test_an_attempt_that_is_cancelled_from_outside_ends() -> None:
    started = asyncio.Event()

    async def wait(_document: Text, _context: JobContext) -> Count:
        started.set()
        await asyncio.sleep(60)
        return Count()

    running = asyncio.create_task(run_with(wait))
    await started.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_no_job_waits_for_the_threads_of_handlers_that_never_end() -> None:
    jobs, release = FakeJobRepository(), threading.Event()
    brief = Policy(timeout=timedelta(milliseconds=100))

    class Stuck:
        definition = JobType[BaseModel, BaseModel](name=KIND, summary="", payload=Text, result=Count, policy=brief)

        def run(self, document: BaseModel, _context: SyncJobContext) -> Count:
            if document == Text(text="stuck"):
                release.wait(30)
            return Count()

    catalogue = Catalogue([Stuck()])
    executor = JobExecutor(jobs, catalogue, real_now, numbered_ids(), half, {})

    async def outcome(id: str, text: str) -> str:
        payload = JsonText(f'{{"text":"{text}"}}')
        job = queued(real_now(), brief, id=id, type=KIND, payload=payload, max_attempts=1)
        await jobs.add(Change(job), real_now())
        executed = await executor.execute(job, real_now() + timedelta(minutes=1))
        assert isinstance(executed, Executed)
        return executed.outcome

    stuck = await asyncio.gather(*(outcome(f"job-{number}", "stuck") for number in range(3)))
    other = await outcome("another", "other")
    release.set()
    assert (set(stuck), other) == ({"failed"}, "succeeded")


async def test_a_timeout_error_of_the_handler_is_not_the_attempts_timeout() -> None:
    async def impatient(_document: Text, _context: JobContext) -> Count:
        raise TimeoutError

    job = await run_with(impatient)
    assert isinstance(job.state, Retrying)
    assert job.state.error.code == "TimeoutError"


async def test_an_attempt_is_stopped_at_its_timeout() -> None:
    jobs = FakeJobRepository()
    brief = Policy(timeout=timedelta(milliseconds=30))

    async def endless(_document: Text, _context: JobContext) -> Count:
        await asyncio.sleep(60)
        return Count()

    now = real_now()
    job = queued(now, brief, type=KIND, payload=JsonText("{}"), max_attempts=1)
    await jobs.add(Change(job), now)
    catalogue = Catalogue([a_handler(run=endless, policy=brief)])
    executor = JobExecutor(jobs, catalogue, real_now, numbered_ids(), half, {})
    executed = await executor.execute(job, now + timedelta(minutes=1))
    assert isinstance(executed, Executed)
    assert isinstance(executed.job.state, Failed)
    assert executed.job.state.reason == "timeout"
    assert "0.03 s" in executed.job.state.error.message


async def test_a_payload_that_its_model_refuses_ends_the_job_without_its_values() -> None:
    jobs = FakeJobRepository()
    job = queued(type=KIND, payload=JsonText('{"text":"secret","other":"secret"}'))
    await jobs.add(Change(job), NOW)
    executed = await an_executor(jobs).execute(job, DEADLINE)
    assert isinstance(executed, Executed)
    assert isinstance(executed.job.state, Failed)
    assert executed.job.state.error.code == "invalid_payload"
    assert "secret" not in executed.job.state.error.message
    assert "other" in executed.job.state.error.message


async def test_a_handler_that_returns_something_else_has_failed() -> None:
    async def wrong(_document: Text, _context: JobContext) -> Count:
        return {"words": 2}  # type: ignore[return-value]  # the mistake that is tested

    job = await run_with(wrong)
    assert isinstance(job.state, Failed)
    assert job.state.error.code == "invalid_result"


class Ratio(Count):
    value: float


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
async def test_a_result_that_is_not_json_ends_the_job_or_becomes_null(value: float) -> None:
    async def infinite(_document: Text, _context: JobContext) -> Ratio:
        return Ratio(value=value)

    job = await run_with(infinite)
    assert job.status in {"failed", "succeeded"}


class Anything(Count):
    value: object


async def test_a_result_that_cannot_be_written_ends_the_job() -> None:
    async def odd(_document: Text, _context: JobContext) -> Anything:
        return Anything(value=threading.Lock())

    job = await run_with(odd)
    assert isinstance(job.state, Failed)
    assert job.state.error.code == "invalid_result"


class Long(Count):
    text: str


async def test_a_result_beyond_the_limit_ends_the_job() -> None:
    async def long(_document: Text, _context: JobContext) -> Long:
        return Long(text="x" * MAX_RESULT_BYTES)

    job = await run_with(long)
    assert isinstance(job.state, Failed)
    assert job.state.error.code == "result_too_large"


@pytest.mark.parametrize(("kind", "version"), [("newer.type", 1), (KIND, 2)])
async def test_a_job_that_only_a_newer_worker_can_run_is_left_as_it_is(kind: str, version: int) -> None:
    jobs = FakeJobRepository()
    job = queued(type=kind, payload_version=version, max_attempts=1)
    await jobs.add(Change(job), NOW)
    answer = await an_executor(jobs).execute(job, DEADLINE)
    assert isinstance(answer, UnknownJobType)
    assert (answer.job_id, answer.type) == (job.id, kind)
    assert await jobs.get(job.id, NOW) == job, "no attempt, no version"


def test_a_job_could_be_started_since_it_was_queued_or_due() -> None:
    waiting = scheduled(NOW + timedelta(hours=1))
    assert transitions.startable_since(waiting) == NOW + timedelta(hours=1)
    assert transitions.startable_since(queued(NOW)) == transitions.startable_since(running(NOW)) == NOW


def test_a_type_whose_timeout_its_function_cannot_honour_is_refused_at_start() -> None:
    fitting = Catalogue([a_handler(policy=Policy(timeout=timedelta(seconds=80)))])
    refuse_longer_than(fitting, timedelta(seconds=88))
    endless = Catalogue([a_handler(policy=Policy(timeout=timedelta(seconds=84)))])
    with pytest.raises(UnrunnableJobType, match=rf"{KIND} has a timeout of 84 s, .* an attempt 80 s"):
        refuse_longer_than(endless, timedelta(seconds=88))


async def test_the_claims_duration_is_lost_from_the_attempt_and_no_attempt_outlives_its_lease() -> None:
    inner, clock = FakeJobRepository(), FakeClock()
    policy = Policy(timeout=timedelta(seconds=30))
    seen: list[object] = []

    def slowly(job: Job) -> Fault | None:
        if job.status == "running":
            clock.forward(timedelta(seconds=4))
        return None

    async def curious(_document: Text, context: JobContext) -> Count:
        current = await inner.get(context.job_id, clock())
        assert isinstance(current, Job)
        assert isinstance(current.state, Running)
        seen.extend([context.deadline, current.state.lease.until])
        return Count()

    jobs = FaultyJobRepository(inner, on_replace=slowly)
    await an_executor(jobs, a_handler(run=curious, policy=policy), clock=clock).execute(await stored(inner), DEADLINE)
    assert seen == [NOW + policy.timeout, NOW + policy.timeout + transitions.LEASE_GRACE]


async def test_an_attempt_whose_claim_took_all_its_time_has_timed_out() -> None:
    inner, clock = FakeJobRepository(), FakeClock()

    def slowly(job: Job) -> Fault | None:
        if job.status == "running":
            clock.forward(timedelta(seconds=31))
        return None

    jobs = FaultyJobRepository(inner, on_replace=slowly)
    executed = await an_executor(jobs, clock=clock).execute(await stored(inner), DEADLINE)
    assert isinstance(executed, Executed)
    assert executed.error_code == "timeout"


class Blocking:
    """A handler that is a plain function."""

    definition = JobType[BaseModel, BaseModel](name=KIND, summary="", payload=Text, result=Text)

    def run(self, _payload: BaseModel, _context: SyncJobContext) -> Text:
        return Text(text=threading.current_thread().name)


async def test_a_plain_function_runs_in_a_thread() -> None:
    jobs = FakeJobRepository()
    executed = await an_executor(jobs, Blocking()).execute(await stored(jobs), DEADLINE)
    assert isinstance(executed, Executed)
    assert isinstance(executed.job.state, Succeeded)
    assert threading.main_thread().name not in executed.job.state.result


async def test_without_time_for_a_whole_attempt_nothing_is_started() -> None:
    jobs = FakeJobRepository()
    job = await stored(jobs)
    soon = NOW + POLICY.timeout
    assert await an_executor(jobs).execute(job, soon) == NotStarted(job_id=job.id)
    assert await jobs.get(job.id, NOW) == job


@pytest.mark.parametrize("current", [running(type=KIND), succeeded(type=KIND)], ids=lambda job: job.status)
async def test_a_trigger_for_a_job_that_is_no_longer_queued_does_nothing(current: Job) -> None:
    jobs = FakeJobRepository()
    await jobs.add(Change(current), NOW)
    trigger = queued(type=KIND, id=current.id)
    answer = await an_executor(jobs).execute(trigger, DEADLINE)
    assert answer == NothingToDo(job_id=current.id, why=current.status)
    assert await jobs.get(current.id, NOW) == current


async def test_a_trigger_for_a_deleted_job_does_nothing() -> None:
    trigger = queued(type=KIND)
    assert await an_executor(FakeJobRepository()).execute(trigger, DEADLINE) == NothingToDo(
        job_id=trigger.id, why="gone"
    )


async def test_an_image_of_a_job_that_is_not_queued_is_not_a_trigger() -> None:
    trigger = running(type=KIND)
    assert await an_executor(FakeJobRepository()).execute(trigger, DEADLINE) == NothingToDo(
        job_id=trigger.id, why="running"
    )


async def test_an_old_trigger_of_a_redriven_job_runs_the_current_job() -> None:
    jobs = FakeJobRepository()
    job = await stored(jobs)
    assert job.wake_at is not None
    await jobs.replace(Change(legal(transitions.redrive(job, POLICY, job.wake_at))), job.version)
    executed = await an_executor(jobs).execute(job, DEADLINE)
    assert isinstance(executed, Executed)
    assert (executed.outcome, executed.job.version) == ("succeeded", 4)


async def test_a_job_that_is_redriven_during_each_claim_is_left_to_the_next_trigger() -> None:
    job = queued(type=KIND)
    always = FaultyJobRepository(FakeJobRepository(), on_replace=lambda _: VersionConflict(job_id=job.id, current=job))
    assert await an_executor(always).execute(job, DEADLINE) == NothingToDo(job_id=job.id, why="contended")


@pytest.mark.parametrize("fault", [JobUnreadable(job_id="x", detail="?"), ItemTooLarge(size=2, limit=1)])
async def test_a_job_that_cannot_be_claimed_is_left_alone(fault: Fault) -> None:
    jobs = FaultyJobRepository(FakeJobRepository(), on_replace=lambda _: fault)
    job = queued(type=KIND)
    assert await an_executor(jobs).execute(job, DEADLINE) == NothingToDo(job_id=job.id, why="unreadable")


async def test_a_job_whose_claim_lacks_a_companion_stays_queued() -> None:
    inner = FakeJobRepository()
    jobs = FaultyJobRepository(inner, on_replace=lambda job: CompanionRefused(job_id=job.id, index=0))
    job = await stored(inner)
    assert await an_executor(jobs).execute(job, DEADLINE) == NothingToDo(job_id=job.id, why="contended")
    assert await inner.get(job.id, NOW) == job


async def test_a_store_that_fails_before_the_claim_interrupts() -> None:
    jobs = FaultyJobRepository(FakeJobRepository(), on_replace=lambda _: OUTAGE)
    job = queued(type=KIND)
    answer = await an_executor(jobs).execute(job, DEADLINE)
    assert answer == Interrupted(job_id=job.id, stage="claim", problem=OUTAGE)


def failing_outcomes(times: int, fault: Fault) -> Callable[[Job], Fault | None]:
    """Fails the first `times` writes of an outcome."""
    left = [fault] * times
    return lambda job: None if job.status == "running" or not left else left.pop()


async def test_an_outcome_is_written_again_until_the_store_responds() -> None:
    inner = FakeJobRepository()
    jobs = FaultyJobRepository(inner, on_replace=failing_outcomes(2, OUTAGE))
    executed = await an_executor(jobs).execute(await stored(inner), DEADLINE)
    assert isinstance(executed, Executed)
    assert executed.outcome == "succeeded"


@pytest.mark.parametrize("times", [1, 3])
async def test_an_outcome_that_was_written_without_a_response_is_recognised(times: int) -> None:
    inner, clock = FakeJobRepository(), FakeClock()
    lost = failing_outcomes(times, OUTAGE)

    def unanswered(job: Job) -> Fault | None:
        clock.forward(timedelta(seconds=1))
        return lost(job)

    job = await stored(inner)
    jobs = FaultyJobRepository(inner, after_replace=unanswered)
    executed = await an_executor(jobs, clock=clock).execute(job, DEADLINE)
    assert isinstance(executed, Executed), "it was no other worker's"
    assert (executed.outcome, executed.job) == ("succeeded", await inner.get(job.id, NOW))


async def test_an_outcome_that_cannot_be_written_in_time_interrupts() -> None:
    inner, clock = FakeJobRepository(), FakeClock()

    def down(job: Job) -> Fault | None:
        if job.status == "running":
            return None
        clock.forward(timedelta(minutes=1))
        return OUTAGE

    job = await stored(inner)
    answer = await an_executor(FaultyJobRepository(inner, on_replace=down), clock=clock).execute(job, DEADLINE)
    assert answer == Interrupted(job_id=job.id, stage="record", problem=OUTAGE)


async def test_an_outcome_that_the_store_rejects_interrupts_at_once() -> None:
    inner = FakeJobRepository()
    denied = StorageUnavailable(reason="rejected", detail="AccessDeniedException")
    job = await stored(inner)
    jobs = FaultyJobRepository(inner, on_replace=failing_outcomes(9, denied))
    answer = await an_executor(jobs).execute(job, DEADLINE)
    assert answer == Interrupted(job_id=job.id, stage="record", problem=denied)


async def test_an_outcome_whose_companion_is_refused_interrupts_and_the_attempt_is_rescued() -> None:
    inner = FakeJobRepository()
    job = await stored(inner)
    jobs = FaultyJobRepository(inner, on_replace=failing_outcomes(9, CompanionRefused(job_id=job.id, index=2)))
    answer = await an_executor(jobs).execute(job, DEADLINE)
    refused = StorageUnavailable(reason="rejected", detail="companion 2 was refused")
    assert answer == Interrupted(job_id=job.id, stage="record", problem=refused)
    standing = await inner.get(job.id, NOW)
    assert isinstance(standing, Job)
    assert legal(transitions.rescue(standing, POLICY, NOW + timedelta(hours=1), 0.5)).status == "retrying"


@pytest.mark.parametrize("fault", [VersionConflict(job_id="x", current=None), JobUnreadable(job_id="x", detail="?")])
async def test_an_outcome_for_a_job_that_vanished_is_dropped(fault: Fault) -> None:
    inner = FakeJobRepository()
    job = await stored(inner)
    jobs = FaultyJobRepository(inner, on_replace=failing_outcomes(1, fault))
    assert await an_executor(jobs).execute(job, DEADLINE) == LeaseLost(job_id=job.id, attempt=1)


async def test_a_job_that_outgrows_its_item_fails_instead_of_being_lost() -> None:
    inner = FakeJobRepository()
    jobs = FaultyJobRepository(inner, on_replace=failing_outcomes(1, ItemTooLarge(size=2, limit=1)))
    executed = await an_executor(jobs).execute(await stored(inner), DEADLINE)
    assert isinstance(executed, Executed)
    assert executed.error_code == "result_too_large"


async def test_an_outcome_after_the_lease_was_taken_over_is_refused() -> None:
    jobs = FakeJobRepository()

    async def slow(document: Text, context: JobContext) -> Count:
        current = await jobs.get(context.job_id, NOW)
        assert isinstance(current, Job)
        rescued = legal(transitions.wake(current, POLICY, NOW + timedelta(hours=1), 0.5))
        await jobs.replace(Change(rescued), current.version)
        return await count_words(document, context)

    job = await stored(jobs)
    answer = await an_executor(jobs, a_handler(run=slow)).execute(job, DEADLINE)
    assert answer == LeaseLost(job_id=job.id, attempt=1)
    current = await jobs.get(job.id, NOW)
    assert isinstance(current, Job)
    assert current.status == "retrying"


async def test_a_request_to_stop_reaches_the_handler_and_ends_the_job_cancelled() -> None:
    jobs = FakeJobRepository()
    seen: list[bool] = []

    async def polite(_document: Text, context: JobContext) -> Stopped | Count:
        seen.append(await context.cancel_requested())
        current = await jobs.get(context.job_id, NOW)
        assert isinstance(current, Job)
        await jobs.replace(Change(legal(transitions.cancel(current, POLICY, NOW))), current.version)
        seen.append(await context.cancel_requested())
        return Stopped()

    executed = await an_executor(jobs, a_handler(run=polite)).execute(await stored(jobs), DEADLINE)
    assert seen == [False, True]
    assert isinstance(executed, Executed)
    assert executed.outcome == "cancelled"


async def test_progress_is_seen_while_the_job_runs() -> None:
    jobs, clock = FakeJobRepository(), FakeClock()
    seen: list[float] = []

    async def steady(document: Text, context: JobContext) -> Count:
        for fraction in (0.25, 0.5, 0.75):
            await context.report_progress(fraction, "on it")
            current = await jobs.get(context.job_id, NOW)
            assert isinstance(current, Job)
            assert isinstance(current.state, Running)
            assert current.state.progress is not None
            seen.append(current.state.progress.fraction)
            clock.forward(timedelta(milliseconds=600))
        return await count_words(document, context)

    executed = await an_executor(jobs, a_handler(run=steady), clock=clock).execute(await stored(jobs), DEADLINE)
    assert seen == [0.25, 0.25, 0.75], "the second report came too soon"
    assert isinstance(executed, Executed)
    assert executed.outcome == "succeeded"


async def test_a_handler_knows_its_attempt() -> None:
    jobs = FakeJobRepository()
    known: list[object] = []

    async def curious(document: Text, context: JobContext) -> Count:
        known.extend([context.job_id, context.idempotency_key, context.attempt, context.deadline])
        known.append(dict(context.settings))
        return await count_words(document, context)

    job = await stored(jobs)
    handler = a_handler(run=curious, settings=("COLOUR", "NOT_SET"))
    environment = {"COLOUR": "green", "AWS_SECRET_ACCESS_KEY": "secret", "CURSOR_KEY": "secret"}
    await an_executor(jobs, handler, settings=environment).execute(job, DEADLINE)
    assert known == [job.id, job.id, 1, NOW + POLICY.timeout, {"COLOUR": "green"}], "what its type declares, no more"


async def test_progress_that_cannot_be_written_does_not_fail_the_job() -> None:
    inner, clock = FakeJobRepository(), FakeClock()
    faults: list[Fault | None] = [OUTAGE]

    def on_progress(job: Job) -> Fault | None:
        reported = isinstance(job.state, Running) and job.state.progress is not None
        return faults.pop() if reported and faults else None

    async def steady(document: Text, context: JobContext) -> Count:
        await context.report_progress(0.5)
        return await count_words(document, context)

    jobs = FaultyJobRepository(inner, on_replace=on_progress)
    executed = await an_executor(jobs, a_handler(run=steady), clock=clock).execute(await stored(inner), DEADLINE)
    assert isinstance(executed, Executed)
    assert executed.outcome == "succeeded"


async def test_a_report_gives_up_when_the_job_is_contended_gone_or_out_of_reach() -> None:
    inner = FakeJobRepository()
    job = await stored(inner)
    busy = claimed(job)

    async def steady(document: Text, context: JobContext) -> Count:
        await context.report_progress(0.5)
        return await count_words(document, context)

    def contended(written: Job) -> Fault | None:
        reported = isinstance(written.state, Running) and written.state.progress is not None
        if not reported or not isinstance(written.state, Running):
            return None
        lease = written.state.lease
        current = busy.model_copy(update={"state": Running(lease=lease)})
        return VersionConflict(job_id=job.id, current=current)

    executed = await an_executor(FaultyJobRepository(inner, on_replace=contended), a_handler(run=steady)).execute(
        job, DEADLINE
    )
    assert isinstance(executed, Executed)

    unread = FakeJobRepository()
    again = await stored(unread)
    blind = FaultyJobRepository(unread, on_read=lambda: OUTAGE)
    assert isinstance(await an_executor(blind, a_handler(run=steady)).execute(again, DEADLINE), Executed)


@pytest.mark.parametrize(("fault", "expected"), [(OUTAGE, False), (JobUnreadable(job_id="x", detail="?"), False)])
async def test_a_handler_continues_while_the_store_cannot_be_read(
    fault: JobUnreadable | StorageUnavailable, expected: bool
) -> None:
    inner = FakeJobRepository()
    seen: list[bool] = []

    async def asking(document: Text, context: JobContext) -> Count:
        seen.append(await context.cancel_requested())
        return await count_words(document, context)

    jobs = FaultyJobRepository(inner, on_read=lambda: fault)
    await an_executor(jobs, a_handler(run=asking)).execute(await stored(inner), DEADLINE)
    assert seen == [expected]


async def test_a_handler_whose_job_was_deleted_is_asked_to_stop() -> None:
    jobs = FakeJobRepository()
    seen: list[bool] = []

    async def asking(document: Text, context: JobContext) -> Count:
        current = await jobs.get(context.job_id, NOW)
        assert isinstance(current, Job)
        await jobs.replace(Change(succeeded(id=current.id).model_copy(update={"version": 9})), current.version)
        seen.append(await context.cancel_requested())
        return await count_words(document, context)

    job = await stored(jobs)
    answer = await an_executor(jobs, a_handler(run=asking)).execute(job, DEADLINE)
    assert seen == [True]
    assert answer == LeaseLost(job_id=job.id, attempt=1)


async def test_progress_of_a_lost_lease_is_dropped() -> None:
    jobs = FakeJobRepository()

    async def late(document: Text, context: JobContext) -> Count:
        current = await jobs.get(context.job_id, NOW)
        assert isinstance(current, Job)
        rescued = legal(transitions.wake(current, POLICY, NOW + timedelta(hours=1), 0.5))
        await jobs.replace(Change(rescued), current.version)
        await context.report_progress(0.5)
        return await count_words(document, context)

    job = await stored(jobs)
    assert await an_executor(jobs, a_handler(run=late)).execute(job, DEADLINE) == LeaseLost(job_id=job.id, attempt=1)


async def test_a_job_whose_failure_does_not_fit_its_item_is_left_to_its_lease() -> None:
    inner = FakeJobRepository()
    jobs = FaultyJobRepository(inner, on_replace=failing_outcomes(9, ItemTooLarge(size=2, limit=1)))
    job = await stored(inner)
    assert await an_executor(jobs).execute(job, DEADLINE) == LeaseLost(job_id=job.id, attempt=1)
