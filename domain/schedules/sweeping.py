"""Looks ahead for schedules that tick soon, and finds those whose message was lost."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from domain.jobs.due_steps import INTERVAL
from domain.ports import Clock
from domain.results import StorageUnavailable
from domain.schedules.repository import DueSchedule, DueSchedules, ScheduleRepository
from domain.schedules.tick_queue import NEAR, TickQueue, TickWake
from headrace.authoring.frozen import Frozen

PAGE: Final = 1000
MAX_PAGES: Final = 50
OVERDUE: Final = timedelta(seconds=10)
"""A tick that is later than this needs another message."""
_OFTEN: Final = 2 * INTERVAL
_SELDOM: Final = 5
"""A tick that is later than `_OFTEN` gets one each so many minutes: a backlog must not grow by the sweeps."""


class TickSweep(Frozen):
    """What one sweep found."""

    sent: int
    oldest: timedelta
    """For how long the most overdue tick has been due; zero when none is."""
    problem: StorageUnavailable | None
    """Why the index could not be read, or messages were not taken."""


class TickSweeper:
    """Sends the messages of the minute that ends `NEAR` after a sweep's planned time, and those of overdue ticks.

    It makes no job. One Query a sweep, if nothing is due within `NEAR`.
    """

    def __init__(self, schedules: ScheduleRepository, queue: TickQueue, clock: Clock) -> None:
        self._schedules = schedules
        self._queue = queue
        self._clock = clock

    async def sweep(self, deadline: datetime, tick: datetime | None = None) -> TickSweep:
        """Until nothing is left or `deadline` is near; `tick` is the time for which the sweep was planned."""
        now = self._clock()
        until = (tick or now) + NEAR
        sweep, after = TickSweep(sent=0, oldest=timedelta(0), problem=None), None
        for _ in range(MAX_PAGES):
            page = await self._schedules.due(until, PAGE, after)
            if isinstance(page, StorageUnavailable):
                return sweep.model_copy(update={"problem": page})
            sweep = await self._send(page, until, now, sweep)
            after = page.next
            if after is None or self._clock() >= deadline:
                break
        return sweep

    async def _send(self, page: DueSchedules, until: datetime, now: datetime, before: TickSweep) -> TickSweep:
        chosen = tuple(entry for entry in page.entries if _needs_message(entry, until, now))
        problem = await self._queue.send(_wakes(chosen), now) if chosen else None
        oldest = max((now - entry.wake_at for entry in page.entries), default=timedelta(0))
        return TickSweep(
            sent=before.sent + (0 if problem else len(chosen)),
            oldest=max(before.oldest, oldest),
            problem=before.problem or problem,
        )


def _needs_message(entry: DueSchedule, until: datetime, now: datetime) -> bool:
    if entry.wake_at > until - INTERVAL:
        return True
    late = now - entry.wake_at
    return late > OVERDUE and (late < _OFTEN or late // INTERVAL % _SELDOM == 0)


def _wakes(entries: Sequence[DueSchedule]) -> tuple[TickWake, ...]:
    return tuple(TickWake(schedule_id=entry.id, due=entry.wake_at) for entry in entries)
