"""The contexts that handlers get."""

import asyncio
import threading
from collections.abc import Coroutine, Mapping
from datetime import datetime
from typing import Protocol, TypeVar

from domain.jobs import transitions
from domain.jobs.change import Change
from domain.jobs.job import Job, Running
from domain.jobs.repository import JobNotFound, JobUnreadable, ReplaceResult, VersionConflict
from domain.jobs.transitions import IllegalTransition
from domain.ports import Clock
from domain.results import StorageUnavailable

MAX_CONFLICTS = 5

T = TypeVar("T")


class AttemptStore(Protocol):
    """The part of `JobRepository` that an attempt uses."""

    async def get(self, job_id: str, now: datetime, /) -> Job | JobNotFound | JobUnreadable | StorageUnavailable: ...

    async def replace(self, change: Change, expected_version: int, /) -> ReplaceResult: ...


class Attempt:
    """The `JobContext` of one attempt."""

    def __init__(
        self,
        jobs: AttemptStore,
        clock: Clock,
        job: Job,
        deadline: datetime,
        settings: Mapping[str, str],
    ) -> None:
        self._jobs = jobs
        self._clock = clock
        self._job = job
        self.job_id = job.id
        self.attempt = job.attempt
        self.deadline = deadline
        self.idempotency_key = job.id
        self.settings = settings

    async def report_progress(self, fraction: float, message: str = "") -> None:
        """Best effort: a report that cannot be written is dropped."""
        current = await self._jobs.get(self._job.id, self._clock())
        for _ in range(MAX_CONFLICTS):
            if not isinstance(current, Job):
                return
            reported = transitions.report_progress(current, self._token(), fraction, message, self._clock())
            if isinstance(reported, IllegalTransition) or reported.job == current:
                return
            written = await self._jobs.replace(reported, current.version)
            if not isinstance(written, VersionConflict) or written.current is None:
                return
            current = written.current

    async def cancel_requested(self) -> bool:
        """Also true when the attempt has lost its lease: its outcome would be refused."""
        current = await self._jobs.get(self._job.id, self._clock())
        match current:
            case Job(state=Running(lease=lease, cancel_requested=asked)):
                return asked or lease.token != self._token()
            case Job() | JobNotFound():
                return True
            case JobUnreadable() | StorageUnavailable():
                return False

    def _token(self) -> str:
        return self._job.state.lease.token if isinstance(self._job.state, Running) else ""


class ThreadedAttempt:
    """The `SyncJobContext` of one attempt: its calls are made on the event loop, which the thread waits for.

    A plain function may return something to await, which then runs on the loop itself; there a call gives something to
    await too, for the loop cannot wait for itself.
    """

    def __init__(self, attempt: Attempt, loop: asyncio.AbstractEventLoop, ended: threading.Event) -> None:
        self._attempt = attempt
        self._loop = loop
        self._ended = ended
        self._loop_thread = threading.get_ident()
        self.job_id = attempt.job_id
        self.attempt = attempt.attempt
        self.deadline = attempt.deadline
        self.idempotency_key = attempt.idempotency_key
        self.settings = attempt.settings

    def report_progress(self, fraction: float, message: str = "") -> Coroutine[None, None, None] | None:
        """Best effort: a report that cannot be written, or comes after the attempt's end, is dropped."""
        return self._call(self._attempt.report_progress(fraction, message), after_the_end=None)

    def cancel_requested(self) -> Coroutine[None, None, bool] | bool:
        """Also true when the attempt has ended, or has lost its lease: its outcome would be refused."""
        return self._call(self._attempt.cancel_requested(), after_the_end=True)

    def _call(self, work: Coroutine[None, None, T], after_the_end: T) -> Coroutine[None, None, T] | T:
        if threading.get_ident() == self._loop_thread:
            return work
        if self._ended.is_set():
            # The loop does not run between invocations, so the thread would wait for the next one.
            work.close()
            return after_the_end
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()
