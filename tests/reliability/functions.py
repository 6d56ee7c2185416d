"""Lambda entry points with faulty job types, for real processes: see `faults.py`, `poison.py`.

The local stack starts them instead of the deployed ones; except for the job types and the faults, the code is the same.
"""

import asyncio
import dataclasses
import importlib
import os
import signal
import subprocess
import time
from datetime import timedelta
from pathlib import Path
from typing import cast

from pydantic import BaseModel

from domain.jobs.catalogue import Catalogue
from domain.jobs.change import Change
from domain.jobs.job import Job, Running
from domain.jobs.repository import ReplaceResult
from functions.compose import Parts, compose
from functions.runtime import new_id
from headrace.authoring.context import JobContext, SyncJobContext
from headrace.authoring.job_type import Handler, JobType, Policy
from headrace.authoring.retry import Backoff
from persistence.dynamodb.repositories.job_repository import DynamoJobRepository
from tests.reliability.ledger import HANDLER_MODULE, LEDGER, Fault, Ledger, Point

PAUSE_SECONDS = 12
"""How long a paused process sleeps: longer than its lease (2 s + 5 s of grace) and a sweep."""

POLICY = Policy(
    max_attempts=20,
    timeout=timedelta(seconds=2),
    backoff=Backoff(base=timedelta(milliseconds=100), cap=timedelta(seconds=1)),
)


class Plan(BaseModel):
    """A job's payload: the fault of the process that runs it, injected once, and at which point."""

    fault: Fault = "none"
    at: Point = "before_claim"
    text: str = ""
    """Long in some jobs, so that the payload is a blob."""


class Noted(BaseModel):
    """The effect was made."""

    key: str


class Note:
    """Writes its effect to the ledger."""

    definition = JobType[Plan, Noted](
        name="test.note", summary="Write an effect", payload=Plan, result=Noted, policy=POLICY
    )

    async def run(self, plan: Plan, context: JobContext) -> Noted:
        _LEDGER.effect(context.idempotency_key)
        _strike(context.job_id, plan, "after_effect")
        return Noted(key=context.idempotency_key)


class NoteInRunner(Note):
    """The same in the standard runner, one job an invocation."""

    definition = JobType[Plan, Noted](
        name="test.long",
        summary="Write an effect",
        payload=Plan,
        result=Noted,
        policy=POLICY.model_copy(update={"runner": "standard"}),
    )


class FaultyJobs(DynamoJobRepository):
    """A worker's repository that kills or stops its process at the point that the job plans."""

    async def replace(self, change: Change, expected_version: int) -> ReplaceResult:
        job = change.job
        plan = _plan(job)
        claims = isinstance(job.state, Running)
        if claims:
            _strike(job.id, plan, "before_claim")
        written = await super().replace(change, expected_version)
        if isinstance(written, Job) and claims:
            _strike(job.id, plan, "after_claim")
        if isinstance(written, Job) and not claims:
            _LEDGER.committed(job.id, job.version, str(job.attempt), job.status)
            _strike(job.id, plan, "after_outcome")
        return written


RUNNING_JOBS = frozenset({"WorkerFunction", "StandardRunnerFunction"})


def _plan(job: Job) -> Plan:
    """By the job's tags: its payload may be a blob."""
    return Plan.model_validate(job.tags)


def _strike(job_id: str, plan: Plan, point: Point) -> None:
    if plan.fault == "none" or plan.at != point or not _LEDGER.first_fault(job_id, plan.fault, point):
        return
    if plan.fault == "pause":
        wake = f"sleep {PAUSE_SECONDS}; kill -CONT {os.getpid()}"
        subprocess.Popen(["sh", "-c", wake], start_new_session=True)
    os.kill(os.getpid(), signal.SIGKILL if plan.fault == "kill" else signal.SIGSTOP)


# ---- poison ------------------------------------------------------------------------------------------------------


class Nothing(BaseModel):
    """No payload."""


HARMLESS = POLICY.model_copy(update={"max_attempts": 6})
"""For poison that does not end its process: another job may end that process, which costs an attempt."""
DEADLY = POLICY.model_copy(update={"max_attempts": 2})


class Raises:
    """Raises a `RecursionError`."""

    definition = JobType[Nothing, Noted](
        name="poison.raises", summary="Raise", payload=Nothing, result=Noted, policy=HARMLESS
    )

    async def run(self, _payload: Nothing, _context: JobContext) -> Noted:
        raise RecursionError("as deep as it gets")


class Exits:
    """Ends the process, as a crash in native code does."""

    definition = JobType[Nothing, Noted](
        name="poison.exits", summary="End the process", payload=Nothing, result=Noted, policy=DEADLY
    )

    async def run(self, _payload: Nothing, _context: JobContext) -> Noted:
        os._exit(139)


class Cancels:
    """Raises `CancelledError`, as awaiting a cancelled task does."""

    definition = JobType[Nothing, Noted](
        name="poison.cancels", summary="Be cancelled", payload=Nothing, result=Noted, policy=HARMLESS
    )

    async def run(self, _payload: Nothing, _context: JobContext) -> Noted:
        raise asyncio.CancelledError


class LeavesQuietly:
    """Calls `sys.exit`, which no `except Exception` catches."""

    definition = JobType[Nothing, Noted](
        name="poison.sys_exit", summary="Exit", payload=Nothing, result=Noted, policy=HARMLESS
    )

    async def run(self, _payload: Nothing, _context: JobContext) -> Noted:
        raise SystemExit(3)


class Waits:
    """Waits for ever, and lets other jobs run."""

    definition = JobType[Nothing, Noted](
        name="poison.waits", summary="Wait forever", payload=Nothing, result=Noted, policy=HARMLESS
    )

    async def run(self, _payload: Nothing, _context: JobContext) -> Noted:
        await asyncio.Event().wait()
        return Noted(key="")


class Blocks:
    """Never ends and never yields: it blocks the event loop of its process."""

    definition = JobType[Nothing, Noted](
        name="poison.blocks", summary="Block forever", payload=Nothing, result=Noted, policy=DEADLY
    )

    async def run(self, _payload: Nothing, _context: JobContext) -> Noted:
        while True:
            time.sleep(1)  # noqa: ASYNC251 - it blocks on purpose


class BlocksAThread:
    """Never ends, as a plain function: its thread cannot be stopped from outside."""

    definition = JobType[Nothing, Noted](
        name="poison.thread", summary="Block a thread", payload=Nothing, result=Noted, policy=HARMLESS
    )

    def run(self, _payload: Nothing, _context: SyncJobContext) -> Noted:
        while True:
            time.sleep(1)


class ExhaustsMemory:
    """Allocates memory until none is left."""

    definition = JobType[Nothing, Noted](
        name="poison.memory", summary="Take all memory", payload=Nothing, result=Noted, policy=DEADLY
    )

    async def run(self, _payload: Nothing, _context: JobContext) -> Noted:
        taken: list[bytes] = []
        while True:
            taken.append(b"x" * 2**24)
            time.sleep(0.001)  # noqa: ASYNC251 - it blocks the loop on purpose, too


class ReturnsRubbish:
    """Returns a value that is not of its result model."""

    definition = JobType[Nothing, Noted](
        name="poison.rubbish", summary="Return rubbish", payload=Nothing, result=Noted, policy=HARMLESS
    )

    async def run(self, _payload: Nothing, _context: JobContext) -> Noted:
        return cast("Noted", object())


class Throws:
    """Raises an exception that would end the event loop, or that cannot be stored as text."""

    def __init__(self, name: str, error: BaseException) -> None:
        self.definition = JobType[Nothing, Noted](
            name=f"poison.{name}", summary="Raise", payload=Nothing, result=Noted, policy=HARMLESS
        )
        self._error = error

    async def run(self, _payload: Nothing, _context: JobContext) -> Noted:
        raise self._error


class ThrowsInATask:
    """Raises `KeyboardInterrupt` in a new task, so that it does not pass through the handler's frames."""

    definition = JobType[Nothing, Noted](
        name="poison.task", summary="Raise in a task", payload=Nothing, result=Noted, policy=HARMLESS
    )

    async def run(self, _payload: Nothing, _context: JobContext) -> Noted:
        await asyncio.create_task(self._interrupt())
        return Noted(key="")

    async def _interrupt(self) -> None:
        raise KeyboardInterrupt


class StopsIterating:
    """Raises `StopIteration` in a plain function, which a future does not accept."""

    definition = JobType[Nothing, Noted](
        name="poison.stop_iteration", summary="Stop iterating", payload=Nothing, result=Noted, policy=HARMLESS
    )

    def run(self, _payload: Nothing, _context: SyncJobContext) -> Noted:
        raise StopIteration


POISON: tuple[Handler, ...] = (
    Throws("interrupt", KeyboardInterrupt()),
    Throws("generator", GeneratorExit()),
    Throws("surrogate", ValueError("caf\udce9.csv")),
    ThrowsInATask(),
    StopsIterating(),
    Raises(),
    Exits(),
    Cancels(),
    LeavesQuietly(),
    Waits(),
    Blocks(),
    BlocksAThread(),
    ExhaustsMemory(),
    ReturnsRubbish(),
)
JOB_TYPES = Catalogue((Note(), NoteInRunner(), *POISON))

_LEDGER = Ledger(Path(os.environ.get(LEDGER, "ledger.sqlite")))


def _parts() -> Parts:
    """Those of the function that this process stands for."""
    parts = dataclasses.replace(compose(os.environ), job_types=JOB_TYPES)
    if os.environ["AWS_LAMBDA_FUNCTION_NAME"] not in RUNNING_JOBS:
        return parts
    return dataclasses.replace(parts, jobs=FaultyJobs(parts.runtime.client, parts.settings.jobs_table, new_id))


# A function that is not made of parts stays as it is.
_MODULE = importlib.import_module(os.environ[HANDLER_MODULE])
handler = _MODULE.build(_parts()) if hasattr(_MODULE, "build") else _MODULE.handler
