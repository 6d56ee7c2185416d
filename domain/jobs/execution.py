"""How a worker takes one job through one attempt: claim, run, record.

The doorbell (a stream record) carries the job as it was written. The conditional claim decides
whether that is still so; no read is needed.
"""

import asyncio
import inspect
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from datetime import datetime, timedelta
from functools import partial
from typing import Literal

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticSerializationError

from domain.frozen import Frozen
from domain.jobs import transitions
from domain.jobs.attempt import MAX_CONFLICTS, Attempt
from domain.jobs.job import Job, Queued, Running, Status
from domain.jobs.job_type import AnyHandler, Catalogue, JobContext
from domain.jobs.outcomes import Done, Fail, Outcome, Retry, Stopped, TimedOut
from domain.jobs.repository import JobRepository, JobUnreadable, VersionConflict
from domain.jobs.transitions import IllegalTransition
from domain.json_text import NotJson, byte_length, to_json_text
from domain.ports import Clock, NewId, Random
from domain.results import ItemTooLarge, StorageUnavailable

MAX_THREADS = 32
"""Of plain handlers at once: more than a batch runs, so that none spends its timeout waiting for a thread."""

MAX_RESULT_BYTES = 128 * 1024
"""Of the result's JSON: beside the largest payload it still fits into one item."""

RECORD_PAUSE = timedelta(milliseconds=200)
"""Between tries to record an outcome while the store does not answer."""


class Executed(Frozen):
    """An attempt ran and its outcome is committed."""

    job: Job
    outcome: Status
    error_code: str | None
    waited: timedelta
    """From the moment the job was queued to its claim."""
    ran: timedelta


class NothingToDo(Frozen):
    """The doorbell rang for a job that somebody else has, or that is done, or gone."""

    job_id: str
    why: str


class LeaseLost(Frozen):
    """The attempt's outcome was refused: its lease had been taken over."""

    job_id: str
    attempt: int


class NotStarted(Frozen):
    """There is not enough time left to run the job; the record has to come again."""

    job_id: str


class Interrupted(Frozen):
    """The store failed in the way of the attempt: before the claim, or after the work was done."""

    job_id: str
    stage: Literal["claim", "record"]
    problem: StorageUnavailable


Execution = Executed | NothingToDo | LeaseLost | NotStarted | Interrupted


class JobExecutor:
    """Runs attempts. A job's failure is recorded on the job; only the store's failure is returned."""

    def __init__(
        self,
        jobs: JobRepository,
        catalogue: Catalogue,
        clock: Clock,
        new_id: NewId,
        random: Random,
        settings: Mapping[str, str],
    ) -> None:
        self._jobs = jobs
        self._catalogue = catalogue
        self._clock = clock
        self._new_id = new_id
        self._random = random
        self._settings = settings
        self._threads = ThreadPoolExecutor(MAX_THREADS, "handler")

    async def execute(self, job: Job, deadline: datetime) -> Execution:
        """One attempt of `job`, which must have committed its outcome before `deadline`."""
        policy = self._catalogue.policy(job.type)
        if deadline - self._clock() < policy.timeout + transitions.LEASE_GRACE:
            return NotStarted(job_id=job.id)
        claimed = await self._claim(job, deadline)
        if not isinstance(claimed, Job):
            return claimed
        outcome = await self._run(claimed, deadline)
        return await self._record(claimed, outcome, deadline)

    async def _claim(self, job: Job, deadline: datetime) -> Job | NothingToDo | Interrupted:
        current = job
        for _ in range(MAX_CONFLICTS):
            policy = self._catalogue.policy(current.type)
            claimed = transitions.claim(current, policy, self._new_id(), deadline, self._clock())
            if isinstance(claimed, IllegalTransition):
                return NothingToDo(job_id=job.id, why=claimed.status)
            written = await self._jobs.replace(claimed, current.version)
            match written:
                case Job():
                    return written
                case VersionConflict(current=other):
                    if other is None or not isinstance(other.state, Queued):
                        return NothingToDo(job_id=job.id, why=other.status if other else "gone")
                    current = other
                case JobUnreadable() | ItemTooLarge():
                    return NothingToDo(job_id=job.id, why="unreadable")
                case StorageUnavailable():
                    return Interrupted(job_id=job.id, stage="claim", problem=written)
        return NothingToDo(job_id=job.id, why="contended")

    async def _run(self, job: Job, deadline: datetime) -> Outcome:
        handler = self._catalogue.handler(job.type)
        if handler is None:
            # A newer API may know the type already; an older worker must not end such a job.
            return Retry(code="unknown_job_type", reason=f"this worker does not know {job.type}")
        timeout = handler.definition.policy.timeout
        ends = min(self._clock() + timeout, deadline)
        context = Attempt(self._jobs, self._clock, job, ends, self._settings)
        try:
            payload = handler.definition.payload.model_validate_json(job.payload)
        except ValidationError as error:
            return _invalid_payload(error)
        try:
            async with asyncio.timeout((ends - self._clock()).total_seconds()):
                returned = await self._call(handler, payload, context)
        except TimeoutError:
            if self._clock() < ends:
                return Retry(code="TimeoutError", reason="the handler ran into a time-out of its own")
            return TimedOut(reason=f"the attempt took longer than {timeout.total_seconds():g} s")
        except asyncio.CancelledError as error:
            # Something that the handler awaited was cancelled; or this attempt is, with its invocation.
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            return _raised(error)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a handler raises belongs to its job
            return _raised(error)
        return _outcome(returned)

    async def _call(self, handler: AnyHandler, payload: BaseModel, context: JobContext) -> object:
        """Await an async handler; run a plain one in a thread, which a timeout leaves to itself."""
        if inspect.iscoroutinefunction(handler.run):
            return await handler.run(payload, context)
        threads = self._threads
        run = partial(copy_context().run, handler.run, payload, context)
        try:
            return await asyncio.get_running_loop().run_in_executor(threads, run)
        except asyncio.CancelledError:
            # Its thread may never end, and no other job shall wait for it.
            if self._threads is threads:
                self._threads = ThreadPoolExecutor(MAX_THREADS, "handler")
                threads.shutdown(wait=False)
            raise

    async def _record(self, claimed: Job, outcome: Outcome, deadline: datetime) -> Execution:
        """Commit the outcome; another writer's change (a cancel, progress) is taken in first."""
        policy = self._catalogue.policy(claimed.type)
        token = claimed.state.lease.token if isinstance(claimed.state, Running) else ""
        current, random = claimed, self._random()
        unanswered: tuple[Job, ...] = ()
        while True:
            now = self._clock()
            finished = transitions.finish(current, policy, token, outcome, now, random)
            if isinstance(finished, IllegalTransition):
                return LeaseLost(job_id=claimed.id, attempt=claimed.attempt)
            written = await self._jobs.replace(finished, current.version)
            match written:
                case Job():
                    return _executed(claimed, written)
                case VersionConflict(current=other):
                    if other is None:
                        return LeaseLost(job_id=claimed.id, attempt=claimed.attempt)
                    if other in unanswered:
                        return _executed(claimed, other)
                    current = other
                case JobUnreadable():
                    return LeaseLost(job_id=claimed.id, attempt=claimed.attempt)
                case ItemTooLarge(limit=limit):
                    outcome = Fail(code="result_too_large", reason=f"the job would pass {limit} bytes")
                case StorageUnavailable():
                    if written.reason == "rejected" or self._clock() >= deadline:
                        return Interrupted(job_id=claimed.id, stage="record", problem=written)
                    # It may have been applied all the same, even after the store gave up on it.
                    unanswered = (*unanswered, finished)
                    await asyncio.sleep(RECORD_PAUSE.total_seconds())


def _raised(error: BaseException) -> Retry:
    return Retry(code=type(error).__name__, reason=str(error) or type(error).__name__)


def _outcome(returned: object) -> Outcome:
    match returned:
        case Retry() | Fail() | Stopped():
            return returned
        case BaseModel():
            return _done(returned)
        case _:
            wrong = f"the handler returned {type(returned).__name__}, not its result model"
            return Fail(code="invalid_result", reason=wrong)


def _done(result: BaseModel) -> Done | Fail:
    try:
        text = to_json_text(result.model_dump(mode="json"))
    except (NotJson, PydanticSerializationError) as error:
        return Fail(code="invalid_result", reason=f"the result is not JSON: {error}")
    size = byte_length(text)
    if size > MAX_RESULT_BYTES:
        limit = f"the result has {size} bytes of JSON, the limit is {MAX_RESULT_BYTES}"
        return Fail(code="result_too_large", reason=limit)
    return Done(result=text)


def _invalid_payload(error: ValidationError) -> Fail:
    """Only the places and messages: a payload's values are nobody's business in an error."""
    flaws = "; ".join(
        f"{'/'.join(str(step) for step in flaw['loc'])}: {flaw['msg']}"
        for flaw in error.errors(include_url=False, include_input=False, include_context=False)
    )
    return Fail(code="invalid_payload", reason=flaws)


def _executed(claimed: Job, finished: Job) -> Executed:
    queued_at = next(entry.at for entry in reversed(claimed.history) if entry.status == "queued")
    started_at = claimed.started_at or claimed.updated_at
    return Executed(
        job=finished,
        outcome=finished.status,
        error_code=finished.history[-1].code,
        waited=started_at - queued_at,
        ran=finished.updated_at - started_at,
    )
