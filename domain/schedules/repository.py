"""What the domain asks of the store of schedules.

One conformance suite (`tests/contract/test_schedule_repository.py`) holds every implementation to these docstrings.
"""

from datetime import datetime
from typing import Protocol

from pydantic import AwareDatetime

from domain.jobs.change import Companion
from domain.paging import Page, PageRequest
from domain.results import BadCursor, ItemTooLarge, StorageUnavailable
from domain.schedules.schedule import Schedule
from headrace.authoring.frozen import Frozen


class ScheduleNotFound(Frozen):
    """No schedule has this id."""

    schedule_id: str


class ScheduleExists(Frozen):
    """A schedule has this id already."""

    current: Schedule


class ScheduleConflict(Frozen):
    """Another writer was first."""

    schedule_id: str


class DueSchedule(Frozen):
    """An entry of the wake index."""

    id: str
    wake_at: AwareDatetime


class DueSchedules(Frozen):
    """Some entries of the wake index, earliest first."""

    entries: tuple[DueSchedule, ...]
    next: str | None = None
    """Where the next page begins, opaque; None at the end."""


class ScheduleRepository(Protocol):
    """Schedules, one item each."""

    async def add(self, schedule: Schedule) -> Schedule | ScheduleExists | ItemTooLarge | StorageUnavailable:
        """Store a new schedule, unless one has its id."""

    async def get(self, schedule_id: str) -> Schedule | ScheduleNotFound | StorageUnavailable:
        """The stored schedule (strongly consistent)."""

    async def replace(
        self, schedule: Schedule, expected_version: int
    ) -> Schedule | ScheduleConflict | ItemTooLarge | StorageUnavailable:
        """Store the next version, if the version in the store is `expected_version`.

        A conflict that turns out to be this very call's own lost acknowledgement is success.
        """

    async def delete(self, schedule_id: str, expected_version: int) -> ScheduleConflict | StorageUnavailable | None:
        """Delete a schedule, if it has this version; None also when there is none."""

    def companion(self, schedule: Schedule, expected_version: int) -> Companion:
        """The write of `replace`, to be committed with a job."""

    async def due(self, until: datetime, limit: int, after: str | None) -> DueSchedules | StorageUnavailable:
        """Active schedules that tick at `until` or before it (eventually consistent); `after` is a page's `next`."""

    async def count(self, owner_id: str, limit: int) -> int | StorageUnavailable:
        """How many schedules an owner has, counted up to `limit` (eventually consistent)."""


class ScheduleListing(Protocol):
    """Pages of schedules, eventually consistent; apart because only the API has the key for cursors."""

    async def list_by_owner(
        self, owner_id: str, page: PageRequest, now: datetime
    ) -> Page[Schedule] | BadCursor | StorageUnavailable:
        """An owner's schedules, the last created first, with null for their payloads.

        A page may be short, or empty, and still have a cursor.
        """
