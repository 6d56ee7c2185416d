"""Job types of `benchmarks/lanes.py`, which run in the functions of the local stack. They write down what they see."""

import asyncio
import os
import random
import signal
import time
from datetime import timedelta

from pydantic import BaseModel

from headrace import Backoff, JobContext, job_type


class Nap(BaseModel):
    """How long to do nothing, and how likely the process dies of it."""

    seconds: float = 0.2
    dies: float = 0
    ledger: str = ""
    """The file in which starts and ends are written down."""


class Slept(BaseModel):
    """The nap is over."""


@job_type("lanes.free", timeout=timedelta(seconds=9))
async def free(nap: Nap) -> Slept:
    """Do nothing for a while, in the owner's lane or in none."""
    await asyncio.sleep(nap.seconds)
    return Slept()


@job_type(
    "lanes.three", timeout=timedelta(seconds=2), limit=3, max_attempts=50,
    backoff=Backoff(base=timedelta(milliseconds=100), cap=timedelta(seconds=1)),
)  # fmt: skip
async def three(nap: Nap, context: JobContext) -> Slept:
    """Do nothing for a while, three at once; now and then the process is killed."""
    _note(nap, "start", context)
    await asyncio.sleep(nap.seconds / 2)
    if random.random() < nap.dies:  # noqa: S311 - chance is all that is asked for
        _note(nap, "kill", context)
        os.kill(os.getpid(), signal.SIGKILL)
    await asyncio.sleep(nap.seconds / 2)
    _note(nap, "end", context)
    return Slept()


def _note(nap: Nap, what: str, context: JobContext) -> None:
    with open(nap.ledger, "a") as file:  # noqa: PTH123 - one short line, written at once
        file.write(f"{time.time():.6f} {what} {os.getpid()} {context.job_id}\n")


JOB_TYPES = (free, three)
