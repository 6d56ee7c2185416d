"""Reads one CSV cell: determines its kind and value together, so that they cannot disagree.

The cost is linear in the cell's length: a cell longer than any number or time is text before any pattern is tried, no
pattern can match a text in two ways, and `int` and `float` get at most `MAX_TYPED` digits (CPython's `int` takes
quadratic time and refuses more than 4,300 digits).
"""

import re
from datetime import UTC, date, datetime
from typing import Literal

Kind = Literal["boolean", "integer", "number", "date", "datetime", "text"]
Key = float | tuple[int, str] | str
"""The value of a cell: a number, a time (seconds since 1970, digits of the fraction), or the text as written.

Cells of the same kind compare as their keys do.
"""
Cell = tuple[Kind, Key]

MAX_TYPED = 310
"""The most characters of a number or time; a longer cell is text."""
LARGEST = 10.0**300
"""The largest number; a larger one is text. The sum of a document's numbers stays finite."""

# A number with a leading zero is an identifier: a ZIP code, an account, a telephone number.
_NUMBER = re.compile(r"[+-]?(?:(?:0|[1-9][0-9]*)(\.[0-9]*)?|(\.[0-9]+))([eE][+-]?[0-9]+)?")
_TIME = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"(?:[Tt ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]+))?)?(?:[Zz]|([+-])([0-9]{2})(?::?([0-9]{2}))?)?)?"
)
_TRUTH = {"true": 1, "false": 0}
_LONGEST_TRUTH = 5
_DATE_GROUPS = 3
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY, _HOUR, _MINUTE = 86_400, 3_600, 60


def read_cell(text: str) -> Cell | None:
    """Read a cell as the narrowest kind that fits, else as text. None for a blank cell.

    White space around a cell (as Unicode defines it) is ignored, except in text.
    """
    stripped = text.strip()
    if not stripped:
        return None
    if len(stripped) <= MAX_TYPED:
        typed = _number(stripped) or _moment(stripped) or _truth(stripped)
        if typed is not None:
            return typed
    return "text", text


def _number(text: str) -> Cell | None:
    match = _NUMBER.fullmatch(text)
    if match is None:
        return None
    if match.lastindex is None:  # neither a point nor an exponent
        integer = int(text)
        return ("integer", integer) if -LARGEST <= integer <= LARGEST else None
    number = float(text)
    return ("number", number) if -LARGEST <= number <= LARGEST else None


def _truth(text: str) -> Cell | None:
    truth = _TRUTH.get(text.lower()) if len(text) <= _LONGEST_TRUTH else None
    return None if truth is None else ("boolean", truth)


def _moment(text: str) -> Cell | None:
    """Read a date as its midnight, and a time without offset as UTC, so that all times in a column can be compared."""
    match = _TIME.fullmatch(text)
    if match is None:
        return None
    if match.lastindex == _DATE_GROUPS:
        return _date(*match.groups()[:_DATE_GROUPS])
    year, month, day, hour, minute, second, fraction, sign, hours, minutes = match.groups("0")
    if int(hours) > 23 or int(minutes) > 59:  # noqa: PLR2004 - RFC 3339, section 5.6: time-numoffset
        return None
    try:
        local = datetime(int(year), int(month), int(day), int(hour), int(minute), int(second), tzinfo=UTC) - _EPOCH
    except ValueError:
        return None
    offset = int(hours) * _HOUR + int(minutes) * _MINUTE
    seconds = local.days * _DAY + local.seconds + (offset if sign == "-" else -offset)
    return "datetime", (seconds, fraction.rstrip("0"))


def _date(year: str, month: str, day: str) -> Cell | None:
    try:
        days = date(int(year), int(month), int(day)).toordinal() - _EPOCH.toordinal()
    except ValueError:
        return None
    return "date", (days * _DAY, "")
