"""Parses header fields whose values are lists: entity tags (RFC 9110) and preferences (RFC 7240)."""

import re
from collections.abc import Mapping
from typing import Final, Literal

from headrace.authoring.frozen import Frozen

# Every repetition is possessive: no pattern can match a text in two ways, so parsing takes linear time.
_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]++"
_QUOTED = r'"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*+"'
_WORD = rf"(?:{_NAME}|{_QUOTED})"
_SPACE = re.compile(r"[ \t]*+")
_TAG = re.compile(r'(?P<weak>W/)?+"(?P<opaque>[\x21\x23-\x7e\x80-\xff]*+)"')
_PREFERENCE = re.compile(
    rf"(?P<name>{_NAME})(?:[ \t]*+=[ \t]*+(?P<value>{_WORD}))?"
    rf"(?:[ \t]*+;[ \t]*+(?:{_NAME}(?:[ \t]*+=[ \t]*+{_WORD})?)?+)*+"
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_MAX_DIGITS: Final = 9


class EntityTag(Frozen):
    """An entity tag: the text between its quotes, and whether it is weak."""

    opaque: str
    weak: bool


def entity_tags(field: str) -> tuple[EntityTag, ...] | Literal["*"] | None:
    """Parse If-Match or If-None-Match: the tags, or `*` for any; None for a malformed field.

    RFC 9110, sections 8.8.3, 13.1.1 and 13.1.2.
    """
    if field.strip(" \t") == "*":
        return "*"
    found = _elements(field, _TAG)
    tags = tuple(EntityTag(opaque=tag["opaque"], weak=tag["weak"] is not None) for tag in found or ())
    return tags or None


def preferences(field: str) -> Mapping[str, str]:
    """Parse Prefer: the preferences by lower-case name (RFC 7240, section 2), without their parameters.

    If a name is repeated, the first one counts. A preference without a value has an empty one, which means the
    same. A malformed field expresses no preference.
    """
    found = _elements(field, _PREFERENCE) or []
    return {each["name"].lower(): _unquoted(each["value"] or "") for each in reversed(found)}


def delta_seconds(text: str) -> int | None:
    """Parse a number of seconds (RFC 9110, section 10.2.3), capped at about 30 years; None for anything else."""
    if not (text.isascii() and text.isdecimal()):
        return None
    digits = text.lstrip("0") or "0"
    return int(digits) if len(digits) <= _MAX_DIGITS else 10**_MAX_DIGITS


def _elements(field: str, element: re.Pattern[str]) -> list[re.Match[str]] | None:
    """The elements between the commas; None if one does not match.

    Empty elements are ignored, as section 5.6.1.2 of RFC 9110 requires of a recipient.
    """
    found: list[re.Match[str]] = []
    place = _after_space(field, 0)
    while place < len(field):
        if field[place] != ",":
            match = element.match(field, place)
            if match is None:
                return None
            found.append(match)
            place = _after_space(field, match.end())
            if place < len(field) and field[place] != ",":
                return None
        place = _after_space(field, place + 1)
    return found


def _after_space(field: str, place: int) -> int:
    space = _SPACE.match(field, place)
    return space.end() if space else place


def _unquoted(word: str) -> str:
    return _ESCAPED.sub(r"\1", word[1:-1]) if word.startswith('"') else word
