"""Fits lines into a terminal: they are broken between their parts, and no part is ever cut."""

import re
import shutil
import sys
from collections.abc import Iterable

INDENT = "    "
_BETWEEN_WORDS = re.compile(r"(?<!\d) +")
"""Not between a number and its unit."""


def columns() -> int:
    """The width of the terminal; 80 where there is none and `COLUMNS` does not say otherwise."""
    return shutil.get_terminal_size().columns


def terminal_columns() -> int | None:
    """The width of the terminal; None for a file or a pipe, which gets an item a line whatever its length."""
    return columns() if sys.stdout.isatty() else None


def folded(parts: Iterable[str], width: int | None, separator: str = "  ", indent: str = INDENT) -> list[str]:
    """The parts as one line, or as several of which all but the first are indented; empty parts are left out."""
    lines: list[str] = []
    for part in filter(None, parts):
        if lines and (width is None or len(lines[-1]) + len(separator) + len(part) <= width):
            lines[-1] += f"{separator}{part}"
        else:
            lines = [*lines, f"{indent if lines else ''}{part}"]
    return [line.rstrip() for line in lines]


def folded_text(head: str, text: str, width: int | None, indent: str = INDENT) -> list[str]:
    """A head, and a sentence that is broken between words, but not between a number and its unit."""
    return folded([head.removesuffix(" "), *_BETWEEN_WORDS.split(text.strip())], width, " ", indent)
