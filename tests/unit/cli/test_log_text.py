"""What an attempt, its records and its failure look like on a terminal."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from pydantic import JsonValue

from headrace.cli.log_line import parsed, weight_of
from headrace.cli.log_text import View, duration, text_of

JOB = "1a2b3c4d-0000-4000-8000-000000000000"
NARROW, WIDE = 80, 120


def source_line(file: str, line: int) -> str:
    return "total = totals[order.key]" if (file, line) == ("my_jobs/orders.py", 27) else ""


def view(width: int | None = NARROW, *, colour: bool = False, max_lines: int = 30) -> View:
    return View(width=width, colour=colour, zone=UTC, source_line=source_line, max_lines=max_lines)


def logged(message: str, **fields: JsonValue) -> str:
    own = {"level": "INFO", "timestamp": "2026-11-26 22:37:07,123+0000", "job_id": JOB, "job_type": "orders.import"}
    return json.dumps({**own, "attempt": 1, "message": message, **fields})


def finished(outcome: str, **fields: JsonValue) -> str:
    counted: dict[str, JsonValue] = {"waited_ms": 12, "ran_ms": 1234, "max_attempts": 3}
    return logged("job_attempt_finished", outcome=outcome, **(counted | fields))


def shown(line: str, view: View) -> list[str]:
    return text_of(parsed("WorkerFunction", line), view)


ERROR: dict[str, JsonValue] = {
    "error_code": "KeyError",
    "error_message": "'missing_key'",
    "error_frames": ["my_jobs/orders.py:27 import_orders", "gone.py:1 x"],
}


def test_an_attempt_is_one_line() -> None:
    assert shown(finished("succeeded"), view()) == [
        "22:37:07 1a2b3c4d orders.import         1/3 succeeded waited   12 ms ran 1234 ms",
    ]


def test_a_failure_shows_the_frames_with_their_source_lines_the_message_and_what_happens_next() -> None:
    retried = shown(finished("retrying", retry_at="2026-11-26T22:37:09.123+00:00", **ERROR), view())
    assert retried[1:] == [
        "    my_jobs/orders.py:27 in import_orders",
        "        total = totals[order.key]",
        "    gone.py:1 in x",
        "    KeyError: 'missing_key'",
        "    is retried in 2 s (attempt 2 of 3)",
    ]
    failed = shown(finished("failed", failure_reason="exhausted", attempt=3, **ERROR), view())
    assert failed[-2:] == ["    failed: no attempt is left; to run it again:", f"    headrace retry {JOB}"]


def test_a_job_that_the_sweeper_fails_is_told_as_other_failures_are() -> None:
    lost: dict[str, JsonValue] = {
        "before": "running",
        "attempt": 3,
        "max_attempts": 3,
        "error_code": "lease_expired",
        "error_message": "the worker did not report before its lease ended",
    }
    assert shown(logged("job_swept", after="failed", failure_reason="exhausted", **lost), view()) == [
        "22:37:07 1a2b3c4d orders.import              3/3 failed",
        "    lease_expired: the worker did not report before its lease ended",
        "    failed: no attempt is left; to run it again:",
        f"    headrace retry {JOB}",
    ]
    again = logged("job_swept", after="retrying", retry_at="2026-11-26T22:37:09.123+00:00", **(lost | {"attempt": 1}))
    assert shown(again, view())[-1] == "    is retried in 2 s (attempt 2 of 3)"
    assert shown(logged("job_swept", before="scheduled", after="queued"), view())[0].endswith("scheduled to queued")


LONG: dict[str, JsonValue] = {"job_type": "a.very_long_name_of_a_job_type_that_does_not_fit", "attempt": 100}


@pytest.mark.parametrize(("second", "mark"), [(6, ""), (8, " (changed since)")])
def test_a_frame_says_that_its_file_was_changed_after_the_failure(second: int, mark: str) -> None:
    written = datetime(2026, 11, 26, 22, 37, second, tzinfo=UTC)
    changed = replace(view(), modified=lambda file: written if file == "my_jobs/orders.py" else None)
    lines = shown(finished("failed", **ERROR), changed)
    assert lines[1:4] == [
        f"    my_jobs/orders.py:27 in import_orders{mark}",
        "        total = totals[order.key]",
        "    gone.py:1 in x",
    ]


@pytest.mark.parametrize("width", [NARROW, WIDE])
@pytest.mark.parametrize(
    "line",
    [
        finished("cancelled", max_attempts=100, waited_ms=9_999_999, ran_ms=999_949, **LONG),
        finished("retrying", **ERROR, **LONG),
        finished("failed", error_message="word " * 99, error_frames=[f"{'x' * 60}.py:27 {'f' * 20}"]),
        logged("word " * 99, source="handler", amount=3),
        logged("x" * 500, source="stdout"),
        logged("job_attempt_started"),
        "plain " * 99,
    ],
)
def test_nothing_is_wider_than_the_terminal_and_no_number_is_cut(line: str, width: int) -> None:
    lines = shown(line, view(width))
    assert max(len(each) for each in lines) <= width
    if "waited_ms" in line:
        assert re.search(r" \d+/\d+ \w+ +waited +\d+ (ms|s|min) ran +[\d.]+ (ms|s|min)$", lines[0])


def test_a_pipe_gets_everything_unwrapped() -> None:
    text = "word " * 99
    assert shown(logged(text, source="handler"), view(None)) == [f"22:37:07 1a2b3c4d INFO     {text}".rstrip()]


@pytest.mark.parametrize(
    ("line", "level", "said"),
    [
        (logged("hello", source="stdout"), "print", "hello"),
        (logged("oops", source="stderr", level="WARNING"), "stderr", "oops"),
        (logged("charged", source="handler", level="ERROR", amount=3), "ERROR", "charged amount=3"),
        (logged("job_lease_lost", level="WARNING"), "WARNING", "the outcome was refused"),
        (logged("job_lease_lost", source="stdout"), "print", "job_lease_lost"),
    ],
)
def test_a_record_stands_under_its_job_and_level(line: str, level: str, said: str) -> None:
    (text,) = shown(line, view(None))
    assert text.startswith(f"22:37:07 1a2b3c4d {level:<8} {said}")


def test_a_logged_exception_has_its_traceback_below() -> None:
    lines = shown(logged("bad", source="handler", exception="Traceback:\n  File x\nKeyError: 1"), view())
    assert [line.strip() for line in lines[1:]] == ["Traceback:", "File x", "KeyError: 1"]


def test_a_long_record_is_cut_at_its_end_and_says_so() -> None:
    lines = shown(logged("line\n" * 50, source="stdout"), view(max_lines=5))
    assert len(lines) == 6
    assert lines[-1].strip() == "… 46 more lines"


def test_what_a_handler_prints_cannot_control_the_terminal() -> None:
    (text,) = shown(logged("\x1b[31mred\x07\ttab", source="stdout"), view())
    assert text.endswith("\\x1b[31mred\\x07   tab")


def test_the_outcome_is_coloured_and_only_on_a_terminal() -> None:
    assert "\x1b[32msucceeded" in shown(finished("succeeded"), view(colour=True))[0]
    assert "\x1b[31mfailed" in shown(finished("failed"), view(colour=True))[0]
    assert "\x1b" not in "".join(shown(finished("failed", **ERROR), view()))


def test_metrics_are_not_shown() -> None:
    assert shown(json.dumps({"_aws": {"Timestamp": 1}, "JobsSwept": 1}), view()) == []


@pytest.mark.parametrize(
    "line", ["{", '{"a": 1}', "[1]", "null", '{"message": null}', '{"message": 1, "timestamp": 7}']
)
def test_any_line_has_a_text(line: str) -> None:
    assert shown(line, view())


@pytest.mark.parametrize(
    ("line", "weight"),
    [
        (finished("succeeded"), "news"),
        (finished("retrying"), "problem"),
        (finished("failed"), "problem"),
        (logged("job_attempt_started"), "detail"),
        (logged("debug", source="handler", level="DEBUG"), "news"),
        (logged("job_swept", after="failed"), "problem"),
        (logged("job_swept", after="retrying"), "news"),
        (logged("job_swept", after="queued"), "detail"),
        (logged("job_swept", after="cancelled"), "detail"),
        (logged("request_crashed", level="ERROR"), "problem"),
        (logged("request_answered"), "detail"),
        ("plain", "news"),
    ],
)
def test_failures_are_problems_and_requests_and_sweeps_details(line: str, weight: str) -> None:
    assert weight_of(parsed("WorkerFunction", line)) == weight


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [(0, "0 ms"), (9_999, "9999 ms"), (10_000, "10.0 s"), (999_949, "999.9 s"), (999_950, "17 min"), (9e7, "1500 min")],
)
def test_a_duration_fits_its_column(milliseconds: float, text: str) -> None:
    assert duration(milliseconds) == text
