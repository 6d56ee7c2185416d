"""Entry point of SweeperFunction: a tick of the schedule."""

import gc

# What importing makes is not garbage: to look for some on the way costs a fifth of a cold start.
gc.disable()

import asyncio
import os
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from domain.jobs.due_steps import INTERVAL
from domain.jobs.sweep_report import SweepReport, Swept
from domain.jobs.sweeping import Sweeper
from domain.schedules.sweeping import TickSweep, TickSweeper
from functions.adapters import schedule_repository, stream_positions, tick_queue, wake_queue
from functions.compose import Parts, compose
from functions.runtime import new_random, now
from functions.settings import read_sweeper_settings

Event = dict[str, object]
Response = dict[str, int | bool]

NO_TICKS = TickSweep(sent=0, oldest=timedelta(0), problem=None)
MAX_LINES = 50
"""Of each kind in one sweep's log: a burst of a hundred thousand jobs is counted, not listed."""


def build(parts: Parts) -> Callable[[Event, LambdaContext], Response]:
    """The handler, made of these parts."""
    settings, logger, runtime = read_sweeper_settings(parts.environment), parts.logger, parts.runtime
    positions = stream_positions(settings.stream_positions_table, runtime.client)
    wakes = wake_queue(settings.wake_queue_url)
    sweeper = Sweeper(parts.jobs, positions, wakes, parts.job_types, now, new_random, parts.lanes)
    schedules = schedule_repository(settings.schedules_table, runtime.client)
    tick_sweeper = TickSweeper(schedules, tick_queue(settings.wake_queue_url), now)

    async def sweep(deadline: datetime, planned: datetime | None) -> tuple[SweepReport, TickSweep]:
        # At once: a burst of due jobs must not delay the schedules.
        return await asyncio.gather(sweeper.sweep(deadline, planned), tick_sweeper.sweep(deadline, planned))

    def handle(event: Event, context: LambdaContext) -> Response:
        """What the sweep did, in numbers of jobs; `ticks` are messages for schedules."""
        logger.append_keys(function_request_id=context.aws_request_id)
        left = timedelta(milliseconds=context.get_remaining_time_in_millis())
        report, ticks = runtime.run(sweep(now() + left, planned_for(event)))
        report_sweep(logger, report, ticks)
        return {
            "moved": len(report.moved),
            "woken": report.woken,
            "idle": report.idle,
            "waiting": report.waiting,
            "problems": len(report.problems) + len(report.unavailable),
            "complete": report.complete,
            "ticks": ticks.sent,
        }

    return handle


def planned_for(event: Event) -> datetime | None:
    """The time of the tick, as EventBridge Scheduler writes it; None for a sweep that is started by hand."""
    try:
        planned = datetime.fromisoformat(str(event.get("time")))
    except ValueError:
        return None
    # A minute that is long past was looked ahead over by the sweep that follows it.
    return planned if planned.tzinfo and abs(now() - planned) < INTERVAL else None


def report_sweep(logger: Logger, report: SweepReport, ticks: TickSweep = NO_TICKS) -> None:
    """Log what a sweep did, a bounded number of lines, and emit its metrics."""
    if ticks.problem is not None:
        logger.error("ticks_not_sent", reason=ticks.problem.reason, detail=ticks.problem.detail)
    for swept in report.moved[:MAX_LINES]:
        _log_moved(logger, swept)
    if report.woken or len(report.moved) > MAX_LINES:
        logger.info("jobs_swept", woken=report.woken, moved=len(report.moved))
    if report.released:
        logger.info("jobs_let_go", count=report.released)
        _count("JobsLetGo", report.released)
    if report.send_problem is not None:
        problem = report.send_problem
        logger.error("wakes_not_sent", count=report.unsent, reason=problem.reason, detail=problem.detail)
    for swept in report.problems[:MAX_LINES]:
        logger.error("job_not_swept", job_id=swept.job_id, detail=swept.problem)
    for shard in report.unavailable:
        logger.error("shard_not_swept", reason=shard.reason, detail=shard.detail)
    if report.unsent:
        _count("WakesNotSent", report.unsent)
    moves = Counter((swept.before, swept.after) for swept in report.moved)
    for (before, after), count in moves.items():
        metrics = EphemeralMetrics()
        metrics.add_dimension("from", str(before))
        metrics.add_dimension("to", str(after))
        metrics.add_metric("JobsSwept", MetricUnit.Count, count)
        metrics.flush_metrics()
    overdue = EphemeralMetrics()
    # With the ticks of schedules, so that one alarm is about all that does not start in time.
    oldest = max(report.oldest_due, ticks.oldest)
    overdue.add_metric("OldestDueJob", MetricUnit.Seconds, oldest.total_seconds())
    if report.oldest_queued is not None:
        # Also of jobs that were triggered again and again: a stream that brings nothing is seen here.
        overdue.add_metric("OldestQueuedJob", MetricUnit.Seconds, report.oldest_queued.total_seconds())
    overdue.flush_metrics()


def _log_moved(logger: Logger, swept: Swept) -> None:
    """Log a move; of a job that failed by it, what its worker would have logged."""
    failure = swept.failure
    logger.info(
        "job_swept",
        job_id=swept.job_id,
        job_type=swept.type,
        before=swept.before,
        after=swept.after,
        attempt=failure.attempt if failure else None,
        max_attempts=failure.max_attempts if failure else None,
        error_code=failure.error.code if failure else None,
        error_message=failure.error.message if failure else None,
        retry_at=failure.retry_at.isoformat() if failure and failure.retry_at else None,
        failure_reason=failure.reason if failure else None,
    )


def _count(name: str, number: int) -> None:
    metrics = EphemeralMetrics()
    metrics.add_metric(name, MetricUnit.Count, number)
    metrics.flush_metrics()


handler = build(compose(os.environ))

# And it stays: later collections need not look at it.
gc.freeze()
gc.enable()
