"""Turns what a handler logs and prints into structured log lines that name its job.

Outside attempts nothing changes: records go to the handlers that the root logger has (on AWS, Lambda's own).
"""

import copy
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, TextIO, cast

from aws_lambda_powertools import Logger

from functions.attempts.current_attempt import CurrentAttempt, current_attempt
from functions.attempts.printed_lines import LineStream

MAX_TEXT = 32 * 1024
"""Characters of one record's text; a log event of CloudWatch has at most 256 KB."""

LIBRARIES = ("aiobotocore", "aiohttp", "asyncio", "boto3", "botocore", "httpcore", "httpx", "urllib3")
"""What these log below WARNING quotes requests, so it is left out unless a handler sets the logger's own level."""


@contextmanager
def handlers_logged(logger: Logger, level: str) -> Iterator[None]:
    """Within it, lines of handlers go out as `logger` writes its own, from `level` on."""
    root, streams = logging.getLogger(), (sys.stdout, sys.stderr)
    log = HandlerLog(HidingStream(sys.stdout), logger)
    others, outside, before = list(root.handlers), OutsideAttempts(), root.level
    for other in others:
        other.addFilter(outside)
    own = MarkedWithAttempt()
    logger.registered_handler.addFilter(own)
    _quieten(LIBRARIES)
    handler = logger.registered_handler
    before_hiding = handler.stream if isinstance(handler, logging.StreamHandler) else None
    if isinstance(handler, logging.StreamHandler):
        handler.setStream(HidingStream(handler.stream))
    root.addHandler(log)
    root.setLevel(level)
    sys.stdout = cast("TextIO", LineStream("stdout", logging.INFO, sys.stdout, log.write_print))
    sys.stderr = cast("TextIO", LineStream("stderr", logging.WARNING, sys.stderr, log.write_print))
    try:
        yield
    finally:
        sys.stdout, sys.stderr = streams
        root.setLevel(before)
        root.removeHandler(log)
        handler.removeFilter(own)
        if isinstance(handler, logging.StreamHandler):
            handler.setStream(before_hiding)
        for other in others:
            other.removeFilter(outside)


class HidingStream:
    """Writes to a stream what is whole, without the values of the current attempt's secrets."""

    def __init__(self, stream: "SupportsLines") -> None:
        self._stream = stream

    def write(self, text: str, /) -> object:
        """Write `text`."""
        attempt = current_attempt()
        return self._stream.write(text if attempt is None else attempt.hidden.text(text))

    def flush(self) -> None:
        """As the stream's own."""
        self._stream.flush()


class SupportsLines(Protocol):
    """The part of a stream that lines are written by."""

    def write(self, text: str, /) -> object: ...

    def flush(self) -> object: ...


class HandlerLog(logging.Handler):
    """Writes the records that are logged within an attempt, in the form of the functions' own lines."""

    def __init__(self, stream: "SupportsLines", logger: Logger) -> None:
        super().__init__()
        self._stream = stream
        self._own = logger.name
        self.setFormatter(logger.registered_formatter)

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record, unless it is the functions' own, which their handler has written, or of no attempt."""
        attempt = current_attempt()
        if record.name == self._own or record.name.startswith(f"{self._own}."):
            return
        if attempt is not None:
            self._write(_marked(record, attempt, "handler"))
        elif (last := logging.lastResort) and record.levelno >= last.level and not self._has_another_handler(record):
            # As Python does with a record that nobody handles, which this handler would else hide.
            last.handle(record)

    def write_print(self, record: logging.LogRecord) -> None:
        """Write a printed line as a record; its logger is the stream."""
        attempt = current_attempt()
        if attempt is not None:
            self.acquire()
            try:
                self._write(_marked(record, attempt, record.name))
            finally:
                self.release()

    def _has_another_handler(self, record: logging.LogRecord) -> bool:
        logger: logging.Logger | None = logging.getLogger(record.name)
        while logger is not None:
            if any(handler is not self for handler in logger.handlers):
                return True
            logger = logger.parent
        return False

    def _write(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record)
        except Exception as error:  # noqa: BLE001 - what `extra` holds is user code
            record.args = (f"a log record cannot be written as JSON: {type(error).__name__}",)
            vars(record).update(exc_info=None, exc_text=None)
            line = self.format(_without_extra(record))
        self._stream.write(f"{line}\n")
        self._stream.flush()


class OutsideAttempts(logging.Filter):
    """Lets the other handlers of the root logger write what `HandlerLog` does not."""

    def filter(self, record: logging.LogRecord) -> bool:  # noqa: ARG002 - all records alike
        return current_attempt() is None


class MarkedWithAttempt(logging.Filter):
    """Adds the job to what a handler logs with the functions' own logger (Powertools' `Logger()`)."""

    def filter(self, record: logging.LogRecord) -> bool:
        attempt = current_attempt()
        if attempt is not None:
            vars(record).update(attempt.keys, logger=record.name, source="handler")
        return True


_STANDARD = frozenset(vars(logging.LogRecord("", 0, "", 0, "", None, None)))
_MARKS = frozenset({"job_id", "job_type", "attempt", "logger", "source", "trace_id", "span_id"})


def _without_extra(record: logging.LogRecord) -> logging.LogRecord:
    plain = logging.makeLogRecord({})
    kept = {name: value for name, value in vars(record).items() if name in _STANDARD | _MARKS}
    vars(plain).update(kept)
    return plain


def _marked(record: logging.LogRecord, attempt: CurrentAttempt, source: str) -> logging.LogRecord:
    """A copy of the record with its job and its text."""
    marked = copy.copy(record)
    try:
        text = attempt.hidden.text(record.getMessage())
    except Exception as error:  # noqa: BLE001 - the arguments are user code
        text = f"{record.msg} cannot be formatted: {type(error).__name__}" if isinstance(record.msg, str) else ""
    # Only a record without arguments is searched for JSON: the text stays a text.
    marked.msg, marked.args = "%s", (text[:MAX_TEXT],)
    vars(marked).update(attempt.keys, logger=record.name, source=source)
    return marked


def _quieten(names: tuple[str, ...]) -> None:
    for name in names:
        library = logging.getLogger(name)
        if library.level == logging.NOTSET:
            library.setLevel(logging.WARNING)
