"""Statistics in DynamoDB: leaves by minute, hours and days, and the marks of minutes that are not summed up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from domain.results import ItemTooLarge, StaleVersion, StorageUnavailable
from domain.stats.buckets import Leaf, Mark, Span
from persistence.converters.attributes import MAX_ITEM_BYTES, Unreadable, item_size
from persistence.converters.stats import (
    OPEN,
    item_to_leaf,
    item_to_mark,
    item_to_span,
    leaf_bucket,
    leaf_to_item,
    mark_to_item,
    moment_key,
    span_to_item,
)
from persistence.dynamodb.client import STORAGE_ERRORS, as_result

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from types_aiobotocore_dynamodb.type_defs import PutItemInputTypeDef, QueryInputTypeDef
    from types_aiobotocore_dynamodb.type_defs import UniversalAttributeValueTypeDef as Attribute

    from domain.stats.buckets import LeafKey, Level
    from domain.stats.repository import PutResult
    from persistence.dynamodb.client import ClientSource

_CONDITION_FAILED = "ConditionalCheckFailedException"
MAX_PAGES = 20
"""Of 1 MB each: two months of days have a few."""


class DynamoStatsRepository:
    """The `StatsRepository` on a table and a client for it."""

    def __init__(self, client: ClientSource, table: str) -> None:
        self._client = client
        self._table = table

    async def leaf(self, key: LeafKey) -> Leaf | StorageUnavailable:
        place: dict[str, Attribute] = {"bucket": {"S": leaf_bucket(key.minute)}, "series": {"S": str(key.number)}}
        try:
            answer = await (await self._client()).get_item(TableName=self._table, Key=place, ConsistentRead=True)
        except STORAGE_ERRORS as error:
            return as_result(error)
        if "Item" not in answer:
            return Leaf(minute=key.minute, number=key.number)
        leaf = item_to_leaf(answer["Item"], key.minute)
        return leaf if isinstance(leaf, Leaf) else _rejected(leaf)

    async def leaves(self, minute: datetime) -> tuple[Leaf, ...] | StorageUnavailable:
        items = await self._query("#bucket = :bucket", {":bucket": {"S": leaf_bucket(minute)}})
        if isinstance(items, StorageUnavailable):
            return items
        found = [item_to_leaf(item, minute) for item in items]
        wrong = [each for each in found if isinstance(each, Unreadable)]
        return _rejected(wrong[0]) if wrong else tuple(each for each in found if isinstance(each, Leaf))

    async def put_leaf(self, leaf: Leaf) -> PutResult:
        return await self._put(leaf_to_item(leaf), leaf.version)

    async def spans(self, level: Level, first: datetime, last: datetime) -> tuple[Span, ...] | StorageUnavailable:
        items = await self._query(
            "#bucket = :bucket AND #series BETWEEN :first AND :last",
            {":bucket": {"S": level}, ":first": {"S": moment_key(first)}, ":last": {"S": moment_key(last)}},
        )
        if isinstance(items, StorageUnavailable):
            return items
        found = [item_to_span(item, level) for item in items]
        wrong = [each for each in found if isinstance(each, Unreadable)]
        return _rejected(wrong[0]) if wrong else tuple(each for each in found if isinstance(each, Span))

    async def put_span(self, span: Span) -> PutResult:
        return await self._put(span_to_item(span), span.version)

    async def marks(self, limit: int, *, newest: bool) -> tuple[Mark, ...] | StorageUnavailable:
        items = await self._query("#bucket = :bucket", {":bucket": {"S": OPEN}}, limit=limit, forward=not newest)
        if isinstance(items, StorageUnavailable):
            return items
        marks = (item_to_mark(item) for item in items)
        return tuple(mark for mark in marks if isinstance(mark, Mark))

    async def mark(self, mark: Mark) -> StorageUnavailable | None:
        try:
            await (await self._client()).put_item(TableName=self._table, Item=mark_to_item(mark))
        except STORAGE_ERRORS as error:
            return as_result(error)
        return None

    async def unmark(self, mark: Mark) -> StorageUnavailable | None:
        item = mark_to_item(mark)
        try:
            await (await self._client()).delete_item(
                TableName=self._table,
                Key={name: item[name] for name in ("bucket", "series")},
                ConditionExpression="#token = :token",
                ExpressionAttributeNames={"#token": "token"},
                ExpressionAttributeValues={":token": item["token"]},
            )
        except ClientError as error:
            return None if error.response["Error"]["Code"] == _CONDITION_FAILED else as_result(error)
        except STORAGE_ERRORS as error:
            return as_result(error)
        return None

    async def _put(self, item: Mapping[str, Attribute], version: int) -> PutResult:
        size = item_size(item)
        if size > MAX_ITEM_BYTES:
            return ItemTooLarge(size=size, limit=MAX_ITEM_BYTES)
        put: PutItemInputTypeDef = {
            "TableName": self._table,
            "Item": item,
            "ConditionExpression": "attribute_not_exists(#bucket)",
            "ExpressionAttributeNames": {"#bucket": "bucket"},
        }
        if version > 1:
            put["ConditionExpression"] = "#version = :before"
            put["ExpressionAttributeNames"] = {"#version": "version"}
            put["ExpressionAttributeValues"] = {":before": {"N": str(version - 1)}}
        try:
            await (await self._client()).put_item(**put)
        except ClientError as error:
            if error.response["Error"]["Code"] != _CONDITION_FAILED:
                return as_result(error)
            return StaleVersion(current_version=None)
        except STORAGE_ERRORS as error:
            return as_result(error)
        return None

    async def _query(
        self, condition: str, values: Mapping[str, Attribute], *, limit: int | None = None, forward: bool = True
    ) -> list[Mapping[str, object]] | StorageUnavailable:
        query: QueryInputTypeDef = {
            "TableName": self._table,
            "KeyConditionExpression": condition,
            "ExpressionAttributeNames": {
                "#bucket": "bucket",
                **({"#series": "series"} if "#series" in condition else {}),
            },
            "ExpressionAttributeValues": values,
            "ConsistentRead": True,
            "ScanIndexForward": forward,
        }
        if limit is not None:
            query["Limit"] = limit
        found: list[Mapping[str, object]] = []
        try:
            client = await self._client()
            for _ in range(MAX_PAGES):
                answer = await client.query(**query)
                found += answer["Items"]
                if limit is not None or "LastEvaluatedKey" not in answer:
                    break
                query["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
        except STORAGE_ERRORS as error:
            return as_result(error)
        return found


def _rejected(unreadable: Unreadable) -> StorageUnavailable:
    return StorageUnavailable(reason="rejected", detail=unreadable.detail)
