"""Companion writes as the writes of a DynamoDB transaction."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal, NotRequired, TypedDict

from domain.jobs.change import (
    MAX_COMPANIONS,
    OF_USERS,
    Check,
    Companion,
    Condition,
    Delete,
    FollowUp,
    If,
    IfAbsent,
    IfEqual,
    IfNewer,
    Moved,
    Put,
    Update,
)
from domain.results import StorageUnavailable
from persistence.converters.attributes import MAX_ITEM_BYTES, item_size, to_attribute
from persistence.converters.dynamo_to_domain import IF_ABSENT, absent_at, job_to_item

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from types_aiobotocore_dynamodb.type_defs import DeleteTypeDef, PutTypeDef, TransactWriteItemTypeDef, UpdateTypeDef
    from types_aiobotocore_dynamodb.type_defs import UniversalAttributeValueTypeDef as Attribute

    from domain.jobs.change import Value

MAX_TRANSACTION_BYTES = 4 * 1024 * 1024
"""Of all the items of one transaction."""


def companion_writes(
    companions: Sequence[Companion], tables: Mapping[str, str], job_bytes: int
) -> list[TransactWriteItemTypeDef] | StorageUnavailable:
    """The writes, in order; `tables` gives the real name of each table. What DynamoDB would refuse is not sent."""
    if len(companions) > MAX_COMPANIONS:
        return _rejected(f"{len(companions)} companions, the limit is {MAX_COMPANIONS}")
    real = {companion.table: _real_name(companion.table, tables) for companion in companions}
    unknown = sorted(name for name, table in real.items() if table is None)
    if unknown:
        return _rejected(f"no such table: {', '.join(unknown)}")
    places = {(companion.table, json.dumps(companion.key, sort_keys=True)) for companion in companions}
    if len(places) < len(companions):
        return _rejected("two companions on one item")
    sizes = [
        item_size(_written(companion)) for companion in companions if isinstance(companion, Put | FollowUp | Moved)
    ]
    if max(sizes, default=0) > MAX_ITEM_BYTES or job_bytes + sum(sizes) > MAX_TRANSACTION_BYTES:
        return _rejected(f"companions of {sum(sizes)} bytes")
    return [_write(companion, real[companion.table] or "") for companion in companions]


def _written(companion: Put | FollowUp | Moved) -> Mapping[str, Attribute]:
    # A job's item has a write id of its own; nobody looks for this one.
    return item_of(companion) if isinstance(companion, Put) else job_to_item(companion.job, companion.job.id)


def item_of(put: Put) -> dict[str, Attribute]:
    """The whole item that a `Put` writes."""
    return _attributes({**put.values, **put.key})


def _real_name(table: str, tables: Mapping[str, str]) -> str | None:
    """Of a table; None for one that is unknown. No handler writes to Headrace's own tables by its result."""
    if not table.startswith(OF_USERS):
        return tables.get(table)
    name = table.removeprefix(OF_USERS)
    # A table may be named by its ARN as well; of another account or region it is refused too, which harms nobody.
    short = name.rpartition(":table/")[2]
    return name if short and short not in tables.values() else None


def _write(companion: Companion, table: str) -> TransactWriteItemTypeDef:
    key, condition = companion.key, companion.condition
    match companion:
        case FollowUp(job=job):
            item = dict(_written(companion))
            when: PutTypeDef = {"TableName": table, "Item": item, "ConditionExpression": IF_ABSENT}
            return {"Put": {**when, "ExpressionAttributeValues": absent_at(job.created_at)}}
        case Moved():
            moved: PutTypeDef = {"TableName": table, "Item": dict(_written(companion))}
            return {"Put": {**moved, **_guard(companion.condition, key)}}
        case Put():
            put: PutTypeDef = {"TableName": table, "Item": item_of(companion)}
            return {"Put": put if condition is None else {**put, **_guard(condition, key)}}
        case Update():
            return {"Update": _update(companion, table)}
        case Delete():
            delete: DeleteTypeDef = {"TableName": table, "Key": _attributes(key)}
            return {"Delete": delete if condition is None else {**delete, **_guard(condition, key)}}
        case Check():
            guard = _guard(companion.condition, key)
            return {"ConditionCheck": {"TableName": table, "Key": _attributes(key), **guard}}


def _update(update: Update, table: str) -> UpdateTypeDef:
    changes = {**update.set, **update.add}
    names = {f"#u{place}": name for place, name in enumerate((*changes, *update.remove))}
    values = {f":u{place}": to_attribute(value) for place, value in enumerate(changes.values())}
    at = {name: place for place, name in enumerate((*changes, *update.remove))}
    parts = (
        ("SET", ", ".join(f"#u{at[name]} = :u{at[name]}" for name in update.set)),
        ("ADD", ", ".join(f"#u{at[name]} :u{at[name]}" for name in update.add)),
        ("REMOVE", ", ".join(f"#u{at[name]}" for name in update.remove)),
    )
    written: UpdateTypeDef = {
        "TableName": table,
        "Key": _attributes(update.key),
        "UpdateExpression": " ".join(f"{word} {text}" for word, text in parts if text),
        "ExpressionAttributeNames": names,
    }
    if update.condition is not None:
        guard = _guard(update.condition, update.key)
        written["ConditionExpression"] = guard["ConditionExpression"]
        written["ExpressionAttributeNames"] = {**names, **guard["ExpressionAttributeNames"]}
        values |= guard.get("ExpressionAttributeValues", {})
    if values:
        written["ExpressionAttributeValues"] = values
    return written


class _Guard(TypedDict):
    """A condition, as each kind of write takes it."""

    ConditionExpression: str
    ExpressionAttributeNames: dict[str, str]
    ExpressionAttributeValues: NotRequired[dict[str, Attribute]]
    ReturnValuesOnConditionCheckFailure: NotRequired[Literal["NONE"]]


def _guard(condition: Condition, key: Mapping[str, Value]) -> _Guard:
    match condition:
        case IfAbsent():
            names = {"#key": next(iter(key))}
            return {"ConditionExpression": "attribute_not_exists(#key)", "ExpressionAttributeNames": names}
        case IfNewer(name=name, value=value):
            return {
                "ConditionExpression": "attribute_not_exists(#key) OR #a0 < :a0",
                "ExpressionAttributeNames": {"#key": next(iter(key)), "#a0": name},
                "ExpressionAttributeValues": {":a0": to_attribute(value)},
            }
        case If():
            return _tests(condition, key)
        case IfEqual(attributes=attributes):
            places = range(len(attributes))
            return {
                "ConditionExpression": " AND ".join(f"#a{place} = :a{place}" for place in places),
                "ExpressionAttributeNames": dict(zip((f"#a{place}" for place in places), attributes, strict=True)),
                "ExpressionAttributeValues": {
                    f":a{place}": to_attribute(value) for place, value in enumerate(attributes.values())
                },
            }


def _tests(condition: If, key: Mapping[str, Value]) -> _Guard:
    compared = (
        *(("=", name, value) for name, value in condition.equal.items()),
        *((">=", name, value) for name, value in condition.at_least.items()),
        *(("<=", name, value) for name, value in condition.at_most.items()),
    )
    names = {"#key": next(iter(key))}
    names |= {f"#a{place}": name for place, (_, name, _) in enumerate(compared)}
    names |= {f"#m{place}": name for place, name in enumerate(condition.missing)}
    tests = (
        "attribute_exists(#key)",
        *(f"#a{place} {sign} :a{place}" for place, (sign, _, _) in enumerate(compared)),
        *(f"attribute_not_exists(#m{place})" for place in range(len(condition.missing))),
    )
    guard: _Guard = {"ConditionExpression": " AND ".join(tests), "ExpressionAttributeNames": names}
    if compared:
        guard["ExpressionAttributeValues"] = {
            f":a{place}": to_attribute(value) for place, (_, _, value) in enumerate(compared)
        }
    return guard


def _attributes(values: Mapping[str, Value]) -> dict[str, Attribute]:
    return {name: to_attribute(value) for name, value in values.items()}


def _rejected(detail: str) -> StorageUnavailable:
    return StorageUnavailable(reason="rejected", detail=detail)
