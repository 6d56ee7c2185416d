"""`csv.profile`: count the rows of a CSV document and summarise every column."""

import csv
import io
import math
import re
import statistics
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from domain.jobs.job_type import JobContext, JobType, Policy
from domain.jobs.outcomes import Fail

MAX_COLUMNS = 500
MOST_FREQUENT = 5
MAX_TEXT = 200
"""Characters of a value that are shown in a result."""

_INTEGER = re.compile(r"[+-]?[0-9]+", re.ASCII)
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", re.ASCII)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_DATETIME = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?", re.ASCII)
_TRUTH = frozenset({"true", "false"})
_LARGEST = 1e300

ColumnType = Literal["empty", "boolean", "integer", "number", "date", "datetime", "text"]


class CsvDocument(BaseModel):
    """A CSV document (RFC 4180) with a header row."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    csv: str = Field(description="The document; its first row names the columns")
    delimiter: str = Field(default=",", min_length=1, max_length=1, pattern=r'^[^"\r\n]$')


class Quantiles(BaseModel):
    """Quartiles, interpolated between the values (the `inclusive` method of Python's `statistics`)."""

    p25: float
    p50: float
    p75: float


class ValueCount(BaseModel):
    """How often a value occurs; values of over 200 characters are cut."""

    value: str
    count: int


class ColumnProfile(BaseModel):
    """One column. An empty cell is a null; the other figures are over the cells that are not."""

    name: str
    type: ColumnType
    nulls: int
    distinct: int
    min: int | float | str | None = None
    max: int | float | str | None = None
    mean: float | None = Field(default=None, description="Of numbers")
    quantiles: Quantiles | None = Field(default=None, description="Of numbers")
    most_frequent: list[ValueCount] | None = Field(default=None, description="Of text and booleans")


class CsvProfile(BaseModel):
    """What a CSV document holds."""

    rows: int
    columns: list[ColumnProfile]


CSV_PROFILE = JobType[CsvDocument, CsvProfile](
    name="csv.profile",
    summary="Count the rows of a CSV document and summarise every column",
    payload=CsvDocument,
    result=CsvProfile,
    policy=Policy(max_attempts=3, timeout=timedelta(seconds=30)),
)


class ProfileCsv:
    """The handler.

    It computes for a bounded time, so it holds the event loop: a thread would not run beside it (one interpreter, one
    lock), and to hand the work over costs as much as a small document does (docs/decisions/011).
    """

    definition = CSV_PROFILE

    async def run(self, document: CsvDocument, _context: JobContext) -> CsvProfile | Fail:
        """The profile, or a permanent failure that names the line and what is wrong with it."""
        return profile(document)


def profile(document: CsvDocument) -> CsvProfile | Fail:
    """The profile, or a permanent failure; up to 0.2 s for 256 KB of one-digit numbers, 0.06 s for most."""
    table = _read(document)
    if isinstance(table, Fail):
        return table
    header, rows = table[0], table[1:]
    columns = zip(*rows, strict=True) if rows else ((),) * len(header)
    profiles = [_profile_of_column(name, cells) for name, cells in zip(header, columns, strict=True)]
    return CsvProfile(rows=len(rows), columns=profiles)


def _read(document: CsvDocument) -> list[list[str]] | Fail:
    """The header and the rows, all of one width."""
    csv.field_size_limit(len(document.csv) + 1)
    text = io.StringIO(document.csv.removeprefix("\ufeff"), newline="")
    reader = csv.reader(text, delimiter=document.delimiter, strict=True)
    table: list[list[str]] = []
    try:
        for row in reader:
            if not row:
                continue
            if table and len(row) != len(table[0]):
                wrong = f"expected {len(table[0])} fields as in the header, found {len(row)}"
                return _malformed(reader.line_num, wrong)
            table.append(row)
    except csv.Error as error:
        return _malformed(reader.line_num, str(error))
    if not table:
        return _malformed(1, "the document has no header")
    return _checked_header(table[0]) or table


def _checked_header(header: list[str]) -> Fail | None:
    doubled = [name for name, count in Counter(header).items() if count > 1]
    if doubled:
        return _malformed(1, f"two columns are named {doubled[0][:MAX_TEXT]!r}")
    if len(header) > MAX_COLUMNS:
        return _malformed(1, f"{len(header)} columns; at most {MAX_COLUMNS} are profiled")
    return None


def _malformed(line: int, reason: str) -> Fail:
    return Fail(code="malformed_csv", reason=f"line {line}: {reason}")


def _profile_of_column(name: str, cells: Sequence[str]) -> ColumnProfile:
    values = [cell for cell in cells if cell.strip()]
    kind = _type_of(values)
    nulls, counts = len(cells) - len(values), Counter(values)
    if kind in {"integer", "number"}:
        return _profile_of_numbers(name, kind, nulls, values)
    return ColumnProfile(
        name=name,
        type=kind,
        nulls=nulls,
        distinct=len(counts),
        min=min(counts)[:MAX_TEXT] if values else None,
        max=max(counts)[:MAX_TEXT] if values else None,
        most_frequent=_most_frequent(counts) if kind in {"text", "boolean"} else None,
    )


def _profile_of_numbers(name: str, kind: ColumnType, nulls: int, values: Sequence[str]) -> ColumnProfile:
    numbers: list[int | float] = [int(value) if kind == "integer" else float(value) for value in values]
    middle = statistics.quantiles(numbers, n=4, method="inclusive") if len(numbers) > 1 else numbers * 3
    return ColumnProfile(
        name=name,
        type=kind,
        nulls=nulls,
        distinct=len(set(numbers)),
        min=min(numbers),
        max=max(numbers),
        mean=math.fsum(numbers) / len(numbers),
        quantiles=Quantiles(p25=middle[0], p50=middle[1], p75=middle[2]),
    )


def _most_frequent(counts: Counter[str]) -> list[ValueCount]:
    """By count, then by value, so that equal documents have equal profiles."""
    ranked = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    return [ValueCount(value=value[:MAX_TEXT], count=count) for value, count in ranked[:MOST_FREQUENT]]


def _type_of(values: Sequence[str]) -> ColumnType:
    """The narrowest type that every value has."""
    if not values:
        return "empty"
    kinds = {_kind(value.strip()) for value in values}
    if kinds == {"integer", "number"}:
        return "number"
    if kinds == {"date", "datetime"}:
        return "datetime"
    return kinds.pop() if len(kinds) == 1 else "text"


def _kind(value: str) -> ColumnType:
    if value.lower() in _TRUTH:
        return "boolean"
    if _NUMBER.fullmatch(value):
        if abs(float(value)) > _LARGEST:
            return "text"
        return "integer" if _INTEGER.fullmatch(value) else "number"
    if _DATE.fullmatch(value) and _is_moment(date.fromisoformat, value):
        return "date"
    if _DATETIME.fullmatch(value) and _is_moment(datetime.fromisoformat, value):
        return "datetime"
    return "text"


def _is_moment(parse: Callable[[str], object], value: str) -> bool:
    try:
        parse(value)
    except ValueError:
        return False
    return True
