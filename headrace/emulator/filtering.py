"""Evaluates filter patterns of event source mappings ("Filter rule syntax" in the Lambda Developer Guide).

A pattern is a map whose leaves are lists of alternatives: plain values, or the comparisons that `_accepts` knows.
Numbers in stream records are strings.
"""

from collections.abc import Mapping

from pydantic import JsonValue


class UnsupportedPattern(ValueError):
    """The pattern uses a comparison that the local stack does not support."""


def matches(pattern: Mapping[str, JsonValue], event: JsonValue) -> bool:
    """Whether an event matches every member of the pattern."""
    return all(
        matches(expected, _member(event, name)) if isinstance(expected, dict) else _any_of(expected, event, name)
        for name, expected in pattern.items()
    )


def passes(patterns: tuple[Mapping[str, JsonValue], ...], event: JsonValue) -> bool:
    """Whether an event matches any of a mapping's filters; without filters every event passes."""
    return not patterns or any(matches(pattern, event) for pattern in patterns)


def _any_of(alternatives: JsonValue, event: JsonValue, name: str) -> bool:
    if not isinstance(alternatives, list):
        raise UnsupportedPattern(f"{name}: a pattern's leaf must be a list")
    present = isinstance(event, dict) and name in event
    value = _member(event, name)
    return any(_accepts(alternative, value, present) for alternative in alternatives)


def _accepts(alternative: JsonValue, value: JsonValue, present: bool) -> bool:
    match alternative:
        case {"exists": bool(expected)}:
            return present is expected
        case {"prefix": str(prefix)}:
            return isinstance(value, str) and value.startswith(prefix)
        case {"suffix": str(suffix)}:
            return isinstance(value, str) and value.endswith(suffix)
        case {"anything-but": list(others)}:
            return present and value not in others
        case dict():
            raise UnsupportedPattern(f"unknown comparison: {', '.join(alternative)}")
        case _:
            return present and type(value) is type(alternative) and value == alternative


def _member(event: JsonValue, name: str) -> JsonValue:
    return event.get(name) if isinstance(event, dict) else None
