"""A repository that fails where a test requires it."""

from collections.abc import Callable, Mapping
from datetime import datetime

from domain.jobs.change import Change
from domain.jobs.job import Job
from domain.jobs.repository import (
    AddResult,
    CompanionRefused,
    DuePage,
    DueState,
    JobNotFound,
    JobRepository,
    JobUnreadable,
    ReplaceResult,
    VersionConflict,
)
from domain.results import ItemTooLarge, StorageUnavailable

Fault = VersionConflict | JobUnreadable | CompanionRefused | ItemTooLarge | StorageUnavailable
AddFault = JobUnreadable | CompanionRefused | ItemTooLarge | StorageUnavailable
OUTAGE = StorageUnavailable(reason="timeout", detail="ReadTimeoutError")


class FaultyJobRepository:
    """Forwards calls unless a function of the test returns a result; `after_replace` is called after the write."""

    def __init__(
        self,
        inner: JobRepository,
        on_replace: Callable[[Job], Fault | None] = lambda _job: None,
        on_read: Callable[[], JobUnreadable | StorageUnavailable | None] = lambda: None,
        on_due: Callable[[str], StorageUnavailable | None] = lambda _shard: None,
        on_add: Callable[[], JobUnreadable | CompanionRefused | ItemTooLarge | StorageUnavailable | None] = lambda: (
            None
        ),
        after_replace: Callable[[Job], Fault | None] = lambda _job: None,
    ) -> None:
        self._inner = inner
        self._on_replace = on_replace
        self._on_read = on_read
        self._on_due = on_due
        self._on_add = on_add
        self._after_replace = after_replace

    @property
    def inner(self) -> JobRepository:
        """The repository that calls are forwarded to."""
        return self._inner

    @property
    def wake_shards(self) -> tuple[str, ...]:
        return self._inner.wake_shards

    async def add(self, change: Change, now: datetime) -> AddResult:
        return self._on_add() or await self._inner.add(change, now)

    async def get(self, job_id: str, now: datetime) -> Job | JobNotFound | JobUnreadable | StorageUnavailable:
        return self._on_read() or await self._inner.get(job_id, now)

    async def get_all(self, job_ids: tuple[str, ...], now: datetime) -> Mapping[str, Job] | StorageUnavailable:
        fault = self._on_read()
        if isinstance(fault, JobUnreadable):
            return {}
        return fault or await self._inner.get_all(job_ids, now)

    async def replace(self, change: Change, expected_version: int) -> ReplaceResult:
        if (fault := self._on_replace(change.job)) is not None:
            return fault
        written = await self._inner.replace(change, expected_version)
        return self._after_replace(change.job) or written

    async def due(
        self, shard: str, now: datetime, limit: int, after: str | None, since: datetime | None = None
    ) -> DuePage | StorageUnavailable:
        return self._on_due(shard) or await self._inner.due(shard, now, limit, after, since)

    async def due_states(self, job_ids: tuple[str, ...]) -> Mapping[str, DueState]:
        return await self._inner.due_states(job_ids)
