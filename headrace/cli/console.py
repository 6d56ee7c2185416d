"""The console of `headrace dev`: shows what the stack and the functions do, as it happens."""

import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, TextIO

import click

from headrace.cli.log_line import ENDS, LogLine, parsed, weight_of
from headrace.cli.log_text import View, after_crash, attempt, indented, place_lines, sentence, text_of
from headrace.cli.source_lines import modifications, place_in, reader, shortened
from headrace.emulator.code_folders import search_path
from headrace.emulator.database import StackError
from headrace.emulator.observer import CannotStart, Crash, Weight

Level = Literal["quiet", "normal", "verbose"]
_SHOWN: dict[Level, frozenset[Weight]] = {
    "quiet": frozenset({"problem"}),
    "normal": frozenset({"problem", "news"}),
    "verbose": frozenset({"problem", "news", "detail"}),
}


class Console:
    """An `Observer` that writes to a terminal or a file."""

    def __init__(
        self, level: Level, view: Callable[[], View], write: Callable[[str], None], now: Callable[[], datetime]
    ) -> None:
        self._shown = _SHOWN[level]
        self._view = view
        self._write = write
        self._now = now
        self._running: dict[tuple[str, int], dict[str, LogLine]] = {}
        """The attempts under way in each environment, by their jobs."""

    def wrote(self, function: str, environment: int, lines: Sequence[str]) -> None:
        """Show the lines that matter at this level."""
        for line in (parsed(function, text) for text in lines if text.strip()):
            self._follow(line, environment)
            if weight_of(line) in self._shown and line.message != "function_cannot_start":
                self._print(text_of(line, self._view()))

    def crashed(self, crash: Crash) -> None:
        """Show the attempts that ended with their environment, or that the function failed."""
        view, now = self._view(), self._now()
        jobs = self._running.pop((crash.function, crash.environment), {})
        why = f"{crash.error_type}: {crash.message}"
        for line in jobs.values():
            ran = 0.0 if line.at is None else (now - line.at).total_seconds() * 1000
            self._print(attempt(line.model_copy(update={"at": now}), "crashed", view, ran))
            self._print(indented(why, view, "crashed"))
            self._print(indented(after_crash(line), view))
        if not jobs:
            self._say(f"{crash.function} failed: {why} (log: {crash.log})", "failed")

    def cannot_start(self, error: StackError) -> None:
        """Show why the code cannot be imported, with the source line."""
        view = self._view()
        reason = error.reason if isinstance(error, CannotStart) else str(error)
        self._say(f"the functions cannot start: {reason.removeprefix('InvalidJobTypes: ')}", "failed")
        found = place_in((error.place if isinstance(error, CannotStart) else None) or reason)
        if found is not None:
            file, line = found
            self._print(list(place_lines(shortened(file, search_path()), line, "", view)))
        self._print(indented("waiting for the fix; jobs that are queued wait too, and lose no attempt", view))

    def report(self, text: str, weight: Weight) -> None:
        """Show a sentence about the stack itself, if it matters at this level."""
        if weight in self._shown:
            self._say(text)

    def _say(self, text: str, colour: str = "") -> None:
        self._print(sentence(self._now(), text, self._view(), colour))

    def _follow(self, line: LogLine, environment: int) -> None:
        jobs = self._running.setdefault((line.function, environment), {})
        if line.message == "job_attempt_started" and not line.is_of_handler:
            jobs[line.job_id] = line
        elif line.message in ENDS and not line.is_of_handler:
            jobs.pop(line.job_id, None)

    def _print(self, lines: list[str]) -> None:
        for line in lines:
            self._write(line)


def console(level: Level, stream: TextIO) -> Console:
    """The console on this stream."""

    def write(line: str) -> None:
        with suppress(OSError):  # A terminal that was closed must not end the stack.
            click.echo(line, file=stream, color=True)

    return Console(level, lambda: view_of(stream), write, lambda: datetime.now(UTC))


def view_of(stream: TextIO, max_lines: int = 30) -> View:
    """How this stream shows text: wrapped and coloured if it is a terminal."""
    terminal = stream.isatty()
    width = shutil.get_terminal_size().columns if terminal else None
    colour = terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    folders = _folders()
    return View(
        width=width, colour=colour, zone=None, source_line=reader(folders), max_lines=max_lines,
        modified=modifications(folders),
    )  # fmt: skip


def _folders() -> tuple[Path, ...]:
    return (*search_path(), Path("/"))
