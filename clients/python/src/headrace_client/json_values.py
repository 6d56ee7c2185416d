"""JSON as the API speaks it: values in and out, and typed reading of what came."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NoReturn, TypeVar

JsonValue = None | bool | int | float | str | list["JsonValue"] | dict[str, "JsonValue"]
"""A value that was received."""
JsonObject = dict[str, JsonValue]
JsonInput = None | bool | int | float | str | Sequence[object] | Mapping[str, object]
"""A value to send; whatever `json.dumps` cannot write as JSON is refused with `ValueError` or `TypeError`."""

T = TypeVar("T")


@dataclass(frozen=True)
class RawJson:
    """JSON text that is sent exactly as it is written, such as `1.10`, which is another text after parsing."""

    text: str


class WrongForm(ValueError):
    """A member is missing or of the wrong type; the message is its place."""


def written(value: JsonInput | RawJson) -> str:
    """The value as JSON text (RFC 8259); raises `ValueError` for NaN and infinity, `TypeError` for other objects."""
    if isinstance(value, RawJson):
        return value.text
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    text.encode()  # A lone half of a surrogate pair is a UnicodeEncodeError, which is a ValueError.
    return text


def parsed(text: bytes) -> JsonValue:
    """Read JSON; raises `ValueError` for anything else."""
    try:
        value: JsonValue = json.loads(text, parse_constant=_not_json)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    return value


def _not_json(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def take(raw: JsonObject, name: str, kind: type[T]) -> T:
    """A member of the type; raises `WrongForm`. A bool is not taken for a number."""
    value = raw.get(name)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise WrongForm(name)
    return value


def maybe(raw: JsonObject, name: str, kind: type[T]) -> T | None:
    """A member that may be null or missing."""
    return None if raw.get(name) is None else take(raw, name, kind)


def number(raw: JsonObject, name: str) -> float:
    """A member that is a number, with or without a fraction."""
    return float(take(raw, name, int)) if isinstance(raw.get(name), int) else take(raw, name, float)


def moment(raw: JsonObject, name: str) -> datetime | None:
    """A member that is an RFC 3339 time, or missing."""
    text = maybe(raw, name, str)
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise WrongForm(name) from error
    if found.tzinfo is None:
        raise WrongForm(name)
    return found


def nested(raw: JsonObject, name: str, read: Callable[[JsonObject], T]) -> T | None:
    """A member that is an object, or missing."""
    value = maybe(raw, name, dict)
    return None if value is None else _within(name, value, read)


def several(raw: JsonObject, name: str, read: Callable[[JsonObject], T]) -> tuple[T, ...]:
    """A member that is a list of objects; empty if missing."""
    items = maybe(raw, name, list) or []
    return tuple(_within(f"{name}.{place}", item, read) for place, item in enumerate(items))


def texts(raw: JsonObject, name: str) -> dict[str, str]:
    """A member that is an object of strings; empty if missing."""
    found = maybe(raw, name, dict) or {}
    return {each: take(found, each, str) for each in found}


def _within(place: str, value: JsonValue, read: Callable[[JsonObject], T]) -> T:
    if not isinstance(value, dict):
        raise WrongForm(place)
    try:
        return read(value)
    except WrongForm as wrong:
        raise WrongForm(f"{place}.{wrong}") from wrong
