"""The workers' positions in the stream, in DynamoDB: one small item for each execution environment that lags."""

from __future__ import annotations

import math
from datetime import datetime
from typing import TYPE_CHECKING

from pydantic import ValidationError

from domain.jobs.stream_position import StreamPosition
from persistence.converters.attributes import string_of, timestamp
from persistence.dynamodb.client import STORAGE_ERRORS, as_result

if TYPE_CHECKING:
    from collections.abc import Mapping

    from types_aiobotocore_dynamodb.type_defs import QueryInputTypeDef

    from domain.results import StorageUnavailable
    from persistence.dynamodb.client import ClientSource

STREAM = "jobs"
"""The partition of all marks of the jobs table's stream: they are few, and read together."""

MAX_PAGES = 10
"""Marks of environments that are gone stay until DynamoDB deletes them, days later at the latest."""


class DynamoStreamPositions:
    """The `StreamPositions` on a table."""

    def __init__(self, client: ClientSource, table: str) -> None:
        self._client = client
        self._table = table

    async def note(self, position: StreamPosition) -> StorageUnavailable | None:
        try:
            client = await self._client()
            await client.put_item(
                TableName=self._table,
                Item={
                    "stream": {"S": STREAM},
                    "environment": {"S": position.environment},
                    "at": {"S": timestamp(position.at)},
                    "until": {"S": timestamp(position.until)},
                    "expires_at": {"N": str(math.ceil(position.until.timestamp()))},
                },
            )
        except STORAGE_ERRORS as error:
            return as_result(error)
        return None

    async def current(self, now: datetime) -> tuple[StreamPosition, ...] | StorageUnavailable:
        query: QueryInputTypeDef = {
            "TableName": self._table,
            "KeyConditionExpression": "#stream = :stream",
            "FilterExpression": "#until > :now",
            "ExpressionAttributeNames": {"#stream": "stream", "#until": "until"},
            "ExpressionAttributeValues": {":stream": {"S": STREAM}, ":now": {"S": timestamp(now)}},
        }
        found: tuple[StreamPosition, ...] = ()
        try:
            client = await self._client()
            for _ in range(MAX_PAGES):
                answer = await client.query(**query)
                read = (_position(item) for item in answer["Items"])
                found += tuple(position for position in read if position is not None)
                if "LastEvaluatedKey" not in answer:
                    break
                query["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
        except STORAGE_ERRORS as error:
            return as_result(error)
        return found


def _position(item: Mapping[str, object]) -> StreamPosition | None:
    try:
        return StreamPosition.model_validate({name: string_of(item, name) for name in ("environment", "at", "until")})
    except ValidationError:
        return None
