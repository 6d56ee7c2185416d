"""Between Python values and DynamoDB's attributes, both ways and exactly.

Numbers are read as `int` or `float`, never as `Decimal`; moments are strings of one fixed width in UTC, so that they
sort. What a newer version stored is kept as it is and written back.
"""

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pydantic import ValidationError

from headrace.authoring.frozen import Frozen

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb.type_defs import UniversalAttributeValueTypeDef as Attribute

Item = Mapping[str, object]
"""An item in DynamoDB's JSON: `{"id": {"S": "…"}, …}`."""

MAX_ITEM_BYTES = 400 * 1024
"""DynamoDB's limit, by `item_size`."""


class Unreadable(Frozen):
    """The item is not what its table should hold; `detail` reports attribute paths, never contents."""

    detail: str
    newer: bool = False
    """A newer version wrote it, in a form that this one cannot read."""


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC with microseconds: 27 characters, in the order of time."""
    return f"{moment.astimezone(UTC).isoformat(timespec='microseconds')[:26]}Z"


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
        case Other():
            return restored(value.text)
        case _:
            raise TypeError(f"no attribute for {type(value).__name__}")


def value_of(attribute: object) -> object:
    """An attribute's value; `Other` for a type that no value of ours has. Raises `TypeError` for what is none."""
    # What is under a key is what DynamoDB says it is; if not, this raises, or the model refuses it.
    if not isinstance(attribute, dict):
        raise TypeError("no attribute")
    if "S" in attribute:
        return attribute["S"]
    if "N" in attribute:
        digits = attribute["N"]
        return int(digits) if digits.lstrip("-").isdigit() else float(digits)
    if "M" in attribute:
        return {name: value_of(member) for name, member in attribute["M"].items()}
    if "L" in attribute:
        return [value_of(member) for member in attribute["L"]]
    if "BOOL" in attribute:
        return attribute["BOOL"]
    return Other(kept(attribute))


def part_of(attribute: object, known: frozenset[str]) -> dict[str, object]:
    """A map's members; those that this version does not know as they are stored. Raises `TypeError` likewise."""
    members = attribute.get("M") if isinstance(attribute, dict) else None
    if not isinstance(members, dict):
        raise TypeError("not a map")
    return {name: value_of(value) if name in known else Other(kept(value)) for name, value in members.items()}


def entries_of(attribute: object) -> list[object]:
    """A list's entries, as attributes. Raises `TypeError` likewise."""
    entries = attribute.get("L") if isinstance(attribute, dict) else None
    if not isinstance(entries, list):
        raise TypeError("not a list")
    return entries


def string_of(item: Item, name: str) -> str | None:
    """A string attribute, or None when it is absent or of another type."""
    attribute = item.get(name)
    value = attribute.get("S") if isinstance(attribute, Mapping) else None
    return value if isinstance(value, str) else None


class Other:
    """A member of a newer version's, as it is stored."""

    def __init__(self, text: str) -> None:
        self.text = text


def kept(attribute: object) -> str:
    """An attribute as text, in the form that DynamoDB has on the wire, where binary values are base64."""

    def plain(value: object) -> object:
        if isinstance(value, bytes | bytearray):
            return base64.b64encode(value).decode()
        raise TypeError("no attribute")

    return json.dumps(attribute, default=plain, ensure_ascii=False, separators=(",", ":"))


def restored(text: str) -> "Attribute":
    """The attribute that `kept` wrote, as the client takes it."""
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
    if "BOOL" in attribute or "NULL" in attribute:
        return 1
    return sum([len(_bytes_of(member)) for value in attribute.values() for member in _members(value)])


def _members(value: object) -> "list[object]":
    return list(value) if isinstance(value, list | set | tuple) else [value]


def _bytes_of(member: object) -> bytes:
    return member if isinstance(member, bytes) else str(member).encode()


def places(error: ValidationError) -> str:
    """Where a model refuses an item, and by which rule: never what stands there."""
    flaws = error.errors(include_url=False, include_input=False, include_context=False)
    return "; ".join(f"{'.'.join(map(str, flaw['loc']))}: {flaw['type']}" for flaw in flaws[:5])
