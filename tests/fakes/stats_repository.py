"""Statistics in memory, held to the same conformance suite as the real repository."""

from datetime import datetime

from domain.results import ItemTooLarge, StaleVersion
from domain.stats.buckets import Leaf, LeafKey, Level, Mark, Span
from persistence.converters.attributes import MAX_ITEM_BYTES, item_size
from persistence.converters.stats import leaf_to_item, span_to_item


class FakeStatsRepository:
    """Dictionaries with the table's conditions."""

    def __init__(self) -> None:
        self.stored_leaves: dict[LeafKey, Leaf] = {}
        self.stored_spans: dict[tuple[Level, datetime], Span] = {}
        self.marked: dict[datetime, Mark] = {}
        self.items_read = 0

    async def leaf(self, key: LeafKey) -> Leaf:
        self.items_read += 1
        return self.stored_leaves.get(key, Leaf(minute=key.minute, number=key.number))

    async def leaves(self, minute: datetime) -> tuple[Leaf, ...]:
        found = tuple(leaf for key, leaf in sorted(self.stored_leaves.items()) if key.minute == minute)
        self.items_read += len(found)
        return found

    async def put_leaf(self, leaf: Leaf) -> StaleVersion | ItemTooLarge | None:
        key = LeafKey(leaf.minute, leaf.number)
        stored = self.stored_leaves.get(key)
        size = item_size(leaf_to_item(leaf))
        if size > MAX_ITEM_BYTES:
            return ItemTooLarge(size=size, limit=MAX_ITEM_BYTES)
        if leaf.version != (stored.version + 1 if stored else 1):
            return StaleVersion(current_version=None)
        self.stored_leaves[key] = leaf
        return None

    async def spans(self, level: Level, first: datetime, last: datetime) -> tuple[Span, ...]:
        found = sorted(self.stored_spans.items())
        spans = tuple(span for (kind, begin), span in found if kind == level and first <= begin <= last)
        self.items_read += len(spans)
        return spans

    async def put_span(self, span: Span) -> StaleVersion | ItemTooLarge | None:
        stored = self.stored_spans.get((span.level, span.begin))
        size = item_size(span_to_item(span))
        if size > MAX_ITEM_BYTES:
            return ItemTooLarge(size=size, limit=MAX_ITEM_BYTES)
        if span.version != (stored.version + 1 if stored else 1):
            return StaleVersion(current_version=None)
        self.stored_spans[(span.level, span.begin)] = span
        return None

    async def marks(self, limit: int, *, newest: bool) -> tuple[Mark, ...]:
        found = sorted(self.marked.values(), key=lambda mark: mark.minute, reverse=newest)[:limit]
        self.items_read += len(found)
        return tuple(found)

    async def mark(self, mark: Mark) -> None:
        self.marked[mark.minute] = mark

    async def unmark(self, mark: Mark) -> None:
        if self.marked.get(mark.minute) == mark:
            del self.marked[mark.minute]
