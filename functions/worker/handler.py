"""Entry point of WorkerFunction: batches of records of the jobs table's stream."""

import gc

# What importing makes is not garbage: to look for some on the way costs a fifth of a cold start.
gc.disable()

import os
from collections.abc import Callable
from datetime import timedelta

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from domain.jobs.execution import JobExecutor
from domain.jobs.job_type import Catalogue
from functions.runtime import Runtime, held_to, new_id, new_random, now
from functions.settings import read_settings, read_worker_settings
from functions.worker.batch import run_batch
from functions.worker.set_aside import set_aside
from functions.worker.telemetry import report_executions, report_undecodable
from job_types import catalogue

Event = dict[str, object]
Response = dict[str, list[dict[str, str]]]

RESERVE = timedelta(seconds=2)
"""What an invocation leaves of its time, to log and to answer."""


def build(
    runtime: Runtime, logger: Logger, job_types: Catalogue, on_failure_queue_url: str = ""
) -> Callable[[Event, LambdaContext], Response]:
    """The handler on this environment's loop and repositories."""
    executor = JobExecutor(runtime.jobs, job_types, now, new_id, new_random, os.environ)

    def handle(event: Event, context: LambdaContext) -> Response:
        """Lambda's partial batch response: what it names comes again, the rest is done."""
        logger.append_keys(function_request_id=context.aws_request_id)
        records = event.get("Records")
        left = timedelta(milliseconds=context.get_remaining_time_in_millis())
        batch = records if isinstance(records, list) else []
        report = runtime.run(run_batch(executor, batch, now() + left - RESERVE))
        report_executions(logger, report.executions)
        for record in report.undecodable:
            report_undecodable(logger, record)
        request_id, arn = context.aws_request_id, context.invoked_function_arn
        unsent = runtime.run(set_aside(on_failure_queue_url, report.undecodable, request_id, arn, now()))
        return {"batchItemFailures": [{"itemIdentifier": number} for number in (*report.failures, *unsent)]}

    return handle


def _start() -> Callable[[Event, LambdaContext], Response]:
    settings, ours = read_settings(os.environ), read_worker_settings(os.environ)
    return build(Runtime(settings), held_to(Logger(), settings.log_level), catalogue(), ours.on_failure_queue_url)


handler = _start()

# And it stays: later collections need not look at it.
gc.freeze()
gc.enable()
