"""What a handler sees of the attempt that it runs in."""

from collections.abc import Mapping
from datetime import datetime

from domain.jobs import transitions
from domain.jobs.job import Job, Running
from domain.jobs.repository import JobNotFound, JobRepository, JobUnreadable, VersionConflict
from domain.jobs.transitions import IllegalTransition
from domain.ports import Clock
from domain.results import StorageUnavailable

MAX_CONFLICTS = 5


class Attempt:
    """The `JobContext` of one attempt."""

    def __init__(
        self,
        jobs: JobRepository,
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
            if isinstance(reported, IllegalTransition) or reported == current:
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
