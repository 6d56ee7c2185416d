"""What a handler writes while it runs in a command: to stderr, for stdout is the result's."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from io import TextIOWrapper, UnsupportedOperation
from typing import BinaryIO, TextIO, cast

from domain.secrets.hidden import Hidden

_STDIN, _STDOUT, _STDERR = 0, 1, 2


@contextmanager
def handler_output(level: str, hidden: Hidden) -> Iterator[None]:
    """Show the handler's prints and its log records (from `level` on) as they happen, on stderr, without secrets.

    On a terminal prints stay where they are, so that a debugger has its line editing.
    """
    with _logged(level, hidden), redirect_stderr(_hiding(sys.stderr, hidden)):
        if sys.stdout.isatty():
            with redirect_stdout(_hiding(sys.stdout, hidden)):
                yield
        elif _has_descriptor():
            with _descriptor_to_stderr(), redirect_stdout(_hiding(sys.stdout, hidden)):
                yield
        else:
            with redirect_stdout(sys.stderr):
                yield


class _Hiding:
    """A stream that is given no value of a secret, as far as it comes in one piece; in all else the stream itself."""

    def __init__(self, stream: TextIO, hidden: Hidden) -> None:
        self._stream = stream
        self._hidden = hidden

    def write(self, text: str, /) -> int:
        self._stream.write(self._hidden.text(text))
        return len(text)

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


def _hiding(stream: TextIO, hidden: Hidden) -> TextIO:
    return cast("TextIO", _Hiding(stream, hidden))


def debugger_has_the_terminal(payload: BinaryIO) -> None:
    """Where the payload came through stdin, which is at its end now, let stdin be the terminal, if there is one."""
    with suppress(OSError):  # No terminal, or no descriptor: `UnsupportedOperation` is an OSError.
        if payload.fileno() == _STDIN and not os.isatty(_STDIN):
            terminal = os.open("/dev/tty", os.O_RDONLY)
            os.dup2(terminal, _STDIN)
            os.close(terminal)


@contextmanager
def _logged(level: str, hidden: Hidden) -> Iterator[None]:
    root, shown = logging.getLogger(), logging.StreamHandler(_hiding(sys.stderr, hidden))
    shown.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(name)s  %(message)s", "%H:%M:%S"))
    before = root.level
    root.addHandler(shown)
    root.setLevel(level)
    try:
        yield
    finally:
        root.setLevel(before)
        root.removeHandler(shown)


@contextmanager
def _descriptor_to_stderr() -> Iterator[None]:
    """Also what programs write that the handler starts."""
    sys.stdout.flush()
    kept = os.dup(_STDOUT)
    os.dup2(_STDERR, _STDOUT)
    _buffer_by_line(on=True)
    try:
        yield
    finally:
        sys.stdout.flush()
        _buffer_by_line(on=False)
        os.dup2(kept, _STDOUT)
        os.close(kept)


def _buffer_by_line(*, on: bool) -> None:
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=on)


def _has_descriptor() -> bool:
    try:
        return sys.stdout.fileno() == _STDOUT and sys.stderr.fileno() == _STDERR
    except UnsupportedOperation:
        return False
