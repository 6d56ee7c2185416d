"""How statistics are stored: leaves of ten seconds, which count, and hours and days, which are derived from them.

A leaf knows which facts it has counted, so that it counts each once, however often and in whatever company it comes.
An hour holds the sum of each of its minutes, a day that of each of its hours; putting one there again changes nothing.
docs/decisions/034-statistics.md says why this is exact.
"""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple

from pydantic import AwareDatetime, Field

from domain.stats.aggregate import Aggregate, summed
from domain.stats.fact import Fact, aggregate_of
from domain.stats.report import floor
from headrace.authoring.frozen import Frozen

Level = Literal["hour", "day"]

MINUTE: Final = timedelta(minutes=1)
LEAF: Final = timedelta(seconds=10)
LENGTHS: Final[Mapping[Level, timedelta]] = {"hour": timedelta(hours=1), "day": timedelta(days=1)}

DIGEST_BYTES: Final = 6
"""Of the digest by which a leaf knows a fact. In a leaf of 1,000 facts two have the same one once in 500 million."""

KEPT: Final[Mapping[Level | Literal["leaf"], timedelta]] = {
    "leaf": timedelta(days=3),  # the stream brings a change for a day
    "hour": timedelta(days=3),
    "day": timedelta(days=62),
}
"""How long each is kept after its beginning."""


class LeafKey(NamedTuple):
    """Which leaf."""

    minute: datetime
    number: int
    """Within the minute."""


class Leaf(Frozen):
    """What ended in ten seconds."""

    minute: AwareDatetime
    number: int
    version: int = 0
    """Of the store; 0 if it is not stored yet."""
    seen: frozenset[bytes] = frozenset()
    """The digests of all facts that are counted."""
    whole: Aggregate = Aggregate()


class Span(Frozen):
    """An hour by minutes, or a day by hours."""

    level: Level
    begin: AwareDatetime
    version: int = 0
    parts: dict[int, Aggregate] = Field(default_factory=dict)
    """By minute or hour; absent where nothing ended."""


class Mark(Frozen):
    """A minute whose leaves may hold more than its hour and day."""

    minute: AwareDatetime
    token: str
    """Of whoever has marked it last."""


def leaf_key(fact: Fact) -> LeafKey:
    """The one leaf that counts a fact."""
    minute = floor(fact.at, MINUTE)
    return LeafKey(minute, (fact.at - minute) // LEAF)


def counted(leaf: Leaf, facts: Iterable[Fact]) -> Leaf:
    """The leaf with those of the facts that it has not counted yet; the same leaf, if it has counted all."""
    new = {digest: fact for fact in facts if (digest := _digest(fact)) not in leaf.seen}
    if not new:
        return leaf
    whole = summed([leaf.whole, *(aggregate_of(fact) for fact in new.values())])
    return leaf.model_copy(update={"version": leaf.version + 1, "seen": leaf.seen | new.keys(), "whole": whole})


def with_part(span: Span, number: int, part: Aggregate) -> Span:
    """The span with a part in place of one that counted less; the same span, if that counted as much already."""
    before = span.parts.get(number)
    if part.counted <= (before.counted if before is not None else 0):
        return span
    return span.model_copy(update={"version": span.version + 1, "parts": {**span.parts, number: part}})


def part_number(level: Level, moment: datetime) -> int:
    """Which part of its span a moment lies in."""
    return moment.minute if level == "hour" else moment.hour


def _digest(fact: Fact) -> bytes:
    return hashlib.blake2b(f"{fact.job_id} {fact.version}".encode(), digest_size=DIGEST_BYTES).digest()
