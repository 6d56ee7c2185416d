"""Entry point of WorkerFunction: batches of records of the jobs table's stream, or of messages of the wake queue."""

import gc

# What importing makes is not garbage: to look for some on the way costs a fifth of a cold start.
gc.disable()

import os
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from aws_lambda_powertools.utilities.typing import LambdaContext

from domain.jobs.execution import JobExecutor
from domain.jobs.fitting import refuse_unrunnable
from domain.jobs.run_due import DueJobRunner
from functions.compose import Parts, compose, stream_positions
from functions.runtime import cpus, environment_id, new_id, new_random, now
from functions.settings import read_worker_settings
from functions.attempts.attempt_log import AttemptLog
from functions.worker.batch import run_batch
from functions.worker.dead_letters import dead_letter
from functions.attempts.handler_log import handlers_logged
from functions.attempts.loop_watch import watched
from functions.worker.position import PositionKeeper
from functions.attempts.telemetry import (
    count_executions,
    log_execution,
    report_blocked,
    report_undecodable,
    report_undecodable_message,
)
from functions.attempts.wakes import are_messages, run_wakes

Event = dict[str, object]
Response = dict[str, list[dict[str, str]]]

T = TypeVar("T")

RESERVE = timedelta(seconds=2)
"""What an invocation leaves of its time, to log and to answer."""


def build(parts: Parts) -> Callable[[Event, LambdaContext], Response]:
    """The handler, made of these parts.

    Raises `UnrunnableJobType` when a job type could never run in this function.
    """
    settings, logger, runtime = read_worker_settings(parts.environment), parts.logger, parts.runtime
    refuse_unrunnable(parts.job_types, settings.function_timeout - RESERVE)
    environment = parts.environment
    executor = JobExecutor(
        parts.jobs, parts.job_types, now, new_id, new_random, environment, cpus(environment), AttemptLog(logger)
    )
    due_jobs = DueJobRunner(parts.jobs, executor, parts.job_types, now)
    positions = stream_positions(settings.stream_positions_table, runtime.client)
    position = PositionKeeper(positions, environment_id, now)

    def run(work: Coroutine[None, None, T]) -> T:
        with handlers_logged(logger, parts.settings.log_level):
            return runtime.run(watched(work, partial(report_blocked, logger)))

    def of_the_stream(records: list[object], deadline: datetime, context: LambdaContext) -> tuple[str, ...]:
        report = run(run_batch(executor, records, deadline, position, partial(log_execution, logger)))
        count_executions(report.executions, context.function_version)
        for record in report.undecodable:
            report_undecodable(logger, record)
        request_id, arn = context.aws_request_id, context.invoked_function_arn
        unsent = runtime.run(dead_letter(settings.on_failure_queue_url, report.undecodable, request_id, arn, now()))
        return (*report.failures, *unsent)

    def of_the_wake_queue(records: list[object], deadline: datetime, context: LambdaContext) -> tuple[str, ...]:
        report = run(run_wakes(due_jobs, records, deadline, partial(log_execution, logger)))
        count_executions(report.executions, context.function_version)
        for message in report.undecodable:
            report_undecodable_message(logger, message)
        return report.failures

    def handle(event: Event, context: LambdaContext) -> Response:
        """Return Lambda's partial batch response: the records or messages to deliver again."""
        logger.append_keys(function_request_id=context.aws_request_id)
        listed = event.get("Records")
        records = listed if isinstance(listed, list) else []
        deadline = now() + timedelta(milliseconds=context.get_remaining_time_in_millis()) - RESERVE
        deliver = of_the_wake_queue if are_messages(records) else of_the_stream
        return {"batchItemFailures": [{"itemIdentifier": id} for id in deliver(records, deadline, context)]}

    return handle


handler = build(compose(os.environ))

# And it stays: later collections need not look at it.
gc.freeze()
gc.enable()
