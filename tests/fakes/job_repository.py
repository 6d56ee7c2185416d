"""Jobs in memory, held to the same conformance suite as the real repository."""

import zlib
from datetime import datetime

from domain.jobs.job import Job, is_expired
from domain.jobs.repository import (
    DueJob,
    DuePage,
    JobExists,
    JobNotFound,
    VersionConflict,
)
from domain.results import ItemTooLarge
from persistence.converters.dynamo_to_domain import item_size, job_to_item
from persistence.dynamodb.repositories.job_repository import MAX_ITEM_BYTES

SHARDS = 8


class FakeJobRepository:
    """A dictionary with the table's conditions."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}

    @property
    def stored(self) -> tuple[Job, ...]:
        """Every job that stands, for the fake of the listing."""
        return tuple(self._jobs.values())

    @property
    def wake_shards(self) -> tuple[str, ...]:
        return tuple(str(shard) for shard in range(SHARDS))

    async def add(self, job: Job, now: datetime) -> Job | JobExists | ItemTooLarge:
        standing = self._jobs.get(job.id)
        too_large = _too_large(job)
        if too_large is not None:
            return too_large
        if standing is not None and not is_expired(standing.expires_at, now):
            return JobExists(current=standing)
        self._jobs[job.id] = job
        return job

    async def get(self, job_id: str, now: datetime) -> Job | JobNotFound:
        job = self._jobs.get(job_id)
        return JobNotFound(job_id=job_id) if job is None or is_expired(job.expires_at, now) else job

    async def replace(self, job: Job, expected_version: int) -> Job | VersionConflict | ItemTooLarge:
        standing = self._jobs.get(job.id)
        too_large = _too_large(job)
        if too_large is not None:
            return too_large
        if standing is None or standing.version != expected_version:
            return VersionConflict(job_id=job.id, current=standing)
        self._jobs[job.id] = job
        return job

    async def due(self, shard: str, now: datetime, limit: int, after: DueJob | None) -> DuePage:
        entries = sorted(
            (job.wake_at, job.id)
            for job in self._jobs.values()
            if job.wake_at is not None and job.wake_at <= now and _shard(job.id) == shard
        )
        rest = [entry for entry in entries if after is None or entry > (after.wake_at, after.id)]
        page = tuple(DueJob(id=id, wake_at=wake_at) for wake_at, id in rest[:limit])
        return DuePage(entries=page, more=len(rest) > limit)


def _shard(job_id: str) -> str:
    return str(zlib.crc32(job_id.encode()) % SHARDS)


def _too_large(job: Job) -> ItemTooLarge | None:
    size = item_size(job_to_item(job, "w" * 36, SHARDS))
    return ItemTooLarge(size=size, limit=MAX_ITEM_BYTES) if size > MAX_ITEM_BYTES else None
