"""Entry point of WorkerFunction: batches of records of the jobs table's stream, or of messages of the wake queue.

It runs short jobs itself, sends those of other runners to their queues, and makes the jobs of schedules' ticks.
"""

import gc

# What importing makes is not garbage: to look for some on the way costs a fifth of a cold start.
gc.disable()

import os
from collections.abc import Callable, Sequence
from functools import partial

from aws_lambda_powertools.utilities.typing import LambdaContext

from domain.jobs.documents import Documents
from domain.jobs.fitting import refuse_kept_longer_than, refuse_unknown_runners, refuse_unrunnable
from domain.jobs.run_due import DueJobRunner
from functions.adapters import blob_store, stream_positions
from functions.attempts.invocation import (
    RESERVE,
    Event,
    Response,
    batch_response,
    deadline_of,
    deliver_messages,
    job_executor,
    records_of,
    run_logged,
)
from functions.attempts.telemetry import count_executions, log_execution, report_undecodable
from functions.attempts.wakes import are_messages
from functions.compose import Parts, compose, dispatcher, forgetting, ticker
from functions.runtime import environment_id, now
from functions.settings import read_blob_settings, read_worker_settings
from functions.worker.batch import run_batch
from functions.worker.dead_letters import dead_letter
from functions.worker.position import PositionKeeper
from functions.worker.ticks import run_ticks, split
from headrace.authoring.job_type import WORKER


def build(parts: Parts) -> Callable[[Event, LambdaContext], Response]:
    """The handler, made of these parts.

    Raises `UnrunnableJobType` when a job type could never run in this function, or names a runner that is not there,
    and `KeptTooLong` when its jobs would be kept longer than their large payloads and results.
    """
    settings, logger, runtime = read_worker_settings(parts.environment), parts.logger, parts.runtime
    refuse_unknown_runners(parts.job_types, {WORKER, *parts.settings.runners})
    refuse_unrunnable(parts.job_types, WORKER, settings.function_timeout - RESERVE)
    refuse_kept_longer_than(parts.job_types, settings.document_lifetime)
    blobs = blob_store(read_blob_settings(parts.environment), runtime)
    forget = forgetting(parts, Documents(blobs))
    executor, dispatch = job_executor(parts, blobs), dispatcher(parts)
    due_jobs = DueJobRunner(parts.jobs, executor, dispatch, WORKER, now)
    positions = stream_positions(settings.stream_positions_table, runtime.client)
    position = PositionKeeper(positions, environment_id, now)
    schedules = ticker(parts, settings, blobs)

    def deliver_records(records: Sequence[object], context: LambdaContext) -> tuple[str, ...]:
        report_job = partial(log_execution, logger)
        batch = run_batch(executor, dispatch, records, deadline_of(context), position, report_job, forget)
        report = run_logged(parts, batch)
        count_executions(report.executions, context.function_version)
        for record in report.undecodable:
            report_undecodable(logger, record)
        request_id, arn = context.aws_request_id, context.invoked_function_arn
        unsent = runtime.run(dead_letter(settings.on_failure_queue_url, report.undecodable, request_id, arn, now()))
        return (*report.failures, *unsent)

    def handle(event: Event, context: LambdaContext) -> Response:
        """Return Lambda's partial batch response: the records or messages to deliver again."""
        logger.append_keys(function_request_id=context.aws_request_id)
        records = records_of(event)
        if are_messages(records):
            ticks, records = split(records)
            if ticks:
                # First: what they submit starts by the stream while the other messages' jobs run here.
                runtime.run(run_ticks(schedules(), ticks, logger))
            return batch_response(deliver_messages(parts, due_jobs, records, context) if records else ())
        return batch_response(deliver_records(records, context))

    return handle


handler = build(compose(os.environ))

# And it stays: later collections need not look at it.
gc.freeze()
gc.enable()
