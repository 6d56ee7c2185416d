"""Schedules in memory, beside the jobs whose transactions write them; held to the same suite as the real ones."""

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import count

from domain.jobs.change import Put
from domain.jobs.wake_queue import LONGEST_DELAY
from domain.paging import Page, PageRequest
from domain.results import BadCursor, ItemTooLarge, StorageUnavailable
from domain.schedules.repository import (
    DueSchedule,
    DueSchedules,
    ScheduleConflict,
    ScheduleExists,
    ScheduleNotFound,
)
from domain.schedules.schedule import Schedule
from domain.schedules.tick_queue import TickWake
from headrace.testing.job_repository import FakeJobRepository
from persistence.converters.attributes import MAX_ITEM_BYTES, item_size, timestamp
from persistence.converters.schedules import WAKE_SHARD, schedule_to_values, values_to_item, values_to_schedule
from persistence.cursors import CursorCodec
from persistence.dynamodb.repositories.schedule_repository import COMPANION_TABLE, schedule_companion
from tests.fakes.job_listing import CURSOR_KEY

COMPANIONS = {COMPANION_TABLE: "SchedulesTable"}


class FakeScheduleRepository:
    """The items of the fake job repository's table of schedules, with the table's conditions."""

    def __init__(self, jobs: FakeJobRepository) -> None:
        self._jobs = jobs
        self._numbers = count(1)
        self._cursors = CursorCodec(CURSOR_KEY)

    @property
    def stored(self) -> tuple[Schedule, ...]:
        found = [values_to_schedule(item) for item in self._jobs.items_of(COMPANION_TABLE)]
        return tuple(each for each in found if isinstance(each, Schedule))

    async def add(self, schedule: Schedule) -> Schedule | ScheduleExists | ItemTooLarge:
        current = await self.get(schedule.id)
        if isinstance(current, Schedule):
            return ScheduleExists(current=current)
        return self._put(schedule)

    async def get(self, schedule_id: str) -> Schedule | ScheduleNotFound:
        item = self._jobs.item(COMPANION_TABLE, {"id": schedule_id})
        found = values_to_schedule(item) if item is not None else None
        return found if isinstance(found, Schedule) else ScheduleNotFound(schedule_id=schedule_id)

    async def replace(self, schedule: Schedule, expected_version: int) -> Schedule | ScheduleConflict | ItemTooLarge:
        current = await self.get(schedule.id)
        if isinstance(too_large := _too_large(schedule), ItemTooLarge):
            return too_large
        if not isinstance(current, Schedule) or current.version != expected_version:
            return ScheduleConflict(schedule_id=schedule.id)
        return self._put(schedule)

    async def delete(self, schedule_id: str, expected_version: int) -> ScheduleConflict | None:
        current = await self.get(schedule_id)
        if isinstance(current, Schedule) and current.version != expected_version:
            return ScheduleConflict(schedule_id=schedule_id)
        self._jobs.put_item(COMPANION_TABLE, {"id": schedule_id}, None)
        return None

    def companion(self, schedule: Schedule, expected_version: int) -> Put:
        return schedule_companion(schedule, expected_version, str(next(self._numbers)))

    async def due(self, until: datetime, limit: int, after: str | None) -> DueSchedules:
        in_index = (item for item in self._jobs.items_of(COMPANION_TABLE) if item.get("wake_shard") == WAKE_SHARD)
        entries = sorted(
            (str(item["wake_at"]), str(item["id"])) for item in in_index if str(item["wake_at"]) <= timestamp(until)
        )
        rest = [entry for entry in entries if after is None or f"{entry[0]} {entry[1]}" > after]
        page = rest[:limit]
        following = f"{page[-1][0]} {page[-1][1]}" if len(rest) > limit else None
        found = tuple(DueSchedule(id=id, wake_at=datetime.fromisoformat(at)) for at, id in page)
        return DueSchedules(entries=found, next=following)

    async def count(self, owner_id: str, limit: int) -> int:
        return min(limit, sum(each.owner_id == owner_id for each in self.stored))

    async def list_by_owner(
        self, owner_id: str, page: PageRequest, now: datetime
    ) -> Page[Schedule] | BadCursor | StorageUnavailable:
        scope = ("schedules", owner_id)
        start = self._cursors.open(scope, page.cursor, now) if page.cursor else None
        if isinstance(start, BadCursor):
            return start
        mine = sorted(
            ((timestamp(each.created_at), each.id, each) for each in self.stored if each.owner_id == owner_id),
            reverse=True,
            key=lambda entry: entry[:2],
        )
        rest = [entry for entry in mine if start is None or entry[:2] < (start["at"], start["id"])]
        chosen, more = rest[: page.limit], len(rest) > page.limit
        following = self._cursors.seal(scope, {"at": chosen[-1][0], "id": chosen[-1][1]}, now) if more else None
        return Page(items=tuple(_listed(each) for *_, each in chosen), next=following)

    def _put(self, schedule: Schedule) -> Schedule | ItemTooLarge:
        if isinstance(too_large := _too_large(schedule), ItemTooLarge):
            return too_large
        values = schedule_to_values(schedule, str(next(self._numbers)))
        self._jobs.put_item(COMPANION_TABLE, {"id": schedule.id}, values)
        return schedule


class FakeTickQueue:
    """A list of messages, and when each may be delivered."""

    def __init__(self) -> None:
        self._messages: list[tuple[datetime, TickWake]] = []
        self.problem: StorageUnavailable | None = None

    @property
    def waiting(self) -> tuple[TickWake, ...]:
        return tuple(wake for _, wake in self._messages)

    async def send(self, ticks: Sequence[TickWake], now: datetime) -> StorageUnavailable | None:
        if self.problem is None:
            delays = [min(max(tick.due - now, timedelta(0)), LONGEST_DELAY) for tick in ticks]
            whole = [timedelta(seconds=math.ceil(delay.total_seconds())) for delay in delays]
            self._messages += [(now + delay, tick) for delay, tick in zip(whole, ticks, strict=True)]
        return self.problem

    def take(self, now: datetime) -> tuple[TickWake, ...]:
        """Receive, and delete, what may be delivered at `now`."""
        taken = tuple(tick for at, tick in self._messages if at <= now)
        self._messages = [(at, tick) for at, tick in self._messages if at > now]
        return taken


def _too_large(schedule: Schedule) -> ItemTooLarge | None:
    size = item_size(values_to_item(schedule_to_values(schedule, "w" * 36)))
    return ItemTooLarge(size=size, limit=MAX_ITEM_BYTES) if size > MAX_ITEM_BYTES else None


def _listed(schedule: Schedule) -> Schedule:
    return schedule.model_copy(update={"spec": schedule.spec.model_copy(update={"payload": "null"})})
