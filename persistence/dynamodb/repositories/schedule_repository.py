"""Schedules in DynamoDB: one item each, one conditional write a change, no Scan."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError
from pydantic import ValidationError

from domain.jobs.change import IfEqual, Put
from domain.results import ItemTooLarge, StorageUnavailable
from domain.schedules.repository import (
    DueSchedule,
    DueSchedules,
    ScheduleConflict,
    ScheduleExists,
    ScheduleNotFound,
)
from persistence.converters.attributes import MAX_ITEM_BYTES, Unreadable, item_size, string_of, timestamp
from persistence.converters.schedules import WAKE_SHARD, item_to_schedule, schedule_to_values, values_to_item
from persistence.dynamodb.client import STORAGE_ERRORS, as_result

if TYPE_CHECKING:
    from collections.abc import Mapping

    from types_aiobotocore_dynamodb.type_defs import PutItemInputTypeDef, QueryInputTypeDef
    from types_aiobotocore_dynamodb.type_defs import UniversalAttributeValueTypeDef as Attribute

    from domain.ports import NewId
    from domain.schedules.schedule import Schedule
    from persistence.dynamodb.client import ClientSource

COMPANION_TABLE = "schedules"
"""The name under which a companion write of a job goes to the table of schedules."""

_CONDITION_FAILED = "ConditionalCheckFailedException"


class DynamoScheduleRepository:
    """The `ScheduleRepository` on a table and a client for it."""

    def __init__(self, client: ClientSource, table: str, new_id: NewId) -> None:
        self._client = client
        self._table = table
        self._new_id = new_id

    async def add(self, schedule: Schedule) -> Schedule | ScheduleExists | ItemTooLarge | StorageUnavailable:
        written = await self._put(schedule, "attribute_not_exists(id)", {})
        if not isinstance(written, _Standing):
            return written
        current = item_to_schedule(written.item or {})
        if isinstance(current, Unreadable):
            return _unreadable(current)
        return ScheduleExists(current=current)

    async def get(self, schedule_id: str) -> Schedule | ScheduleNotFound | StorageUnavailable:
        try:
            client = await self._client()
            answer = await client.get_item(TableName=self._table, Key={"id": {"S": schedule_id}}, ConsistentRead=True)
        except STORAGE_ERRORS as error:
            return as_result(error)
        if "Item" not in answer:
            return ScheduleNotFound(schedule_id=schedule_id)
        schedule = item_to_schedule(answer["Item"])
        return _unreadable(schedule) if isinstance(schedule, Unreadable) else schedule

    async def replace(
        self, schedule: Schedule, expected_version: int
    ) -> Schedule | ScheduleConflict | ItemTooLarge | StorageUnavailable:
        written = await self._put(schedule, "version = :expected", {":expected": {"N": str(expected_version)}})
        return ScheduleConflict(schedule_id=schedule.id) if isinstance(written, _Standing) else written

    async def delete(self, schedule_id: str, expected_version: int) -> ScheduleConflict | StorageUnavailable | None:
        try:
            client = await self._client()
            await client.delete_item(
                TableName=self._table,
                Key={"id": {"S": schedule_id}},
                ConditionExpression="version = :expected OR attribute_not_exists(id)",
                ExpressionAttributeValues={":expected": {"N": str(expected_version)}},
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != _CONDITION_FAILED:
                return as_result(error)
            return ScheduleConflict(schedule_id=schedule_id)
        except STORAGE_ERRORS as error:
            return as_result(error)
        return None

    def companion(self, schedule: Schedule, expected_version: int) -> Put:
        return schedule_companion(schedule, expected_version, self._new_id())

    async def due(self, until: datetime, limit: int, after: str | None) -> DueSchedules | StorageUnavailable:
        query: QueryInputTypeDef = {
            "TableName": self._table,
            "IndexName": "wake-index",
            "KeyConditionExpression": "wake_shard = :shard AND wake_at <= :until",
            "ExpressionAttributeValues": {":shard": {"S": WAKE_SHARD}, ":until": {"S": timestamp(until)}},
            "Limit": limit,
        }
        if after is not None:
            query["ExclusiveStartKey"] = json.loads(after)
        try:
            answer = await (await self._client()).query(**query)
        except STORAGE_ERRORS as error:
            return as_result(error)
        entries = tuple(entry for key in answer["Items"] if (entry := _due(key)) is not None)
        last = answer.get("LastEvaluatedKey")
        return DueSchedules(entries=entries, next=json.dumps(last) if last else None)

    async def count(self, owner_id: str, limit: int) -> int | StorageUnavailable:
        try:
            answer = await (await self._client()).query(
                TableName=self._table,
                IndexName="owner-index",
                KeyConditionExpression="owner_id = :owner",
                ExpressionAttributeValues={":owner": {"S": owner_id}},
                Select="COUNT",
                Limit=limit,
            )
        except STORAGE_ERRORS as error:
            return as_result(error)
        return answer["Count"]

    async def _put(
        self, schedule: Schedule, condition: str, values: dict[str, Attribute]
    ) -> Schedule | _Standing | ItemTooLarge | StorageUnavailable:
        write_id = self._new_id()
        item = values_to_item(schedule_to_values(schedule, write_id))
        size = item_size(item)
        if size > MAX_ITEM_BYTES:
            return ItemTooLarge(size=size, limit=MAX_ITEM_BYTES)
        put: PutItemInputTypeDef = {
            "TableName": self._table,
            "Item": item,
            "ConditionExpression": condition,
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        if values:
            put["ExpressionAttributeValues"] = values
        try:
            await (await self._client()).put_item(**put)
        except ClientError as error:
            if error.response["Error"]["Code"] != _CONDITION_FAILED:
                return as_result(error)
            standing = error.response.get("Item")
            found = standing if isinstance(standing, dict) else None
            # Our own write, whose acknowledgement was lost and which the SDK sent again, is no conflict.
            return schedule if found and string_of(found, "write_id") == write_id else _Standing(found)
        except STORAGE_ERRORS as error:
            return as_result(error)
        return schedule


class _Standing:
    """The item that made a condition fail; None where there is none."""

    def __init__(self, item: Mapping[str, object] | None) -> None:
        self.item = item


def schedule_companion(schedule: Schedule, expected_version: int, write_id: str) -> Put:
    """The write of the schedule's next version in a job's transaction."""
    values = schedule_to_values(schedule, write_id)
    key = {"id": schedule.id}
    rest = {name: value for name, value in values.items() if name not in key}
    return Put(table=COMPANION_TABLE, key=key, values=rest, condition=IfEqual(attributes={"version": expected_version}))


def _due(key: Mapping[str, object]) -> DueSchedule | None:
    """An entry; None for one that no version of Headrace wrote."""
    try:
        wake_at = datetime.fromisoformat(string_of(key, "wake_at") or "")
        return DueSchedule.model_validate({"id": string_of(key, "id"), "wake_at": wake_at})
    except (ValueError, ValidationError):
        return None


def _unreadable(unreadable: Unreadable) -> StorageUnavailable:
    return StorageUnavailable(reason="rejected", detail=f"unreadable schedule: {unreadable.detail}")
