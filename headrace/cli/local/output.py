"""What a handler writes while it runs in a command: to stderr, for stdout is the result's."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from io import TextIOWrapper, UnsupportedOperation
from typing import BinaryIO

_STDIN, _STDOUT, _STDERR = 0, 1, 2


@contextmanager
def handler_output(level: str) -> Iterator[None]:
    """Show the handler's prints and its log records (from `level` on) as they happen, on stderr.

    On a terminal prints stay where they are, so that a debugger has its line editing.
    """
    with _logged(level):
        if sys.stdout.isatty():
            yield
        elif _has_descriptor():
            with _descriptor_to_stderr():
                yield
        else:
            with redirect_stdout(sys.stderr):
                yield


def debugger_has_the_terminal(payload: BinaryIO) -> None:
    """Where the payload came through stdin, which is at its end now, let stdin be the terminal, if there is one."""
    with suppress(OSError):  # No terminal, or no descriptor: `UnsupportedOperation` is an OSError.
        if payload.fileno() == _STDIN and not os.isatty(_STDIN):
            terminal = os.open("/dev/tty", os.O_RDONLY)
            os.dup2(terminal, _STDIN)
            os.close(terminal)


@contextmanager
def _logged(level: str) -> Iterator[None]:
    root, shown = logging.getLogger(), logging.StreamHandler(sys.stderr)
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
