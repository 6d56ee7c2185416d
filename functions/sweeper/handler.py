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

from domain.jobs.job_type import Catalogue
from domain.jobs.sweeping import Sweeper, SweepReport
from functions.runtime import Runtime, held_to, new_random, now
from functions.settings import read_settings, read_sweeper_settings
from job_types import catalogue

Event = dict[str, object]
Response = dict[str, int | bool]


def build(runtime: Runtime, logger: Logger, job_types: Catalogue) -> Callable[[Event, LambdaContext], Response]:
    """The handler on this environment's loop and repositories."""
    sweeper = Sweeper(runtime.jobs, job_types, now, new_random)

    def handle(_event: Event, context: LambdaContext) -> Response:
        """What the sweep did: `moved`, `idle` and `problems` are numbers of jobs."""
        logger.append_keys(function_request_id=context.aws_request_id)
        left = timedelta(milliseconds=context.get_remaining_time_in_millis())
        report = runtime.run(sweeper.sweep(now() + left))
        _tell(logger, report)
        return {
            "moved": len(report.moved),
            "idle": report.idle,
            "problems": len(report.problems) + len(report.unavailable),
            "complete": report.complete,
        }

    return handle


def _tell(logger: Logger, report: SweepReport) -> None:
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
    overdue.flush_metrics()


def _start() -> Callable[[Event, LambdaContext], Response]:
    settings, _ours = read_settings(os.environ), read_sweeper_settings(os.environ)
    return build(Runtime(settings), held_to(Logger(), settings.log_level), catalogue())


handler = _start()

# And it stays: later collections need not look at it.
gc.freeze()
gc.enable()
