"""A repository of schedules that fails where a test requires it."""

from datetime import datetime

from domain.jobs.change import Companion
from domain.results import ItemTooLarge, StorageUnavailable
from domain.schedules.repository import (
    DueSchedules,
    ScheduleConflict,
    ScheduleExists,
    ScheduleNotFound,
    ScheduleRepository,
)
from domain.schedules.schedule import Schedule


class FaultyScheduleRepository:
    """Forwards calls, unless a fault of the method's is given; the stored schedule may be given too."""

    def __init__(
        self,
        inner: ScheduleRepository,
        on_add: ItemTooLarge | StorageUnavailable | ScheduleExists | None = None,
        on_get: Schedule | StorageUnavailable | None = None,
        on_replace: ScheduleConflict | ItemTooLarge | StorageUnavailable | None = None,
        on_delete: ScheduleConflict | StorageUnavailable | None = None,
        on_due: StorageUnavailable | None = None,
        on_count: StorageUnavailable | None = None,
    ) -> None:
        self._inner = inner
        self._on_add = on_add
        self._on_get = on_get
        self._on_replace = on_replace
        self._on_delete = on_delete
        self._on_due = on_due
        self._on_count = on_count

    async def add(self, schedule: Schedule) -> Schedule | ScheduleExists | ItemTooLarge | StorageUnavailable:
        return self._on_add or await self._inner.add(schedule)

    async def get(self, schedule_id: str) -> Schedule | ScheduleNotFound | StorageUnavailable:
        return self._on_get or await self._inner.get(schedule_id)

    async def replace(
        self, schedule: Schedule, expected_version: int
    ) -> Schedule | ScheduleConflict | ItemTooLarge | StorageUnavailable:
        return self._on_replace or await self._inner.replace(schedule, expected_version)

    async def delete(self, schedule_id: str, expected_version: int) -> ScheduleConflict | StorageUnavailable | None:
        return self._on_delete or await self._inner.delete(schedule_id, expected_version)

    def companion(self, schedule: Schedule, expected_version: int) -> Companion:
        return self._inner.companion(schedule, expected_version)

    async def due(self, until: datetime, limit: int, after: str | None) -> DueSchedules | StorageUnavailable:
        return self._on_due or await self._inner.due(until, limit, after)

    async def count(self, owner_id: str, limit: int) -> int | StorageUnavailable:
        return self._on_count or await self._inner.count(owner_id, limit)
