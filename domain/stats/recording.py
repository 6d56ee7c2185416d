"""Counts what a batch of changes adds to the statistics, each change once, and sums up what is over.

docs/decisions/034-statistics.md says why this is exact, whatever dies and however a batch is cut and repeated.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from domain.ports import Clock, NewId
from domain.results import ItemTooLarge, StaleVersion, StorageUnavailable
from domain.stats.aggregate import Aggregate, summed, without_details
from domain.stats.buckets import LENGTHS, MINUTE, LeafKey, Level, Mark, Span, counted, leaf_key, part_number, with_part
from domain.stats.fact import Fact
from domain.stats.report import floor
from domain.stats.repository import PutResult, StatsRepository
from headrace.authoring.frozen import Frozen

MAX_CONFLICTS: Final = 10
"""Tries against other shards' writes to the same leaf."""
LATE: Final = timedelta(seconds=10)
"""What was written to a leaf so long after its minute is summed up anew: it may have been summed up already."""
CLOSED: Final = timedelta(seconds=30)
"""So long after its end a minute is summed up. Between `LATE` and this lies what clocks may differ by."""
MAX_SUMMED: Final = 5
"""Minutes that one batch sums up."""


class NotCounted(Frozen):
    """Facts that were not counted; to see their changes again counts them."""

    facts: tuple[Fact, ...]
    problem: StorageUnavailable


class CountLost(Frozen):
    """Facts that cannot be counted, however often they come."""

    facts: tuple[Fact, ...]
    detail: str


class Counted(Frozen):
    """What became of a batch."""

    not_counted: tuple[NotCounted, ...] = ()
    lost: tuple[CountLost, ...] = ()
    not_summed: StorageUnavailable | None = None
    """Why minutes that are over were not summed up; a later batch does it. Nothing is to be done."""


class StatsRecorder:
    """Counts facts. They may come again, in other batches, and from several shards at once."""

    def __init__(self, stats: StatsRepository, clock: Clock, new_token: NewId) -> None:
        self._stats = stats
        self._clock = clock
        self._new_token = new_token

    async def count(self, facts: Sequence[Fact], deadline: datetime) -> Counted:
        """Count these facts: two calls for each leaf, some more for the first of a leaf.

        What is not begun before `deadline` is named as not counted.
        """
        by_leaf: dict[LeafKey, list[Fact]] = {}
        for fact in facts:
            by_leaf.setdefault(leaf_key(fact), []).append(fact)
        done = [await self._count(key, tuple(some), deadline) for key, some in by_leaf.items()]
        marked = any(each is True for each in done)
        return Counted(
            not_counted=tuple(each for each in done if isinstance(each, NotCounted)),
            lost=tuple(each for each in done if isinstance(each, CountLost)),
            not_summed=await self._sum_up(deadline) if marked else None,
        )

    async def _count(self, key: LeafKey, facts: tuple[Fact, ...], deadline: datetime) -> bool | NotCounted | CountLost:
        """Count the facts of one leaf; whether its minute was marked."""
        for _ in range(MAX_CONFLICTS):
            if self._clock() >= deadline:
                return _not_counted(facts, "no time was left")
            leaf = await self._stats.leaf(key)
            if isinstance(leaf, StorageUnavailable):
                return _unavailable(facts, leaf)
            grown = counted(leaf, facts)
            written = None if grown is leaf else await self._stats.put_leaf(grown)
            match written:
                case None:
                    # Whoever was the first in the leaf has marked its minute, or died, and comes again.
                    is_first = leaf.version == 0
                    comes_again = len(grown.seen) < len(leaf.seen) + len(facts)
                    late = self._clock() >= key.minute + MINUTE + LATE
                    return await self._marked(key.minute, facts) if is_first or comes_again or late else False
                case StaleVersion():
                    continue
                case StorageUnavailable():
                    return _unavailable(facts, written)
                case ItemTooLarge(size=size):
                    return CountLost(facts=facts, detail=f"ten seconds of statistics would have {size} bytes")
        return _not_counted(facts, "contended")

    async def _marked(self, minute: datetime, facts: tuple[Fact, ...]) -> bool | NotCounted | CountLost:
        """Mark the minute after its leaf was written. A batch that dies before is repeated, and marks it then."""
        problem = await self._stats.mark(Mark(minute=minute, token=self._new_token()))
        return True if problem is None else _unavailable(facts, problem)

    async def _sum_up(self, deadline: datetime) -> StorageUnavailable | None:
        """Bring the minutes that are over into their hours and days."""
        marks = await self._stats.marks(MAX_SUMMED, newest=False)
        if isinstance(marks, StorageUnavailable):
            return marks
        for mark in marks:
            now = self._clock()
            if now < mark.minute + MINUTE + CLOSED or now >= deadline:
                return None
            problem = await self._sum_up_minute(mark)
            if problem is not None:
                return problem
        return None

    async def _sum_up_minute(self, mark: Mark) -> StorageUnavailable | None:
        """Put the minute into its hour, and the hour into its day. Doing it again, or at once with others, is safe."""
        leaves = await self._stats.leaves(mark.minute)
        if isinstance(leaves, StorageUnavailable):
            return leaves
        hour = await self._put_part("hour", mark.minute, summed(leaf.whole for leaf in leaves))
        if not isinstance(hour, Span):
            return hour
        day = await self._put_part("day", hour.begin, summed(hour.parts.values()))
        return await self._stats.unmark(mark) if isinstance(day, Span) else day

    async def _put_part(
        self, level: Level, moment: datetime, part: Aggregate, *, lean: bool = False
    ) -> Span | StorageUnavailable | None:
        """The span with this part, stored; None when another recorder was first, which leaves the mark.

        A part that has no room keeps its numbers only.
        """
        begin = floor(moment, LENGTHS[level])
        found = await self._stats.spans(level, begin, begin)
        if isinstance(found, StorageUnavailable):
            return found
        span = found[0] if found else Span(level=level, begin=begin)
        grown = with_part(span, part_number(level, moment), part)
        written: PutResult = None if grown is span else await self._stats.put_span(grown)
        match written:
            case None:
                return grown
            case StaleVersion():
                return None
            case StorageUnavailable():
                return written
            case ItemTooLarge() if not lean:
                return await self._put_part(level, moment, without_details(part), lean=True)
            case ItemTooLarge(size=size):
                return StorageUnavailable(reason="rejected", detail=f"the {level} would have {size} bytes")


def _unavailable(facts: tuple[Fact, ...], problem: StorageUnavailable) -> NotCounted | CountLost:
    """What is refused once is refused each time; to hand it back would hold up all that follows in the stream."""
    if problem.reason == "rejected":
        return CountLost(facts=facts, detail=problem.detail)
    return NotCounted(facts=facts, problem=problem)


def _not_counted(facts: tuple[Fact, ...], detail: str) -> NotCounted:
    return NotCounted(facts=facts, problem=StorageUnavailable(reason="throttled", detail=detail))
