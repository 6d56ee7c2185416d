"""Between domain models and DynamoDB items, both ways and exactly.

Numbers are read as `int` or `float`, never as `Decimal`; documents from outside (payload, result)
are strings of JSON; moments are strings of one fixed width in UTC, so that they sort; a TTL is a
number of whole seconds.

Versions of Headrace work side by side on one table, so items are read tolerantly: an attribute that this version does
not know is kept as it is and written back (`Job.unknown`, `User.unknown`, and `Stored` for members of a map).
"""

import base64
import json
import zlib
from collections.abc import Mapping
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
from domain.users.principal import Principal
from domain.users.quota import DEFAULT, Quota
from domain.users.user import User
from headrace.authoring.frozen import Frozen

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb.type_defs import UniversalAttributeValueTypeDef as Attribute

Item = Mapping[str, object]
"""An item in DynamoDB's JSON: `{"id": {"S": "…"}, …}`."""

WAKE_SHARDS = tuple(str(shard) for shard in range(8))
"""The partitions of the wake index. Fixed: a job is found where the version wrote it that knew another number."""

_JOB_FIELDS = frozenset(Job.model_fields) - {"state", "stored_schema", "unknown"}
_PLAIN_FIELDS = _JOB_FIELDS - {"lane", "notify", "parent"}
_STATES = (Scheduled, Blocked, Queued, Running, Retrying, Waiting, Succeeded, Failed, Cancelled)
_STATE_FIELDS = {state.model_fields["status"].default: frozenset(state.model_fields) for state in _STATES}
_ANY_STATE_FIELD = frozenset().union(*_STATE_FIELDS.values())
_PARTS = {
    "lease": frozenset(Lease.model_fields),
    "place": frozenset(HeldPlace.model_fields),
    "progress": frozenset(Progress.model_fields),
    "error": frozenset(JobError.model_fields),
}
_REF = frozenset(BlobRef.model_fields)
REFS = {"payload": "payload_ref", "result": "result_ref"}
"""The attribute that a document has when it lies among the blobs, by the one that it has otherwise."""
_ENTRY = frozenset(HistoryEntry.model_fields)
_IN_LANE = frozenset(InLane.model_fields)
_WAIT_FOR = frozenset(WaitFor.model_fields)
_NOTIFY = frozenset(Notify.model_fields)
_PARENT = frozenset(Parent.model_fields)
_USER_FIELDS = frozenset(User.model_fields) - {"unknown"}
_QUOTA = frozenset(Quota.model_fields)
_PRINCIPAL = frozenset(Principal.model_fields)
_STORAGE_ONLY = frozenset({
    "schema", "write_id", "wake_shard", "failed_type", "lane_shard", "lane_rank", *REFS.values()
})  # fmt: skip


_COUNTS = ("steps", "signals", "rounds", "generation")
"""Fields that most jobs do not need, and that an item does not have when they are zero."""
_NOT_AS_IT_IS = {"state", "expires_at", "stored_schema", "unknown", "payload_version", "counted"}

MAX_ITEM_BYTES = 400 * 1024
"""DynamoDB's limit, by `item_size`."""

IF_ABSENT = "attribute_not_exists(id) OR expires_at <= :now"
"""The condition of a new job: no item has its id, or one that is expired and was not deleted yet."""

LINE_SHARDS = tuple(str(shard) for shard in range(8))
"""The partitions of the lane index. Fixed: they are part of what is stored."""
LINE_SEPARATOR = "\n"
"""After a lane's name, which has no such sign; before all that a longer name could go on with."""

FAILED_SHARDS = 8
"""Partitions of the failed index for one type. Fixed: it is part of what is stored."""


class Unreadable(Frozen):
    """The item is not what its table should hold; `detail` names places, never values."""

    detail: str
    newer: bool = False
    """A newer version wrote it, in a form that this one cannot read."""


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC with microseconds: 27 characters, in the order of time."""
    return f"{moment.astimezone(UTC).isoformat(timespec='microseconds')[:26]}Z"


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
    item = {name: _restored(text) for name, text in job.unknown.items() if name not in ours}
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
        status = string_of(item, "status") or ""
        state_fields = _STATE_FIELDS.get(status, _ANY_STATE_FIELD)
        fields = {name: _value(item[name]) for name in item if name in _PLAIN_FIELDS}
        fields["expires_at"] = _moment(fields.get("expires_at"))
        fields["history"] = [_part(entry, _ENTRY) for entry in _entries(item.get("history"))]
        state = {
            name: _part(item[name], _PARTS[name]) if name in _PARTS else _value(item[name])
            for name in item
            if name in state_fields
        }
        unknown = {
            name: _kept(item[name])
            for name in item
            if name not in _JOB_FIELDS
            and name not in state_fields
            and name not in _STORAGE_ONLY
            and name != "finished_at"
        }
        if "lane" in item:
            fields["lane"] = _part(item["lane"], _IN_LANE)
        if "notify" in item:
            fields["notify"] = _part(item["notify"], _NOTIFY)
        if "parent" in item:
            fields["parent"] = _part(item["parent"], _PARENT)
        if "waits_for" in item and "waits_for" in state_fields:
            state["waits_for"] = [_part(entry, _WAIT_FOR) for entry in _entries(item["waits_for"])]
        if "payload_ref" in item:
            fields["payload"] = _part(item["payload_ref"], _REF)
        if "result_ref" in item and "result" in state_fields:
            state["result"] = _part(item["result_ref"], _REF)
        known = {"started_at": None, "wake_at": None, **fields, "state": state}
        return Job.model_validate({**known, "stored_schema": schema, "unknown": unknown})
    except ValidationError as error:
        return Unreadable(detail=_places(error), newer=newer)
    except (TypeError, ValueError, OverflowError, AttributeError) as error:
        return Unreadable(detail=type(error).__name__, newer=newer)


def user_to_item(user: User, write_id: str) -> "dict[str, Attribute]":
    """A user as an item."""
    silent = {"unknown"} if user.quota != DEFAULT else {"unknown", "quota"}
    fields = {name: to_attribute(value) for name, value in user.model_dump(exclude=silent, exclude_none=True).items()}
    unknown = {name: _restored(text) for name, text in user.unknown.items()}
    return {**unknown, **fields, "write_id": {"S": write_id}}


def item_to_user(item: Item) -> User | Unreadable:
    """The user that an item holds."""
    try:
        fields = {name: _value(value) for name, value in item.items() if name in _USER_FIELDS}
        unknown = {name: _kept(item[name]) for name in item if name not in _USER_FIELDS and name != "write_id"}
        if "principals" in item:
            fields["principals"] = [_part(entry, _PRINCIPAL) for entry in _entries(item["principals"])]
        if "quota" in item:
            fields["quota"] = _part(item["quota"], _QUOTA)
        return User.model_validate({**fields, "unknown": unknown})
    except ValidationError as error:
        return Unreadable(detail=_places(error))
    except (TypeError, ValueError, AttributeError) as error:
        return Unreadable(detail=type(error).__name__)


def string_of(item: Item, name: str) -> str | None:
    """A string attribute, or None when it is absent or of another type."""
    attribute = item.get(name)
    value = attribute.get("S") if isinstance(attribute, Mapping) else None
    return value if isinstance(value, str) else None


def item_size(item: "Mapping[str, Attribute]") -> int:
    """Bytes of an item as DynamoDB counts them.

    The rules are those of the Developer Guide, "DynamoDB item sizes and formats"; where it says
    "approximately", this counts the upper end.
    """
    return sum([len(name.encode()) + _size(value) for name, value in item.items()])


def _members(value: object) -> "list[object]":
    return list(value) if isinstance(value, list | set | tuple) else [value]


def _bytes_of(member: object) -> bytes:
    return member if isinstance(member, bytes) else str(member).encode()


def _size(attribute: object) -> int:
    # For each write: these lookups and lists take a fifth of the time that patterns and generators take.
    if not isinstance(attribute, dict):
        return 1
    if "S" in attribute:
        return len(attribute["S"].encode())
    if "N" in attribute:
        return len(attribute["N"]) // 2 + 2
    if "M" in attribute:
        return 3 + sum([len(name.encode()) + _size(value) + 1 for name, value in attribute["M"].items()])
    if "L" in attribute:
        return 3 + sum([_size(value) + 1 for value in attribute["L"]])
    if "BOOL" in attribute or "NULL" in attribute:
        return 1
    return sum([len(_bytes_of(member)) for value in attribute.values() for member in _members(value)])


def to_attribute(value: object) -> "Attribute":
    """A value as an attribute, exactly; raises `TypeError` for what is neither JSON nor a moment."""
    match value:
        case None:
            return {"NULL": True}
        case str():
            return {"S": value}
        case bool():
            return {"BOOL": value}
        case int() | float():
            return {"N": repr(value)}
        case datetime():
            return {"S": timestamp(value)}
        case dict():
            return {"M": {name: to_attribute(member) for name, member in value.items()}}
        case tuple() | list():
            return {"L": [to_attribute(member) for member in value]}
        case _Other():
            return _restored(value.text)
        case _:
            raise TypeError(f"no attribute for {type(value).__name__}")


def _value(attribute: object) -> object:
    # What is under a key is what DynamoDB says it is; if not, this raises, or the model refuses it.
    if not isinstance(attribute, dict):
        raise TypeError("no attribute")
    if "S" in attribute:
        return attribute["S"]
    if "N" in attribute:
        digits = attribute["N"]
        return int(digits) if digits.lstrip("-").isdigit() else float(digits)
    if "M" in attribute:
        return {name: _value(member) for name, member in attribute["M"].items()}
    if "L" in attribute:
        return [_value(member) for member in attribute["L"]]
    if "BOOL" in attribute:
        return attribute["BOOL"]
    return _Other(_kept(attribute))


def _part(attribute: object, known: frozenset[str]) -> dict[str, object]:
    """A part's members; those that this version does not know as they are stored."""
    members = attribute.get("M") if isinstance(attribute, dict) else None
    if not isinstance(members, dict):
        raise TypeError("not a map")
    return {name: _value(value) if name in known else _Other(_kept(value)) for name, value in members.items()}


def _entries(attribute: object) -> list[object]:
    entries = attribute.get("L") if isinstance(attribute, dict) else None
    if not isinstance(entries, list):
        raise TypeError("not a list")
    return entries


class _Other:
    """A member of a newer version's, as it is stored."""

    def __init__(self, text: str) -> None:
        self.text = text


def _kept(attribute: object) -> str:
    """An attribute as text, in the form that DynamoDB has on the wire, where binary values are base64."""

    def plain(value: object) -> object:
        if isinstance(value, bytes | bytearray):
            return base64.b64encode(value).decode()
        raise TypeError("no attribute")

    return json.dumps(attribute, default=plain, ensure_ascii=False, separators=(",", ":"))


def _restored(text: str) -> "Attribute":
    """The attribute that `_kept` wrote, as the client takes it."""
    attribute: Attribute = json.loads(text, object_hook=_with_bytes)
    return attribute


def _with_bytes(members: dict[str, object]) -> dict[str, object]:
    """Decodes `{"B": "…"}` and `{"BS": ["…"]}`; a map's member that is called B holds an attribute, not text."""
    match members:
        case {"B": str(text)} if len(members) == 1:
            return {"B": base64.b64decode(text)}
        case {"BS": [*texts]} if len(members) == 1:
            return {"BS": [base64.b64decode(text) for text in texts if isinstance(text, str)]}
        case _:
            return members


def _schema(item: Item) -> int:
    attribute = item.get("schema")
    number = _value(attribute) if attribute is not None else 1
    if not isinstance(number, int):
        raise TypeError("schema is not a whole number")
    return number


def _ttl(moment: datetime) -> "Attribute":
    return {"N": str(int(moment.timestamp()))}


def _moment(seconds: object) -> datetime:
    if not isinstance(seconds, int):
        raise TypeError("expires_at is not a whole number of seconds")
    return datetime.fromtimestamp(seconds, UTC)


def _places(error: ValidationError) -> str:
    flaws = error.errors(include_url=False, include_input=False, include_context=False)
    return "; ".join(f"{'.'.join(map(str, flaw['loc']))}: {flaw['type']}" for flaw in flaws[:5])


value_of, kept, restored, places = _value, _kept, _restored, _places
"""The same, for the converters of other aggregates."""
