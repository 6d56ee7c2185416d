"""Captures what a handler logs and prints, whichever task or thread of it does."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TextIO, cast


@dataclass(frozen=True)
class LogLine:
    """One record of a handler's logging."""

    level: str
    """`INFO`, `WARNING`, …"""
    text: str
    logger: str


@dataclass(frozen=True)
class Captured:
    """What one attempt has logged and printed so far."""

    logs: list[LogLine] = field(default_factory=list)
    printed: list[str] = field(default_factory=list)


_CURRENT: ContextVar[Captured | None] = ContextVar("captured", default=None)


@contextmanager
def captured(level: str) -> Iterator[Captured]:
    """Within it, what this context logs from `level` on and prints is noted; pytest shows it all the same."""
    root, before, log, current = logging.getLogger(), logging.getLogger().level, _Log(), Captured()
    token = _CURRENT.set(current)
    root.addHandler(log)
    root.setLevel(level)
    try:
        with redirect_stdout(_noting(sys.stdout)), redirect_stderr(_noting(sys.stderr)):
            yield current
    finally:
        root.setLevel(before)
        root.removeHandler(log)
        _CURRENT.reset(token)


class _Log(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        if (current := _CURRENT.get()) is not None:
            current.logs.append(LogLine(record.levelname, record.getMessage(), record.name))


class _Noting:
    """A stream that notes what an attempt writes to it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str, /) -> int:
        if (current := _CURRENT.get()) is not None:
            current.printed.append(text)
        return self._stream.write(text)

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


def _noting(stream: TextIO) -> TextIO:
    return cast("TextIO", _Noting(stream))
