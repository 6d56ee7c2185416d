"""A function's log: the file that its execution environments share, bounded, and the pipe that fills it."""

import asyncio
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

MAX_LOG_BYTES = 16 * 1024 * 1024
"""Of one file; the one before it is kept beside it, as `NAME.log.1`."""
MAX_LINE_BYTES = 1024 * 1024
"""A longer line is written in parts."""
_CHUNK_BYTES = 64 * 1024
_MOST_CHUNKS = 100
"""Read at once; a process that never stops writing must not hold up the others."""


def older(log: Path) -> Path:
    """Where a log goes when it is full."""
    return log.with_name(f"{log.name}.1")


def rotate(log: Path, max_bytes: int = MAX_LOG_BYTES) -> None:
    """Begin the file anew when it is full."""
    with suppress(FileNotFoundError):
        if log.stat().st_size >= max_bytes:
            log.replace(older(log))


class LogFile:
    """Appends whole lines to a file that never grows past `max_bytes` and one write."""

    def __init__(self, path: Path, max_bytes: int = MAX_LOG_BYTES) -> None:
        self.path = path
        self._max_bytes = max_bytes

    def append(self, lines: bytes) -> None:
        """Write lines, each with its newline."""
        rotate(self.path, self._max_bytes)
        with self.path.open("ab", buffering=0) as file:
            file.write(lines)


class LogPipe:
    """What one process writes, line by line, to a log and to whoever looks on.

    A pipe and not the file itself, so that the log can be rotated without losing a line.
    """

    def __init__(self, log: LogFile, seen: Callable[[Sequence[str]], None]) -> None:
        self._log = log
        self._seen = seen
        self._unfinished = b""
        self._reading, self._writing = os.pipe()
        os.set_blocking(self._reading, False)
        asyncio.get_running_loop().add_reader(self._reading, self._read)

    @contextmanager
    def writing(self) -> Iterator[int]:
        """The end for a process to be started within; afterwards the pipe ends with the process."""
        try:
            yield self._writing
        finally:
            os.close(self._writing)

    def drain(self) -> None:
        """Read what has been written so far."""
        for _ in range(_MOST_CHUNKS):
            if not self._read():
                break

    def close(self) -> None:
        """Read what is left, with a last line that has no end, and close."""
        self.drain()
        self._take(self._unfinished)
        self._unfinished = b""
        self._end()

    def _read(self) -> bool:
        """Read one chunk; False when there is none."""
        if self._reading < 0:
            return False
        try:
            chunk = os.read(self._reading, _CHUNK_BYTES)
        except BlockingIOError:
            return False
        if not chunk:
            self._end()
            return False
        whole, newline, rest = (self._unfinished + chunk).rpartition(b"\n")
        if len(rest) > MAX_LINE_BYTES:
            whole, rest = whole + newline + rest, b""
        self._unfinished = rest
        self._take(whole)
        return True

    def _take(self, lines: bytes) -> None:
        if lines:
            self._log.append(lines + b"\n")
            self._seen(lines.decode(errors="replace").split("\n"))

    def _end(self) -> None:
        if self._reading >= 0:
            asyncio.get_running_loop().remove_reader(self._reading)
            os.close(self._reading)
            self._reading = -1
