"""Between jobs and DynamoDB items, both ways and exactly; `attributes.py` does it for one value.

Documents from outside (payload, result) are strings of JSON; a TTL is a number of whole seconds.

Versions of Headrace work side by side on one table, so items are read tolerantly: an attribute that this version does
not know is kept as it is and written back (`Job.unknown`, `User.unknown`, and `Other` for members of a map).
"""

import zlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pydantic import ValidationError

from domain.jobs.job import (
    FIRST_SCHEMA,
    LANE_SCHEMA,
    REF_SCHEMA,
    SCHEMA,
    BlobRef,
    Blocked,
    Cancelled,
    Failed,
    HeldPlace,
    HistoryEntry,
    InLane,
    Job,
    JobError,
    Lease,
    Notify,
    Parent,
    Progress,
    Queued,
    Retrying,
    Running,
    Scheduled,
    Status,
    Succeeded,
    WaitFor,
    Waiting,
    is_final,
)
from persistence.converters.attributes import (
    Item,
    Unreadable,
    entries_of,
    kept,
    part_of,
    places,
    restored,
    string_of,
    timestamp,
    to_attribute,
    value_of,
)

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb.type_defs import UniversalAttributeValueTypeDef as Attribute

WAKE_SHARDS = tuple(str(shard) for shard in range(8))
"""The partitions of the wake index. Fixed: a job is found where the version wrote it that knew another number."""

_JOB_FIELDS = frozenset(Job.model_fields) - {"state", "stored_schema", "unknown"}
_JOB_PARTS = {
    "lane": frozenset(InLane.model_fields),
    "notify": frozenset(Notify.model_fields),
    "parent": frozenset(Parent.model_fields),
}
_PLAIN_FIELDS = _JOB_FIELDS - _JOB_PARTS.keys()
_STATES = (Scheduled, Blocked, Queued, Running, Retrying, Waiting, Succeeded, Failed, Cancelled)
_STATE_FIELDS = {state.model_fields["status"].default: frozenset(state.model_fields) for state in _STATES}
_ANY_STATE_FIELD = frozenset().union(*_STATE_FIELDS.values())
_STATE_PARTS = {
    "lease": frozenset(Lease.model_fields),
    "place": frozenset(HeldPlace.model_fields),
    "progress": frozenset(Progress.model_fields),
    "error": frozenset(JobError.model_fields),
}
_REF = frozenset(BlobRef.model_fields)
REFS = {"payload": "payload_ref", "result": "result_ref"}
"""The attribute that a document has when it lies among the blobs, by the one that it has otherwise."""
_ENTRY = frozenset(HistoryEntry.model_fields)
_WAIT_FOR = frozenset(WaitFor.model_fields)
_STORAGE_ONLY = frozenset({
    "schema", "write_id", "wake_shard", "failed_type", "lane_shard", "lane_rank", *REFS.values()
})  # fmt: skip


_COUNTS = ("steps", "signals", "rounds", "generation")
"""Fields that most jobs do not need, and that an item does not have when they are zero."""
_NOT_AS_IT_IS = {"state", "expires_at", "stored_schema", "unknown", "payload_version", "counted"}

IF_ABSENT = "attribute_not_exists(id) OR expires_at <= :now"
"""The condition of a new job: no item has its id, or one that is expired and was not deleted yet."""

LINE_SHARDS = tuple(str(shard) for shard in range(8))
"""The partitions of the lane index. Fixed: they are part of what is stored."""

LINE_SEPARATOR = "\n"
"""After a lane's name, which has no such sign; before all that a longer name could go on with."""

FAILED_SHARDS = 8
"""Partitions of the failed index for one type. Fixed: it is part of what is stored."""


def wake_shard(job_id: str) -> str:
    """The partition of the wake index that a job belongs to."""
    return WAKE_SHARDS[zlib.crc32(job_id.encode()) % len(WAKE_SHARDS)]


def line_shard(lane: str) -> str:
    """The partition of the lane index that a lane's line belongs to."""
    return LINE_SHARDS[zlib.crc32(lane.encode()) % len(LINE_SHARDS)]


def line_rank(job: Job) -> str | None:
    """The place of a job in the lane index: the lane, the highest priority first, then the oldest. None if in none."""
    if job.lane is None:
        return None
    return f"{job.lane.name}{LINE_SEPARATOR}{9 - job.lane.priority}{timestamp(job.created_at)}#{job.id}"


def failed_suffix(job_id: str) -> str:
    """What follows the type in `failed_type`, so that one type's failures are not one partition's load."""
    return f"#{zlib.crc32(job_id.encode()) % FAILED_SHARDS}"


def open_jobs(owner_id: str) -> str:
    """The partition of the failed index that holds an owner's unfinished jobs, of those that count."""
    return f"open#{owner_id}"


def ended_suffix(status: Status) -> str:
    """What follows the owner's id in the partition of the ended index, for a failed or cancelled job."""
    return f"#{status}"


def job_to_item(job: Job, write_id: str) -> "dict[str, Attribute]":
    """The whole aggregate as one item. Absent values have no attribute.

    The first form has no number: versions before the number read it too. What a newer version wrote keeps its number.
    """
    fields = job.model_dump(exclude=_NOT_AS_IT_IS, exclude_none=True)
    state = _without_empty_frames(job.state.model_dump(exclude_none=True))
    if state.get("in_slot") is False:
        del state["in_slot"]
    # What is a field of this state is this version's to say.
    ours = _STATE_FIELDS[job.status]
    item = {name: restored(text) for name, text in job.unknown.items() if name not in ours}
    item |= {name: to_attribute(value) for name, value in (fields | state).items()}
    item["expires_at"] = _ttl(job.expires_at)
    schema = job.stored_schema
    item["write_id"] = {"S": write_id}
    for name, ref in REFS.items():
        if isinstance(fields.get(name, state.get(name)), dict):
            item[ref] = item.pop(name)
            schema = max(schema, REF_SCHEMA)  # Older versions look for the document in the item.
    if job.lane is not None:
        schema = max(schema, LANE_SCHEMA)
    if schema > FIRST_SCHEMA:
        item["schema"] = {"N": str(schema)}
    for name in _COUNTS:
        if name in item and not fields[name]:
            del item[name]
    if job.payload_version > 1:
        item["payload_version"] = {"N": str(job.payload_version)}
    if job.counted:
        item["counted"] = {"BOOL": True}
    if job.wake_at is not None:
        item["wake_shard"] = {"S": wake_shard(job.id)}
    if isinstance(job.state, Blocked) and (rank := line_rank(job)) is not None and job.lane is not None:
        item |= {"lane_shard": {"S": line_shard(job.lane.name)}, "lane_rank": {"S": rank}}
    if job.counted and not is_final(job):
        # Attributes that all versions replace or leave out when they write a final state.
        item |= {"failed_type": {"S": open_jobs(job.owner_id)}, "finished_at": {"S": timestamp(job.created_at)}}
    if isinstance(job.state, Failed):
        item["failed_type"] = {"S": f"{job.type}{failed_suffix(job.id)}"}
    if isinstance(job.state, Failed | Cancelled):
        # Of all attributes, one that the previous version skips when it reads.
        item["wake_shard"] = {"S": f"{job.owner_id}{ended_suffix(job.status)}"}
    return item


def _without_empty_frames(state: dict[str, object]) -> dict[str, object]:
    match state:
        case {"error": {"frames": (), **members}}:
            return {**state, "error": members}
        case _:
            return state


def absent_at(now: datetime) -> "dict[str, Attribute]":
    """The values of `IF_ABSENT`."""
    return {":now": _ttl(now)}


def item_to_job(item: Item) -> Job | Unreadable:
    """The job that an item (or a stream image) holds."""
    newer = False
    try:
        schema = _schema(item)
        newer = schema > SCHEMA
        state_fields = _STATE_FIELDS.get(string_of(item, "status") or "", _ANY_STATE_FIELD)
        fields = {name: value_of(item[name]) for name in item if name in _PLAIN_FIELDS}
        fields["expires_at"] = _moment(fields.get("expires_at"))
        fields["history"] = [part_of(entry, _ENTRY) for entry in entries_of(item.get("history"))]
        state = {
            name: part_of(item[name], _STATE_PARTS[name]) if name in _STATE_PARTS else value_of(item[name])
            for name in item
            if name in state_fields
        }
        unknown = {
            name: kept(item[name])
            for name in item
            if name not in _JOB_FIELDS
            and name not in state_fields
            and name not in _STORAGE_ONLY
            and name != "finished_at"
        }
        fields |= {name: part_of(item[name], members) for name, members in _JOB_PARTS.items() if name in item}
        if "waits_for" in item and "waits_for" in state_fields:
            state["waits_for"] = [part_of(entry, _WAIT_FOR) for entry in entries_of(item["waits_for"])]
        if "payload_ref" in item:
            fields["payload"] = part_of(item["payload_ref"], _REF)
        if "result_ref" in item and "result" in state_fields:
            state["result"] = part_of(item["result_ref"], _REF)
        known = {"started_at": None, "wake_at": None, **fields, "state": state}
        return Job.model_validate({**known, "stored_schema": schema, "unknown": unknown})
    except ValidationError as error:
        return Unreadable(detail=places(error), newer=newer)
    except (TypeError, ValueError, OverflowError, AttributeError) as error:
        return Unreadable(detail=type(error).__name__, newer=newer)


def _schema(item: Item) -> int:
    attribute = item.get("schema")
    number = value_of(attribute) if attribute is not None else 1
    if not isinstance(number, int):
        raise TypeError("schema is not a whole number")
    return number


def _ttl(moment: datetime) -> "Attribute":
    return {"N": str(int(moment.timestamp()))}


def _moment(seconds: object) -> datetime:
    if not isinstance(seconds, int):
        raise TypeError("expires_at is not a whole number of seconds")
    return datetime.fromtimestamp(seconds, UTC)
