"""The ticks of a cron expression found minute by minute: slow, and independent of what it checks."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

MINUTE = timedelta(minutes=1)
RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))


def numbers(field: str, low: int, high: int) -> set[int]:
    """Lists, ranges and steps; no names, `L`, `W` or `#`."""
    found: set[int] = set()
    for term in field.split(","):
        span, _, step = term.partition("/")
        first, _, last = span.partition("-")
        start = low if first == "*" else int(first)
        end = high if first == "*" or (step and not last) else int(last or first)
        found |= set(range(start, end + 1, int(step or 1)))
    return found


def ticks_by_brute_force(cron: str, zone_name: str, after: datetime, until: datetime) -> list[datetime]:
    """The ticks in (after, until], by the documented policy for changes of the clocks."""
    zone = ZoneInfo(zone_name)
    fields = cron.split()
    sets = [numbers(field, *span) for field, span in zip(fields, RANGES, strict=True)]
    minutes, hours = sets[0], sets[1]
    found: set[datetime] = set()
    if fields[0].startswith("*") or fields[1].startswith("*"):
        at = after.replace(second=0, microsecond=0) + MINUTE
        while at <= until:
            local = at.astimezone(zone)
            if local.minute in minutes and local.hour in hours and _fits(local.date(), fields, sets):
                found.add(at)
            at += MINUTE
    else:
        day = after.astimezone(zone).date() - timedelta(days=1)
        while day <= until.astimezone(zone).date():
            if _fits(day, fields, sets):
                found |= set(_once(day, hours, minutes, zone))
            day += timedelta(days=1)
    return sorted(tick for tick in found if after < tick <= until)


def _once(day: date, hours: set[int], minutes: set[int], zone: ZoneInfo) -> Iterator[datetime]:
    for hour in hours:
        for minute in minutes:
            naive = datetime(day.year, day.month, day.day, hour, minute)  # noqa: DTZ001
            while True:
                instant = naive.replace(tzinfo=zone, fold=0).astimezone(UTC)
                if instant.astimezone(zone).replace(tzinfo=None) == naive:
                    yield instant
                    break
                naive += MINUTE


def _fits(day: date, fields: list[str], sets: list[set[int]]) -> bool:
    in_month = day.day in sets[2]
    in_week = bool({day.isoweekday(), day.isoweekday() % 7} & sets[4])
    both = fields[2].startswith("*") or fields[4].startswith("*")
    return day.month in sets[3] and ((in_month and in_week) if both else (in_month or in_week))
