"""Entry point of WorkerFunction: batches of records of the jobs table's stream."""

import gc

# What importing makes is not garbage: to look for some on the way costs a fifth of a cold start.
gc.disable()

import os
from collections.abc import Callable
from datetime import timedelta
from functools import partial

from aws_lambda_powertools.utilities.typing import LambdaContext

from domain.jobs.documents import Documents
from domain.jobs.execution import JobExecutor, refuse_unrunnable
from functions.compose import Parts, blob_store, compose, job_files, stream_positions
from functions.runtime import cpus, environment_id, new_id, new_random, now
from functions.settings import read_blob_settings, read_worker_settings
from functions.worker.attempt_log import AttemptLog
from functions.worker.batch import run_batch
from functions.worker.dead_letters import dead_letter
from functions.worker.handler_log import handlers_logged
from functions.worker.loop_watch import watched
from functions.worker.position import PositionKeeper
from functions.worker.telemetry import count_executions, log_execution, report_blocked, report_undecodable

Event = dict[str, object]
Response = dict[str, list[dict[str, str]]]

RESERVE = timedelta(seconds=2)
"""What an invocation leaves of its time, to log and to answer."""


def build(parts: Parts) -> Callable[[Event, LambdaContext], Response]:
    """The handler, made of these parts.

    Raises `UnrunnableJobType` when a job type could never run in this function.
    """
    settings, logger, runtime = read_worker_settings(parts.environment), parts.logger, parts.runtime
    refuse_unrunnable(parts.job_types, settings.function_timeout - RESERVE)
    environment = parts.environment
    blob_settings = read_blob_settings(environment)
    blobs = blob_store(blob_settings, runtime)
    documents = Documents(blobs)
    executor = JobExecutor(
        parts.jobs, parts.job_types, now, new_id, new_random, environment, cpus(environment), AttemptLog(logger),
        documents, job_files(blob_settings, blobs, runtime.client),
    )  # fmt: skip
    positions = stream_positions(settings.stream_positions_table, runtime.client)
    position = PositionKeeper(positions, environment_id, now)

    def handle(event: Event, context: LambdaContext) -> Response:
        """Return Lambda's partial batch response: the records to deliver again."""
        logger.append_keys(function_request_id=context.aws_request_id)
        records = event.get("Records")
        left = timedelta(milliseconds=context.get_remaining_time_in_millis())
        batch = records if isinstance(records, list) else []
        running = run_batch(
            executor, batch, now() + left - RESERVE, position, partial(log_execution, logger), documents.remove
        )
        with handlers_logged(logger, parts.settings.log_level):
            report = runtime.run(watched(running, partial(report_blocked, logger)))
        count_executions(report.executions, context.function_version)
        for record in report.undecodable:
            report_undecodable(logger, record)
        request_id, arn = context.aws_request_id, context.invoked_function_arn
        unsent = runtime.run(dead_letter(settings.on_failure_queue_url, report.undecodable, request_id, arn, now()))
        return {"batchItemFailures": [{"itemIdentifier": number} for number in (*report.failures, *unsent)]}

    return handle


handler = build(compose(os.environ))

# And it stays: later collections need not look at it.
gc.freeze()
gc.enable()
