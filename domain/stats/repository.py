"""What the domain asks of the store of statistics.

One conformance suite (`tests/contract/test_stats_repository.py`) holds every implementation to these docstrings.
"""

from datetime import datetime
from typing import Protocol

from domain.results import ItemTooLarge, StaleVersion, StorageUnavailable
from domain.stats.buckets import Leaf, LeafKey, Level, Mark, Span

PutResult = StaleVersion | ItemTooLarge | StorageUnavailable | None


class StatsRepository(Protocol):
    """Leaves, spans and marks. Every read is strongly consistent."""

    async def leaf(self, key: LeafKey) -> Leaf | StorageUnavailable:
        """The stored leaf; an empty one of version 0 if there is none."""

    async def leaves(self, minute: datetime) -> tuple[Leaf, ...] | StorageUnavailable:
        """The leaves of a minute."""

    async def put_leaf(self, leaf: Leaf) -> PutResult:
        """Store a leaf if the stored one is of the version before, or absent for version 1."""

    async def spans(self, level: Level, first: datetime, last: datetime) -> tuple[Span, ...] | StorageUnavailable:
        """The stored spans that begin from `first` to `last`, both inclusive, in their order."""

    async def put_span(self, span: Span) -> PutResult:
        """Store a span; the condition is that of `put_leaf`."""

    async def marks(self, limit: int, *, newest: bool) -> tuple[Mark, ...] | StorageUnavailable:
        """The marked minutes, beginning with the newest or with the oldest."""

    async def mark(self, mark: Mark) -> StorageUnavailable | None:
        """Mark a minute, whoever has marked it before."""

    async def unmark(self, mark: Mark) -> StorageUnavailable | None:
        """Remove this very mark: one of the same minute with another token stays."""
