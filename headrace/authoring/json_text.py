"""JSON documents from outside, kept as text.

A payload or a result belongs to its user. Text is the one form in which floats, big integers,
unicode and empty strings come back exactly as they were given.
"""

import json
from typing import NewType

from pydantic import JsonValue
from pydantic_core import from_json

JsonText = NewType("JsonText", str)
"""One JSON value in RFC 8259 form: no NaN, no infinity, no lone surrogate."""


class NotJson(ValueError):
    """The value has no exact JSON form; the message says why."""


def to_json_text(value: JsonValue) -> JsonText:
    """Write `value` as compact JSON; raises `NotJson` for what JSON cannot say."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        text.encode()
    except UnicodeEncodeError as error:
        raise NotJson("a string contains half of a surrogate pair") from error
    except ValueError as error:
        raise NotJson("a number is NaN, infinite or too large") from error
    return JsonText(text)


def from_json_text(text: JsonText) -> JsonValue:
    """Read back what `to_json_text` wrote."""
    value: JsonValue = from_json(text)
    return value


def json_size(value: JsonValue) -> int:
    """Bytes of `value` as stored JSON, which the limits of payloads and results count."""
    return byte_length(to_json_text(value))


def byte_length(text: str) -> int:
    """Bytes of `text` in UTF-8, which is what DynamoDB stores and charges."""
    return len(text.encode())


def storable(text: str, limit: int) -> str:
    """`text` in at most `limit` characters that UTF-8 can encode.

    Half of a surrogate pair becomes U+FFFD: file names and decoded bytes bring such halves (PEP 383), and neither JSON
    nor DynamoDB can hold them.
    """
    return text[:limit].encode("utf-16", "surrogatepass").decode("utf-16", "replace")
