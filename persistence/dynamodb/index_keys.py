"""The keys of an index in their order: of one partition, or of several as if they were one."""

from __future__ import annotations

import asyncio
import heapq
from collections import Counter
from collections.abc import Mapping
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from domain.results import StorageUnavailable
from headrace.authoring.frozen import Frozen
from persistence.converters.attributes import string_of
from persistence.dynamodb.client import STORAGE_ERRORS, as_result

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb.type_defs import AttributeValueTypeDef, QueryInputTypeDef

    from persistence.converters.attributes import Item
    from persistence.dynamodb.client import ClientSource


class Key(NamedTuple):
    """One entry of an index: which partition (by the end of its name), the sort key and the job's id."""

    suffix: str
    sort: str
    id: str


Places = Mapping[str, Key | None]
"""How far each partition was read, by suffix: to this key; to its end (None); not begun (absent)."""


class Index(Frozen):
    """An index of the jobs table, and the attributes of its key."""

    name: str
    partition: str
    sort: str
    ascending: bool = False
    """From the lowest sort key; by default the newest comes first."""


class Span(Frozen):
    """The partitions of an index that one list is about: `prefix` with each of `suffixes`."""

    index: Index
    prefix: str
    suffixes: tuple[str, ...] = ("",)
    least: str | None = None
    most: str | None = None
    """The sort keys that are read, from and to these."""
    reverse: bool = False

    @property
    def ascending(self) -> bool:
        """Whether the lowest sort key comes first."""
        return self.index.ascending != self.reverse

    def condition(self, suffix: str) -> tuple[str, dict[str, AttributeValueTypeDef]]:
        """The KeyConditionExpression for one partition, and its values."""
        bounds = {":least": self.least, ":most": self.most}
        values = {name: text for name, text in bounds.items() if text is not None}
        sort = {
            (":least", ":most"): f" AND {self.index.sort} BETWEEN :least AND :most",
            (":least",): f" AND {self.index.sort} >= :least",
            (":most",): f" AND {self.index.sort} <= :most",
            (): "",
        }[tuple(values)]
        texts = {":partition": self.prefix + suffix, **values}
        return f"{self.index.partition} = :partition{sort}", {name: {"S": text} for name, text in texts.items()}


class Keys(NamedTuple):
    """Some keys, in the order of their index, and how far each partition was read."""

    keys: tuple[Key, ...]
    places: Places


class _Part(NamedTuple):
    suffix: str
    keys: tuple[Key, ...]
    after: Key | None
    """The last key read of the partition; None at its end."""


async def next_keys(
    client: ClientSource, table: str, span: Span, places: Places, limit: int | None
) -> Keys | StorageUnavailable:
    """The next keys after `places`: at most `limit`, or as many as DynamoDB gives at once (1 MB a partition).

    Each partition that is not read to its end costs one Query. An entry whose attributes are not strings is
    passed over.
    """
    unread = [suffix for suffix in span.suffixes if places.get(suffix, _NOT_BEGUN) is not None]
    parts = await asyncio.gather(*(_part(client, table, span, suffix, places.get(suffix), limit) for suffix in unread))
    read = [part for part in parts if isinstance(part, _Part)]
    failed = [part for part in parts if isinstance(part, StorageUnavailable)]
    if failed:
        return failed[0]
    merged = heapq.merge(*(part.keys for part in read), key=lambda key: (key.sort, key.id), reverse=not span.ascending)
    taken = tuple(islice(merged, limit))
    counts = Counter(key.suffix for key in taken)
    last = {key.suffix: key for key in taken}
    return Keys(taken, {**places, **last, **{part.suffix: part.after for part in read if _used(part, counts)}})


def key_of(item: Item, index: Index, suffix: str = "") -> Key | None:
    """The entry's key, if it has the form of one."""
    sort, id = string_of(item, index.sort), string_of(item, "id")
    return Key(suffix, sort, id) if sort and id else None


def at_end(span: Span, places: Places) -> bool:
    """Whether every partition was read to its end."""
    return all(suffix in places and places[suffix] is None for suffix in span.suffixes)


def position_of(span: Span, places: Places) -> Mapping[str, str]:
    """The places as a cursor holds them. Of one partition it is the index's key, as in the previous version."""
    sorts = {f"{span.index.sort}{suffix}": key.sort for suffix, key in places.items() if key is not None}
    ids = {f"id{suffix}": key.id if key is not None else "" for suffix, key in places.items()}
    return {span.index.partition: span.prefix, **sorts, **ids}


def places_of(span: Span, position: Mapping[str, str]) -> Places:
    """The places that a cursor holds; `position` is what `position_of` returned, or empty at the start."""
    begun = [suffix for suffix in span.suffixes if f"id{suffix}" in position]
    return {suffix: _place(span, suffix, position) for suffix in begun}


def _place(span: Span, suffix: str, position: Mapping[str, str]) -> Key | None:
    id = position[f"id{suffix}"]
    return Key(suffix, position[f"{span.index.sort}{suffix}"], id) if id else None


_NOT_BEGUN = Key("", "", "")


def _used(part: _Part, counts: Counter[str]) -> bool:
    return counts[part.suffix] == len(part.keys)


async def _part(
    client: ClientSource, table: str, span: Span, suffix: str, place: Key | None, limit: int | None
) -> _Part | StorageUnavailable:
    condition, values = span.condition(suffix)
    query: QueryInputTypeDef = {
        "TableName": table,
        "IndexName": span.index.name,
        "KeyConditionExpression": condition,
        "ExpressionAttributeValues": values,
        "ScanIndexForward": span.ascending,
    }
    if limit is not None:
        query["Limit"] = limit
    if place is not None:
        query["ExclusiveStartKey"] = {
            span.index.partition: {"S": span.prefix + suffix},
            span.index.sort: {"S": place.sort},
            "id": {"S": place.id},
        }
    try:
        answer = await (await client()).query(**query)
    except STORAGE_ERRORS as error:
        return as_result(error)
    keys = (key_of(item, span.index, suffix) for item in answer["Items"])
    after = key_of(answer.get("LastEvaluatedKey", {}), span.index, suffix)
    return _Part(suffix, tuple(key for key in keys if key is not None), after)
