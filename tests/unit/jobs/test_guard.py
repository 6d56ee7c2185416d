"""User code cannot end another job: whatever a handler does becomes the outcome of its own attempt."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from pydantic import BaseModel, field_serializer, field_validator

from domain.jobs.catalogue import Catalogue
from domain.jobs.change import Change
from domain.jobs.execution import JobExecutor
from domain.jobs.execution_results import Executed
from domain.jobs.guard import MAX_RESULT_BYTES, STOP_GRACE
from domain.jobs.job import Failed, Job, Retrying, Succeeded
from domain.jobs.transitions import MAX_MESSAGE
from functions.runtime import now as real_now
from headrace.authoring.context import JobContext, SyncJobContext
from headrace.authoring.job_type import Handler, JobType, Policy
from headrace.authoring.json_text import JsonText
from headrace.authoring.outcomes import Fail, Retry, Stopped
from headrace.testing.clock import half, numbered_ids
from headrace.testing.job_repository import FakeJobRepository
from tests.factories import queued
from tests.fakes.handlers import Count, Text, a_handler

KIND = "text.word_count"
BRIEF = Policy(timeout=timedelta(milliseconds=200))
Plain = Callable[[Text, SyncJobContext], object]


class PlainHandler:
    """A handler that is a plain function."""

    def __init__(self, run: Plain, policy: Policy | None = None) -> None:
        self.definition = JobType[BaseModel, BaseModel](
            name=KIND, summary="", payload=Text, result=Count, policy=policy or Policy()
        )
        self._run = run

    def run(self, payload: BaseModel, context: SyncJobContext) -> BaseModel | Retry | Fail | Stopped:
        assert isinstance(payload, Text)
        return self._run(payload, context)  # type: ignore[return-value]  # what a handler gets wrong is what is tested


def an_executor(jobs: FakeJobRepository, handler: Handler, cpus: int = 1) -> JobExecutor:
    return JobExecutor(jobs, Catalogue([handler]), real_now, numbered_ids(), half, {}, cpus)


async def ended(handler: Handler, text: str = "one two", seconds: float = 60) -> Job:
    """Execute a job with `handler`; return the stored job."""
    jobs = FakeJobRepository()
    policy = handler.definition.policy
    job = queued(real_now(), policy, type=KIND, payload=JsonText(f'{{"text":"{text}"}}'), max_attempts=3)
    await jobs.add(Change(job), real_now())
    executed = await an_executor(jobs, handler).execute(job, real_now() + timedelta(seconds=seconds))
    assert isinstance(executed, Executed), executed
    return executed.job


class Mute(Exception):
    """An exception whose text cannot be read."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


class Rootless(Exception):
    """An exception that does not say where it comes from."""

    @property
    def __cause__(self) -> BaseException | None:  # type: ignore[override]
        raise RuntimeError("no cause")


class OwnBase(BaseException):
    """A `BaseException` that is not an `Exception`."""


THROWN: tuple[BaseException, ...] = (
    ValueError("caf\udce9.csv"),
    Mute(),
    Rootless(),
    OwnBase("mine"),
    StopIteration(7),
    StopAsyncIteration(),
    GeneratorExit(),
    KeyboardInterrupt(),
    SystemExit(3),
    asyncio.CancelledError(),
    ExceptionGroup("many", [ValueError("one")]),
    MemoryError(),
    RecursionError("deep"),
    ValueError("x" * 10**6),
)


@pytest.mark.parametrize("error", THROWN, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("plain", [False, True], ids=["async", "plain"])
async def test_any_exception_of_a_handler_is_only_its_own_jobs_failure(error: BaseException, plain: bool) -> None:
    async def throw(_document: Text, _context: JobContext) -> Count:
        raise error

    def throw_plainly(_document: Text, _context: SyncJobContext) -> Count:
        raise error

    job = await ended(PlainHandler(throw_plainly) if plain else a_handler(run=throw))
    assert isinstance(job.state, Retrying)
    # Python itself turns it into another where it leaves a coroutine.
    turned = isinstance(error, StopIteration) and not plain
    assert job.state.error.code == ("RuntimeError" if turned else type(error).__name__)
    assert job.state.error.frames, "frames tell that the message is an exception's, which a job type may hide"
    assert len(job.state.error.message) <= MAX_MESSAGE
    job.state.error.message.encode()


async def test_half_a_surrogate_pair_is_replaced_in_every_text_of_a_handler() -> None:
    async def retry(_document: Text, context: JobContext) -> Retry:
        await context.report_progress(0.5, "\udce9")
        return Retry(reason="caf\udce9", code="\udce9")

    async def fail(_document: Text, _context: JobContext) -> Fail:
        return Fail(reason="caf\udce9", code="\udce9")

    retrying, failed = await ended(a_handler(run=retry)), await ended(a_handler(run=fail))
    assert isinstance(retrying.state, Retrying)
    assert isinstance(failed.state, Failed)
    for error in (retrying.state.error, failed.state.error):
        assert (error.code, error.message) == ("\ufffd", "caf\ufffd")


WRONG_FIELDS: dict[str, object] = {"reason": None, "code": b"\xff", "after": None}
RUBBISH: tuple[object, ...] = (
    None, 7, "text", {"words": 2}, Count, Text(text="x"), Retry, object(),
    *(each.model_construct(None, **WRONG_FIELDS) for each in (Retry, Fail)),  # type: ignore[arg-type]  # that is the point
)  # fmt: skip


@pytest.mark.parametrize("returned", RUBBISH, ids=lambda value: repr(value)[:20])
async def test_any_return_value_of_a_handler_is_only_its_own_jobs_outcome(returned: object) -> None:
    def give(_document: Text, _context: SyncJobContext) -> object:
        return returned

    job = await ended(PlainHandler(give))
    assert isinstance(job.state, Failed | Retrying)
    job.state.error.message.encode()


async def test_a_result_must_be_of_the_declared_model() -> None:
    job = await ended(PlainHandler(lambda _document, _context: Text(text="not a count")))
    assert isinstance(job.state, Failed)
    assert job.state.error.message == "the handler returned Text, not its result model Count"


class Treacherous(Count):
    """A result whose serializer is user code."""

    @field_serializer("words")
    def serialize_words(self, _words: int) -> int:
        raise OwnBase("not today")


class Odd(Count):
    """A result with text that JSON cannot represent."""

    text: str = "\udce9"


@pytest.mark.parametrize("result", [Treacherous(), Odd()])
async def test_a_result_that_cannot_be_written_is_its_own_jobs_failure(result: Count) -> None:
    async def give(_document: Text, _context: JobContext) -> Count:
        return result

    job = await ended(a_handler(run=give))
    assert isinstance(job.state, Failed | Retrying)


class Picky(Text):
    """A payload with its own validator."""

    @field_validator("text")
    @classmethod
    def check(cls, _text: str) -> str:
        raise KeyError("no such table")


async def test_a_payload_models_own_exception_is_its_own_jobs_failure() -> None:
    job = await ended(a_handler(payload=Picky))
    assert isinstance(job.state, Retrying)
    assert job.state.error.code == "KeyError"


class Strict(BaseModel):
    """A payload whose fields are all missing."""

    a: int
    b: int
    c: int
    d: int
    e: int
    f: int


async def test_of_many_errors_in_a_payload_the_first_are_named_and_the_rest_counted() -> None:
    job = await ended(a_handler(payload=Strict))
    assert isinstance(job.state, Failed)
    assert job.state.error.message.endswith("e: Field required; and 1 more")


async def test_a_handler_that_cancels_itself_has_failed() -> None:
    async def cancel(_document: Text, _context: JobContext) -> Count:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(1)
        return Count()

    job = await ended(a_handler(run=cancel))
    assert isinstance(job.state, Retrying)
    assert job.state.error.code == "CancelledError"


async def test_a_handler_that_is_stopped_may_clean_up_and_return_an_outcome() -> None:
    async def tidy(_document: Text, _context: JobContext) -> Count | Retry:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            return Retry(reason="cleaned up", code="tidy")
        return Count()

    job = await ended(a_handler(run=tidy, policy=BRIEF))
    assert isinstance(job.state, Retrying)
    assert job.state.error.code == "tidy"


async def test_an_exception_of_a_handler_that_is_stopped_counts_as_its_timeout() -> None:
    async def clumsy(_document: Text, _context: JobContext) -> Count:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError as error:
            raise LookupError("in the clean-up") from error
        return Count()

    job = await ended(a_handler(run=clumsy, policy=BRIEF))
    assert isinstance(job.state, Retrying)
    assert job.state.error.code == "timeout"


async def test_a_handler_that_ignores_being_stopped_is_abandoned() -> None:
    release = asyncio.Event()

    async def stubborn(_document: Text, _context: JobContext) -> Count:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue
        return Count()

    began = time.monotonic()
    job = await ended(a_handler(run=stubborn, policy=BRIEF))
    took = time.monotonic() - began
    release.set()
    assert isinstance(job.state, Retrying)
    assert job.state.error.code == "timeout"
    assert took < (BRIEF.timeout + STOP_GRACE).total_seconds() + 1


async def test_an_awaitable_that_a_plain_function_returns_is_awaited() -> None:
    async def count(document: Text, context: JobContext) -> Count:
        await context.report_progress(0.5)
        assert await context.cancel_requested() is False
        return Count(words=len(document.text.split()))

    def wrapped(document: Text, context: SyncJobContext) -> Awaitable[Count]:
        return count(document, context)  # type: ignore[arg-type]  # a decorator gives on what it was given

    job = await ended(PlainHandler(wrapped))
    assert isinstance(job.state, Succeeded)
    assert job.state.result == '{"words":2}'


async def test_a_plain_handler_uses_its_context_from_its_thread() -> None:
    seen: list[object] = []

    def ask(_document: Text, context: SyncJobContext) -> Count:
        context.report_progress(0.5, "half")
        seen.extend([context.cancel_requested(), context.job_id, context.attempt, context.idempotency_key])
        seen.append(dict(context.settings))
        return Count(words=1)

    job = await ended(PlainHandler(ask))
    assert seen == [False, job.id, 1, job.id, {}]
    assert job.version == 4, "the claim, the report and the outcome"


async def test_a_plain_handler_that_continues_after_its_attempt_is_asked_to_stop() -> None:
    flags: list[bool] = []
    release, finished = threading.Event(), threading.Event()

    def late(_document: Text, context: SyncJobContext) -> Count:
        release.wait(10)
        context.report_progress(0.9)
        flags.append(context.cancel_requested())
        finished.set()
        return Count()

    job = await ended(PlainHandler(late, BRIEF))
    assert isinstance(job.state, Retrying)
    release.set()
    assert await asyncio.to_thread(finished.wait, 10)
    assert flags == [True]


async def all_ended(handler: Handler, jobs: int, cpus: int = 1) -> list[Job]:
    """Execute jobs concurrently; return them in the order of their submission."""
    store = FakeJobRepository()
    executor = an_executor(store, handler, cpus)
    waiting = [
        queued(real_now(), handler.definition.policy, id=f"job-{number}", type=KIND, payload=JsonText('{"text":"x"}'))
        for number in range(jobs)
    ]
    for job in waiting:
        await store.add(Change(job), real_now())
    deadline = real_now() + timedelta(minutes=5)
    executions = await asyncio.gather(*(executor.execute(job, deadline) for job in waiting))
    return [each.job for each in executions if isinstance(each, Executed)]


async def test_plain_handlers_take_turns_and_waiting_costs_them_nothing() -> None:
    brief = Policy(timeout=timedelta(seconds=1))

    def compute(_document: Text, _context: SyncJobContext) -> Count:
        time.sleep(0.3)
        return Count()

    jobs = await all_ended(PlainHandler(compute, brief), 8)
    assert [(job.status, job.attempt) for job in jobs] == [("succeeded", 1)] * 8, "2.4 s in all, 1 s for each"


@pytest.mark.parametrize(("concurrency", "cpus", "expected"), [(None, 1, 1), (None, 2, 2), (4, 1, 4), (1, 6, 1)])
async def test_a_function_runs_as_many_plain_handlers_at_once_as_it_has_cpus_or_the_policy_says(
    concurrency: int | None, cpus: int, expected: int
) -> None:
    lock, running, most = threading.Lock(), [0], [0]

    def compute(_document: Text, _context: SyncJobContext) -> Count:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        time.sleep(0.05)
        with lock:
            running[0] -= 1
        return Count()

    await all_ended(PlainHandler(compute, Policy(concurrency=concurrency)), 8, cpus)
    assert most == [expected]


async def test_a_policy_limits_async_handlers_too() -> None:
    running, most = [0], [0]

    async def call(_document: Text, _context: JobContext) -> Count:
        running[0] += 1
        most[0] = max(most[0], running[0])
        await asyncio.sleep(0.01)
        running[0] -= 1
        return Count()

    await all_ended(a_handler(run=call, policy=Policy(concurrency=2)), 8)
    assert most == [2]


async def test_a_result_beyond_the_limit_is_reported_with_its_size() -> None:
    class Long(Count):
        text: str = "x" * MAX_RESULT_BYTES

    job = await ended(PlainHandler(lambda _document, _context: Long()))
    assert isinstance(job.state, Failed)
    assert str(MAX_RESULT_BYTES) in job.state.error.message


async def test_a_handler_that_cancels_itself_and_ends_at_once_has_not_timed_out() -> None:
    async def cancel(_document: Text, _context: JobContext) -> Count:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        return Count()

    job = await ended(a_handler(run=cancel))
    assert job.status in {"succeeded", "retrying"}
    if isinstance(job.state, Retrying):
        assert job.state.error.code == "CancelledError"


async def test_an_awaitable_of_a_plain_function_does_not_see_its_attempt_as_ended() -> None:
    flags: list[bool] = []

    def wrapped(_document: Text, context: SyncJobContext) -> Awaitable[Count]:
        async def work() -> Count:
            flags.append(await asyncio.to_thread(context.cancel_requested))
            return Count()

        return work()

    await ended(PlainHandler(wrapped))
    assert flags == [False]
