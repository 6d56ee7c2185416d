"""Jobs in memory, held to the same conformance suite as the real repository."""

from datetime import datetime

from domain.jobs.job import Failed, Job, Queued, is_expired
from domain.jobs.repository import (
    DueJob,
    DuePage,
    JobExists,
    JobFilter,
    JobNotFound,
    QueuedTrigger,
    VersionConflict,
)
from domain.paging import Page, PageRequest
from domain.results import BadCursor, ItemTooLarge
from persistence.converters.dynamo_to_domain import WAKE_SHARDS, item_size, job_to_item, timestamp, wake_shard
from persistence.cursors import CursorCodec
from persistence.dynamodb.repositories.job_repository import MAX_ITEM_BYTES

CURSOR_KEY = b"0123456789abcdef0123456789abcdef"


class FakeJobRepository:
    """A dictionary with the table's conditions."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}
        self._cursors = CursorCodec(CURSOR_KEY)

    @property
    def wake_shards(self) -> tuple[str, ...]:
        return WAKE_SHARDS

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

    async def list_by_owner(
        self, owner_id: str, filter: JobFilter, page: PageRequest, now: datetime
    ) -> Page[Job] | BadCursor:
        scope = ("owner-index", owner_id, filter.status or "", filter.type or "")
        mine = [job for job in self._jobs.values() if job.owner_id == owner_id]
        keyed = sorted(((timestamp(job.created_at), job.id, job) for job in mine), key=lambda entry: entry[:2])
        kept = [
            (order, job)
            for order, _, job in reversed(keyed)
            if filter.status in {None, job.status} and filter.type in {None, job.type}
        ]
        return self._page(scope, kept, page, now)

    async def list_failed(self, type: str, page: PageRequest, now: datetime) -> Page[Job] | BadCursor:
        failed = [
            (timestamp(job.state.finished_at), job)
            for job in self._jobs.values()
            if isinstance(job.state, Failed) and job.type == type
        ]
        latest_first = sorted(failed, key=lambda entry: (entry[0], entry[1].id), reverse=True)
        return self._page(("failed-index", type), latest_first, page, now)

    async def due(self, shard: str, now: datetime, limit: int, after: str | None) -> DuePage:
        entries = sorted(
            (timestamp(job.wake_at), job.id, job.wake_at)
            for job in self._jobs.values()
            if job.wake_at is not None and job.wake_at <= now and wake_shard(job.id) == shard
        )
        rest = [entry for entry in entries if after is None or f"{entry[0]} {entry[1]}" > after]
        page = rest[:limit]
        following = f"{page[-1][0]} {page[-1][1]}" if len(rest) > limit else None
        return DuePage(entries=tuple(DueJob(id=id, wake_at=wake_at) for _, id, wake_at in page), next=following)

    async def queued_triggers(self, job_ids: tuple[str, ...]) -> dict[str, QueuedTrigger]:
        jobs = [self._jobs[id] for id in job_ids if id in self._jobs]
        return {
            job.id: QueuedTrigger(queued_at=job.state.queued_at, triggered_at=job.updated_at)
            for job in jobs
            if isinstance(job.state, Queued)
        }

    def _page(
        self, scope: tuple[str, ...], ordered: list[tuple[str, Job]], page: PageRequest, now: datetime
    ) -> Page[Job] | BadCursor:
        start = self._cursors.open(scope, page.cursor, now) if page.cursor else None
        if isinstance(start, BadCursor):
            return start
        alive = [(order, job) for order, job in ordered if not is_expired(job.expires_at, now)]
        rest = [
            (order, job) for order, job in alive if start is None or (order, job.id) < (start["order"], start["id"])
        ]
        chosen = rest[: page.limit]
        more = len(rest) > page.limit
        last = {"order": chosen[-1][0], "id": chosen[-1][1].id} if chosen else {}
        following = self._cursors.seal(scope, last, now) if more else None
        return Page(items=tuple(job for _, job in chosen), next=following)


def _too_large(job: Job) -> ItemTooLarge | None:
    size = item_size(job_to_item(job, "w" * 36))
    return ItemTooLarge(size=size, limit=MAX_ITEM_BYTES) if size > MAX_ITEM_BYTES else None
