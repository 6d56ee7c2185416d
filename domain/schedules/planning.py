"""Which of a schedule's due ticks are made, and which are dropped, by its policy for missed ones."""

from datetime import datetime, timedelta
from typing import Final

from domain.schedules.schedule import ScheduleSpec
from domain.schedules.timing import last_ticks
from headrace.authoring.frozen import Frozen

IN_TIME: Final = timedelta(minutes=2)
"""A later tick counts as missed. A lost message costs up to a minute, and is no reason to miss one."""
MAX_CAUGHT_UP: Final = 100
"""Missed ticks that are made after the event, where all are wanted: the last ones."""


class Due(Frozen):
    """What to do now."""

    ticks: tuple[datetime, ...]
    """To be made, in order."""
    until: datetime
    """All ticks up to this are done then."""
    dropped: int
    """Due ticks that are not made; of those beyond `MAX_CAUGHT_UP`, one is counted."""


def due_ticks(spec: ScheduleSpec, anchor: datetime, first: datetime, now: datetime) -> Due:
    """The due ticks of a schedule whose next one is `first`, which is not later than `now`."""
    found = last_ticks(spec.timing, anchor, first, now, MAX_CAUGHT_UP + 1)
    match spec.missed:
        case "all":
            ticks = found[-MAX_CAUGHT_UP:]
        case "latest":
            ticks = found[-1:]
        case "none":
            ticks = tuple(tick for tick in found[-1:] if now - tick <= IN_TIME)
    return Due(ticks=ticks, until=now, dropped=len(found) - len(ticks))
