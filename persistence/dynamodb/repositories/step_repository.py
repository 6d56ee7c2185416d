"""What jobs remember, in DynamoDB: a partition for each job, written under its lease."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.durable.repository import LeaseEnded, StepPage, StepTaken
from domain.durable.step import CHILDREN, TABLE, Step, job_of, step_key, step_put
from domain.results import StorageUnavailable
from persistence.converters.attributes import Unreadable, string_of, to_attribute
from persistence.converters.companions import companion_writes
from persistence.converters.steps import item_to_step
from persistence.dynamodb.client import STORAGE_ERRORS, as_result
from persistence.dynamodb.transactions import CONDITION_FAILED, Refused, transact, unavailable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from types_aiobotocore_dynamodb.type_defs import (
        QueryInputTypeDef,
        TransactWriteItemTypeDef,
        WriteRequestTypeDef,
    )
    from types_aiobotocore_dynamodb.type_defs import UniversalAttributeValueTypeDef as Attribute

    from domain.durable.repository import RememberResult
    from persistence.converters.attributes import Item
    from persistence.dynamodb.client import ClientSource

_BATCH = 25
"""Items that one BatchWriteItem deletes."""


class DynamoStepRepository:
    """The `StepRepository` on the tables of steps and of jobs, and a client for them."""

    def __init__(self, client: ClientSource, table: str, jobs_table: str) -> None:
        self._client = client
        self._table = table
        self._jobs_table = jobs_table

    async def remember(self, step: Step, token: str, expires_at: datetime) -> RememberResult:
        writes = companion_writes((step_put(step, expires_at),), {TABLE: self._table}, 0)
        if isinstance(writes, StorageUnavailable):
            return writes
        put = writes[0]["Put"]
        put["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        refused = await transact(
            self._client, [{"Put": put}, self._under_lease(job_of(step.job_id), token)], step.write_id
        )
        match refused:
            case None:
                return step
            case Refused(codes=codes, standing=standing):
                return _refused(step, codes, standing)
            case StorageUnavailable():
                return refused

    async def rewrite(self, step: Step, token: str, expires_at: datetime) -> Step | LeaseEnded | StorageUnavailable:
        put = step_put(step, expires_at).model_copy(update={"condition": None})
        writes = companion_writes((put,), {TABLE: self._table}, 0)
        if isinstance(writes, StorageUnavailable):
            return writes
        refused = await transact(self._client, [*writes, self._under_lease(job_of(step.job_id), token)], step.write_id)
        match refused:
            case None:
                return step
            case Refused():
                return LeaseEnded(job_id=job_of(step.job_id))
            case StorageUnavailable():
                return refused

    async def groups(self, life: str) -> tuple[Step, ...] | StorageUnavailable:
        query = self._of(life)
        return await self._queried(
            {
                **query,
                "FilterExpression": "kind = :kind",
                "ExpressionAttributeValues": {**query["ExpressionAttributeValues"], ":kind": {"S": CHILDREN}},
            }
        )

    async def remembered(self, life: str) -> tuple[Step, ...] | StorageUnavailable:
        return await self._queried(self._of(life))

    async def _queried(self, query: QueryInputTypeDef) -> tuple[Step, ...] | StorageUnavailable:
        items: list[Item] = []
        query = {**query, "ConsistentRead": True}
        while True:
            try:
                answer = await (await self._client()).query(**query)
            except STORAGE_ERRORS as error:
                return as_result(error)
            items += answer["Items"]
            if "LastEvaluatedKey" not in answer:
                return _steps(items)
            query["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    async def find(self, life: str, key: str) -> Step | StorageUnavailable | None:
        try:
            client = await self._client()
            answer = await client.get_item(TableName=self._table, Key=_key(life, key), ConsistentRead=True)
        except STORAGE_ERRORS as error:
            return as_result(error)
        return _step(answer["Item"]) if "Item" in answer else None

    async def page(self, life: str, limit: int, after: str | None) -> StepPage | StorageUnavailable:
        query: QueryInputTypeDef = {**self._of(life), "Limit": limit}
        if after is not None:
            query["ExclusiveStartKey"] = _key(life, after)
        try:
            answer = await (await self._client()).query(**query)
        except STORAGE_ERRORS as error:
            return as_result(error)
        steps = _steps(answer["Items"])
        if isinstance(steps, StorageUnavailable):
            return steps
        return StepPage(steps=steps, next=string_of(answer.get("LastEvaluatedKey", {}), "name"))

    async def forget(self, life: str) -> StorageUnavailable | None:
        """In batches. What a throttled one leaves is named as a failure, so that it is tried again."""
        while True:
            query: QueryInputTypeDef = {
                **self._of(life), "Limit": _BATCH, "ProjectionExpression": "job_id, #name",
                "ExpressionAttributeNames": {"#name": "name"},
            }  # fmt: skip
            try:
                client = await self._client()
                keys = (await client.query(**query))["Items"]
                if not keys:
                    return None
                deletes: list[WriteRequestTypeDef] = [{"DeleteRequest": {"Key": key}} for key in keys]
                left = (await client.batch_write_item(RequestItems={self._table: deletes})).get("UnprocessedItems")
            except STORAGE_ERRORS as error:
                return as_result(error)
            if left:
                return StorageUnavailable(reason="throttled", detail="UnprocessedItems")

    def _of(self, job_id: str) -> QueryInputTypeDef:
        return {
            "TableName": self._table,
            "KeyConditionExpression": "job_id = :job",
            "ExpressionAttributeValues": {":job": {"S": job_id}},
        }

    def _under_lease(self, job_id: str, token: str) -> TransactWriteItemTypeDef:
        return {
            "ConditionCheck": {
                "TableName": self._jobs_table,
                "Key": {"id": {"S": job_id}},
                "ConditionExpression": "lease.#token = :token",
                "ExpressionAttributeNames": {"#token": "token"},
                "ExpressionAttributeValues": {":token": {"S": token}},
            }
        }


def _refused(step: Step, codes: tuple[str, ...], standing: Mapping[str, object] | None) -> RememberResult:
    """What a refused transaction means: the step is its first write, the lease its second."""
    if codes[1] == CONDITION_FAILED:
        return LeaseEnded(job_id=job_of(step.job_id))
    if codes[0] != CONDITION_FAILED or standing is None:
        return unavailable(codes)
    stands = _step(standing)
    return StepTaken(standing=stands) if isinstance(stands, Step) else stands


def _key(job_id: str, key: str) -> dict[str, Attribute]:
    return {name: to_attribute(value) for name, value in step_key(job_id, key).items()}


def _step(item: Item) -> Step | StorageUnavailable:
    step = item_to_step(item)
    if isinstance(step, Unreadable):
        return StorageUnavailable(reason="rejected", detail=f"a step cannot be read: {step.detail}")
    return step


def _steps(items: Iterable[Item]) -> tuple[Step, ...] | StorageUnavailable:
    read = [_step(item) for item in items]
    unreadable = [each for each in read if isinstance(each, StorageUnavailable)]
    return unreadable[0] if unreadable else tuple(each for each in read if isinstance(each, Step))
