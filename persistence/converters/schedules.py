"""Between schedules and DynamoDB items, by way of JSON values, which a companion write takes too."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from pydantic import JsonValue, TypeAdapter, ValidationError

from domain.schedules.schedule import Active, Paused, Schedule, ScheduleSpec
from domain.schedules.timing import Timing
from persistence.converters.attributes import Unreadable, timestamp, to_attribute

if TYPE_CHECKING:
    from collections.abc import Mapping

    from types_aiobotocore_dynamodb.type_defs import UniversalAttributeValueTypeDef as Attribute

Values = dict[str, JsonValue]

WAKE_SHARD = "0"
"""The one partition of the wake index, so that a sweep of a deployment without schedules costs one Query.

It takes 1,000 write units a second, which are 500 ticks."""

_TIMING = frozenset(Timing.model_fields)
_SPEC = frozenset(ScheduleSpec.model_fields) - {"timing"}
_STATES = {"active": frozenset(Active.model_fields), "paused": frozenset(Paused.model_fields)}
_STATE = frozenset().union(*_STATES.values())
_OWN = frozenset(Schedule.model_fields) - {"spec", "state", "unknown"}
_KNOWN = _TIMING | _SPEC | _STATE | _OWN | {"write_id", "wake_shard", "wake_at"}
LISTED = tuple(sorted((_TIMING | _SPEC | _STATE | _OWN) - {"payload"}))
"""The attributes of an entry in a list."""
_JSON: TypeAdapter[JsonValue] = TypeAdapter(JsonValue)


def schedule_to_values(schedule: Schedule, write_id: str) -> Values:
    """The whole aggregate, flat. Absent values have no attribute; what ticks is in the wake index."""
    dumped = schedule.model_dump(exclude={"spec", "state", "unknown"}, exclude_none=True)
    spec = schedule.spec.model_dump(exclude={"timing"}, exclude_none=True)
    timing = schedule.spec.timing.model_dump(exclude_none=True)
    state = schedule.state.model_dump()
    known = {name: _plain(value) for name, value in {**dumped, **spec, **timing, **state}.items()}
    values: Values = {**schedule.unknown, **known, "write_id": write_id}
    if isinstance(schedule.state, Active):
        values |= {"wake_shard": WAKE_SHARD, "wake_at": timestamp(schedule.state.next_at)}
    return values


def values_to_item(values: Mapping[str, JsonValue]) -> dict[str, Attribute]:
    """JSON values as an item."""
    return {name: to_attribute(value) for name, value in values.items()}


def item_to_schedule(item: Mapping[str, object]) -> Schedule | Unreadable:
    """The schedule that an item holds."""
    try:
        return values_to_schedule({name: _value(attribute) for name, attribute in item.items()})
    except (TypeError, ValueError, AttributeError) as error:
        return Unreadable(detail=type(error).__name__)


def values_to_schedule(values: Mapping[str, JsonValue]) -> Schedule | Unreadable:
    """The schedule that these values hold; what a newer version added is kept."""
    state = _STATES.get(str(values.get("status")), _STATE)
    parts = {
        **_among(values, _OWN),
        "spec": {**_among(values, _SPEC), "timing": _among(values, _TIMING)},
        "state": _among(values, state),
        "unknown": {name: value for name, value in values.items() if name not in _KNOWN},
    }
    try:
        return Schedule.model_validate(parts)
    except ValidationError as error:
        flaws = error.errors(include_url=False, include_input=False, include_context=False)
        return Unreadable(detail="; ".join(f"{'.'.join(map(str, flaw['loc']))}: {flaw['type']}" for flaw in flaws[:5]))


def _among(values: Mapping[str, JsonValue], names: frozenset[str]) -> Values:
    return {name: value for name, value in values.items() if name in names}


def _plain(value: object) -> JsonValue:
    match value:
        case datetime():
            return timestamp(value)
        case dict():
            return {str(name): _plain(member) for name, member in value.items()}
        case tuple() | list():
            return [_plain(member) for member in value]
        case _:
            return _JSON.validate_python(value)


def _value(attribute: object) -> JsonValue:
    if not isinstance(attribute, dict):
        raise TypeError("no attribute")
    ((kind, value),) = attribute.items()
    match kind:
        case "S" | "BOOL":
            return _JSON.validate_python(value)
        case "N":
            return int(value) if value.lstrip("-").isdigit() else float(value)
        case "NULL":
            return None
        case "M":
            return {name: _value(member) for name, member in value.items()}
        case "L":
            return [_value(member) for member in value]
        case _:
            raise TypeError("no JSON")
