"""Parses a CSV document into cells with CPython's reader, without changing the state that other readers share."""

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


class Table(NamedTuple):
    """A parsed document: the header, and the cells of the rows below it, all as wide as the header."""

    header: list[str]
    cells: list[str]
    """All rows in one flat list: a list per row would cost more than all the rest."""

    def rows(self) -> int:
        """The number of rows, without the header."""
        return len(self.cells) // len(self.header)

    def column(self, place: int) -> list[str]:
        """The cells of one column, from the top; columns count from 0."""
        return self.cells[place :: len(self.header)]


class _Reader(Iterator[list[str]], Protocol):
    @property
    def line_num(self) -> int: ...


class _Csv(Protocol):
    """The members of CPython's `_csv` that this module uses."""

    Error: type[Exception]

    def field_size_limit(self, limit: int, /) -> int: ...

    def reader(self, lines: Iterable[str], /, *, delimiter: str, strict: bool) -> _Reader: ...


@cache
def _own_csv() -> _Csv:
    """Load a second copy of the extension module behind `csv`, with its own field size limit.

    `csv.field_size_limit` is state of the module object (PEP 489), shared by every reader in the process. The second
    copy accepts fields of any length and leaves the shared limit unchanged, even while other jobs or threads read.
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
    """Parse a document, skipping blank lines and a BOM; a malformed one is a permanent failure that names the line."""
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
    if doubled is None:
        return None
    first = header.index(doubled)
    second = header.index(doubled, first + 1)
    return _malformed(1, f"columns {first + 1} and {second + 1} have the same name")


def _malformed(line: int, reason: str) -> Fail:
    return Fail(code="malformed_csv", reason=f"line {line}: {reason}")
