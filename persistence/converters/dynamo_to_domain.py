"""Between domain models and DynamoDB items, both ways and exactly.

Numbers are read as `int` or `float`, never as `Decimal`; documents from outside (payload, result)
are strings of JSON; moments are strings of one fixed width in UTC, so that they sort; a TTL is a
number of whole seconds.
"""

import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pydantic import ValidationError

from domain.frozen import Frozen
from domain.jobs.job import Cancelled, Failed, Job, Status
from domain.users.user import User

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb.type_defs import UniversalAttributeValueTypeDef as Attribute

Item = Mapping[str, object]
"""An item in DynamoDB's JSON: `{"id": {"S": "…"}, …}`."""

_JOB_FIELDS = frozenset(Job.model_fields) - {"state"}
_STORAGE_ONLY = frozenset({"write_id", "wake_shard", "failed_type"})

FAILED_SHARDS = 8
"""Partitions of the failed index for one type. Fixed: it is part of what is stored."""


class Unreadable(Frozen):
    """The item is not what its table should hold; `detail` names places, never values."""

    detail: str


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC with microseconds: 27 characters, in the order of time."""
    return f"{moment.astimezone(UTC).isoformat(timespec='microseconds')[:26]}Z"


def wake_shard(job_id: str, shards: int) -> str:
    """The partition of the wake index that a job belongs to."""
    return str(zlib.crc32(job_id.encode()) % shards)


def failed_suffix(job_id: str) -> str:
    """What follows the type in `failed_type`, so that one type's failures are not one partition's load."""
    return f"#{zlib.crc32(job_id.encode()) % FAILED_SHARDS}"


def ended_suffix(status: Status) -> str:
    """What follows the owner's id in the partition of the ended index, for a failed or cancelled job."""
    return f"#{status}"


def job_to_item(job: Job, write_id: str, shards: int) -> "dict[str, Attribute]":
    """The whole aggregate as one item. Absent values have no attribute."""
    fields = job.model_dump(exclude={"state", "expires_at"}, exclude_none=True)
    state = job.state.model_dump(exclude_none=True)
    item = {name: _attribute(value) for name, value in (fields | state).items()}
    item["expires_at"] = _ttl(job.expires_at)
    item["write_id"] = {"S": write_id}
    if job.wake_at is not None:
        item["wake_shard"] = {"S": wake_shard(job.id, shards)}
    if isinstance(job.state, Failed):
        item["failed_type"] = {"S": f"{job.type}{failed_suffix(job.id)}"}
    if isinstance(job.state, Failed | Cancelled):
        # Of all attributes, one that the previous version skips when it reads.
        item["wake_shard"] = {"S": f"{job.owner_id}{ended_suffix(job.status)}"}
    return item


def item_to_job(item: Item) -> Job | Unreadable:
    """The job that an item (or a stream image) holds."""
    try:
        fields = {name: _value(value) for name, value in item.items() if name not in _STORAGE_ONLY}
        fields["expires_at"] = _moment(fields.get("expires_at"))
        state = {name: fields.pop(name) for name in list(fields) if name not in _JOB_FIELDS}
        return Job.model_validate({"started_at": None, "wake_at": None, **fields, "state": state})
    except ValidationError as error:
        return Unreadable(detail=_places(error))
    except (TypeError, ValueError, OverflowError, AttributeError) as error:
        return Unreadable(detail=type(error).__name__)


def user_to_item(user: User, write_id: str) -> "dict[str, Attribute]":
    """A user as an item."""
    fields = {name: _attribute(value) for name, value in user.model_dump().items()}
    return {**fields, "write_id": {"S": write_id}}


def item_to_user(item: Item) -> User | Unreadable:
    """The user that an item holds."""
    try:
        fields = {name: _value(value) for name, value in item.items() if name != "write_id"}
        return User.model_validate(fields)
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
    return 1


def _attribute(value: object) -> "Attribute":
    match value:
        case str():
            return {"S": value}
        case bool():
            return {"BOOL": value}
        case int() | float():
            return {"N": repr(value)}
        case datetime():
            return {"S": timestamp(value)}
        case dict():
            return {"M": {name: _attribute(member) for name, member in value.items()}}
        case tuple() | list():
            return {"L": [_attribute(member) for member in value]}
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
    raise TypeError("unexpected attribute type")


def _ttl(moment: datetime) -> "Attribute":
    return {"N": str(int(moment.timestamp()))}


def _moment(seconds: object) -> datetime:
    if not isinstance(seconds, int):
        raise TypeError("expires_at is not a whole number of seconds")
    return datetime.fromtimestamp(seconds, UTC)


def _places(error: ValidationError) -> str:
    flaws = error.errors(include_url=False, include_input=False, include_context=False)
    return "; ".join(f"{'.'.join(map(str, flaw['loc']))}: {flaw['type']}" for flaw in flaws[:5])
