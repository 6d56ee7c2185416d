"""`csv.profile`: count the rows of a CSV document and summarise every column."""

from bisect import bisect_right
from datetime import timedelta
from itertools import accumulate

from pydantic import BaseModel, ConfigDict, Field

from headrace import Fail, JobContext, JobType, Policy, json_size
from job_types.csv_column import ColumnProfile, Quantiles, ValueCount, profile_column
from job_types.csv_table import Table, read_table
from job_types.slices import Steps, at_once, in_slices

__all__ = [
    "CSV_PROFILE", "MAX_COLUMNS", "MAX_PROFILE_BYTES", "ColumnProfile", "CsvDocument", "CsvProfile", "ProfileCsv",
    "Quantiles", "ValueCount", "profile",
]  # fmt: skip

MAX_COLUMNS = 500
"""How many columns, from the first, are profiled."""
MAX_PROFILE_BYTES = 112 * 1024
"""The limit of a profile's JSON, which a page or a terminal can still show."""
TEXT_LIMITS = (200, 60, 15)
"""Characters of a name or value that are shown: the first of these limits with which the profile fits its bytes."""


class CsvDocument(BaseModel):
    """A CSV document (RFC 4180) with a header row."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    csv: str = Field(
        description="The document; its first row names the columns", examples=["name,age\nAda,36\nGrace,45\n"]
    )
    delimiter: str = Field(default=",", min_length=1, max_length=1, pattern=r'^[^"\r\n]$')


class CsvProfile(BaseModel):
    """The profile of a CSV document: its number of rows, and a summary of every column."""

    rows: int
    columns: list[ColumnProfile] = Field(description=f"In the document's order, at most {MAX_COLUMNS}")
    columns_omitted: int = Field(
        default=0,
        description=f"How many columns at the end are left out: those beyond {MAX_COLUMNS}, and those that do not fit"
        f" into {MAX_PROFILE_BYTES // 1024} KiB of JSON",
    )
    truncated: bool = Field(
        default=False,
        description=f"Whether names or values are cut: to {TEXT_LIMITS[0]} characters, in large profiles to"
        f" {TEXT_LIMITS[1]} or {TEXT_LIMITS[2]}",
    )


CSV_PROFILE = JobType[CsvDocument, CsvProfile](
    name="csv.profile",
    summary="Count the rows of a CSV document and summarise every column",
    payload=CsvDocument,
    result=CsvProfile,
    policy=Policy(max_attempts=3, timeout=timedelta(seconds=10)),
)


class ProfileCsv:
    """The handler. It computes on the event loop and yields to it every few milliseconds (docs/decisions/011)."""

    definition = CSV_PROFILE

    async def run(self, document: CsvDocument, _context: JobContext) -> CsvProfile | Fail:
        """Profile the document; a malformed one is a permanent failure that names the line and the problem."""
        return await in_slices(_profiling(document))


def profile(document: CsvDocument) -> CsvProfile | Fail:
    """Profile a document without pausing, in time linear in its size: up to 0.4 s for 256 KB."""
    return at_once(_profiling(document))


def _profiling(document: CsvDocument) -> Steps[CsvProfile | Fail]:
    table = yield from read_table(document.csv, document.delimiter)
    if isinstance(table, Fail):
        return table
    columns: list[ColumnProfile] = []
    for place, name in enumerate(table.header[:MAX_COLUMNS]):
        columns.append((yield from profile_column(name, table.column(place))))
        yield
    return (yield from _within_budget(table, columns))


def _within_budget(table: Table, columns: list[ColumnProfile]) -> Steps[CsvProfile]:
    """Fit the profile into its bytes: cut texts to the longest limit that fits, then drop columns at the end."""
    shown, kept = columns, len(columns)
    for limit in TEXT_LIMITS:
        shown = [_shortened(column, limit) for column in columns]
        yield
        sizes = accumulate(json_size(column.model_dump(mode="json")) + 1 for column in shown)
        kept = bisect_right(list(sizes), MAX_PROFILE_BYTES)
        yield
        if kept == len(columns):
            break
    return CsvProfile(
        rows=table.rows(),
        columns=shown[:kept],
        columns_omitted=len(table.header) - kept,
        truncated=any(one is not other for one, other in zip(shown[:kept], columns, strict=False)),
    )


def _shortened(column: ColumnProfile, limit: int) -> ColumnProfile:
    """The column with its texts cut to `limit`, or the same object if all are short enough."""
    frequent = column.most_frequent or []
    texts = (column.name, column.min, column.max, *[each.value for each in frequent])
    if all(not isinstance(text, str) or len(text) <= limit for text in texts):
        return column
    return ColumnProfile(
        name=column.name[:limit],
        type=column.type,
        nulls=column.nulls,
        distinct=column.distinct,
        min=_cut(column.min, limit),
        max=_cut(column.max, limit),
        mean=column.mean,
        quantiles=column.quantiles,
        most_frequent=[_short_count(each, limit) for each in frequent] or None,
    )


def _cut(bound: float | str | None, limit: int) -> float | str | None:
    return bound[:limit] if isinstance(bound, str) else bound


def _short_count(frequent: ValueCount, limit: int) -> ValueCount:
    return ValueCount(value=frequent.value[:limit], count=frequent.count)
