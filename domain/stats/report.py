"""What `GET /v1/stats` says: windows, their steps, and the report of one."""

from datetime import UTC, datetime, timedelta
from typing import Final, Literal, NamedTuple

from pydantic import AwareDatetime

from domain.stats.aggregate import Aggregate
from domain.stats.unfinished import Unfinished
from headrace.authoring.frozen import Frozen

WindowName = Literal["1h", "24h", "7d", "30d"]


class Window(NamedTuple):
    """A time that ends now: so many steps, of which the last is not over yet. Steps begin at whole ones, in UTC."""

    steps: int
    step: timedelta


WINDOWS: Final[dict[WindowName, Window]] = {
    "1h": Window(60, timedelta(minutes=1)),
    "24h": Window(24, timedelta(hours=1)),
    "7d": Window(168, timedelta(hours=1)),
    "30d": Window(30, timedelta(days=1)),
}


class Point(Frozen):
    """One step of a window."""

    at: AwareDatetime
    """Its beginning."""
    counts: dict[str, int]
    """By outcome."""


class Report(Frozen):
    """What ended in a window, and what is unfinished now."""

    window: WindowName
    since: AwareDatetime
    until: AwareDatetime
    points: tuple[Point, ...]
    """One for each step, also where nothing ended."""
    whole: Aggregate
    complete: bool = True
    """False when more was not added up yet than a report reads: it counts too little."""
    recorded: bool = True
    """Whether this deployment records statistics."""
    unfinished: Unfinished | None = None
    """None when it was not asked for."""


def begins_of(window: WindowName, now: datetime) -> tuple[datetime, ...]:
    """The beginnings of the steps of a window that ends at `now`."""
    steps, step = WINDOWS[window]
    last = floor(now, step)
    return tuple(last - step * back for back in reversed(range(steps)))


def floor(moment: datetime, step: timedelta) -> datetime:
    """The beginning of the step that `moment` lies in."""
    seconds = int(step.total_seconds())
    return datetime.fromtimestamp(int(moment.timestamp()) // seconds * seconds, UTC)
