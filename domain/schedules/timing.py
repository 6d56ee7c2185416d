"""When a schedule ticks: pure functions of a cron expression or an interval, a time zone and a moment.

A cron expression is read by `cronsim`, as Debian's cron reads it; where the clocks change, it means what Debian's cron
makes of it (docs/schedules.md has examples):

- With a fixed hour and minute (neither field begins with `*`) it ticks once a date: a time that the clocks skip moves
  to the first minute after the gap, one that they repeat is taken the first time.
- With a `*` in either field it ticks whenever the local clock shows a time that fits: not in a gap, twice in a repeat.

An interval knows no time zone: it is counted in seconds from the schedule's anchor.
"""

from collections import deque
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice, takewhile
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator

from domain.flaws import Flaw
from headrace.authoring.frozen import Frozen

if TYPE_CHECKING:
    from cronsim import CronSim

MIN_EVERY: Final = 5
MAX_EVERY: Final = 366 * 86_400
"""Seconds."""
MAX_CRON: Final = 120
MAX_ZONE: Final = 64
"""Characters."""

_NICKNAMES: Final = {
    "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
}  # fmt: skip
"""Of Debian's cron, but `@reboot`: nothing here boots. The expression is what is stored and shown."""
_FIELDS: Final = ("minute", "hour", "day-of-month", "month", "day-of-week")
_MINUTE: Final = timedelta(minutes=1)
_QUARTER: Final = timedelta(minutes=15)
"""Zones change their clocks at, and by, multiples of this."""
_HORIZON: Final = timedelta(days=50 * 366)
"""A time that does not come within it never comes."""
_WINDOWS: Final = (timedelta(hours=1), timedelta(days=1), timedelta(days=32))


class Timing(Frozen):
    """Either a cron expression of five fields, or an interval in seconds."""

    cron: str | None = Field(default=None, max_length=MAX_CRON)
    every_seconds: int | None = Field(default=None, ge=MIN_EVERY, le=MAX_EVERY)
    timezone: str = Field(default="UTC", max_length=MAX_ZONE)
    """An IANA name, in which the cron expression is read."""

    @field_validator("cron")
    @classmethod
    def _without_nickname(cls, cron: str | None) -> str | None:
        return _NICKNAMES.get(cron, cron) if cron is not None else None


def flaws_of_timing(timing: Timing, now: datetime) -> tuple[Flaw, ...]:
    """Why nothing can be planned by it; empty when all is well."""
    if (timing.cron is None) == (timing.every_seconds is None):
        return (Flaw(path=("cron",), message="give either cron or every_seconds"),)
    if _zone(timing.timezone) is None:
        return (Flaw(path=("timezone",), message="not a time zone of the IANA database, like Europe/Oslo"),)
    if timing.cron is None:
        return ()
    wrong = _wrong_field(timing.cron)
    if wrong is None and next_tick(timing, now, now) is None:
        wrong = "no date fits: the expression would never tick"
    return () if wrong is None else (Flaw(path=("cron",), message=wrong),)


def ticks_after(timing: Timing, anchor: datetime, after: datetime) -> Iterator[datetime]:
    """The ticks later than `after`, in UTC and in order; of a cron expression those of some fifty years."""
    if timing.cron is None:
        return _intervals(timedelta(seconds=timing.every_seconds or MAX_EVERY), anchor, after)
    zone = _zone(timing.timezone) or ZoneInfo("UTC")
    minute, hour, *_ = timing.cron.split()
    if minute.startswith("*") or hour.startswith("*"):
        return _by_the_clock(timing.cron, zone, after)
    return _once_a_date(timing.cron, zone, after)


def next_tick(timing: Timing, anchor: datetime, after: datetime) -> datetime | None:
    """The first tick later than `after`; None when there is none."""
    return next(ticks_after(timing, anchor, after), None)


def next_ticks(timing: Timing, anchor: datetime, after: datetime, count: int) -> tuple[datetime, ...]:
    """The first `count` ticks later than `after`."""
    return tuple(islice(ticks_after(timing, anchor, after), count))


def last_ticks(timing: Timing, anchor: datetime, first: datetime, until: datetime, limit: int) -> tuple[datetime, ...]:
    """Of the tick `first` and all later ones up to `until`, the last `limit`, in order.

    Looks back no further than it must, so that a month of minutes costs no more than an hour of them.
    """
    for window in _WINDOWS:
        start = until - window
        if start <= first:
            break
        found = deque(_until(until, ticks_after(timing, anchor, start)), maxlen=limit)
        if len(found) == limit:
            return tuple(found)
    whole = (first, *_until(until, ticks_after(timing, anchor, first))) if first <= until else ()
    return whole[-limit:]


def _until(end: datetime, ticks: Iterator[datetime]) -> Iterator[datetime]:
    return takewhile(lambda tick: tick <= end, ticks)


def _intervals(period: timedelta, anchor: datetime, after: datetime) -> Iterator[datetime]:
    number = max(1, (after - anchor) // period + 1)
    while True:
        yield (anchor + number * period).astimezone(UTC)
        number += 1


def _once_a_date(cron: str, zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
    last = after
    # cronsim moves what the clocks skip; after a repeat it begins with what has been already.
    for local in _read(cron, after.astimezone(zone)):
        tick = local.astimezone(UTC)
        if tick > last:
            last = tick
            yield tick


def _by_the_clock(cron: str, zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
    """Walks in UTC: cronsim's own steps of an hour pass over ticks where the clocks change by half of one."""
    fields = _read(cron, after.astimezone(UTC))
    at = after.astimezone(UTC).replace(second=0, microsecond=0) + _MINUTE
    end = after + _HORIZON
    while at < end:
        local = at.astimezone(zone)
        if not _fits(fields, local.date()):
            at = max(_next_quarter(at), _before_next_date(fields, local.date(), zone, end))
        elif local.hour not in fields.hours:
            at = _next_quarter(at)
        elif local.minute not in fields.minutes:
            at += _MINUTE
        else:
            yield at
            at += _MINUTE


def _fits(fields: "CronSim", day: date) -> bool:
    return day.month in fields.months and fields.match_day(day)


def _next_quarter(at: datetime) -> datetime:
    return at.replace(minute=at.minute - at.minute % 15) + _QUARTER


def _before_next_date(fields: "CronSim", day: date, zone: ZoneInfo, end: datetime) -> datetime:
    """Shortly before the next date that fits begins, whatever its clocks do at midnight."""
    day += timedelta(days=1)
    while not _fits(fields, day) and day <= end.date():
        in_month = day.month in fields.months
        day = day + timedelta(days=1) if in_month else (day.replace(day=1) + timedelta(days=32)).replace(day=1)
    return datetime.combine(day, time(), zone).astimezone(UTC) - timedelta(hours=2)


def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown; not a name; a folder of the database
        return None


def _wrong_field(cron: str) -> str | None:
    """Which field cannot be read, and where it is."""
    fields = cron.split()
    if len(fields) != len(_FIELDS):
        return f"has {len(fields)} fields, not five: minute, hour, day of month, month, day of week"
    now = datetime(2026, 1, 1, tzinfo=UTC)
    place = 0
    for number, (name, field) in enumerate(zip(_FIELDS, fields, strict=True)):
        place = cron.index(field, place)
        alone = " ".join(field if each == number else "*" for each in range(len(_FIELDS)))
        if not _readable(alone, now):
            return f"the {name} {field!r} at character {place + 1} is not valid"
        place += len(field)
    return None if _readable(cron, now) else "no month has such a day"


def _readable(cron: str, now: datetime) -> bool:
    from cronsim import CronSimError  # noqa: PLC0415 - as in `_read`

    try:
        _read(cron, now)
    except (CronSimError, AssertionError):
        return False
    return True


def _read(cron: str, at: datetime) -> "CronSim":
    from cronsim import CronSim  # noqa: PLC0415 - the API's cold start does not pay for it

    return CronSim(cron, at)
