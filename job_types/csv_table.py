"""Reads a CSV document into rows, with CPython's reader and without a change to what others share."""

import importlib.util
import io
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from typing import NamedTuple, Protocol, cast

from headrace import Fail
from job_types.slices import Steps

CELLS_A_STEP = 4096
_SHOWN = 50
"""Characters of a name that a failure shows."""


class Table(NamedTuple):
    """The header, and the cells of the rows below it, which are all as wide as the header."""

    header: list[str]
    cells: list[str]
    """Row after row in one list: a list for each row would cost more than all the rest."""

    def rows(self) -> int:
        """How many there are, without the header."""
        return len(self.cells) // len(self.header)

    def column(self, place: int) -> list[str]:
        """The cells of one column, from the top; places count from 0."""
        return self.cells[place :: len(self.header)]


class _Reader(Iterator[list[str]], Protocol):
    @property
    def line_num(self) -> int: ...


class _Csv(Protocol):
    """The part of CPython's `_csv` that is used here."""

    Error: type[Exception]

    def field_size_limit(self, limit: int, /) -> int: ...

    def reader(self, lines: Iterable[str], /, *, delimiter: str, strict: bool) -> _Reader: ...


@cache
def _own_csv() -> _Csv:
    """A copy of the extension module behind `csv`, with a field limit of its own.

    `csv.field_size_limit` is state of the module object (PEP 489), which every reader of the process shares. A second
    object of the same module takes fields of any length here and leaves the limit of the others alone, also while the
    event loop runs them or another thread reads.
    """
    spec = importlib.util.find_spec("_csv")
    if spec is None or spec.loader is None:
        raise ImportError("this Python has no _csv")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    own = cast("_Csv", module)
    own.field_size_limit(sys.maxsize)
    return own


def read_table(document: str, delimiter: str) -> Steps[Table | Fail]:
    """The table, or a permanent failure that names the line; blank lines and a byte order mark are no data."""
    own = _own_csv()
    reader = own.reader(io.StringIO(document.removeprefix("\ufeff"), newline=""), delimiter=delimiter, strict=True)
    header: list[str] = []
    cells: list[str] = []
    step_ends = CELLS_A_STEP
    try:
        for row in reader:
            if not row:
                continue
            if not header:
                header = row
            elif len(row) == len(header):
                cells.extend(row)
            else:
                wrong = f"expected {len(header)} fields as in the header, found {len(row)}"
                return _malformed(reader.line_num, wrong)
            if len(cells) >= step_ends:
                step_ends = len(cells) + CELLS_A_STEP
                yield
    except own.Error as error:
        return _malformed(reader.line_num, str(error))
    if not header:
        return _malformed(1, "the document has no header")
    return _checked(header) or Table(header, cells)


def _checked(header: list[str]) -> Fail | None:
    doubled = next((name for name, count in Counter(header).items() if count > 1), None)
    return None if doubled is None else _malformed(1, f"two columns are named {doubled[:_SHOWN]!r}")


def _malformed(line: int, reason: str) -> Fail:
    return Fail(code="malformed_csv", reason=f"line {line}: {reason}")
