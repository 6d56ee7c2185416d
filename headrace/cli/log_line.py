"""Reads the lines that functions write to their logs: JSON of one object, or whatever a process printed."""

import json
from datetime import UTC, datetime

from pydantic import Field, JsonValue

from headrace.authoring.frozen import Frozen
from headrace.emulator.observer import Weight

_TIME = "%Y-%m-%d %H:%M:%S,%f%z"
_FAILURES = frozenset({"retrying", "failed"})
ENDS = frozenset({
    "job_attempt_finished", "job_crashed", "job_handed_back", "job_interrupted", "job_lease_lost", "job_not_claimed",
})  # fmt: skip
"""After one of these, the worker has nothing more to say about its attempt."""
FINAL = frozenset({"succeeded", "failed", "cancelled"})


class LogLine(Frozen):
    """A line of a function's log."""

    function: str
    text: str
    """As it was written."""
    fields: dict[str, JsonValue] = Field(default_factory=dict)
    """Empty when the line is not a JSON object."""
    at: datetime | None = None

    @property
    def message(self) -> str:
        """What a record says; the name of an event of Headrace's own."""
        return self.field("message") if self.fields else self.text

    @property
    def job_id(self) -> str:
        """The job that the line is about, or empty."""
        return self.field("job_id")

    @property
    def is_of_handler(self) -> bool:
        """Whether the handler logged or printed it."""
        return "source" in self.fields

    @property
    def is_metric(self) -> bool:
        """Whether it is for CloudWatch alone."""
        return "_aws" in self.fields

    def field(self, name: str) -> str:
        """A field as text; empty when it is missing."""
        value = self.fields.get(name)
        return "" if value is None else str(value)

    def number(self, name: str) -> float:
        """A field as a number; 0 when it is none."""
        value = self.fields.get(name)
        return float(value) if isinstance(value, int | float) else 0.0

    def texts(self, name: str) -> tuple[str, ...]:
        """A field that lists texts."""
        value = self.fields.get(name)
        return tuple(str(each) for each in value) if isinstance(value, list) else ()

    @property
    def outcome(self) -> str:
        """How an attempt ended, or a job without one; empty for any other line."""
        if self.message == "job_attempt_finished":
            return self.field("outcome")
        after = self.field("after") if self.message == "job_swept" else ""
        return after if after in _FAILURES else ""

    @property
    def ends_job(self) -> bool:
        """Whether the job is final after it."""
        return (self.message == "job_attempt_finished" and self.field("outcome") in FINAL) or (
            self.message == "job_swept" and self.field("after") in FINAL
        )


def parsed(function: str, text: str) -> LogLine:
    """A line of the function's log."""
    try:
        fields: JsonValue = json.loads(text) if text.startswith("{") else None
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict) or not {"message", "_aws"} & fields.keys():
        return LogLine(function=function, text=text)
    return LogLine(function=function, text=text, fields=fields, at=_time(fields.get("timestamp")))


def weight_of(line: LogLine) -> Weight:
    """How much it matters to the person at the console."""
    if line.outcome and not line.is_of_handler:
        # What a sweep lets run again has crashed, and was shown then.
        told = line.message == "job_swept" and line.outcome == "retrying"
        return "problem" if line.outcome in _FAILURES and not told else "news"
    if line.is_of_handler or not line.fields:
        return "news"
    return "problem" if line.field("level") in {"ERROR", "CRITICAL"} else _of_level(line.field("level"))


def _of_level(level: str) -> Weight:
    return "news" if level == "WARNING" else "detail"


def _time(stamp: JsonValue) -> datetime | None:
    try:
        return datetime.strptime(str(stamp), _TIME).astimezone(UTC)
    except ValueError:
        return None
