"""Reads the source line that a frame names, where it ran: after the next deployment the line may be another."""

import stat
from functools import lru_cache
from pathlib import Path
from typing import Final

from headrace.authoring.json_text import storable

MAX_SOURCE: Final = 120
"""Characters; a job's item holds the lines of up to ten frames."""
_MAX_BYTES: Final = 1_000_000


def source_line(file: str, line: int) -> str | None:
    """The line without its indentation; None for one that is not there. Never raises."""
    lines = _lines(file)
    text = lines[line - 1].strip() if 0 < line <= len(lines) else ""
    return storable(text, MAX_SOURCE) or None


@lru_cache(maxsize=16)
def _lines(file: str) -> tuple[str, ...]:
    """A file's lines; none of one that cannot be read, or is no source: user code chooses the names of its files."""
    try:
        about = Path(file).stat()
        if not stat.S_ISREG(about.st_mode) or about.st_size > _MAX_BYTES:
            return ()
        return tuple(Path(file).read_text(errors="replace").splitlines())
    except (OSError, ValueError):
        return ()
