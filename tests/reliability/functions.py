"""Entry points of functions with job types that break what they can, in real processes: see `faults.py`, `poison.py`.

The local stack starts them in place of the deployed ones; all but the job types and the faults is the same code.
"""

import asyncio
import os
import signal
import subprocess
import time
from datetime import timedelta
from pathlib import Path
from typing import cast

from aws_lambda_powertools import Logger
from pydantic import BaseModel, ValidationError

import functions.api.handler
import functions.sweeper.handler
import functions.worker.handler
from domain.jobs.catalogue import Catalogue
from domain.jobs.job import Job, Running
from domain.jobs.repository import JobUnreadable, VersionConflict
from domain.results import ItemTooLarge, StorageUnavailable
from functions.runtime import Runtime, job_listing, new_id
from functions.settings import read_api_settings, read_settings, read_sweeper_settings, read_worker_settings
from headrace.authoring.context import JobContext, SyncJobContext
from headrace.authoring.job_type import Handler, JobType, Policy
from headrace.authoring.retry import Backoff
from persistence.dynamodb.repositories.job_repository import DynamoJobRepository
from tests.reliability.ledger import LEDGER, Fault, Ledger, Point

PAUSE_SECONDS = 12
"""How long a stopped process sleeps, if it wakes again: beyond its lease (2 s + 5 s of grace) and a sweep."""

POLICY = Policy(
    max_attempts=20,
    timeout=timedelta(seconds=2),
    backoff=Backoff(base=timedelta(milliseconds=100), cap=timedelta(seconds=1)),
)


class Plan(BaseModel):
    """A job's payload: what happens to the process that runs it, once, and where."""

    fault: Fault = "none"
    at: Point = "before_claim"


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


class FaultyJobs(DynamoJobRepository):
    """The repository of a worker; at a job's planned point its process is killed or stopped."""

    async def replace(
        self, job: Job, expected_version: int
    ) -> Job | VersionConflict | JobUnreadable | ItemTooLarge | StorageUnavailable:
        plan = _plan(job)
        claims = isinstance(job.state, Running)
        if claims:
            _strike(job.id, plan, "before_claim")
        written = await super().replace(job, expected_version)
        if isinstance(written, Job) and claims:
            _strike(job.id, plan, "after_claim")
        if isinstance(written, Job) and not claims:
            _LEDGER.committed(job.id, job.version, str(job.attempt), job.status)
            _strike(job.id, plan, "after_outcome")
        return written


def _plan(job: Job) -> Plan:
    try:
        return Plan.model_validate_json(job.payload) if job.type == Note.definition.name else Plan()
    except ValidationError:
        return Plan()


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
"""For poison that leaves its process alone: a neighbour may end that process, which costs an attempt."""
DEADLY = POLICY.model_copy(update={"max_attempts": 2})


class Raises:
    """Raises what is not even an Exception."""

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
    """Awaits what was cancelled."""

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
    """Never ends, and lets others run."""

    definition = JobType[Nothing, Noted](
        name="poison.waits", summary="Wait forever", payload=Nothing, result=Noted, policy=HARMLESS
    )

    async def run(self, _payload: Nothing, _context: JobContext) -> Noted:
        await asyncio.Event().wait()
        return Noted(key="")


class Blocks:
    """Never ends and never yields: the event loop of its process stands still."""

    definition = JobType[Nothing, Noted](
        name="poison.blocks", summary="Block forever", payload=Nothing, result=Noted, policy=DEADLY
    )

    async def run(self, _payload: Nothing, _context: JobContext) -> Noted:
        while True:
            time.sleep(1)  # noqa: ASYNC251 - this is what it is for


class BlocksAThread:
    """A plain function that never ends; no thread can be stopped from outside."""

    definition = JobType[Nothing, Noted](
        name="poison.thread", summary="Block a thread", payload=Nothing, result=Noted, policy=HARMLESS
    )

    def run(self, _payload: Nothing, _context: SyncJobContext) -> Noted:
        while True:
            time.sleep(1)


class Devours:
    """Takes memory until there is none."""

    definition = JobType[Nothing, Noted](
        name="poison.memory", summary="Take all memory", payload=Nothing, result=Noted, policy=DEADLY
    )

    async def run(self, _payload: Nothing, _context: JobContext) -> Noted:
        taken: list[bytes] = []
        while True:
            taken.append(b"x" * 2**24)
            time.sleep(0.001)  # noqa: ASYNC251 - it never yields either


class ReturnsRubbish:
    """Returns what is not its result model."""

    definition = JobType[Nothing, Noted](
        name="poison.rubbish", summary="Return rubbish", payload=Nothing, result=Noted, policy=HARMLESS
    )

    async def run(self, _payload: Nothing, _context: JobContext) -> Noted:
        return cast("Noted", object())


class Throws:
    """Raises what the event loop itself would rather end with."""

    def __init__(self, name: str, error: BaseException) -> None:
        self.definition = JobType[Nothing, Noted](
            name=f"poison.{name}", summary="Raise", payload=Nothing, result=Noted, policy=HARMLESS
        )
        self._error = error

    async def run(self, _payload: Nothing, _context: JobContext) -> Noted:
        raise self._error


class ThrowsInATask:
    """Raises `KeyboardInterrupt` in a task of its own, past its own frames."""

    definition = JobType[Nothing, Noted](
        name="poison.task", summary="Raise in a task", payload=Nothing, result=Noted, policy=HARMLESS
    )

    async def run(self, _payload: Nothing, _context: JobContext) -> Noted:
        await asyncio.create_task(self._interrupt())
        return Noted(key="")

    async def _interrupt(self) -> None:
        raise KeyboardInterrupt


class StopsIterating:
    """A plain function that raises what no future takes."""

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
    Devours(),
    ReturnsRubbish(),
)
JOB_TYPES = Catalogue((Note(), *POISON))

_LEDGER = Ledger(Path(os.environ.get(LEDGER, "ledger.sqlite")))
_SETTINGS, _API = read_settings(os.environ), read_api_settings(os.environ)
_RUNTIME = Runtime(_SETTINGS)
if os.environ.get("AWS_LAMBDA_FUNCTION_NAME") == "WorkerFunction":
    _RUNTIME.jobs = FaultyJobs(_RUNTIME.client, _SETTINGS.jobs_table, new_id)
_LISTING = job_listing(_SETTINGS, _API.cursor_key, _RUNTIME.client)

worker = functions.worker.handler.build(_RUNTIME, Logger(), JOB_TYPES, read_worker_settings(os.environ))
api = functions.api.handler.build(_RUNTIME, _LISTING, Logger(), JOB_TYPES, _API)
sweeper = functions.sweeper.handler.build(_RUNTIME, Logger(), JOB_TYPES, read_sweeper_settings(os.environ))
