"""What a transition returns: the job's next version, and its companions: writes to other tables in the same commit.

A companion is pure data. It names its table logically, and its item by the primary key; the repository knows the
table's real name. A further kind (an `Update` that sets or adds to attributes) is a class here, a case in
`persistence/converters/companions.py` and a case in the fake; mypy names the places.
"""

from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, Field, JsonValue, StrictInt, StrictStr

from domain.jobs.job import Job
from headrace.authoring.frozen import Frozen
from headrace.authoring.json_text import to_json_text

MAX_COMPANIONS = 90
"""Of one change. A DynamoDB transaction has at most 100 items, the job's included."""

_LARGEST, _SMALLEST, _DIGITS = 1e126, 1e-130, 38


def _is_exact(value: JsonValue) -> bool:
    match value:
        case bool() | str() | None:
            return True
        case int() | float() if abs(value) >= _LARGEST or 0 < abs(value) < _SMALLEST:
            return False
        case int():
            return len(str(abs(value)).rstrip("0")) <= _DIGITS
        case float():
            return True
        case list():
            return all(_is_exact(member) for member in value)
        case dict():
            return all(name and _is_exact(member) for name, member in value.items())


def _storable(value: JsonValue) -> JsonValue:
    to_json_text(value)
    if not _is_exact(value):
        raise ValueError("numbers have at most 38 digits, from 1E-130 to below 1E+126, and names at least a character")
    return value


Name = Annotated[str, Field(min_length=1)]

Value = Annotated[JsonValue, AfterValidator(_storable)]
"""What an attribute may hold: a JSON value that DynamoDB stores exactly; anything else is refused at construction."""

Key = Annotated[dict[Name, Annotated[StrictStr | StrictInt, AfterValidator(_storable)]], Field(min_length=1)]
"""A primary key: the partition key's attribute, and the sort key's where the table has one."""


class IfAbsent(Frozen):
    """Holds when no item exists under the key."""


class IfEqual(Frozen):
    """Holds when an item exists under the key whose `attributes` have these values."""

    attributes: dict[Name, Value] = Field(min_length=1)


Condition = IfAbsent | IfEqual


class Put(Frozen):
    """Writes an item and replaces the one under its key, if there is one."""

    table: str
    key: Key
    values: dict[Name, Value] = Field(default_factory=dict)
    """The attributes beside the key."""
    condition: Condition | None = None


class Delete(Frozen):
    """Deletes the item under the key; without a condition it may be absent already."""

    table: str
    key: Key
    condition: Condition | None = None


class Check(Frozen):
    """Writes nothing: the change is committed only if the condition holds in that moment."""

    table: str
    key: Key
    condition: Condition


Companion = Put | Delete | Check


@dataclass(frozen=True)
class Change:
    """A job's next version, and what is committed with it: all of it, or nothing."""

    job: Job
    companions: tuple[Companion, ...] = ()
