"""The functions with job types that only wait, in runner and worker: for `runners.py` and `scaling/local_check.py`."""

import asyncio
import dataclasses
import importlib
import os
from datetime import timedelta

from domain.jobs.catalogue import Catalogue
from functions.compose import Parts, compose
from headrace import JobContext, JobType, Policy
from headrace.authoring.frozen import Frozen
from job_types import JOB_TYPES


class Rest(Frozen):
    """How long."""

    seconds: float


class Rested(Frozen):
    """Nothing came of it."""


REST: JobType[Rest, Rested] = JobType(
    name="benchmark.rest",
    summary="Wait.",
    payload=Rest,
    result=Rested,
    policy=Policy(timeout=timedelta(minutes=5), runner="standard", max_attempts=3),
)


NAP: JobType[Rest, Rested] = JobType(
    name="benchmark.nap",
    summary="Wait, in the worker.",
    payload=Rest,
    result=Rested,
    policy=Policy(timeout=timedelta(seconds=10), max_attempts=3),
)


class WaitAWhile:
    """Waits, and does nothing else."""

    definition = REST

    async def run(self, rest: Rest, _context: JobContext) -> Rested:
        await asyncio.sleep(rest.seconds)
        return Rested()


class Nap(WaitAWhile):
    """The same in the worker."""

    definition = NAP


def _parts() -> Parts:
    return dataclasses.replace(compose(os.environ), job_types=Catalogue((*JOB_TYPES, WaitAWhile(), Nap())))


# A function that is not made of parts stays as it is.
_MODULE = importlib.import_module(os.environ["BENCHMARK_HANDLER_MODULE"])
handler = _MODULE.build(_parts()) if hasattr(_MODULE, "build") else _MODULE.handler
