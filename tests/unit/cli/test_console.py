"""What the console of `headrace dev` shows at each of its levels."""

from datetime import UTC, datetime

import pytest

from headrace.cli.console import Console, Level
from headrace.cli.main import stopping_text
from headrace.emulator.observer import CannotStart, Crash, reason_of
from tests.unit.cli.test_log_text import JOB, finished, logged, view

NOW = datetime(2026, 11, 26, 22, 37, 9, 123000, tzinfo=UTC)


class Shown:
    def __init__(self, level: Level) -> None:
        self.lines: list[str] = []
        self.console = Console(level, lambda: view(None), self.lines.append, lambda: NOW)


def a_crash(environment: int) -> Crash:
    return Crash(
        function="WorkerFunction",
        environment=environment,
        error_type="Runtime.OutOfMemory",
        message="Memory Size: 1769 MB, used: 1800 MB",
        log="w.log",
    )


@pytest.mark.parametrize(("level", "count"), [("quiet", 1), ("normal", 3), ("verbose", 5)])
def test_quiet_shows_failures_and_verbose_requests_and_starts_too(level: Level, count: int) -> None:
    shown = Shown(level)
    lines = [logged("job_attempt_started"), logged("hello", source="stdout"), finished("succeeded"), finished("failed")]
    shown.console.wrote("WorkerFunction", 1, lines)
    shown.console.report("202 POST '/v1/jobs' (14 ms)", "detail")
    assert len([line for line in shown.lines if not line.startswith(" ")]) == count


def test_a_crash_names_the_jobs_that_ran_in_its_environment_and_no_others() -> None:
    shown = Shown("quiet")
    other = "ffffffff-0000-4000-8000-000000000000"
    shown.console.wrote("WorkerFunction", 1, [logged("job_attempt_started"), logged("job_attempt_started", job_id="d")])
    shown.console.wrote("WorkerFunction", 1, [finished("succeeded", job_id="d")])
    shown.console.wrote("WorkerFunction", 2, [logged("job_attempt_started", job_id=other)])
    shown.console.crashed(a_crash(1))
    assert shown.lines[0].startswith(f"22:37:09 {JOB[:8]} orders.import")
    assert shown.lines[0].endswith("crashed                  ran 2000 ms")
    assert shown.lines[1] == "    Runtime.OutOfMemory: Memory Size: 1769 MB, used: 1800 MB"
    assert len(shown.lines) == 3


@pytest.mark.parametrize(
    ("attempt", "told"),
    [
        (2, "runs again when its lease has ended (attempt 3 of 3)"),
        (3, "that was its last attempt: fails when its lease has ended"),
    ],
)
def test_a_crash_says_which_attempt_it_was_of_how_many_and_what_comes_next(attempt: int, told: str) -> None:
    shown = Shown("quiet")
    shown.console.wrote("WorkerFunction", 1, [logged("job_attempt_started", attempt=attempt, max_attempts=3)])
    shown.console.crashed(a_crash(1))
    assert f" {attempt}/3 crashed " in shown.lines[0]
    assert shown.lines[-1] == f"    {told}"


def test_a_job_whose_last_attempt_crashed_is_told_as_failed_when_quiet_too() -> None:
    shown = Shown("quiet")
    swept = logged("job_swept", before="running", after="failed", attempt=3, max_attempts=3)
    shown.console.wrote("SweeperFunction", 1, [swept])
    assert shown.lines[0].endswith(" 3/3 failed")


def test_a_crash_without_a_job_names_the_function_and_its_log() -> None:
    shown = Shown("quiet")
    shown.console.crashed(a_crash(1))
    (line,) = shown.lines
    assert line.startswith("22:37:09 WorkerFunction failed: Runtime.OutOfMemory: ")
    assert line.endswith("(log: w.log)")


def test_code_that_cannot_be_imported_is_shown_with_its_line() -> None:
    shown = Shown("quiet")
    reason = "InvalidJobTypes: JOB_TYPES=my_jobs: my_jobs/orders.py:27 cannot be imported: SyntaxError: invalid syntax"
    shown.console.cannot_start(CannotStart("WorkerFunction", reason, None, "w.log"))
    assert shown.lines == [
        f"22:37:09 the functions cannot start: {reason.removeprefix('InvalidJobTypes: ')}",
        "    my_jobs/orders.py:27",
        "        total = totals[order.key]",
        "    waiting for the fix; jobs that are queued wait too, and lose no attempt",
    ]


def test_an_http_caller_reads_the_same_reason_with_its_place_said_once() -> None:
    in_words = CannotStart(
        "ApiFunction", "InvalidJobTypes: my_jobs/orders.py:7 cannot be imported", "/my_jobs/x.py:7", "a.log"
    )
    assert reason_of(in_words) == "my_jobs/orders.py:7 cannot be imported"
    assert reason_of(CannotStart("ApiFunction", "KeyError: 'x'", "/shop.py:7", "a.log")) == "KeyError: 'x' (/shop.py:7)"
    assert reason_of(CannotStart("ApiFunction", "KeyError: 'x'", None, "a.log")) == "KeyError: 'x'"


def test_what_ctrl_c_says_has_a_line_of_its_own_in_80_columns() -> None:
    before, line = stopping_text(10, terminal=True).split("\n")
    assert (before, line) == ("", stopping_text(10, terminal=False))
    assert len(line) <= 80


def test_a_console_does_not_remember_jobs_that_ended() -> None:
    shown = Shown("quiet")
    for ended in ("job_attempt_finished", "job_lease_lost", "job_interrupted", "job_crashed"):
        shown.console.wrote("WorkerFunction", 1, [logged("job_attempt_started"), logged(ended)])
    shown.lines.clear()
    shown.console.crashed(a_crash(1))
    assert shown.lines[0].startswith("22:37:09 WorkerFunction failed")
