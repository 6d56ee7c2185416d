"""A store of one job in this process: what a handler reports of its attempt is kept nowhere else."""

from collections.abc import Mapping
from datetime import datetime

from domain.jobs.job import Job
from domain.jobs.repository import DuePage, JobExists, JobNotFound, QueuedTrigger, VersionConflict


class OneJob:
    """The `JobRepository` of an attempt that no deployment knows of."""

    wake_shards: tuple[str, ...] = ()

    def __init__(self, job: Job) -> None:
        self._job = job

    async def add(self, job: Job, now: datetime) -> JobExists:  # noqa: ARG002 - as the protocol has it
        """There is room for one."""
        return JobExists(current=self._job)

    async def get(self, job_id: str, now: datetime) -> Job | JobNotFound:  # noqa: ARG002 - it never expires
        """The job, or that it is another one."""
        return self._job if job_id == self._job.id else JobNotFound(job_id=job_id)

    async def replace(self, job: Job, expected_version: int) -> Job | VersionConflict:
        """Keep the job's next version."""
        if expected_version != self._job.version:
            return VersionConflict(job_id=job.id, current=self._job)
        self._job = job
        return job

    async def due(
        self, shard: str, now: datetime, limit: int, after: str | None, since: datetime | None = None
    ) -> DuePage:
        """Nothing: no sweeper works here."""
        del shard, now, limit, after, since
        return DuePage(entries=())

    async def queued_triggers(self, job_ids: tuple[str, ...]) -> Mapping[str, QueuedTrigger]:
        """Nothing: the job runs already."""
        del job_ids
        return {}
