"""What owners have used of their quotas: entries of an index, and one item a minute."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

from domain.results import StorageUnavailable
from persistence.converters.attributes import timestamp
from persistence.converters.dynamo_to_domain import open_jobs
from persistence.dynamodb.client import STORAGE_ERRORS, as_result

if TYPE_CHECKING:
    from datetime import datetime

    from types_aiobotocore_dynamodb.type_defs import QueryInputTypeDef

    from persistence.dynamodb.client import ClientSource

_CONDITION_FAILED = "ConditionalCheckFailedException"
KEPT: Final = timedelta(hours=1)
"""How long the count of a minute is kept."""


class DynamoUsageRepository:
    """The `UsageRepository` on the jobs' failed index and the table of lanes, which has items that pass."""

    def __init__(self, client: ClientSource, jobs_table: str, lanes_table: str) -> None:
        self._client = client
        self._jobs_table = jobs_table
        self._lanes_table = lanes_table

    async def unfinished(self, owner_id: str, most: int) -> int | StorageUnavailable:
        query: QueryInputTypeDef = {
            "TableName": self._jobs_table,
            "IndexName": "failed-index",
            "KeyConditionExpression": "failed_type = :open",
            "ExpressionAttributeValues": {":open": {"S": open_jobs(owner_id)}},
            "Select": "COUNT",
        }
        found = 0
        while found < most:
            query["Limit"] = most - found
            try:
                answer = await (await self._client()).query(**query)
            except STORAGE_ERRORS as error:
                return as_result(error)
            found += answer["Count"]
            if "LastEvaluatedKey" not in answer:
                break
            query["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
        return found

    async def take(self, owner_id: str, minute: datetime, most: int) -> bool | StorageUnavailable:
        try:
            await (await self._client()).update_item(
                TableName=self._lanes_table,
                Key={"lane": {"S": f"quota#{owner_id}"}, "item": {"S": timestamp(minute)}},
                UpdateExpression="SET expires_at = :expires ADD submissions :one",
                ConditionExpression="attribute_not_exists(submissions) OR submissions < :most",
                ExpressionAttributeValues={
                    ":one": {"N": "1"},
                    ":most": {"N": str(most)},
                    ":expires": {"N": str(int((minute + KEPT).timestamp()))},
                },
            )
        except ClientError as error:
            return False if error.response["Error"]["Code"] == _CONDITION_FAILED else as_result(error)
        except STORAGE_ERRORS as error:
            return as_result(error)
        return True
