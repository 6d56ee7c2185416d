"""Reads what ended in a window: hours or days, and the leaves of the minutes that are not summed up yet."""

import asyncio
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

from domain.results import StorageUnavailable
from domain.stats.aggregate import Aggregate, summed
from domain.stats.buckets import LENGTHS, Level, Span, part_number, with_part
from domain.stats.report import floor
from domain.stats.repository import StatsRepository
from headrace.authoring.frozen import Frozen

MAX_OPEN: Final = 8
"""Minutes whose leaves a report reads, the newest. While the recorder keeps up there are two."""

PART: Final[Mapping[Level, timedelta]] = {"hour": timedelta(minutes=1), "day": timedelta(hours=1)}


class Ended(Frozen):
    """What ended, by minutes or by hours."""

    parts: dict[datetime, Aggregate]
    """By their beginnings."""
    complete: bool
    """False when more minutes are not summed up than were read."""


class StatsReader:
    """Reads statistics. Of two states of one part the one that counts more is the newer, and counts."""

    def __init__(self, stats: StatsRepository) -> None:
        self._stats = stats

    async def ended(self, level: Level, since: datetime, now: datetime) -> Ended | StorageUnavailable:
        """What ended from `since` to `now`: by minutes (of hours), or by hours (of days)."""
        marks = await self._stats.marks(MAX_OPEN + 1, newest=True)
        if isinstance(marks, StorageUnavailable):
            return marks
        minutes = [mark.minute for mark in marks if mark.minute >= since]
        live = await self._live(minutes[:MAX_OPEN])
        if isinstance(live, StorageUnavailable):
            return live
        hours = await self._hours(_hours_between(since, now) if level == "hour" else {_hour(each) for each in live})
        if isinstance(hours, StorageUnavailable):
            return hours
        spans = _overlaid("hour", hours, live)
        if level == "day":
            days = await self._stats.spans("day", floor(since, LENGTHS["day"]), floor(now, LENGTHS["day"]))
            if isinstance(days, StorageUnavailable):
                return days
            spans = _overlaid("day", days, {hour.begin: summed(hour.parts.values()) for hour in spans})
        parts = {span.begin + number * PART[level]: part for span in spans for number, part in span.parts.items()}
        return Ended(parts={at: part for at, part in parts.items() if at >= since}, complete=len(minutes) <= MAX_OPEN)

    async def _live(self, minutes: list[datetime]) -> dict[datetime, Aggregate] | StorageUnavailable:
        """What the leaves of these minutes have counted by now."""
        found = await asyncio.gather(*(self._stats.leaves(minute) for minute in minutes))
        failed = [each for each in found if isinstance(each, StorageUnavailable)]
        if failed:
            return failed[0]
        read = [each for each in found if not isinstance(each, StorageUnavailable)]
        sums = (summed(leaf.whole for leaf in leaves) for leaves in read)
        return dict(zip(minutes, sums, strict=True))

    async def _hours(self, begins: Iterable[datetime]) -> tuple[Span, ...] | StorageUnavailable:
        found = await asyncio.gather(*(self._stats.spans("hour", begin, begin) for begin in sorted(begins)))
        failed = [each for each in found if isinstance(each, StorageUnavailable)]
        return (
            failed[0]
            if failed
            else tuple(span for each in found if not isinstance(each, StorageUnavailable) for span in each)
        )


def _overlaid(level: Level, spans: Iterable[Span], newer: Mapping[datetime, Aggregate]) -> tuple[Span, ...]:
    """The spans, with the newer parts where they count more."""
    by_begin = {span.begin: span for span in spans}
    for at, part in newer.items():
        begin = floor(at, LENGTHS[level])
        by_begin[begin] = with_part(by_begin.get(begin, Span(level=level, begin=begin)), part_number(level, at), part)
    return tuple(by_begin.values())


def _hour(moment: datetime) -> datetime:
    return floor(moment, LENGTHS["hour"])


def _hours_between(since: datetime, now: datetime) -> set[datetime]:
    first, last = _hour(since), _hour(now)
    return {first + number * LENGTHS["hour"] for number in range((last - first) // LENGTHS["hour"] + 1)}
