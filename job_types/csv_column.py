"""Summarises the cells of one column."""

import heapq
import math
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import chain, repeat
from typing import Literal

from pydantic import BaseModel, Field

from job_types.csv_cell import Key, Kind, read_cell
from job_types.slices import Steps

MOST_FREQUENT = 5
CELLS_A_STEP = 2048

ColumnType = Kind | Literal["empty"]
Counted = tuple[str, int]
"""A value as written where it first occurs, and how often it occurs."""


class Quantiles(BaseModel):
    """Quartiles, interpolated between the values (the `inclusive` method of Python's `statistics`)."""

    p25: float
    p50: float
    p75: float


class ValueCount(BaseModel):
    """How often a value occurs."""

    value: str = Field(description="As written at its first occurrence; cut if the profile is marked as truncated")
    count: int


class ColumnProfile(BaseModel):
    """The profile of one column. Blank cells count as nulls; all other figures cover the cells that are not blank.

    Values are compared by meaning and shown as first written: `true` and `TRUE` are the same value, and so are `1`,
    `+1` and `1.0`, and one moment written with two offsets. A time without an offset counts as UTC, a date among times
    as its midnight. A number with leading zeros (`01234`), with more than 310 characters, or beyond 1e300 is text; one
    with a decimal point or an exponent is read as a double (IEEE 754).
    """

    name: str
    type: ColumnType
    nulls: int
    distinct: int
    min: int | float | str | None = None
    max: int | float | str | None = None
    mean: float | None = Field(default=None, description="Of numbers")
    quantiles: Quantiles | None = Field(default=None, description="Of numbers")
    most_frequent: list[ValueCount] | None = Field(default=None, description="Of text and booleans")


def profile_column(name: str, cells: Sequence[str]) -> Steps[ColumnProfile]:
    """Compute a column's profile, with its texts in full length."""
    written = Counter(cells)
    yield
    kinds: set[Kind] = set()
    keys: dict[str, Key] = {}
    for place, text in enumerate(written, 1):
        cell = read_cell(text)
        if cell is not None:
            kinds.add(cell[0])
            keys[text] = cell[1]
        if place % CELLS_A_STEP == 0:
            yield
    nulls = len(cells) - sum(written[text] for text in keys)
    kind = _column_type(kinds)
    yield
    match kind:
        case "empty":
            return ColumnProfile(name=name, type=kind, nulls=nulls, distinct=0)
        case "text":
            # In a text column every cell is text, even one that could be read as a number.
            bounds = min(keys), max(keys)
            yield
            return (yield from _of_words(name, kind, nulls, [(text, written[text]) for text in keys], bounds))
        case "integer" | "number":
            values = yield from _distinct(keys, written)
            numbers = _numbers(keys, values)
            yield
            return (yield from _of_numbers(name, kind, nulls, numbers))
        case "boolean" | "date" | "datetime":
            values = yield from _distinct(keys, written)
            return (yield from _of_words(name, kind, nulls, values, (values[0][0], values[-1][0])))


def _column_type(kinds: set[Kind]) -> ColumnType:
    """The narrowest type that covers every value."""
    if not kinds:
        return "empty"
    if kinds == {"integer", "number"}:
        return "number"
    if kinds == {"date", "datetime"}:
        return "datetime"
    return next(iter(kinds)) if len(kinds) == 1 else "text"


def _distinct(keys: Mapping[str, Key], written: Mapping[str, int]) -> Steps[list[Counted]]:
    """The values in order, with equal ones merged.

    Merged by sorting, not hashing, because a document may hold any quantity of numbers with the same hash.
    """
    ordered = sorted(keys, key=keys.__getitem__)
    yield
    values: list[Counted] = []
    before: Key | None = None
    for place, text in enumerate(ordered, 1):
        key, occurs = keys[text], written[text]
        if key == before:
            first, so_far = values[-1]
            values[-1] = first, so_far + occurs
        else:
            values.append((text, occurs))
            before = key
        if place % CELLS_A_STEP == 0:
            yield
    return values


def _numbers(keys: Mapping[str, Key], values: Sequence[Counted]) -> list[tuple[float, int]]:
    return [(key, occurs) for text, occurs in values if isinstance(key := keys[text], int | float)]


def _of_numbers(name: str, kind: ColumnType, nulls: int, numbers: Sequence[tuple[float, int]]) -> Steps[ColumnProfile]:
    every = list(chain.from_iterable(repeat(float(number), occurs) for number, occurs in numbers))
    yield
    mean = math.fsum(every) / len(every)
    yield
    middle = statistics.quantiles(every, n=4, method="inclusive") if len(every) > 1 else every * 3
    return ColumnProfile(
        name=name,
        type=kind,
        nulls=nulls,
        distinct=len(numbers),
        min=numbers[0][0],
        max=numbers[-1][0],
        mean=mean,
        quantiles=Quantiles(p25=middle[0], p50=middle[1], p75=middle[2]),
    )


def _of_words(
    name: str, kind: ColumnType, nulls: int, values: Sequence[Counted], bounds: tuple[str, str]
) -> Steps[ColumnProfile]:
    frequent = _most_frequent(values) if kind in {"text", "boolean"} else None
    yield
    return ColumnProfile(
        name=name,
        type=kind,
        nulls=nulls,
        distinct=len(values),
        min=bounds[0],
        max=bounds[1],
        most_frequent=frequent,
    )


def _most_frequent(values: Sequence[Counted]) -> list[ValueCount]:
    """The most frequent values, by count and then by value, so that equal documents have equal profiles."""
    ranked = heapq.nsmallest(MOST_FREQUENT, [(-occurs, written) for written, occurs in values])
    return [ValueCount(value=written, count=-negative) for negative, written in ranked]
