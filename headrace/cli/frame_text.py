"""Formats the frames of an error for people: with source lines, and in a form that editors turn into links."""

import linecache
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol


class Place(Protocol):
    """A line of a source file."""

    @property
    def file(self) -> str: ...
    @property
    def line(self) -> int: ...
    @property
    def function(self) -> str: ...


def traceback_text(frames: Iterable[Place]) -> str:
    """The frames as Python shows them, with the source lines of files that are here; empty when there are none."""
    lines = [line for frame in frames for line in _lines(frame)]
    return "\n".join(["Traceback (the handler's frames, innermost last):", *lines]) if lines else ""


def _lines(frame: Place) -> list[str]:
    path = _path_of(frame.file)
    source = linecache.getline(path, frame.line).strip()
    place = f'  File "{path}", line {frame.line}, in {frame.function}'
    return [place, f"    {source}"] if source else [place]


def _path_of(file: str) -> str:
    """Where a frame's file is on this machine, relative to the current folder if it lies there."""
    for folder in (str(Path.cwd()), *sys.path):
        path = Path(folder) / file
        if path.is_file():
            near = os.path.relpath(path)
            return str(path) if near.startswith("..") else near
    return file
