"""Entry point of SweeperFunction: a tick of the schedule."""

import gc

# What importing makes is not garbage: to look for some on the way costs a fifth of a cold start.
gc.disable()

import os
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from domain.jobs.sweeping import Sweeper, SweepReport
from functions.compose import Parts, compose, stream_positions
from functions.runtime import new_random, now
from functions.settings import read_sweeper_settings

Event = dict[str, object]
Response = dict[str, int | bool]


def build(parts: Parts) -> Callable[[Event, LambdaContext], Response]:
    """The handler, made of these parts."""
    settings, logger, runtime = read_sweeper_settings(parts.environment), parts.logger, parts.runtime
    positions = stream_positions(settings.stream_positions_table, runtime.client)
    sweeper = Sweeper(parts.jobs, positions, parts.job_types, now, new_random)

    def handle(_event: Event, context: LambdaContext) -> Response:
        """What the sweep did: `moved`, `idle`, `waiting` and `problems` are numbers of jobs."""
        logger.append_keys(function_request_id=context.aws_request_id)
        left = timedelta(milliseconds=context.get_remaining_time_in_millis())
        report = runtime.run(sweeper.sweep(now() + left))
        _report(logger, report)
        return {
            "moved": len(report.moved),
            "idle": report.idle,
            "waiting": report.waiting,
            "problems": len(report.problems) + len(report.unavailable),
            "complete": report.complete,
        }

    return handle


def _report(logger: Logger, report: SweepReport) -> None:
    for swept in report.moved:
        logger.info("job_swept", job_id=swept.job_id, job_type=swept.type, before=swept.before, after=swept.after)
    for swept in report.problems:
        logger.error("job_not_swept", job_id=swept.job_id, detail=swept.problem)
    for shard in report.unavailable:
        logger.error("shard_not_swept", reason=shard.reason, detail=shard.detail)
    moves = Counter((swept.before, swept.after) for swept in report.moved)
    for (before, after), count in moves.items():
        metrics = EphemeralMetrics()
        metrics.add_dimension("from", str(before))
        metrics.add_dimension("to", str(after))
        metrics.add_metric("JobsSwept", MetricUnit.Count, count)
        metrics.flush_metrics()
    overdue = EphemeralMetrics()
    overdue.add_metric("OldestDueJob", MetricUnit.Seconds, report.oldest_due.total_seconds())
    if report.oldest_queued is not None:
        # Also of jobs that were triggered again and again: a stream that brings nothing is seen here.
        overdue.add_metric("OldestQueuedJob", MetricUnit.Seconds, report.oldest_queued.total_seconds())
    overdue.flush_metrics()


handler = build(compose(os.environ))

# And it stays: later collections need not look at it.
gc.freeze()
gc.enable()
