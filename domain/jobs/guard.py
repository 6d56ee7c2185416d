"""Guards an attempt: whatever a handler does becomes the outcome of its own attempt.

A handler is user code. It may raise a `BaseException`, cancel its own task, return a value that it did not declare,
produce text that cannot be stored, or ignore its cancellation. None of that leaves this module.
"""

import asyncio
import inspect
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import copy_context
from datetime import timedelta
from typing import cast

from pydantic import BaseModel, ValidationError

from domain.jobs.attempt import Attempt
from domain.jobs.change import MAX_COMPANIONS, OF_USERS, FollowUp
from domain.jobs.job import Job
from domain.jobs.outcomes import Done, Outcome, Pause, Raised, TimedOut
from domain.jobs.threaded_attempt import ThreadedAttempt
from domain.jobs.upcasting import upcast
from domain.jobs.user_errors import raised, text_of
from headrace.authoring import outcomes as authored
from headrace.authoring.job_type import Handler, JobHandler, SyncJobHandler
from headrace.authoring.json_text import NotJson, byte_length, to_json_text
from headrace.authoring.outcomes import Fail, Retry, Stopped
from headrace.authoring.secrets import SECRETS_FOUND, Secret
from headrace.authoring.steps import StepMisused

MAX_RESULT_BYTES = 5 * 1024 * 1024
"""Of the result's JSON, as of a payload's."""

STOP_GRACE = timedelta(seconds=1)
"""What a handler that is stopped has to clean up; then it is abandoned."""

MAX_WRITES = MAX_COMPANIONS - 1
"""Of a handler, with its result: its lane's place is given back in the same transaction."""

MAX_FLAWS = 5


async def outcome_of(handler: Handler, job: Job, context: Attempt, left: timedelta) -> Outcome:
    """Run one attempt, stopped after `left`, and say what it came to. Raises nothing but the caller's cancellation.

    What the handler returns after it was stopped still counts (it may have cleaned up); what it raises does not. A
    handler that continues nevertheless is abandoned: its task or thread may still run, but nothing waits for it. So it
    is stopped when its context says that the invocation ends before it does, and comes to a `Pause` then; to clean up
    it has what is left of the attempt.
    """
    allowed = handler.definition.policy.timeout.total_seconds()
    late = TimedOut(reason=f"the attempt took longer than {allowed:g} s")
    if left <= timedelta(0):
        return late
    over = asyncio.get_running_loop().time() + left.total_seconds()
    attempt = asyncio.create_task(_guarded(handler, job, context), name=f"job {job.id}")
    try:
        either: set[asyncio.Future[Outcome]] = {attempt, context.ended}
        await asyncio.wait(either, timeout=left.total_seconds(), return_when=asyncio.FIRST_COMPLETED)
        in_time = attempt.done()
        # Asked before it is cancelled: its last step ends by that, after which nothing but waits may be left.
        pause = context.ended.result() if context.ended.done() and not in_time else None
        if not in_time:
            attempt.cancel()
            rest = over - asyncio.get_running_loop().time() if pause else 0
            await asyncio.wait({attempt}, timeout=max(rest, STOP_GRACE.total_seconds()))
    except asyncio.CancelledError:
        attempt.cancel()
        raise
    await context.close(over - asyncio.get_running_loop().time() + 2 * STOP_GRACE.total_seconds())
    ended = _ended(attempt)
    if pause is not None:
        ended = _paused(pause, ended)
    if context.flaw is not None and isinstance(ended, Done | Retry | Raised | Pause):
        return context.hidden.outcome(_flawed(context.flaw, ended))
    match ended:
        case Done() if context.submitted:
            return context.hidden.outcome(_with_jobs(ended, context.submitted))
        case Raised(permanent=False) if not in_time and pause is None:
            return late
        case None:
            return late
        case _:
            return context.hidden.outcome(ended)


def _with_jobs(done: Done, submitted: tuple[FollowUp, ...]) -> Outcome:
    writes = (*done.writes, *submitted)
    return _too_many(len(writes)) or done.model_copy(update={"writes": writes})


def _flawed(flaw: str, ended: Outcome) -> Outcome:
    """The failure of a job whose handler called its steps wrongly, whatever it made of that."""
    own = isinstance(ended, Raised) and ended.permanent
    return ended if own else Fail(code=StepMisused.__name__, reason=flaw)


def _paused(pause: Outcome, ended: Outcome | None) -> Outcome:
    """The pause, unless the handler caught that it was ended: then it did what only a failure should make it do."""
    match ended:
        case None:
            return TimedOut(reason="the clean-up did not end")
        case Raised(code="CancelledError"):
            return pause
        case Raised():
            return ended
        case _:
            caught = "the handler caught the end of its invocation and went on: let it catch `Exception`, and no more"
            return Fail(code="pause_caught", reason=caught)


def _ended(attempt: "asyncio.Task[Outcome]") -> Outcome | None:
    """The outcome of the attempt; None while it still runs."""
    if attempt.cancelled():
        return raised(asyncio.CancelledError())
    return attempt.result() if attempt.done() else None


async def _guarded(handler: Handler, job: Job, context: Attempt) -> Outcome:
    secrets: list[Secret] = []
    payload = payload_of(handler, job, secrets)
    if isinstance(payload, Fail | Raised):
        return payload
    if secrets and (unrevealed := await context.reveal(secrets)) is not None:
        return unrevealed
    try:
        returned = await _call(handler, payload, context)
        return returned if isinstance(returned, Raised) else outcome_from(returned, handler.definition.result)
    except BaseException as error:  # noqa: BLE001 - whatever a handler raises belongs to its job
        return raised(error)


def payload_of(handler: Handler, job: Job, secrets: list[Secret] | None = None) -> BaseModel | Fail | Raised:
    """The payload as the handler takes it, or the outcome of an attempt that cannot have it; notes its secrets."""
    payload = upcast(handler.definition, job)
    if isinstance(payload, Fail | Raised):
        return payload
    try:
        return handler.definition.payload.model_validate_json(payload, context={SECRETS_FOUND: secrets})
    except ValidationError as error:
        return _invalid_payload(error)
    except BaseException as error:  # noqa: BLE001 - a payload model may have validators of its own
        return raised(error)


def is_plain(handler: Handler) -> bool:
    """Whether the handler is a plain function, which runs in a thread."""
    return not inspect.iscoroutinefunction(handler.run)


async def _call(handler: Handler, payload: BaseModel, context: Attempt) -> object:
    """What the handler returns; `Raised` for what it raised in its thread."""
    if not is_plain(handler):
        return await cast("JobHandler[BaseModel]", handler).run(payload, context)
    ended = threading.Event()
    threaded = ThreadedAttempt(context, asyncio.get_running_loop(), ended)
    plain = cast("SyncJobHandler[BaseModel]", handler)
    try:
        # Its methods answer a thread directly and give the loop something to await: both protocols in one.
        returned = await _in_thread(lambda: plain.run(payload, threaded))  # type: ignore[arg-type]
        return await cast("Awaitable[object]", returned) if inspect.isawaitable(returned) else returned
    finally:
        ended.set()


async def _in_thread(run: Callable[[], object]) -> object:
    """What `run` returns, from a thread of its own; `Raised` for what it raises.

    Nothing is raised through the future: it refuses `StopIteration`. The thread is a daemon, so that one that never
    ends holds up neither another job nor the end of the process.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[object] = loop.create_future()

    def work() -> None:
        try:
            value = run()
        except BaseException as error:  # noqa: BLE001 - whatever a handler raises belongs to its job
            value = raised(error)
        with suppress(RuntimeError):  # The loop was closed: the result is no longer awaited.
            loop.call_soon_threadsafe(_settle, done, value)

    threading.Thread(target=copy_context().run, args=(work,), name="handler", daemon=True).start()
    return await done


def _settle(done: asyncio.Future[object], value: object) -> None:
    if not done.done():
        done.set_result(value)


def outcome_from(returned: object, result: type[BaseModel]) -> Outcome:
    """What a handler's return value means; anything but an outcome or its result model is the job's failure."""
    match returned:
        case Retry():
            return Retry(code=text_of(returned.code), reason=text_of(returned.reason), after=returned.after)
        case Fail():
            return Fail(code=text_of(returned.code), reason=text_of(returned.reason))
        case Stopped():
            return returned
        case authored.Done():
            return _with_writes(returned, result)
        case BaseModel() if isinstance(returned, result):
            return _done(returned)
        case _:
            wrong = f"the handler returned {type(returned).__name__}, not its result model {result.__name__}"
            return Fail(code="invalid_result", reason=wrong)


def _with_writes(returned: "authored.Done[BaseModel]", result: type[BaseModel]) -> Outcome:
    done = outcome_from(returned.result, result)
    if not isinstance(done, Done):
        return done
    if (refused := _too_many(len(returned.writes))) is not None:
        return refused
    writes = tuple(each.model_copy(update={"table": f"{OF_USERS}{each.table}"}) for each in returned.writes)
    return Done(result=done.result, writes=writes, otherwise=returned.otherwise)


def _too_many(writes: int) -> Fail | None:
    told = f"the handler came to {writes} writes and jobs, the limit is {MAX_WRITES}"
    return Fail(code="too_many_writes", reason=told) if writes > MAX_WRITES else None


def _done(result: BaseModel) -> Done | Fail | Raised:
    try:
        text = to_json_text(result.model_dump(mode="json"))
    except NotJson as error:
        return Fail(code="invalid_result", reason=f"the result is not JSON: {error}")
    except Exception as error:  # noqa: BLE001 - a result model may have serializers of its own
        told = raised(error)
        message = f"the result is not JSON: {told.message}"
        return Raised(code="invalid_result", message=message, frames=told.frames, permanent=True)
    size = byte_length(text)
    if size > MAX_RESULT_BYTES:
        limit = f"the result has {size} bytes of JSON, the limit is {MAX_RESULT_BYTES}"
        return Fail(code="result_too_large", reason=limit)
    return Done(result=text)


def _invalid_payload(error: ValidationError) -> Fail:
    """Reports field paths and messages, never the payload's values."""
    found = error.errors(include_url=False, include_input=False, include_context=False)
    flaws = "; ".join(f"{'/'.join(str(step) for step in flaw['loc'])}: {flaw['msg']}" for flaw in found[:MAX_FLAWS])
    more = f"; and {len(found) - MAX_FLAWS} more" if len(found) > MAX_FLAWS else ""
    return Fail(code="invalid_payload", reason=flaws + more)
