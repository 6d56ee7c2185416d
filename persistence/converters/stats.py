"""Between statistics and DynamoDB items.

An aggregate is one compressed document: DynamoDB charges for each KB of the whole item with every write.
"""

from __future__ import annotations

import json
import zlib
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from pydantic import ValidationError

from domain.stats.aggregate import Aggregate, FailureGroup, Series
from domain.stats.buckets import DIGEST_BYTES, KEPT, Leaf, Level, Mark, Span
from domain.stats.histogram import Histogram
from persistence.converters.attributes import Unreadable, string_of, timestamp

if TYPE_CHECKING:
    from collections.abc import Mapping

    from types_aiobotocore_dynamodb.type_defs import UniversalAttributeValueTypeDef as Attribute

OPEN = "open"
"""The bucket of the marks."""


def moment_key(moment: datetime) -> str:
    """A minute, as part of a key: in the order of time."""
    return timestamp(moment)[:16]


def leaf_bucket(minute: datetime) -> str:
    """The partition of a minute's leaves."""
    return f"minute#{moment_key(minute)}"


def leaf_to_item(leaf: Leaf) -> dict[str, Attribute]:
    """A leaf, which is deleted days after the stream has forgotten what it counts."""
    return {
        "bucket": {"S": leaf_bucket(leaf.minute)},
        "series": {"S": str(leaf.number)},
        "version": {"N": str(leaf.version)},
        "seen": {"B": b"".join(sorted(leaf.seen))},
        "whole": {"B": _packed(leaf.whole)},
        "expires_at": _ttl(leaf.minute, KEPT["leaf"]),
    }


def item_to_leaf(item: Mapping[str, object], minute: datetime) -> Leaf | Unreadable:
    """The leaf that an item holds."""
    try:
        seen = _bytes(item["seen"])
        return Leaf(
            minute=minute,
            number=int(string_of(item, "series") or ""),
            version=_number(item["version"]),
            seen=frozenset(seen[at : at + DIGEST_BYTES] for at in range(0, len(seen), DIGEST_BYTES)),
            whole=_unpacked(_bytes(item["whole"])),
        )
    except _WRONG as error:
        return Unreadable(detail=f"a leaf: {type(error).__name__}")


def span_to_item(span: Span) -> dict[str, Attribute]:
    """An hour or a day."""
    return {
        "bucket": {"S": span.level},
        "series": {"S": moment_key(span.begin)},
        "version": {"N": str(span.version)},
        "parts": {"M": {f"{number:02}": {"B": _packed(part)} for number, part in sorted(span.parts.items())}},
        "expires_at": _ttl(span.begin, KEPT[span.level]),
    }


def item_to_span(item: Mapping[str, object], level: Level) -> Span | Unreadable:
    """The span that an item holds."""
    try:
        parts = item["parts"]
        members = parts["M"] if isinstance(parts, dict) else {}
        return Span(
            level=level,
            begin=datetime.fromisoformat(f"{string_of(item, 'series')}:00+00:00"),
            version=_number(item["version"]),
            parts={int(number): _unpacked(_bytes(part)) for number, part in members.items()},
        )
    except _WRONG as error:
        return Unreadable(detail=f"a span: {type(error).__name__}")


def mark_to_item(mark: Mark) -> dict[str, Attribute]:
    """A mark, which ends with its leaves."""
    return {
        "bucket": {"S": OPEN},
        "series": {"S": moment_key(mark.minute)},
        "token": {"S": mark.token},
        "expires_at": _ttl(mark.minute, KEPT["leaf"]),
    }


def item_to_mark(item: Mapping[str, object]) -> Mark | Unreadable:
    """The mark that an item holds."""
    try:
        minute = datetime.fromisoformat(f"{string_of(item, 'series')}:00+00:00")
        return Mark.model_validate({"minute": minute, "token": string_of(item, "token")})
    except _WRONG as error:
        return Unreadable(detail=f"a mark: {type(error).__name__}")


_WRONG = (ValidationError, KeyError, ValueError, TypeError, IndexError, zlib.error)


def _ttl(begin: datetime, kept: timedelta) -> Attribute:
    return {"N": str(int((begin + kept).timestamp()))}


def _packed(aggregate: Aggregate) -> bytes:
    document = {
        "s": [
            [each.type, each.outcome, each.count, _histogram(each.waiting), _histogram(each.running)]
            for each in aggregate.series
        ],
        "f": [
            [each.type, each.code, each.count, each.last_job_id, timestamp(each.last_at)] for each in aggregate.failures
        ],
    }
    return zlib.compress(json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode(), 9)


def _unpacked(packed: bytes) -> Aggregate:
    document = json.loads(zlib.decompress(packed))
    return Aggregate(
        series=tuple(
            Series(type=type, outcome=outcome, count=count, waiting=_read(waiting), running=_read(running))
            for type, outcome, count, waiting, running in document["s"]
        ),
        failures=tuple(
            FailureGroup(type=type, code=code, count=count, last_job_id=id, last_at=datetime.fromisoformat(at))
            for type, code, count, id, at in document["f"]
        ),
    )


def _histogram(histogram: Histogram) -> list[int]:
    """The sum, then each bucket and its count."""
    return [histogram.total_ms, *(number for pair in sorted(histogram.counts.items()) for number in pair)]


def _read(numbers: list[int]) -> Histogram:
    total, *pairs = numbers
    return Histogram(counts=dict(zip(pairs[::2], pairs[1::2], strict=True)), total_ms=total)


def _bytes(attribute: object) -> bytes:
    value = attribute.get("B") if isinstance(attribute, dict) else None
    if not isinstance(value, bytes):
        raise TypeError("no bytes")
    return value


def _number(attribute: object) -> int:
    if not isinstance(attribute, dict):
        raise TypeError("no number")
    return int(attribute["N"])
