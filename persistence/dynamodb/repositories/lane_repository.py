"""Lanes in DynamoDB: a partition of the lanes table for each, and the index of the lines before them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from domain.jobs.uniqueness import key_item
from domain.lanes.lane import LaneSettings, place_key
from domain.results import StaleVersion, StorageUnavailable
from headrace.authoring.job_type import MAX_LIMIT
from persistence.converters.attributes import string_of, to_attribute
from persistence.converters.dynamo_to_domain import LINE_SEPARATOR, LINE_SHARDS, line_rank, line_shard
from persistence.converters.lanes import CHANGED, items_to_lane, settings_to_item
from persistence.dynamodb.client import STORAGE_ERRORS, as_result

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb.type_defs import PutItemInputTypeDef, QueryInputTypeDef, QueryOutputTypeDef

    from domain.jobs.job import Job
    from domain.lanes.lane import Lane, Place
    from persistence.dynamodb.client import ClientSource

_INDEX = "lane-index"
_CONDITION_FAILED = "ConditionalCheckFailedException"
_OTHER_ITEMS = 20
"""What a lane has besides places, at most."""


class DynamoLaneRepository:
    """The `LaneRepository` on the tables of lanes and of jobs, and a client for them."""

    def __init__(self, client: ClientSource, table: str, jobs_table: str) -> None:
        self._client = client
        self._table = table
        self._jobs_table = jobs_table

    @property
    def line_shards(self) -> tuple[str, ...]:
        return LINE_SHARDS

    async def read(self, name: str, first: int = 0) -> Lane | StorageUnavailable:
        query: QueryInputTypeDef = {
            "TableName": self._table,
            "KeyConditionExpression": "lane = :lane",
            "ExpressionAttributeValues": {":lane": {"S": name}},
            "ConsistentRead": True,
            "Limit": MAX_LIMIT + _OTHER_ITEMS,
        }
        if first:
            # What a lane has besides places comes after them.
            query["KeyConditionExpression"] = "lane = :lane AND #item >= :first"
            query["ExpressionAttributeNames"] = {"#item": "item"}
            query["ExpressionAttributeValues"] = {
                ":lane": {"S": name}, ":first": to_attribute(place_key(name, first)["item"]),
            }  # fmt: skip
        answer = await self._query(query)
        return answer if isinstance(answer, StorageUnavailable) else items_to_lane(name, answer["Items"])

    async def save(
        self, name: str, settings: LaneSettings, expected_version: int
    ) -> StaleVersion | StorageUnavailable | None:
        put: PutItemInputTypeDef = {
            "TableName": self._table,
            "Item": settings_to_item(name, settings),
            "ConditionExpression": "attribute_not_exists(lane)",
        }
        if expected_version:
            put["ConditionExpression"] = "version = :expected"
            put["ExpressionAttributeValues"] = {":expected": {"N": str(expected_version)}}
        try:
            await (await self._client()).put_item(**put)
        except ClientError as error:
            if error.response["Error"]["Code"] != _CONDITION_FAILED:
                return as_result(error)
            return StaleVersion(current_version=None)
        except STORAGE_ERRORS as error:
            return as_result(error)
        return None

    async def free(self, name: str, place: Place) -> StorageUnavailable | None:
        key = {attribute: to_attribute(value) for attribute, value in place_key(name, place.number).items()}
        try:
            await (await self._client()).delete_item(
                TableName=self._table,
                Key=key,
                ConditionExpression="#token = :token",
                ExpressionAttributeNames={"#token": "token"},
                ExpressionAttributeValues={":token": {"S": place.token}},
            )
        except ClientError as error:
            return None if error.response["Error"]["Code"] == _CONDITION_FAILED else as_result(error)
        except STORAGE_ERRORS as error:
            return as_result(error)
        return None

    async def changed(self, limit: int, after: str | None) -> tuple[str, ...] | StorageUnavailable:
        query: QueryInputTypeDef = {
            "TableName": self._table,
            "IndexName": "changed-index",
            "KeyConditionExpression": "kind = :kind" + (" AND lane > :after" if after else ""),
            "ExpressionAttributeValues": {":kind": {"S": CHANGED}, **({":after": {"S": after}} if after else {})},
            "Limit": limit,
        }
        answer = await self._query(query)
        if isinstance(answer, StorageUnavailable):
            return answer
        return tuple(name for item in answer["Items"] if (name := string_of(item, "lane")))

    async def line(self, name: str, limit: int) -> tuple[str, ...] | StorageUnavailable:
        answer = await self._query({**self._in_line(name), "Limit": limit})
        if isinstance(answer, StorageUnavailable):
            return answer
        return tuple(id for key in answer["Items"] if (id := string_of(key, "id")))

    async def ahead(self, job: Job, limit: int) -> int | StorageUnavailable:
        if job.lane is None:
            return 0
        prefix, rank = f"{job.lane.name}{LINE_SEPARATOR}", line_rank(job)
        answer = await self._query(
            {
                "TableName": self._jobs_table,
                "IndexName": _INDEX,
                "KeyConditionExpression": "lane_shard = :shard AND lane_rank BETWEEN :first AND :rank",
                "ExpressionAttributeValues": {
                    ":shard": {"S": line_shard(job.lane.name)},
                    ":first": {"S": prefix},
                    ":rank": to_attribute(rank),
                },
                "Select": "COUNT",
                "Limit": limit + 1,
            }
        )
        # The job itself may be among them.
        return answer if isinstance(answer, StorageUnavailable) else max(0, answer["Count"] - 1)

    async def next_line(self, shard: str, after: str | None) -> str | StorageUnavailable | None:
        query: QueryInputTypeDef = {
            "TableName": self._jobs_table,
            "IndexName": _INDEX,
            "KeyConditionExpression": "lane_shard = :shard",
            "ExpressionAttributeValues": {":shard": {"S": shard}},
            "Limit": 1,
        }
        if after is not None:
            query["KeyConditionExpression"] = "lane_shard = :shard AND lane_rank > :after"
            query["ExpressionAttributeValues"] = {":shard": {"S": shard}, ":after": {"S": past_line(after)}}
        answer = await self._query(query)
        if isinstance(answer, StorageUnavailable):
            return answer
        rank = string_of(answer["Items"][0], "lane_rank") if answer["Items"] else None
        return rank.partition(LINE_SEPARATOR)[0] if rank else None

    async def holder(self, unique: str) -> str | StorageUnavailable | None:
        key = {name: to_attribute(value) for name, value in key_item(unique).items()}
        try:
            answer = await (await self._client()).get_item(TableName=self._table, Key=key, ConsistentRead=True)
        except STORAGE_ERRORS as error:
            return as_result(error)
        return string_of(answer["Item"], "holder") if "Item" in answer else None

    def _in_line(self, name: str) -> QueryInputTypeDef:
        return {
            "TableName": self._jobs_table,
            "IndexName": _INDEX,
            "KeyConditionExpression": "lane_shard = :shard AND begins_with(lane_rank, :prefix)",
            "ExpressionAttributeValues": {
                ":shard": {"S": line_shard(name)}, ":prefix": {"S": f"{name}{LINE_SEPARATOR}"},
            },
        }  # fmt: skip

    async def _query(self, query: QueryInputTypeDef) -> QueryOutputTypeDef | StorageUnavailable:
        try:
            return await (await self._client()).query(**query)
        except STORAGE_ERRORS as error:
            return as_result(error)


def past_line(name: str) -> str:
    """What follows every entry of a lane's line, and precedes those of all lanes with longer names."""
    return f"{name}{chr(ord(LINE_SEPARATOR) + 1)}"
