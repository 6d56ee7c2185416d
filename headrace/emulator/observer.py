"""What the local stack tells the person who started it."""

import sys
from collections.abc import Sequence
from typing import Literal, Protocol

from headrace.authoring.frozen import Frozen
from headrace.emulator.database import StackError

Weight = Literal["problem", "news", "detail"]
"""Whether a report is shown always, unless quiet, or only when verbose."""

_NAMES_ITS_PLACE = "InvalidJobTypes: "


class CannotStart(StackError):
    """A function's code cannot be imported."""

    def __init__(self, function: str, reason: str, place: str | None, log: str) -> None:
        super().__init__(f"{function} cannot start: {reason}; see {log}.")
        self.function = function
        self.reason = reason
        self.place = place
        """The file and line of the user's code that failed, `/folder/file.py:7`, where known."""


def reason_of(error: StackError) -> str:
    """Why functions cannot start, as a person reads it: in words that name the place, or with it behind them."""
    if not isinstance(error, CannotStart):
        return str(error)
    reason = error.reason.removeprefix(_NAMES_ITS_PLACE)
    return reason if error.place is None or reason != error.reason else f"{reason} ({error.place})"


class Crash(Frozen):
    """An invocation ended without a response: its process ended, ran out of time or memory, or raised."""

    function: str
    environment: int
    error_type: str
    message: str
    log: str


class Observer(Protocol):
    """Sees what functions write, and what the stack reports."""

    def wrote(self, function: str, environment: int, lines: Sequence[str]) -> None:
        """Whole lines that an execution environment of the function wrote."""
        ...

    def crashed(self, crash: Crash) -> None:
        """An invocation failed."""
        ...

    def cannot_start(self, error: StackError) -> None:
        """The code cannot run; its invocations wait until it is mended."""
        ...

    def report(self, text: str, weight: Weight) -> None:
        """One sentence about the stack itself."""
        ...


class OnStderr:
    """Prints what went wrong; what functions write is in their logs only."""

    def wrote(self, function: str, environment: int, lines: Sequence[str]) -> None:
        pass

    def crashed(self, crash: Crash) -> None:
        self.report(f"{crash.function} failed: {crash.error_type}: {crash.message} (log: {crash.log})", "problem")

    def cannot_start(self, error: StackError) -> None:
        self.report(str(error), "problem")

    def report(self, text: str, weight: Weight) -> None:
        if weight == "problem":
            print(text, file=sys.stderr)
