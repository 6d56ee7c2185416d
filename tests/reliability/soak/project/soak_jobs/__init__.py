"""Job types of the soak, which run in the functions of the local stack."""

import asyncio
from datetime import timedelta

from pydantic import BaseModel

from headrace import Backoff, JobContext, Retry, job_type

BACKOFF = Backoff(base=timedelta(seconds=1), cap=timedelta(seconds=10))
MANY = 20
"""Attempts: faults use up some of them."""


class Nap(BaseModel):
    """How long to do nothing."""

    seconds: float = 0.01
    text: str = ""
    """Long in some jobs, so that the payload is a blob."""


class Slept(BaseModel):
    """The nap is over."""


@job_type("soak.short", timeout=timedelta(seconds=5), max_attempts=MANY, backoff=BACKOFF)
async def short(nap: Nap) -> Slept:
    """Do nothing for a moment, in the worker."""
    await asyncio.sleep(nap.seconds)
    return Slept()


@job_type("soak.runner", timeout=timedelta(seconds=20), max_attempts=MANY, backoff=BACKOFF, runner="standard")
async def runner(nap: Nap) -> Slept:
    """Do nothing for a while, in the standard runner."""
    await asyncio.sleep(nap.seconds)
    return Slept()


@job_type("soak.lane", timeout=timedelta(seconds=5), max_attempts=MANY, backoff=BACKOFF, limit=10)
async def lane(nap: Nap) -> Slept:
    """Do nothing for a moment, ten at once. A webhook tells of the end."""
    await asyncio.sleep(nap.seconds)
    return Slept()


@job_type("soak.retried", timeout=timedelta(seconds=5), max_attempts=MANY, backoff=BACKOFF)
async def retried(_nap: Nap, context: JobContext) -> Slept | Retry:
    """Ask for one more attempt."""
    return Slept() if context.attempt > 1 else Retry(reason="the first one", after=timedelta(seconds=1))


@job_type("soak.steps", timeout=timedelta(seconds=10), max_attempts=MANY, backoff=BACKOFF)
async def steps(nap: Nap, context: JobContext) -> Slept:
    """Two steps, with a sleep between them in which nothing runs."""
    await context.step("before", asyncio.sleep, nap.seconds, returns=type(None))
    await context.sleep("between", timedelta(seconds=2))
    await context.step("after", asyncio.sleep, nap.seconds, returns=type(None))
    return Slept()


JOB_TYPES = (short, runner, lane, retried, steps)
