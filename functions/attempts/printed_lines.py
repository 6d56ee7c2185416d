"""Turns the lines that a handler prints into records."""

import sys
from collections.abc import Callable, Iterable
from logging import LogRecord
from typing import TextIO

from functions.attempts.current_attempt import CurrentAttempt, current_attempt

MAX_LINE = 8 * 1024
"""Characters of one line; a longer one becomes several."""

MAX_JSON_LINE = 256 * 1024
"""Of a line that begins as JSON does: metrics in the embedded format must stay whole."""


class LineStream:
    """`sys.stdout` or `sys.stderr`, with the lines printed within an attempt given to `write_record`.

    A line is written when it is complete, or when its attempt ends. What is printed outside attempts, and metrics in
    the embedded format, go to the stream as they are; so does whatever is written to its `buffer`.
    """

    def __init__(self, name: str, level: int, stream: TextIO, write_record: Callable[[LogRecord], None]) -> None:
        self._name = name
        self._level = level
        self._stream = stream
        self._write_record = write_record

    def write(self, text: str, /) -> int:
        """Write `text`, within an attempt line by line."""
        attempt = current_attempt()
        if attempt is None:
            return self._stream.write(text)
        with attempt.lock:
            # Before it is cut anywhere: a part of a secret's value would not be known as such.
            *lines, rest = attempt.hidden.beginning(attempt.unfinished.pop(self._name, "") + text).split("\n")
            while len(rest) > _limit(rest):
                lines.append(rest[: _limit(rest)])
                rest = rest[len(lines[-1]) :]
            if rest:
                attempt.unfinished[self._name] = rest
        if lines:
            caller = sys._getframe(1)  # noqa: SLF001 - `print` has no frame of its own: this is who called it
            self._write_lines(lines, caller.f_code.co_name, caller.f_lineno)
        return len(text)

    def writelines(self, lines: Iterable[str], /) -> None:
        """Write the lines."""
        self.write("".join(lines))

    def finish(self, attempt: CurrentAttempt) -> None:
        """Write the line that the attempt has left unfinished."""
        with attempt.lock:
            rest = attempt.unfinished.pop(self._name, "")
        self._write_lines([rest], "end", 0)

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)

    def _write_lines(self, lines: Iterable[str], function: str, number: int) -> None:
        for line in lines:
            if line.startswith("{") and '"_aws"' in line:
                self._stream.write(f"{line}\n")
                continue
            text = line.rstrip()
            for start in range(0, len(text), MAX_LINE):
                part = text[start : start + MAX_LINE]
                self._write_record(LogRecord(self._name, self._level, "", number, part, None, None, function))


def _limit(line: str) -> int:
    return MAX_JSON_LINE if line.startswith("{") else MAX_LINE
