"""Writes to DynamoDB that are committed together with a handler's result: all of it, or nothing."""

from typing import Annotated

from pydantic import AfterValidator, Field, JsonValue, StrictInt, StrictStr, model_validator

from headrace.authoring.frozen import Frozen
from headrace.authoring.json_text import to_json_text

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


class If(Frozen):
    """Holds when an item exists under the key, and all that is given is true of it."""

    equal: dict[Name, Value] = Field(default_factory=dict)
    at_least: dict[Name, Annotated[int | float, AfterValidator(_storable)]] = Field(default_factory=dict)
    at_most: dict[Name, Annotated[int | float, AfterValidator(_storable)]] = Field(default_factory=dict)
    missing: tuple[Name, ...] = ()
    """Attributes that it does not have."""


class IfNewer(Frozen):
    """Holds when no item exists under the key, or one whose attribute `name` is a lower number than `value`."""

    name: Name
    value: Annotated[int, AfterValidator(_storable)]


Condition = IfAbsent | IfEqual | If | IfNewer


class Put(Frozen):
    """Writes an item and replaces the one under its key, if there is one."""

    table: str
    key: Key
    values: dict[Name, Value] = Field(default_factory=dict)
    """The attributes beside the key."""
    condition: Condition | None = None


class Update(Frozen):
    """Changes attributes of the item under the key, and makes the item if there is none; the others stay."""

    table: str
    key: Key
    set: dict[Name, Value] = Field(default_factory=dict)
    add: dict[Name, Annotated[int | float, AfterValidator(_storable)]] = Field(default_factory=dict)
    """What is added to numbers; an attribute that is missing counts as 0."""
    remove: tuple[Name, ...] = ()
    condition: Condition | None = None

    @model_validator(mode="after")
    def _changes_something_once(self) -> "Update":
        names = [*self.set, *self.add, *self.remove, *self.key]
        if len(names) == len(self.key):
            raise ValueError("an update sets, adds or removes something")
        if len(set(names)) < len(names):
            raise ValueError("an update changes each attribute once, and none of the key")
        return self


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


Write = Put | Update | Delete | Check
