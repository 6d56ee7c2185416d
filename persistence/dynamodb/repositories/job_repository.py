"""Jobs in DynamoDB: one item each, one conditional write a change, no Scan."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError
from pydantic import ValidationError

from domain.jobs.job import Job, is_expired
from domain.jobs.repository import (
    DueJob,
    DuePage,
    JobExists,
    JobNotFound,
    JobUnreadable,
    QueuedTrigger,
    VersionConflict,
)
from domain.results import ItemTooLarge, StorageUnavailable
from persistence.converters.dynamo_to_domain import (
    WAKE_SHARDS,
    Unreadable,
    item_size,
    item_to_job,
    job_to_item,
    string_of,
    timestamp,
)
from persistence.dynamodb.client import STORAGE_ERRORS, as_result

if TYPE_CHECKING:
    from collections.abc import Mapping

    from types_aiobotocore_dynamodb.type_defs import (
        QueryInputTypeDef,
    )
    from types_aiobotocore_dynamodb.type_defs import (
        UniversalAttributeValueTypeDef as Attribute,
    )

    from domain.ports import NewId
    from persistence.dynamodb.client import ClientSource

MAX_ITEM_BYTES = 400 * 1024

_CONDITION_FAILED = "ConditionalCheckFailedException"


class DynamoJobRepository:
    """The `JobRepository` on a table and a client for it."""

    def __init__(self, client: ClientSource, table: str, new_id: NewId) -> None:
        self._client = client
        self._table = table
        self._new_id = new_id

    @property
    def wake_shards(self) -> tuple[str, ...]:
        return WAKE_SHARDS

    async def add(self, job: Job, now: datetime) -> Job | JobExists | JobUnreadable | ItemTooLarge | StorageUnavailable:
        written = await self._put(
            job,
            "attribute_not_exists(id) OR expires_at <= :now",
            {":now": {"N": str(int(now.timestamp()))}},
        )
        match written:
            case VersionConflict(current=current):
                if current is None:
                    return StorageUnavailable(reason="server", detail="a conflict with nothing")
                return JobExists(current=current)
            case Job() | JobUnreadable() | ItemTooLarge() | StorageUnavailable():
                return written

    async def replace(
        self, job: Job, expected_version: int
    ) -> Job | VersionConflict | JobUnreadable | ItemTooLarge | StorageUnavailable:
        return await self._put(job, "version = :expected", {":expected": {"N": str(expected_version)}})

    async def get(self, job_id: str, now: datetime) -> Job | JobNotFound | JobUnreadable | StorageUnavailable:
        try:
            client = await self._client()
            answer = await client.get_item(TableName=self._table, Key={"id": {"S": job_id}}, ConsistentRead=True)
        except STORAGE_ERRORS as error:
            return as_result(error)
        if "Item" not in answer:
            return JobNotFound(job_id=job_id)
        job = item_to_job(answer["Item"])
        if isinstance(job, Unreadable):
            return JobUnreadable(job_id=job_id, detail=job.detail, newer=job.newer)
        return JobNotFound(job_id=job_id) if is_expired(job.expires_at, now) else job

    async def due(
        self, shard: str, now: datetime, limit: int, after: str | None, since: datetime | None = None
    ) -> DuePage | StorageUnavailable:
        query: QueryInputTypeDef = {
            "TableName": self._table,
            "IndexName": "wake-index",
            "KeyConditionExpression": "wake_shard = :shard AND wake_at <= :now",
            "ExpressionAttributeValues": {":shard": {"S": shard}, ":now": {"S": timestamp(now)}},
            "Limit": limit,
        }
        if since is not None:
            query["KeyConditionExpression"] = "wake_shard = :shard AND wake_at BETWEEN :since AND :now"
            query["ExpressionAttributeValues"] = {
                ":shard": {"S": shard},
                ":since": {"S": timestamp(since + timedelta(microseconds=1))},
                ":now": {"S": timestamp(now)},
            }
        if after is not None:
            query["ExclusiveStartKey"] = json.loads(after)
        try:
            client = await self._client()
            answer = await client.query(**query)
        except STORAGE_ERRORS as error:
            return as_result(error)
        read = [_due_job(key) for key in answer["Items"]]
        last = answer.get("LastEvaluatedKey")
        return DuePage(
            entries=tuple(entry for entry in read if isinstance(entry, DueJob)),
            unreadable=tuple(entry for entry in read if isinstance(entry, JobUnreadable)),
            next=json.dumps(last) if last else None,
        )

    async def queued_triggers(self, job_ids: tuple[str, ...]) -> Mapping[str, QueuedTrigger]:
        if not job_ids:
            return {}
        try:
            client = await self._client()
            answer = await client.batch_get_item(
                RequestItems={
                    self._table: {
                        "Keys": [{"id": {"S": id}} for id in job_ids],
                        "ProjectionExpression": "id, #type, #status, queued_at, updated_at",
                        "ExpressionAttributeNames": {"#status": "status", "#type": "type"},
                    }
                }
            )
        except STORAGE_ERRORS:
            return {}
        found = ((string_of(item, "id"), _queued_trigger(item)) for item in answer["Responses"].get(self._table, []))
        return {id: trigger for id, trigger in found if id is not None and trigger is not None}

    async def _put(
        self, job: Job, condition: str, values: dict[str, Attribute]
    ) -> Job | VersionConflict | JobUnreadable | ItemTooLarge | StorageUnavailable:
        write_id = self._new_id()
        item = job_to_item(job, write_id)
        size = item_size(item)
        if size > MAX_ITEM_BYTES:
            return ItemTooLarge(size=size, limit=MAX_ITEM_BYTES)
        try:
            client = await self._client()
            await client.put_item(
                TableName=self._table,
                Item=item,
                ConditionExpression=condition,
                ExpressionAttributeValues=values,
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != _CONDITION_FAILED:
                return as_result(error)
            standing = error.response.get("Item")
            return _conflict(job, write_id, standing if isinstance(standing, dict) else None)
        except STORAGE_ERRORS as error:
            return as_result(error)
        return job


def _due_job(key: Mapping[str, object]) -> DueJob | JobUnreadable:
    try:
        # Not by pydantic, which takes digits for seconds since 1970.
        wake_at = datetime.fromisoformat(string_of(key, "wake_at") or "")
        return DueJob.model_validate({"id": string_of(key, "id"), "wake_at": wake_at})
    except ValueError:
        return JobUnreadable(job_id=string_of(key, "id") or "", detail="wake_at is no moment of ours")


def _queued_trigger(item: Mapping[str, object]) -> QueuedTrigger | None:
    if string_of(item, "status") != "queued":
        return None
    fields = {
        "type": string_of(item, "type"),
        "queued_at": string_of(item, "queued_at"),
        "triggered_at": string_of(item, "updated_at"),
    }
    try:
        return QueuedTrigger.model_validate(fields)
    except ValidationError:
        return None


def _conflict(job: Job, write_id: str, standing: dict[str, object] | None) -> Job | VersionConflict | JobUnreadable:
    """What a failed condition means, seen from the item that made it fail."""
    if standing is None:
        return VersionConflict(job_id=job.id, current=None)
    if string_of(standing, "write_id") == write_id:
        # Our own write, whose acknowledgement was lost and which the SDK sent again.
        return job
    current = item_to_job(standing)
    if isinstance(current, Unreadable):
        return JobUnreadable(job_id=job.id, detail=current.detail, newer=current.newer)
    return VersionConflict(job_id=job.id, current=current)
