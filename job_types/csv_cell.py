"""Reads one CSV cell: its kind and its value are decided together, so that they cannot disagree.

What a cell costs is linear in its length: a cell that is longer than any number or time is text before a pattern sees
it, no pattern can match one text in two ways, and no digits beyond `MAX_TYPED` reach `int` or `float` (CPython's `int`
takes quadratic time and refuses 4,300 digits).
"""

import re
from datetime import UTC, date, datetime
from typing import Literal

Kind = Literal["boolean", "integer", "number", "date", "datetime", "text"]
Key = float | tuple[int, str] | str
"""The value of a cell: a number, a moment (seconds since 1970, digits of the fraction), or the text as written.

Cells of one kind are equal, and in order, as their keys are.
"""
Cell = tuple[Kind, Key]

MAX_TYPED = 310
"""Characters of the longest number or time; a longer cell is text."""
LARGEST = 10.0**300
"""The largest number; a larger one is text. The sum of a document's numbers stays finite."""

# A number that begins with a needless zero is an identifier: a ZIP code, an account, a telephone number.
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
    """The narrowest reading of a cell; text is the reading that every cell has. None for a blank cell.

    White space around a cell, as Unicode has it, means nothing but in text.
    """
    meaning = text.strip()
    if not meaning:
        return None
    if len(meaning) <= MAX_TYPED:
        typed = _number(meaning) or _moment(meaning) or _truth(meaning)
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
    """A date is its midnight, and a time without an offset is in UTC, so that all times of a column have an order."""
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
