"""The text that a log's lines have on a terminal: an attempt is one line, and after a failure its traceback."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, tzinfo

import click

from headrace.cli.log_line import LogLine
from headrace.cli.source_lines import Modified, SourceLine, frame_of

SHORT_ID = 8
_TYPE_MIN, _TYPE_MAX = 8, 24
_COLOURS = {
    "succeeded": "green", "retrying": "yellow", "failed": "red", "crashed": "red", "cancelled": "cyan",
    "WARNING": "yellow", "stderr": "yellow", "ERROR": "red", "CRITICAL": "red",
}  # fmt: skip
_OWN_FIELDS = frozenset({
    "level", "location", "message", "timestamp", "service", "logger", "source", "job_id", "job_type", "attempt",
    "function_request_id", "request_id", "exception", "exception_name", "stack_trace", "xray_trace_id", "taskName",
    "trace_id", "span_id", "correlation_id", "sampling_rate", "cold_start", "exception_notes",
})  # fmt: skip
_SENTENCES = {
    "job_attempt_started": "started {job_type}, attempt {attempt}",
    "job_not_claimed": "not claimed: {why}",
    "job_type_unknown": "left to a newer worker: {why}",
    "job_crashed": "a bug in Headrace ended the attempt: {error}",
    "job_lease_lost": "the outcome was refused: the lease had ended, and another attempt has the job",
    "job_handed_back": "handed back: too little time was left in the invocation; it is delivered again",
    "job_interrupted": "the database failed ({stage}: {reason} {detail})",
    "job_swept": "moved by the sweeper: {before} to {after}",
    "jobs_swept": "the sweeper sent {woken} jobs to the wake queue, and moved {moved}",
    "wakes_not_sent": "the wake queue did not take {count} messages: {reason} {detail}",
    "job_not_swept": "the sweeper cannot move it: {detail}",
    "ticks_not_sent": "the wake queue did not take the messages of schedules: {reason} {detail}",
    "schedule_ticked": "made by schedule {schedule_id} for {tick}, {late_ms} ms late",
    "schedule_skipped": "schedule {schedule_id} skipped {tick}: the job before it still runs",
    "schedule_dropped": "schedule {schedule_id} missed ticks, and does not make {count} of them",
    "schedule_refused": "schedule {schedule_id} made no job for {tick}: {code}: {detail}",
    "schedule_paused": "schedule {schedule_id} paused itself: {failures} jobs in succession have failed",
    "schedule_not_ticked": "schedule {schedule_id}: the database failed ({reason} {detail})",
    "schedule_crashed": "a bug in Headrace ended a tick of schedule {schedule_id}: {error}",
    "event_loop_blocked": "blocks the event loop, so that other jobs stand still: {frame}",
    "event_loop_released": "blocked the event loop for {seconds} s: {frame}",
}
_ENDINGS = {
    "exhausted": "failed: no attempt is left",
    "permanent": "failed for good: the error is permanent",
    "timeout": "failed: the attempt took too long, and none is left",
    "expired": "failed: its time to start has passed",
}


@dataclass(frozen=True)
class View:
    """How text is shown."""

    width: int | None
    """Columns; None where nothing is wrapped or cut, for a file or a pipe."""
    colour: bool
    zone: tzinfo | None
    """Of the times; None is that of this machine."""
    source_line: SourceLine
    max_lines: int = 30
    """Of one record or print."""
    modified: Modified = lambda _file: None
    """By which a source line is told that may not be the one that ran."""


def text_of(line: LogLine, view: View) -> list[str]:
    """The lines that show it; none for metrics."""
    if line.is_metric:
        return []
    if line.outcome and not line.is_of_handler:
        return [*attempt(line, line.outcome, view), *_aftermath(line, view)]
    if not line.fields:
        return _hanging(f"{line.function} | ", line.text, view)
    level = {"stdout": "print", "stderr": "stderr"}.get(line.field("source"), line.field("level"))
    about = line.job_id or line.function.removesuffix("Function").lower()
    head = f"{clock(line.at, view)} {about[:SHORT_ID]:<{SHORT_ID}} "
    first, *rest = _hanging(f"{head}{level:<8} ", _said(line), view)
    level_end = len(head) + len(level)
    return [f"{head}{_painted(level, level, view)}{first[level_end:]}", *rest]


def attempt(line: LogLine, outcome: str, view: View, ran_ms: float | None = None) -> list[str]:
    """The line of an attempt that has ended, or of a job that the sweeper ended: nothing but the type is ever cut."""
    of = f"/{line.field('max_attempts')}" if "max_attempts" in line.fields else ""
    tried = f"{line.field('attempt')}{of}"
    waited = f"waited {duration(line.number('waited_ms')):>7}" if "waited_ms" in line.fields else " " * 14
    is_known = ran_ms is not None or "ran_ms" in line.fields
    ran = f"ran {duration(line.number('ran_ms') if ran_ms is None else ran_ms):>7}" if is_known else ""
    head, tail = f"{clock(line.at, view)} {line.job_id[:SHORT_ID]:<{SHORT_ID}} ", f" {waited} {ran}" if ran else ""
    room = _TYPE_MAX if view.width is None else view.width - len(f"{head} {tried:>5} {outcome:<9}{tail}")
    width = max(_TYPE_MIN, min(room, _TYPE_MAX))
    job_type = cut(line.field("job_type"), width)
    return [
        f"{head}{job_type:<{width}} {tried:>5} {_painted(f'{outcome:<9}' if tail else outcome, outcome, view)}{tail}"
    ]


def sentence(at: datetime, text: str, view: View, colour: str = "") -> list[str]:
    """What the stack itself reports."""
    return [_painted(each, colour, view) for each in _hanging(f"{clock(at, view)} ", text, view)]


def duration(milliseconds: float) -> str:
    """At most 7 characters: `9999 ms`, `999.9 s`, `9999 min`."""
    if milliseconds < 9_999.5:  # noqa: PLR2004 - rounded, it has four digits
        return f"{milliseconds:.0f} ms"
    seconds = milliseconds / 1000
    return f"{seconds:.1f} s" if seconds < 999.95 else f"{seconds / 60:.0f} min"  # noqa: PLR2004 - as above


def clock(at: datetime | None, view: View) -> str:
    """The time of day; blanks when it is unknown."""
    return " " * 8 if at is None else at.astimezone(view.zone).strftime("%H:%M:%S")


def cut(text: str, width: int) -> str:
    """Cut at the end."""
    return text if len(text) <= width else f"{text[: width - 1]}…"


def place_lines(file: str, line: int, function: str, view: View, at: datetime | None = None) -> Iterator[str]:
    """A frame: its place, and below it the source line; of a file that was written after `at`, that it was."""
    where = f" in {function}" if function else ""
    modified = None if at is None else view.modified(file)
    since = " (changed since)" if at is not None and modified is not None and modified > at else ""
    yield from indented(f"{file}:{line}{where}{since}", view)
    source = view.source_line(file, line)
    if source:
        yield f"        {plain(source)}" if view.width is None else cut(f"        {plain(source)}", view.width)


def indented(text: str, view: View, colour: str = "") -> list[str]:
    """Text that belongs to the line above it."""
    return [_painted(each, colour, view) for each in _hanging("    ", text, view)]


def plain(text: str) -> str:
    """Without characters that a terminal would obey."""
    shown = text.expandtabs(4)
    return shown if shown.isprintable() else "".join(_visible(sign) for sign in shown)


def _visible(sign: str) -> str:
    return sign if sign.isprintable() else sign.encode("unicode_escape", "surrogatepass").decode()


def _aftermath(line: LogLine, view: View) -> list[str]:
    """After a failure: the frames with their source lines, the message, and what happens next."""
    if line.outcome not in {"retrying", "failed"}:
        return []
    frames = [found for text in line.texts("error_frames") if (found := frame_of(text))]
    shown = [each for file, number, function in frames for each in place_lines(file, number, function, view, line.at)]
    message = ": ".join(part for part in (line.field("error_code"), line.field("error_message")) if part)
    return [*shown, *(indented(message, view, "failed") if message else ()), *indented(_next(line), view)]


def _next(line: LogLine) -> str:
    if line.outcome == "failed":
        ending = _ENDINGS.get(line.field("failure_reason"), "failed")
        return f"{ending}; to run it again:\nheadrace retry {line.job_id}"
    attempt = next_attempt(line)
    try:
        retry_at = datetime.fromisoformat(line.field("retry_at"))
    except ValueError:
        return f"is retried ({attempt})"
    seconds = max(0.0, (retry_at - (line.at or retry_at)).total_seconds())
    return f"is retried in {_wait(seconds)} ({attempt})"


def after_crash(line: LogLine) -> str:
    """What happens next to the job whose attempt has crashed; `line` is that of the attempt's start."""
    if "max_attempts" not in line.fields:
        return "runs again when its lease has ended, if an attempt is left"
    if line.number("attempt") < line.number("max_attempts"):
        return f"runs again when its lease has ended ({next_attempt(line)})"
    return "that was its last attempt: fails when its lease has ended"


def next_attempt(line: LogLine) -> str:
    """The number of the attempt after the one that the line is about."""
    return f"attempt {line.number('attempt') + 1:.0f} of {line.field('max_attempts')}"


def _wait(seconds: float) -> str:
    """Rounded, for a person who waits."""
    if seconds < 1:
        return duration(seconds * 1000)
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"  # noqa: PLR2004 - two digits


def _said(line: LogLine) -> str:
    """The text of a record with what `extra` and an exception added; an event of Headrace's own as a sentence."""
    if not line.is_of_handler and line.message in _SENTENCES:
        return _SENTENCES[line.message].format_map(_Fields(line))
    extra = {name: value for name, value in line.fields.items() if name not in _OWN_FIELDS}
    said = " ".join([line.message, *(f"{name}={value}" for name, value in extra.items())])
    return "\n".join(part for part in (said, line.field("exception")) if part)


class _Fields(dict[str, str]):
    def __init__(self, line: LogLine) -> None:
        super().__init__()
        self._line = line

    def __missing__(self, name: str) -> str:
        return self._line.field(name)


def _hanging(head: str, text: str, view: View) -> list[str]:
    """Text behind a head, wrapped where the terminal ends and indented as far as the head is long."""
    room = None if view.width is None else max(20, view.width - len(head))
    lines = [part for each in text.split("\n") for part in _wrapped(plain(each), room)]
    more = len(lines) - view.max_lines
    if more > 0:
        lines = [*lines[: view.max_lines], f"… {more} more lines"]
    return [f"{head if number == 0 else ' ' * len(head)}{each}".rstrip() for number, each in enumerate(lines)]


def _wrapped(text: str, room: int | None) -> Iterator[str]:
    while room is not None and len(text) > room:
        space = text.rfind(" ", 1, room + 1)
        end = space if space > 0 else room
        yield text[:end]
        text = text[end:].lstrip(" ")
    yield text


def _painted(text: str, outcome: str, view: View) -> str:
    colour = _COLOURS.get(outcome)
    return click.style(text, fg=colour) if view.colour and colour else text
