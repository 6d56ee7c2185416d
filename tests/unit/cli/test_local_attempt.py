"""An attempt in this process: on the main thread, and with the outcome that it would have in a worker."""

import asyncio
import threading
import time
from bdb import BdbQuit
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from pydantic import BaseModel, field_serializer, field_validator

from domain.jobs.catalogue import Catalogue
from domain.jobs.change import Change
from domain.jobs.execution import JobExecutor
from domain.jobs.execution_results import Executed
from domain.jobs.job import Failed, Frame, Job, Retrying, Succeeded
from functions.runtime import now
from headrace.authoring.context import JobContext, SyncJobContext
from headrace.authoring.job_type import Handler, JobType, Policy
from headrace.authoring.json_text import JsonText
from headrace.authoring.outcomes import Fail, Retry, Stopped
from headrace.cli.local.attempt import Ended, Interrupted, claimed_job, run_attempt
from headrace.testing.clock import half, numbered_ids
from headrace.testing.job_repository import FakeJobRepository
from tests.factories import new_job, queued
from tests.fakes.handlers import Count, Text, a_handler

KIND = "text.word_count"
POLICY = Policy(max_attempts=3)
LIMIT = timedelta(milliseconds=200)
Reports = list[tuple[float, str]]


class Plain:
    """A handler that is a plain function."""

    def __init__(self, run: Callable[[Text, SyncJobContext], object]) -> None:
        self.definition = JobType[BaseModel, BaseModel](
            name=KIND, summary="", payload=Text, result=Count, policy=POLICY
        )
        self._run = run

    def run(self, payload: BaseModel, context: SyncJobContext) -> BaseModel:
        assert isinstance(payload, Text)
        return self._run(payload, context)  # type: ignore[return-value]  # what a handler gets wrong is tested too


def attempt(
    handler: Handler,
    payload: str = '{"text":"one two"}',
    number: int = 1,
    limit: timedelta | None = None,
    reports: Reports | None = None,
) -> Ended | Interrupted:
    shown: Reports = [] if reports is None else reports
    new = new_job(id="job-7", type=KIND, payload=JsonText(payload), max_attempts=3)
    job = claimed_job(new, handler.definition.policy, number, now)
    settings = {"SHOP_URL": "http://shop.test"}
    return run_attempt(handler, job, settings, limit, now, lambda fraction, said: shown.append((fraction, said)))


def ended(handler: Handler, limit: timedelta | None = None, number: int = 1) -> Ended:
    found = attempt(handler, limit=limit, number=number)
    assert isinstance(found, Ended)
    return found


def code(found: Ended) -> str:
    assert isinstance(found.job.state, Retrying | Failed)
    return found.job.state.error.code


def message(found: Ended) -> str:
    assert isinstance(found.job.state, Retrying | Failed)
    return found.job.state.error.message


def test_both_kinds_of_handlers_run_on_the_main_thread() -> None:
    threads: list[threading.Thread] = []

    async def run(_document: Text, _context: JobContext) -> Count:
        threads.append(threading.current_thread())
        return Count(words=2)

    def plain(_document: Text, _context: SyncJobContext) -> Count:
        threads.append(threading.current_thread())
        return Count(words=2)

    for handler in (a_handler(run=run), Plain(plain)):
        state = ended(handler).job.state
        assert isinstance(state, Succeeded)
        assert state.result == '{"words":2}'
    assert threads == [threading.main_thread()] * 2


def test_a_handler_sees_the_attempt_that_it_is_asked_to_run() -> None:
    seen: list[object] = []

    async def look(_document: Text, context: JobContext) -> Count:
        seen.extend([context.job_id, context.idempotency_key, context.attempt, dict(context.settings)])
        seen.extend([await context.cancel_requested(), context.deadline - now() > timedelta(seconds=25)])
        return Count()

    def look_plainly(_document: Text, context: SyncJobContext) -> Count:
        seen.extend([context.job_id, context.idempotency_key, context.attempt, dict(context.settings)])
        seen.extend([context.cancel_requested(), context.deadline - now() > timedelta(seconds=25)])
        return Count()

    for handler in (a_handler(run=look), Plain(look_plainly)):
        ended(handler, number=2)
    assert seen == ["job-7", "job-7", 2, {"SHOP_URL": "http://shop.test"}, False, True] * 2


def test_every_report_is_shown_also_those_that_a_worker_would_not_store() -> None:
    reports: Reports = []

    async def report(_document: Text, context: JobContext) -> Count:
        await context.report_progress(0.25, "begun")
        await context.report_progress(0.5)
        return Count()

    def report_plainly(_document: Text, context: SyncJobContext) -> Count:
        context.report_progress(0.75, "plainly")
        return Count()

    for handler in (a_handler(run=report), Plain(report_plainly)):
        attempt(handler, reports=reports)
    assert reports == [(0.25, "begun"), (0.5, ""), (0.75, "plainly")]


def test_a_plain_handler_may_have_a_loop_of_its_own_and_threads() -> None:
    reports: Reports = []

    def run(_document: Text, context: SyncJobContext) -> Count:
        async def inner() -> None:
            context.report_progress(0.1, "in a loop of its own")

        asyncio.run(inner())
        thread = threading.Thread(target=context.report_progress, args=(0.2, "in a thread"))
        thread.start()
        thread.join()
        return Count()

    found = attempt(Plain(run), reports=reports)
    assert isinstance(found, Ended)
    assert found.job.status == "succeeded"
    assert reports == [(0.1, "in a loop of its own"), (0.2, "in a thread")]


def test_what_a_plain_function_returns_to_be_awaited_is_awaited() -> None:
    reports: Reports = []

    async def later(context: JobContext) -> Count:
        await context.report_progress(0.5, "awaited")
        return Count(words=1)

    def run(_document: Text, context: SyncJobContext) -> Awaitable[Count]:
        return later(context)  # type: ignore[arg-type]  # a decorator gives on what it was given

    found = attempt(Plain(run), reports=reports)
    assert isinstance(found, Ended)
    assert found.job.status == "succeeded"
    assert reports == [(0.5, "awaited")]


def test_the_frames_of_an_exception_are_the_handlers() -> None:
    def fail(_document: Text, _context: SyncJobContext) -> Count:
        raise KeyError("missing_key")

    found = ended(Plain(fail))
    line = fail.__code__.co_firstlineno + 1
    function = "test_the_frames_of_an_exception_are_the_handlers.<locals>.fail"
    assert found.frames[-1] == Frame(
        file="tests/unit/cli/test_local_attempt.py",
        line=line,
        function=function,
        source='raise KeyError("missing_key")',
    )


def test_an_exception_with_a_cause_names_the_origin_to_which_the_frames_lead() -> None:
    async def fail(_document: Text, _context: JobContext) -> Count:
        async def part() -> None:
            raise KeyError("missing_key")

        async with asyncio.TaskGroup() as group:
            group.create_task(part())
        return Count()

    found = ended(a_handler(run=fail))
    assert code(found) == "ExceptionGroup"
    assert message(found).endswith("(from KeyError: 'missing_key')")
    assert found.frames[-1].function.endswith("part")


@pytest.mark.parametrize("thrown", [KeyboardInterrupt(), BdbQuit()], ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("plain", [False, True], ids=["async", "plain"])
def test_ctrl_c_and_leaving_the_debugger_interrupt_the_attempt(thrown: BaseException, plain: bool) -> None:
    async def throw(_document: Text, _context: JobContext) -> Count:
        raise thrown

    def throw_plainly(_document: Text, _context: SyncJobContext) -> Count:
        raise thrown

    assert attempt(Plain(throw_plainly) if plain else a_handler(run=throw)) == Interrupted()


def test_the_last_attempt_that_raises_has_failed() -> None:
    def fail(_document: Text, _context: SyncJobContext) -> Count:
        raise KeyError("x")

    first, last = ended(Plain(fail), number=1).job.state, ended(Plain(fail), number=3).job.state
    assert isinstance(first, Retrying)
    assert isinstance(last, Failed)
    assert last.reason == "exhausted"


def test_a_retry_stands_at_the_latest_moment_that_the_backoff_allows() -> None:
    found = ended(Plain(lambda _document, _context: Retry(reason="later")))
    assert isinstance(found.job.state, Retrying)
    assert found.job.state.retry_at - found.job.updated_at == POLICY.backoff.base


def test_a_payload_that_its_model_refuses_is_told_with_its_places() -> None:
    found = attempt(a_handler(), payload='{"text":1,"x":2}')
    assert isinstance(found, Ended)
    assert code(found) == "invalid_payload"
    assert sorted(message(found).split("; ")) == [
        "text: Input should be a valid string",
        "x: Extra inputs are not permitted",
    ]


class Picky(Text):
    """A payload with a validator of its own."""

    @field_validator("text")
    @classmethod
    def check(cls, _text: str) -> str:
        raise KeyError("no such table")


def test_an_exception_of_a_payload_model_is_shown_with_its_frames() -> None:
    found = ended(a_handler(payload=Picky))
    assert code(found) == "KeyError"
    assert [frame.function for frame in found.frames] == ["Picky.check"]


def test_an_attempt_is_stopped_at_its_limit_and_shows_where() -> None:
    async def wait(_document: Text, _context: JobContext) -> Count:
        await asyncio.sleep(60)
        return Count()

    def wait_plainly(_document: Text, _context: SyncJobContext) -> Count:
        time.sleep(60)
        return Count()

    for handler, function in ((a_handler(run=wait), "wait"), (Plain(wait_plainly), "wait_plainly")):
        found = ended(handler, limit=LIMIT)
        assert code(found) == "timeout"
        assert found.frames[-1].function.endswith(function)


def test_what_comes_of_a_plain_handler_after_its_limit_is_too_late() -> None:
    def swallow(_document: Text, _context: SyncJobContext) -> Count:
        try:
            time.sleep(60)
        except BaseException:  # noqa: BLE001 - it is what a careless handler does
            return Count()
        return Count()

    def stumble(_document: Text, _context: SyncJobContext) -> Count:
        try:
            time.sleep(60)
        finally:
            int("in the clean-up")
        return Count()

    for run in (swallow, stumble):
        assert code(ended(Plain(run), limit=LIMIT)) == "timeout"


def test_an_async_handler_that_is_stopped_may_say_what_came_of_it() -> None:
    async def tidy(_document: Text, _context: JobContext) -> Count | Retry:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            return Retry(reason="cleaned up", code="tidy")
        return Count()

    assert code(ended(a_handler(run=tidy), limit=LIMIT)) == "tidy"


def test_an_async_handler_that_ignores_being_stopped_is_abandoned() -> None:
    async def stubborn(_document: Text, _context: JobContext) -> Count:
        begun = time.monotonic()
        while time.monotonic() - begun < 10:
            try:
                await asyncio.sleep(0.05)
            except asyncio.CancelledError:
                continue
        return Count()

    begun = time.monotonic()
    assert code(ended(a_handler(run=stubborn), limit=LIMIT)) == "timeout"
    assert time.monotonic() - begun < 5


def test_the_time_of_a_plain_function_and_of_what_it_returns_is_one() -> None:
    def run(_document: Text, _context: SyncJobContext) -> Awaitable[Count]:
        async def later() -> Count:
            await asyncio.sleep(0.3)
            return Count()

        time.sleep(0.3)
        return later()

    assert code(ended(Plain(run), limit=timedelta(seconds=0.4))) == "timeout"


class Treacherous(Count):
    """A result whose serializer is user code as well."""

    @field_serializer("words")
    def serialize_words(self, _words: int) -> int:
        raise GeneratorExit


def throwing(error: BaseException) -> Handler:
    async def throw(_document: Text, _context: JobContext) -> Count:
        raise error

    return a_handler(run=throw)


def throwing_plainly(error: BaseException) -> Handler:
    def throw(_document: Text, _context: SyncJobContext) -> Count:
        raise error

    return Plain(throw)


def giving(returned: object) -> Handler:
    return Plain(lambda _document, _context: returned)


CASES: dict[str, Handler] = {
    "a result": giving(Count(words=3)),
    "another model": giving(Text()),
    "no model": giving(7),
    "nothing": giving(None),
    "a result that cannot be written": giving(Treacherous()),
    "fail": giving(Fail(reason="never", code="bad_card")),
    "retry": giving(Retry(reason="later")),
    "stopped": giving(Stopped()),
    "an exception": giving(ValueError("returned")),
    "KeyError": throwing(KeyError("x")),
    "SystemExit": throwing(SystemExit(3)),
    "StopIteration": throwing(StopIteration(7)),
    "CancelledError": throwing(asyncio.CancelledError()),
    "plain KeyError": throwing_plainly(KeyError("x")),
    "plain SystemExit": throwing_plainly(SystemExit(3)),
    "plain StopIteration": throwing_plainly(StopIteration(7)),
}


@pytest.mark.parametrize("handler", CASES.values(), ids=CASES)
def test_an_attempt_comes_to_what_it_comes_to_in_a_worker(handler: Handler) -> None:
    async def in_a_worker() -> Job:
        jobs = FakeJobRepository()
        job = queued(now(), handler.definition.policy, type=KIND, payload=JsonText('{"text":"one two"}'))
        await jobs.add(Change(job), now())
        executor = JobExecutor(jobs, Catalogue([handler]), now, numbered_ids(), half, {})
        executed = await executor.execute(job, now() + timedelta(minutes=1))
        assert isinstance(executed, Executed)
        return executed.job

    def essence(job: Job) -> tuple[object, ...]:
        match job.state:
            case Retrying(error=error) | Failed(error=error):
                return job.status, error.code, error.message
            case Succeeded(result=result):
                return job.status, result
            case _:
                return (job.status,)

    with asyncio.Runner() as runner:
        there = runner.run(in_a_worker())
    assert essence(ended(handler).job) == essence(there)
