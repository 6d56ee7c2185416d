"""What the sweeper's entry point makes of a tick, and what it logs."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from aws_lambda_powertools import Logger

from domain.jobs.due_steps import INTERVAL
from domain.jobs.job import JobError
from domain.jobs.sweep_report import Failure, ShardReport, Swept, report_of
from functions.runtime import now
from functions.sweeper.handler import MAX_LINES, planned_for, report_sweep
from tests.fakes.faulty_job_repository import OUTAGE

SECOND = timedelta(seconds=1)


def test_the_time_of_a_tick_is_read_as_the_scheduler_writes_it() -> None:
    planned = (now() - 20 * SECOND).replace(microsecond=0)
    assert planned_for({"time": planned.strftime("%Y-%m-%dT%H:%M:%SZ")}) == planned


@pytest.mark.parametrize(
    "time",
    [
        None,
        "",
        "<aws.scheduler.scheduled-time>",
        7,
        "2026-11-27T03:00:00",
        "2020-01-01T00:00:00Z",
        "9999-01-01T00:00:00Z",
    ],
)
def test_a_sweep_by_hand_or_of_another_minute_is_planned_for_now(time: object) -> None:
    assert planned_for({"time": time} if time is not None else {}) is None
    assert timedelta(minutes=1) == INTERVAL


class Lines(Logger):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__("sweeper-tests")
        self.written: list[str] = []
        self.fields: list[dict[str, object]] = []

    def info(self, msg: object, *_args: object, **fields: object) -> None:
        self.written.append(str(msg))
        self.fields.append(fields)

    error = info


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Iterator[Lines]:
    yield Lines()
    capsys.readouterr()


def report_on(number: int, woken: int = 0, unsent: int = 0) -> ShardReport:
    moved = tuple(Swept(job_id=str(each), before="running", after="retrying") for each in range(number))
    broken = tuple(Swept(job_id=str(each), problem="broken") for each in range(number))
    problem = OUTAGE if unsent else None
    return ShardReport(
        swept=(*moved, *broken), woken=woken, unsent=unsent, send_problem=problem, complete=True, oldest_due=SECOND
    )


def test_a_quiet_sweep_logs_nothing(lines: Lines) -> None:
    report_sweep(lines, report_of([report_on(0)]))
    assert lines.written == []


def test_a_job_that_failed_is_logged_as_its_worker_would_have(lines: Lines) -> None:
    error = JobError(code="lease_expired", message="the worker did not report", attempt=3, at=now())
    failure = Failure(attempt=3, max_attempts=3, error=error, retry_at=None, reason="exhausted")
    moved = Swept(job_id="a", type="t", before="running", after="failed", failure=failure)
    report_sweep(lines, report_of([ShardReport(swept=(moved,), complete=True)]))
    (told,) = lines.fields
    assert {name: value for name, value in told.items() if value is not None} == {
        "job_id": "a", "job_type": "t", "before": "running", "after": "failed", "attempt": 3, "max_attempts": 3,
        "error_code": "lease_expired", "error_message": "the worker did not report", "failure_reason": "exhausted",
    }  # fmt: skip


def test_a_burst_is_counted_and_not_listed(lines: Lines) -> None:
    report_sweep(lines, report_of([report_on(1000, woken=100_000, unsent=3)]))
    assert lines.written.count("job_swept") == lines.written.count("job_not_swept") == MAX_LINES
    assert lines.written.count("jobs_swept") == lines.written.count("wakes_not_sent") == 1
    assert len(lines.written) == 2 * MAX_LINES + 2


def test_a_moment_without_a_zone_is_no_time_of_ours() -> None:
    assert planned_for({"time": datetime(2026, 1, 1).isoformat()}) is None  # noqa: DTZ001
