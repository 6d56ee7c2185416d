"""What a terminal of a fixed size shows of a program's output, as HTML: text, line ends and colours are all of it."""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

_ESCAPE = re.compile(r"\x1b\[([\d;]*)m")
_COLOURS = {"31": "#f47067", "32": "#57ab5a", "33": "#c69026", "36": "#39c5cf"}
"""Of click's names red, green, yellow and cyan, on a dark ground."""
_PAGE = """<!doctype html><meta charset="utf-8"><style>
body {{ margin: 0; background: #22272e }}
pre {{ margin: 0; padding: 12px 14px; width: max-content; color: #cdd9e5; background: #22272e;
       font: 15px/20px "DejaVu Sans Mono", "Liberation Mono", monospace }}
</style><pre>{text}</pre>"""


@dataclass(frozen=True)
class Size:
    """Of a terminal, in characters."""

    columns: int
    rows: int

    @property
    def text(self) -> str:
        """As in `80x24`."""
        return f"{self.columns}x{self.rows}"


@dataclass(frozen=True)
class Cell:
    """A character with its colour; None is the terminal's own."""

    sign: str
    colour: str | None


def rows(output: str, size: Size) -> list[list[Cell]]:
    """The last rows, wrapped at the edge, as many as the terminal has; empty ones fill it up."""
    lines = [list(line) for line in _lines(_cells(output))]
    wrapped = [line[at : at + size.columns] for line in lines for at in range(0, max(len(line), 1), size.columns)]
    shown = wrapped[-size.rows :]
    return [*shown, *([] for _ in range(size.rows - len(shown)))]


def page(output: str, size: Size) -> str:
    """An HTML page that shows nothing but the terminal."""
    blank = Cell(" ", None)
    lines = ("".join(_spans([*row, *[blank] * (size.columns - len(row))])) for row in rows(output, size))
    return _PAGE.format(text="\n".join(lines))


def _cells(output: str) -> Iterator[Cell]:
    ink = Cell("", None)
    for number, part in enumerate(_ESCAPE.split(output)):
        if number % 2 == 0:
            yield from (replace(ink, sign=sign) for sign in part if sign != "\r")
        else:
            ink = Cell("", _COLOURS.get(part))
    # Anything else that a terminal obeys would show here as a box, and be seen.


def _lines(cells: Iterator[Cell]) -> Iterator[list[Cell]]:
    line: list[Cell] = []
    for cell in cells:
        if cell.sign == "\n":
            yield line
            line = []
        else:
            line = [*line, cell]
    if line:
        yield line


def _spans(row: list[Cell]) -> Iterator[str]:
    for cell in row:
        sign = html.escape(cell.sign)
        yield sign if cell.colour is None else f'<span style="color: {cell.colour}">{sign}</span>'
