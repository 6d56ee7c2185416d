"""Direct access to the shared jobs table, bypassing both versions."""

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, cast

from persistence.converters.attributes import string_of, timestamp

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb.client import DynamoDBClient
    from types_aiobotocore_dynamodb.type_defs import UniversalAttributeValueTypeDef

Attribute = dict[str, object]
Item = dict[str, Attribute]
TABLE = "JobsTable"
AGO = timedelta(seconds=30)
"""How long ago planted jobs became due: more than a lease's grace, but not too old to be started."""
FUTURE: Mapping[str, Attribute] = {
    "x_future": {"M": {"kind": {"S": "déjà vu"}, "parts": {"L": [{"N": "1.5"}, {"NULL": True}]}}},
    "x_future_set": {"SS": ["a", "b"]},
    "x_future_bytes": {"B": b"\x00\xff"},
    "x_future_number": {"N": "12345678901234567890123456789012345678"},
}
"""Attributes that a future version may store, of most of DynamoDB's types."""
NESTED: Attribute = {"S": "of a future version"}


class JobsTable:
    """The jobs table, read with a scan, which only a test may do."""

    def __init__(self, client: "DynamoDBClient") -> None:
        self._client = client

    async def items(self) -> dict[str, Item]:
        """All items by id."""
        pages = self._client.get_paginator("scan").paginate(TableName=TABLE, ConsistentRead=True)
        return {str(string_of(item, "id")): cast("Item", item) async for page in pages for item in page["Items"]}

    async def item(self, job_id: str) -> Item:
        """One item; empty if it does not exist."""
        found = await self._client.get_item(TableName=TABLE, Key={"id": {"S": job_id}}, ConsistentRead=True)
        return cast("Item", found.get("Item", {}))

    async def plant(self, model: Item) -> str:
        """Store `model` as a future version would have, due now, under a new id; returns this id."""
        job_id = str(uuid.uuid4())
        item = {**_due(model), **FUTURE, "id": {"S": job_id}}
        await self._client.put_item(TableName=TABLE, Item=cast("dict[str, UniversalAttributeValueTypeDef]", item))
        return job_id


def kept(item: Item) -> bool:
    """Whether all that `plant` added is still there, except inside a lease or error, which jobs lose as they end."""
    nested = [members(entry).get("x_future") for entry in _elements(item.get("history", {}))]
    return all(item.get(name) == value for name, value in FUTURE.items()) and NESTED in nested


def members(attribute: Attribute) -> Item:
    """The members of a map attribute; empty for any other attribute."""
    return cast("Item", attribute.get("M", {}))


def _elements(attribute: Attribute) -> list[Attribute]:
    return cast("list[Attribute]", attribute.get("L", []))


def _due(model: Item) -> Item:
    """The model with its times moved to the past, and an unknown member in each of its maps."""
    past: Attribute = {"S": timestamp(datetime.now(UTC) - AGO)}
    moments: Item = {name: past for name in ("wake_at", "run_at", "retry_at") if name in model}
    history = [{"M": {**members(entry), "x_future": NESTED}} for entry in _elements(model["history"])]
    maps: Item = {}
    for name in ("lease", "error", "progress"):
        if "M" in model.get(name, {}):
            ended = {"until": past} if name == "lease" else {}
            maps[name] = {"M": {**members(model[name]), **ended, "x_future": NESTED}}
    return {**model, **moments, **maps, "history": {"L": history}}
