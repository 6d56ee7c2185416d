"""Calls a handler on the main thread, where a debugger and Ctrl-C reach it.

A worker runs plain handlers in threads of their own; here nothing else waits for the event loop.
"""

import asyncio
import inspect
import signal
import threading
import time
from bdb import BdbQuit
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import cast

from pydantic import BaseModel

from domain.jobs.guard import STOP_GRACE, is_plain
from headrace.authoring.job_type import Handler, JobHandler, SyncJobHandler
from headrace.cli.local.context import LocalAttempt, LocalPlainAttempt

Left = KeyboardInterrupt | BdbQuit
"""How a person ends an attempt: by Ctrl-C, or by leaving the debugger."""


@dataclass(frozen=True)
class Thrown:
    """What came out of a handler's code instead of a return value."""

    error: BaseException


class TimeUp(BaseException):
    """The attempt was stopped at its limit; its cause says where. It passes a handler's `except Exception`."""


def call(handler: Handler, payload: BaseModel, context: LocalAttempt, limit: float | None) -> object:
    """What the handler returns; `Thrown` for what it raises. Stopped after `limit` seconds; None never stops it."""
    loop = asyncio.new_event_loop()
    try:
        if is_plain(handler):
            return _call_plain(cast("SyncJobHandler[BaseModel]", handler), payload, context, limit, loop)
        work = cast("JobHandler[BaseModel]", handler).run(payload, context)
        return loop.run_until_complete(_within(work, limit))
    except BaseException as error:  # noqa: BLE001 - whatever a handler raises belongs to its job
        return Thrown(error)
    finally:
        _close(loop)


def _call_plain(
    handler: SyncJobHandler[BaseModel],
    payload: BaseModel,
    context: LocalAttempt,
    limit: float | None,
    loop: asyncio.AbstractEventLoop,
) -> object:
    begun = time.monotonic()
    with _alarm(limit):
        plain = LocalPlainAttempt(context, loop, threading.Event())
        returned: object = handler.run(payload, plain)  # type: ignore[arg-type]  # both protocols in one, as a worker's
    if not inspect.isawaitable(returned):
        return returned
    left = None if limit is None else max(0.0, limit - (time.monotonic() - begun))
    return loop.run_until_complete(_within(cast("Awaitable[object]", returned), left))


async def _within(work: Awaitable[object], limit: float | None) -> object:
    """As the worker's guard does it: what a stopped handler still returns counts, what it raises does not."""
    task = asyncio.create_task(_caught(work))
    await asyncio.wait({task}, timeout=limit)
    in_time = task.done()
    if not in_time:
        task.cancel()
        await asyncio.wait({task}, timeout=STOP_GRACE.total_seconds())
    found = task.result() if task.done() and not task.cancelled() else Thrown(TimeUp())
    match found:
        case Thrown(error=error) if not in_time and not isinstance(error, Left):
            raise TimeUp from error
        case _:
            return found


async def _caught(work: Awaitable[object]) -> object:
    """Nothing is raised through the task: a loop ends at once when `KeyboardInterrupt` passes it."""
    try:
        return await work
    except BaseException as error:  # noqa: BLE001 - whatever a handler raises belongs to its job
        return Thrown(error)


@contextmanager
def _alarm(limit: float | None) -> Iterator[None]:
    """Raise `TimeUp` within after `limit` seconds; once it is over, whatever comes of the code is too late."""
    is_over = threading.Event()

    def expire(_number: int, _frame: FrameType | None) -> None:
        is_over.set()
        raise TimeUp

    before = signal.signal(signal.SIGALRM, expire)
    signal.setitimer(signal.ITIMER_REAL, limit or 0)
    try:
        yield
    except BaseException as error:
        if is_over.is_set() and not isinstance(error, TimeUp | Left):
            raise TimeUp from error
        raise
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    if is_over.is_set():
        raise TimeUp


def _close(loop: asyncio.AbstractEventLoop) -> None:
    """What the handler left on its loop has a moment to clean up; then it is abandoned."""
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    if left:
        loop.run_until_complete(asyncio.wait(left, timeout=STOP_GRACE.total_seconds()))
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()
