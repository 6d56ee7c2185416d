"""Children and their counts in DynamoDB: jobs read in batches, and sets that `ADD` changes once, however often."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from domain.children.repository import MAX_READ, ChildState, Tally
from domain.durable.step import step_key
from domain.jobs.job import Job
from domain.results import StorageUnavailable
from persistence.converters.attributes import string_of, to_attribute, value_of
from persistence.converters.dynamo_to_domain import item_to_job
from persistence.dynamodb.batch_reading import projection
from persistence.dynamodb.client import STORAGE_ERRORS, as_result
from persistence.dynamodb.repositories.step_repository import DynamoStepRepository

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from types_aiobotocore_dynamodb.type_defs import KeysAndAttributesTypeDef, QueryInputTypeDef
    from types_aiobotocore_dynamodb.type_defs import UniversalAttributeValueTypeDef as Attribute

    from persistence.converters.attributes import Item
    from persistence.dynamodb.client import ClientSource

_STATE: Final = ("id", "status", "expires_at", "parent")
_PAUSE = 0.05
"""Seconds before what DynamoDB left unprocessed is asked for again; each answer brings up to 16 MB."""
_TRIES: Final = 20


class DynamoChildReader:
    """The `ChildReader` on a table and a client for it."""

    def __init__(self, client: ClientSource, table: str) -> None:
        self._client = client
        self._table = table

    async def jobs(self, ids: tuple[str, ...]) -> Mapping[str, Job] | StorageUnavailable:
        items = await self._read(ids, None)
        if isinstance(items, StorageUnavailable):
            return items
        found = {id: item_to_job(item) for id, item in items.items()}
        return {id: job for id, job in found.items() if isinstance(job, Job)}

    async def states(self, ids: tuple[str, ...]) -> Mapping[str, ChildState] | StorageUnavailable:
        items = await self._read(ids, _STATE)
        if isinstance(items, StorageUnavailable):
            return items
        found = ((id, _state(item)) for id, item in items.items())
        return {id: state for id, state in found if state is not None}

    async def _read(
        self, ids: tuple[str, ...], attributes: tuple[str, ...] | None
    ) -> dict[str, Item] | StorageUnavailable:
        if len(ids) > MAX_READ:
            return StorageUnavailable(reason="rejected", detail="too many keys")
        request: KeysAndAttributesTypeDef = {"Keys": [{"id": {"S": id}} for id in ids], "ConsistentRead": True}
        if attributes is not None:
            expression, names = projection(attributes)
            request = {**request, "ProjectionExpression": expression, "ExpressionAttributeNames": names}
        found: dict[str, Item] = {}
        for _ in range(_TRIES if ids else 0):
            try:
                answer = await (await self._client()).batch_get_item(RequestItems={self._table: request})
            except STORAGE_ERRORS as error:
                return as_result(error)
            items = answer["Responses"].get(self._table, [])
            found |= {id: item for item in items if (id := string_of(item, "id")) is not None}
            left = answer.get("UnprocessedKeys", {}).get(self._table)
            if not left or not left["Keys"]:
                return found
            request = {**request, "Keys": left["Keys"]}
            await asyncio.sleep(_PAUSE)
        return found if not ids else StorageUnavailable(reason="throttled", detail="unprocessed keys remain")


class DynamoCountRepository:
    """The `CountRepository` on the table of steps and a client for it."""

    def __init__(self, client: ClientSource, table: str) -> None:
        self._client = client
        self._table = table
        self._steps = DynamoStepRepository(client, table, "")

    async def add(self, partition: str, key: str, tally: Tally, expires_at: datetime) -> Tally | StorageUnavailable:
        sets = {name: members for name, members in (("ended", tally.ended), ("failed", tally.failed)) if members}
        values: dict[str, Attribute] = {f":{name}": _numbers(members) for name, members in sets.items()}
        added = ", ".join(f"{name} :{name}" for name in sets)
        try:
            answer = await (await self._client()).update_item(
                TableName=self._table,
                Key={name: to_attribute(value) for name, value in step_key(partition, key).items()},
                UpdateExpression=f"SET expires_at = :expires_at ADD {added}",
                ExpressionAttributeValues={**values, ":expires_at": {"N": str(int(expires_at.timestamp()))}},
                ReturnValues="ALL_NEW",
            )
        except STORAGE_ERRORS as error:
            return as_result(error)
        return _tally(answer.get("Attributes", {}))

    async def counted(self, partition: str) -> Mapping[str, Tally] | StorageUnavailable:
        query: QueryInputTypeDef = {
            "TableName": self._table,
            "KeyConditionExpression": "job_id = :job",
            "ExpressionAttributeValues": {":job": {"S": partition}},
            "ConsistentRead": True,
        }
        try:
            # A hundred sets of 3 KB: one page.
            answer = await (await self._client()).query(**query)
        except STORAGE_ERRORS as error:
            return as_result(error)
        return {key: _tally(item) for item in answer["Items"] if (key := string_of(item, "name")) is not None}

    async def forget(self, partition: str) -> StorageUnavailable | None:
        return await self._steps.forget(partition)


def _numbers(members: Iterable[int]) -> Attribute:
    return {"NS": [str(member) for member in sorted(members)]}


def _tally(item: Mapping[str, object]) -> Tally:
    return Tally(ended=_members(item.get("ended")), failed=_members(item.get("failed")))


def _members(attribute: object) -> frozenset[int]:
    numbers = attribute.get("NS") if isinstance(attribute, dict) else None
    return frozenset(int(number) for number in numbers) if isinstance(numbers, list | set | tuple) else frozenset()


def _state(item: Item) -> ChildState | None:
    status, expires_at, parent = string_of(item, "status"), item.get("expires_at"), item.get("parent")
    if status is None or expires_at is None:
        return None
    members = value_of(parent) if parent is not None else None
    number = members.get("round") if isinstance(members, dict) else None
    return ChildState.model_validate({
        "status": status, "expires_at": value_of(expires_at), "round": number if isinstance(number, int) else -1,
    })  # fmt: skip
