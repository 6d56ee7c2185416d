"""The functions with one job type more, which only waits, in the standard runner: an entry point for `runners.py`."""

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


class WaitAWhile:
    """Waits, and does nothing else."""

    definition = REST

    async def run(self, rest: Rest, _context: JobContext) -> Rested:
        await asyncio.sleep(rest.seconds)
        return Rested()


def _parts() -> Parts:
    return dataclasses.replace(compose(os.environ), job_types=Catalogue((*JOB_TYPES, WaitAWhile())))


# A function that is not made of parts stays as it is.
_MODULE = importlib.import_module(os.environ["BENCHMARK_HANDLER_MODULE"])
handler = _MODULE.build(_parts()) if hasattr(_MODULE, "build") else _MODULE.handler
