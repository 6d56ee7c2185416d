"""Jobs in DynamoDB: one item each, one conditional write a change, no Scan."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError
from pydantic import ValidationError

from domain.jobs.job import Job, is_expired
from domain.jobs.repository import (
    AddResult,
    CompanionRefused,
    DueJob,
    DuePage,
    DueState,
    JobExists,
    JobNotFound,
    JobUnreadable,
    ReplaceResult,
    VersionConflict,
)
from domain.results import ItemTooLarge, StorageUnavailable
from persistence.converters.attributes import MAX_ITEM_BYTES, Unreadable, item_size, string_of, timestamp
from persistence.converters.companions import companion_writes
from persistence.converters.dynamo_to_domain import IF_ABSENT, WAKE_SHARDS, absent_at, item_to_job, job_to_item
from persistence.dynamodb.batch_reading import projection
from persistence.dynamodb.client import STORAGE_ERRORS, as_result
from persistence.dynamodb.transactions import CONDITION_FAILED, NO_FAULT, Refused, transact, unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from types_aiobotocore_dynamodb.type_defs import PutTypeDef, QueryInputTypeDef
    from types_aiobotocore_dynamodb.type_defs import (
        UniversalAttributeValueTypeDef as Attribute,
    )

    from domain.jobs.change import Change
    from domain.ports import NewId
    from persistence.dynamodb.client import ClientSource

_CONDITION_FAILED = "ConditionalCheckFailedException"
_SINCE = {"scheduled": "run_at", "blocked": "since", "queued": "queued_at", "retrying": "retry_at", "waiting": "until"}
"""By status, the attribute that says since when, or from when on."""
_DUE_STATE = ("id", "type", "status", *_SINCE.values(), "lease", "updated_at")


class DynamoJobRepository:
    """The `JobRepository` on a table and a client for it; `companions` gives the real names of companions' tables."""

    def __init__(
        self, client: ClientSource, table: str, new_id: NewId, companions: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        self._client = client
        self._table = table
        self._new_id = new_id
        # Its own under a name that no companion has, so that no handler writes to it.
        self._companions = {**companions, "": table}

    @property
    def wake_shards(self) -> tuple[str, ...]:
        return WAKE_SHARDS

    async def add(self, change: Change, now: datetime) -> AddResult:
        written = await self._commit(change, IF_ABSENT, absent_at(now))
        match written:
            case VersionConflict(current=current):
                if current is None:
                    return StorageUnavailable(reason="server", detail="a conflict with nothing")
                return JobExists(current=current)
            case Job() | JobUnreadable() | CompanionRefused() | ItemTooLarge() | StorageUnavailable():
                return written

    async def replace(self, change: Change, expected_version: int) -> ReplaceResult:
        return await self._commit(change, "version = :expected", {":expected": {"N": str(expected_version)}})

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

    async def get_all(self, job_ids: tuple[str, ...], now: datetime) -> Mapping[str, Job] | StorageUnavailable:
        keys = [{"id": {"S": id}} for id in job_ids]
        try:
            client = await self._client()
            answer = await client.batch_get_item(RequestItems={self._table: {"Keys": keys, "ConsistentRead": True}})
        except STORAGE_ERRORS as error:
            return as_result(error)
        jobs = (item_to_job(item) for item in answer["Responses"].get(self._table, []))
        return {job.id: job for job in jobs if isinstance(job, Job) and not is_expired(job.expires_at, now)}

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

    async def due_states(self, job_ids: tuple[str, ...]) -> Mapping[str, DueState]:
        if not job_ids:
            return {}
        expression, names = projection(_DUE_STATE)
        keys = [{"id": {"S": id}} for id in job_ids]
        try:
            client = await self._client()
            answer = await client.batch_get_item(
                RequestItems={
                    self._table: {
                        "Keys": keys, "ProjectionExpression": expression, "ExpressionAttributeNames": names,
                    }
                }
            )  # fmt: skip
        except STORAGE_ERRORS:
            return {}
        found = ((string_of(item, "id"), _due_state(item)) for item in answer["Responses"].get(self._table, []))
        return {id: state for id, state in found if id is not None and state is not None}

    async def _commit(self, change: Change, condition: str, values: dict[str, Attribute]) -> ReplaceResult:
        """A job alone by one PutItem; with companions by one transaction, which costs twice the units."""
        write_id = self._new_id()
        item = job_to_item(change.job, write_id)
        size = item_size(item)
        if size > MAX_ITEM_BYTES:
            return ItemTooLarge(size=size, limit=MAX_ITEM_BYTES)
        put: PutTypeDef = {
            "TableName": self._table,
            "Item": item,
            "ConditionExpression": condition,
            "ExpressionAttributeValues": values,
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        if not change.companions:
            return await self._put(change.job, put, write_id)
        writes = companion_writes(change.companions, self._companions, size)
        if isinstance(writes, StorageUnavailable):
            return writes
        refused = await transact(self._client, [{"Put": put}, *writes], write_id)
        match refused:
            case None:
                return change.job
            case Refused():
                return _refused(change.job, write_id, refused)
            case StorageUnavailable():
                return refused

    async def _put(self, job: Job, put: PutTypeDef, write_id: str) -> ReplaceResult:
        try:
            client = await self._client()
            await client.put_item(**put)
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


def _due_state(item: Mapping[str, object]) -> DueState | None:
    status = string_of(item, "status") or ""
    lease = item.get("lease")
    held = lease.get("M") if isinstance(lease, dict) else None
    place, name = (held or {}, "until") if status == "running" else (item, _SINCE.get(status, ""))
    fields = {
        "type": string_of(item, "type"),
        "status": status,
        "since": string_of(place, name),
        "written_at": string_of(item, "updated_at"),
    }
    try:
        return DueState.model_validate(fields)
    except ValidationError:
        return None


def _refused(job: Job, write_id: str, refused: Refused) -> ReplaceResult:
    """What a refused transaction means; the job is its first write."""
    match refused.codes[0]:
        case code if code == CONDITION_FAILED:
            return _conflict(job, write_id, refused.standing)
        case code if code == NO_FAULT:
            return CompanionRefused(job_id=job.id, index=refused.codes.index(CONDITION_FAILED) - 1)
        case _:
            return unavailable(refused.codes)


def _conflict(job: Job, write_id: str, standing: Mapping[str, object] | None) -> Job | VersionConflict | JobUnreadable:
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
