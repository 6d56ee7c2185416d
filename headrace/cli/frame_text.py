"""Frames for people, with their source lines, in the form that editors and terminals make links of."""

import linecache
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from domain.jobs.job import Frame


def traceback_text(frames: Iterable[Frame]) -> str:
    """The frames as Python shows them, innermost last; empty when there are none."""
    lines = [line for frame in frames for line in _lines(frame)]
    return "\n".join(["Traceback (the handler's frames, innermost last):", *lines]) if lines else ""


def _lines(frame: Frame) -> list[str]:
    path = _path_of(frame.file)
    source = linecache.getline(path, frame.line).strip()
    place = f'  File "{path}", line {frame.line}, in {frame.function}'
    return [place, f"    {source}"] if source else [place]


def _path_of(file: str) -> str:
    """Where a frame's file is, as short as it can be said from here."""
    for folder in sys.path:
        path = Path(folder) / file
        if path.is_file():
            near = os.path.relpath(path)
            return str(path) if near.startswith("..") else near
    return file
