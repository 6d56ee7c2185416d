"""Jobs in memory, held to the same conformance suite as the real repository."""

from datetime import datetime

from domain.jobs.job import Job, Queued, is_expired
from domain.jobs.repository import (
    DueJob,
    DuePage,
    JobExists,
    JobNotFound,
    QueuedTrigger,
    VersionConflict,
)
from domain.results import ItemTooLarge
from persistence.converters.dynamo_to_domain import WAKE_SHARDS, item_size, job_to_item, timestamp, wake_shard
from persistence.dynamodb.repositories.job_repository import MAX_ITEM_BYTES


class FakeJobRepository:
    """A dictionary with the table's conditions."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}

    @property
    def stored(self) -> tuple[Job, ...]:
        """Every stored job, for the fake of the listing."""
        return tuple(self._jobs.values())

    @property
    def wake_shards(self) -> tuple[str, ...]:
        return WAKE_SHARDS

    async def add(self, job: Job, now: datetime) -> Job | JobExists | ItemTooLarge:
        current = self._jobs.get(job.id)
        too_large = _too_large(job)
        if too_large is not None:
            return too_large
        if current is not None and not is_expired(current.expires_at, now):
            return JobExists(current=current)
        self._jobs[job.id] = job
        return job

    async def get(self, job_id: str, now: datetime) -> Job | JobNotFound:
        job = self._jobs.get(job_id)
        return JobNotFound(job_id=job_id) if job is None or is_expired(job.expires_at, now) else job

    async def replace(self, job: Job, expected_version: int) -> Job | VersionConflict | ItemTooLarge:
        current = self._jobs.get(job.id)
        too_large = _too_large(job)
        if too_large is not None:
            return too_large
        if current is None or current.version != expected_version:
            return VersionConflict(job_id=job.id, current=current)
        self._jobs[job.id] = job
        return job

    async def due(
        self, shard: str, now: datetime, limit: int, after: str | None, since: datetime | None = None
    ) -> DuePage:
        entries = sorted(
            (timestamp(job.wake_at), job.id, job.wake_at)
            for job in self._jobs.values()
            if job.wake_at is not None
            and job.wake_at <= now
            and (since is None or job.wake_at > since)
            and wake_shard(job.id) == shard
        )
        rest = [entry for entry in entries if after is None or f"{entry[0]} {entry[1]}" > after]
        page = rest[:limit]
        following = f"{page[-1][0]} {page[-1][1]}" if len(rest) > limit else None
        return DuePage(entries=tuple(DueJob(id=id, wake_at=wake_at) for _, id, wake_at in page), next=following)

    async def queued_triggers(self, job_ids: tuple[str, ...]) -> dict[str, QueuedTrigger]:
        jobs = [self._jobs[id] for id in job_ids if id in self._jobs]
        return {
            job.id: QueuedTrigger(type=job.type, queued_at=job.state.queued_at, triggered_at=job.updated_at)
            for job in jobs
            if isinstance(job.state, Queued)
        }


def _too_large(job: Job) -> ItemTooLarge | None:
    size = item_size(job_to_item(job, "w" * 36))
    return ItemTooLarge(size=size, limit=MAX_ITEM_BYTES) if size > MAX_ITEM_BYTES else None
