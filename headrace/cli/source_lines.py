"""Finds the source line that a traceback's frame names, in the files of this machine."""

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

_PLACE = re.compile(r"(?P<file>[^\s:'\"]+\.py):(?P<line>\d+)")
_FRAME = re.compile(r"(?P<file>.*):(?P<line>\d+) (?P<function>.*)")

SourceLine = Callable[[str, int], str]
"""The line of a file, without its indentation; empty when it cannot be read."""


Modified = Callable[[str], datetime | None]
"""When a file was last written; None when it is not here."""


def reader(folders: Sequence[Path]) -> SourceLine:
    """Reads the files below these folders, which frames name relative to one of them."""

    def read(file: str, line: int) -> str:
        for folder in folders:
            with suppress(OSError, UnicodeDecodeError, IndexError):
                return (folder / file).read_text().splitlines()[line - 1].strip()
        return ""

    return read


def modifications(folders: Sequence[Path]) -> Modified:
    """Looks at the files below these folders likewise."""

    def look(file: str) -> datetime | None:
        for folder in folders:
            with suppress(OSError):
                return datetime.fromtimestamp((folder / file).stat().st_mtime, UTC)
        return None

    return look


def shortened(file: str, folders: Sequence[Path]) -> str:
    """The file relative to the folder that holds it."""
    for folder in folders:
        if file.startswith(f"{folder}/"):
            return file.removeprefix(f"{folder}/")
    return file


def place_in(text: str) -> tuple[str, int] | None:
    """The first file and line that a sentence names."""
    found = _PLACE.search(text)
    return (found["file"], int(found["line"])) if found else None


def frame_of(text: str) -> tuple[str, int, str] | None:
    """File, line and function of a frame as the worker logs it, `my_jobs/orders.py:7 charge`."""
    found = _FRAME.fullmatch(text)
    return (found["file"], int(found["line"]), found["function"]) if found else None
