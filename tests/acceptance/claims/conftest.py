"""Job types that do as they are told, and a worker that dies."""

import asyncio
import time
from datetime import timedelta
from typing import Literal, cast

import pytest
from pydantic import BaseModel

from headrace import Backoff, Fail, Handler, JobContext, Retry, Stopped, SyncJobContext, job_type
from headrace.testing import JobStack

HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)
BACKOFF = Backoff(base=HOUR, factor=2, cap=4 * HOUR)
ATTEMPTS = 3
TIMEOUT = 30 * SECOND

Deed = Literal[
    "work", "sleep", "sleep once", "give up", "come back", "come back yesterday", "come back next week", "nap",
    "no nap", "nap when cancelled", "stop", "nonsense", "obey", "break when cancelled", "finish when cancelled",
]  # fmt: skip


class Task(BaseModel):
    name: str = "job"
    does: Deed = "work"
    fails: int = 0
    """How many attempts raise."""


class Worked(BaseModel):
    attempt: int


class Log:
    """What ran: the name of each job and the number of its attempt, and how many ran at once."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.now = 0
        self.most = 0

    def names(self) -> list[str]:
        return [each.rpartition(" ")[0] for each in self.ran]


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def job_types(log: Log) -> tuple[Handler, ...]:
    @job_type("claims.work", timeout=TIMEOUT, backoff=BACKOFF, max_attempts=ATTEMPTS)
    async def work(task: Task, context: JobContext) -> Worked | Retry | Fail | Stopped:
        """Do as told."""
        log.ran.append(f"{task.name} {context.attempt}")
        if (ended := await _done(task, context)) is not None:
            return ended
        if context.attempt <= task.fails:
            raise RuntimeError(f"attempt {context.attempt} broke")
        return Worked(attempt=context.attempt)

    @job_type("claims.two", limit=2, timeout=TIMEOUT, priority=5)
    async def two(task: Task) -> Worked:
        """Two run at once."""
        return await _counted(task, log)

    @job_type("claims.one", limit=1, timeout=TIMEOUT)
    async def one(task: Task) -> Worked:
        """One runs at once."""
        return await _counted(task, log)

    @job_type("claims.plain", max_attempts=ATTEMPTS)
    def plain(task: Task, context: SyncJobContext) -> Worked | Stopped:
        """Work in a thread."""
        log.ran.append(f"{task.name} {context.attempt}")
        if context.attempt <= task.fails:
            raise RuntimeError(f"attempt {context.attempt} broke")
        while task.does == "obey" and not context.cancel_requested():
            time.sleep(0.01)
        return Stopped() if task.does == "obey" else Worked(attempt=context.attempt)

    return work, two, one, plain


async def _counted(task: Task, log: Log) -> Worked:
    log.ran.append(f"{task.name} 1")
    log.now += 1
    log.most = max(log.most, log.now)
    await asyncio.sleep(5)
    log.now -= 1
    return Worked(attempt=1)


async def _done(task: Task, context: JobContext) -> Worked | Retry | Fail | Stopped | None:
    match task.does:
        case "work":
            return None
        case "sleep once":
            await asyncio.sleep(20 if context.attempt == 1 else 0)
        case "sleep":
            await asyncio.sleep(3600)
        case "give up":
            return Fail(reason="it is hopeless", code="hopeless")
        case "stop":
            return Stopped()
        case "nonsense":
            return cast("Worked", "nonsense")
        case "nap" | "no nap":
            await context.sleep("nap", 2 * HOUR if task.does == "nap" else 0 * HOUR)
        case "come back" | "come back yesterday" | "come back next week":
            return _come_back(task, context)
        case _:
            return await _when_cancelled(task, context)
    return None


def _come_back(task: Task, context: JobContext) -> Retry | None:
    after = {"come back": 5 * MINUTE, "come back yesterday": -24 * HOUR, "come back next week": 7 * 24 * HOUR}
    return Retry(reason="busy", after=after[task.does]) if context.attempt == 1 else None


async def _when_cancelled(task: Task, context: JobContext) -> Worked | Stopped:
    while not await context.cancel_requested():  # noqa: ASYNC110 - a handler is not told, it asks
        await asyncio.sleep(1)
    match task.does:
        case "break when cancelled":
            raise RuntimeError("stopped")
        case "nap when cancelled":
            await context.sleep("nap", HOUR)
            return Worked(attempt=context.attempt)
        case "finish when cancelled":
            return Worked(attempt=context.attempt)
        case _:
            return Stopped()


async def the_worker_dies(stack: JobStack) -> None:
    """Its process ends, and nobody records what came of the attempts under way."""
    attempts, stack._running = stack._running, set()
    for attempt in attempts:
        attempt.cancel()
    await asyncio.gather(*attempts, return_exceptions=True)
