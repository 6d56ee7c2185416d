"""The functions with a clock that is sped up, and a job type that waits: an entry point for `long_jobs.py`."""

import asyncio
import dataclasses
import importlib
import os
import selectors
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from pydantic import BaseModel

import functions.runtime
from domain.jobs.catalogue import Catalogue
from headrace.authoring.context import JobContext
from headrace.authoring.job_type import JobType, Policy
from job_types import JOB_TYPES

SPEED = float(os.environ["RELIABILITY_SPEED"])
BEGAN = float(os.environ["RELIABILITY_BEGAN"])
"""Unix time: until then the clock was right."""
TIMEOUT = timedelta(minutes=14, seconds=30)


class Rest(BaseModel):
    """How long."""

    seconds: float


class Rested(BaseModel):
    """By the clock of the function."""

    began: datetime
    ended: datetime


class WaitLong:
    """Waits in the standard runner."""

    definition = JobType[Rest, Rested](
        name="test.rest",
        summary="Wait",
        payload=Rest,
        result=Rested,
        policy=Policy(runner="standard", timeout=TIMEOUT, max_attempts=1),
    )

    async def run(self, rest: Rest, _context: JobContext) -> Rested:
        began = now()
        await asyncio.sleep(rest.seconds)
        return Rested(began=began, ended=now())


def now() -> datetime:
    """The time, sped up."""
    return datetime.fromtimestamp(BEGAN + (time.time() - BEGAN) * SPEED, UTC)


class _Selector(selectors.DefaultSelector):
    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return super().select(None if timeout is None else timeout / SPEED)


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        super().__init__(_Selector())

    def time(self) -> float:
        return super().time() * SPEED


class _Context:
    """That of the invocation, but for the time that is left."""

    def __init__(self, context: object, remaining: Callable[[], int]) -> None:
        self._context = context
        self._remaining = remaining

    def __getattr__(self, name: str) -> object:
        return getattr(self._context, name)

    def get_remaining_time_in_millis(self) -> int:
        return int(self._remaining() * SPEED)


functions.runtime.now = now
asyncio.new_event_loop = _Loop
# Only now, so that it takes both from there.
_COMPOSE = importlib.import_module("functions.compose")
_MODULE = importlib.import_module(os.environ["RELIABILITY_HANDLER"])
_honest = (
    _MODULE.build(dataclasses.replace(_COMPOSE.compose(os.environ), job_types=Catalogue((*JOB_TYPES, WaitLong()))))
    if hasattr(_MODULE, "build")
    else _MODULE.handler
)


def handler(event: object, context: object) -> object:
    """As the function's own."""
    return _honest(event, _Context(context, context.get_remaining_time_in_millis))  # type: ignore[attr-defined]  # of the emulator's bootstrap
