"""`job_item`: a job as a part of a DynamoDB transaction of the caller's own.

It needs no AWS SDK, and reads and writes nothing: the caller's own client does, with `dynamodb:PutItem` on the jobs
table. Whoever has that right may write any job of any user, as Headrace itself may.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, cast
from uuid import uuid4

from pydantic import BaseModel, ValidationError

from domain.flaws import Flaw, flaws_of
from domain.jobs import transitions
from domain.jobs.checking import Checked, InvalidPayload, PayloadTooLarge, checked, is_key
from domain.jobs.submission import Submission
from domain.users.user import User
from functions.job_types import load_job_types
from headrace.authoring.job_type import MAX_LIMIT, JobType, why_no_job_type
from headrace.authoring.json_text import byte_length
from headrace.authoring.trace import read_traceparent
from persistence.converters.dynamo_to_domain import IF_ABSENT, absent_at, job_to_item

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic import JsonValue
    from types_aiobotocore_dynamodb.type_defs import TransactWriteItemTypeDef

    from domain.jobs.catalogue import Catalogue
    from headrace.authoring.job_type import AnyJobType, Handler

MAX_INLINE_BYTES = 64 * 1024
"""Of the payload's JSON: it stays in the item, since a transaction cannot write to the blob bucket."""

_USER_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class JobRefused(ValueError):
    """The job would not be accepted; the message says why, with places and never with the payload's values."""


@dataclass(frozen=True)
class JobItem:
    """A job that exists once `write` is committed."""

    id: str
    write: TransactWriteItemTypeDef
    """The member of `TransactItems`, with serialized values, as `boto3.client("dynamodb")` takes it."""


def job_item(
    type: str | Handler | AnyJobType,
    payload: BaseModel | JsonValue,
    *,
    owner: str,
    run_at: datetime | None = None,
    delay_seconds: float | None = None,
    max_attempts: int | None = None,
    tags: Mapping[str, str] | None = None,
    lane: str | None = None,
    priority: int | None = None,
    idempotency_key: str | None = None,
    traceparent: str | None = None,
    jobs_table: str | None = None,
    owner_concurrency: int | None = None,
) -> JobItem:
    """A job to commit in a transaction of the caller's own: with the caller's other writes, or not at all.

    Args:
        type: The job type, or its name in the package that the environment variable JOB_TYPES names.
        payload: Its model, or the document. It is validated as by the API, and has at most `MAX_INLINE_BYTES`.
        owner: The id of the user whose job it is. That there is such a user is not looked up.
        run_at: When it starts; at once by default.
        delay_seconds: The same as a time from now.
        max_attempts: Instead of the job type's.
        tags: Up to 20.
        lane: A lane of the owner's, for a type that has none of its own.
        priority: In its lane, from 0 to 9.
        idempotency_key: The transaction is refused if the owner has a job of this key already, also one that the API
            accepted: an order that is placed again writes neither a second row nor a second job.
        traceparent: The trace that the job is part of (W3C Trace Context); an invalid one is ignored.
        jobs_table: The table's name (output `JobsTableName`); by default the environment variable JOBS_TABLE.
        owner_concurrency: The deployment's parameter `OwnerConcurrency`; by default the environment variable
            OWNER_CONCURRENCY, or 0.

    A job of a lane is written as queued. Who claims it takes a place, or puts it into the line.

    Raises:
        JobRefused: The job would not be accepted, or needs what a single write cannot do: `File` fields.
    """
    now = datetime.now(UTC)
    definition = _definition(type)
    submission = _submission({
        "type": type if isinstance(type, str) else definition.name, "payload": _document(payload), "run_at": run_at,
        "delay_seconds": delay_seconds, "max_attempts": max_attempts, "tags": dict(tags or {}), "lane": lane,
        "priority": priority, "traceparent": read_traceparent(traceparent),
    })  # fmt: skip
    if idempotency_key is not None and not is_key(idempotency_key):
        raise JobRefused("idempotency_key must be 1 to 255 printable ASCII characters")
    limit = _owner_limit() if owner_concurrency is None else owner_concurrency
    asked = checked(submission, definition, _user(owner, now), idempotency_key, limit, now)
    if not isinstance(asked, Checked):
        raise _refused(asked)
    if asked.files:
        raise JobRefused("the payload names files, which only the API can look up: submit such a job there")
    if (size := byte_length(asked.payload)) > MAX_INLINE_BYTES:
        raise JobRefused(
            f"the payload has {size} bytes of JSON, the limit within a transaction is {MAX_INLINE_BYTES}: keep what is"
            " large elsewhere and name it, or submit the job through the API"
        )
    new = asked.as_job(asked.id or str(uuid4()), asked.payload)
    return _item(jobs_table or _jobs_table(), new, definition, now)


def _item(table: str, new: transitions.NewJob, definition: AnyJobType, now: datetime) -> JobItem:
    job = transitions.submit(new, definition.policy, now).job
    put: TransactWriteItemTypeDef = {
        "Put": {
            "TableName": table,
            "Item": job_to_item(job, str(uuid4())),
            "ConditionExpression": IF_ABSENT,
            "ExpressionAttributeValues": absent_at(now),
        }
    }
    return JobItem(new.id, put)


def _definition(type: str | Handler | AnyJobType) -> AnyJobType:
    if isinstance(type, JobType):
        return type
    if not isinstance(type, str):
        if (why := why_no_job_type(type)) is not None:
            raise JobRefused(f"what is to be run {why}")
        return type.definition
    known = _job_types(os.environ.get("JOB_TYPES", "job_types"))
    found = known.definition(type)
    if found is None:
        raise JobRefused(f"no job type is named {type[:64]!r}; known are: {', '.join(known.names()) or 'none'}")
    return found


@cache
def _job_types(package: str) -> Catalogue:
    return load_job_types(package)


def _document(payload: BaseModel | JsonValue) -> JsonValue:
    return (
        cast("JsonValue", payload.model_dump(mode="json", by_alias=True)) if isinstance(payload, BaseModel) else payload
    )


def _submission(fields: Mapping[str, object]) -> Submission:
    if fields["run_at"] is not None and fields["delay_seconds"] is not None:
        raise JobRefused("delay_seconds: give run_at or delay_seconds, not both")
    try:
        return Submission.model_validate(fields)
    except ValidationError as error:
        raise JobRefused(_told(flaws_of(error).first)) from None


def _user(id: str, now: datetime) -> User:
    if not _USER_ID.fullmatch(id):
        raise JobRefused("owner must be the id of a user, as `headrace users find` shows it")
    # Only id and role decide anything here. Like a member, the caller may not escape the limit of an owner's lane.
    return User.model_construct(id=id, email="", name="", role="member", version=0, created_at=now, updated_at=now)


def _refused(why: InvalidPayload | PayloadTooLarge) -> JobRefused:
    match why:
        case InvalidPayload(flaws=flaws):
            return JobRefused(_told(flaws))
        case PayloadTooLarge(size=size, limit=limit):
            return JobRefused(f"the payload has {size} bytes of JSON, the limit is {limit}")


def _told(flaws: Sequence[Flaw]) -> str:
    return "; ".join(f"{'/'.join(map(str, flaw.path))}: {flaw.message}" for flaw in flaws)


def _jobs_table() -> str:
    if not (table := os.environ.get("JOBS_TABLE")):
        raise JobRefused(
            "give jobs_table, or set the environment variable JOBS_TABLE: the output JobsTableName of the stack"
        )
    return table


def _owner_limit() -> int:
    text = os.environ.get("OWNER_CONCURRENCY", "0")
    if not text.isdecimal() or int(text) > MAX_LIMIT:
        raise JobRefused(f"the environment variable OWNER_CONCURRENCY must be a whole number up to {MAX_LIMIT}")
    return int(text)
