"""What the worker and the runners do alike in an invocation."""

from collections.abc import Coroutine, Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from aws_lambda_powertools.utilities.typing import LambdaContext

from domain.blobs.store import BlobStore
from domain.jobs.documents import Documents
from domain.jobs.execution import JobExecutor
from domain.jobs.run_due import DueJobRunner
from functions.attempts.attempt_log import AttemptLog
from functions.attempts.handler_log import handlers_logged
from functions.attempts.loop_watch import watched
from functions.attempts.telemetry import (
    count_executions,
    log_execution,
    report_blocked,
    report_undecodable_message,
)
from functions.attempts.wakes import run_wakes
from functions.compose import Parts, job_files, job_steps, secrets
from functions.runtime import cpus, new_id, new_random, now
from functions.settings import read_blob_settings

Event = dict[str, object]
Response = dict[str, list[dict[str, str]]]

T = TypeVar("T")

RESERVE = timedelta(seconds=2)
"""What an invocation leaves of its time, to log and to answer."""


def job_executor(parts: Parts, blobs: BlobStore) -> JobExecutor:
    """The executor of a function with these parts; large documents and files are in `blobs`."""
    environment = parts.environment
    documents = Documents(blobs)
    return JobExecutor(
        parts.jobs, parts.job_types, now, new_id, new_random, environment, cpus(environment), AttemptLog(parts.logger),
        documents, job_files(read_blob_settings(environment), blobs, parts.runtime.client),
        parts.lanes, secrets(parts), job_steps(parts, documents),
    )  # fmt: skip


def records_of(event: Event) -> list[object]:
    """The records of a stream, or messages of a queue, that the event brings."""
    records = event.get("Records")
    return records if isinstance(records, list) else []


def deadline_of(context: LambdaContext) -> datetime:
    """When the jobs of the invocation must have ended."""
    return now() + timedelta(milliseconds=context.get_remaining_time_in_millis()) - RESERVE


def run_logged(parts: Parts, work: Coroutine[None, None, T]) -> T:
    """The result of `work`. What handlers log and print meanwhile names their jobs; one that blocks is reported."""
    with handlers_logged(parts.logger, parts.settings.log_level):
        return parts.runtime.run(watched(work, partial(report_blocked, parts.logger)))


def deliver_messages(
    parts: Parts, jobs: DueJobRunner, messages: Sequence[object], context: LambdaContext
) -> tuple[str, ...]:
    """Run the jobs that the messages name; the ids of the messages to deliver again."""
    report = run_logged(parts, run_wakes(jobs, messages, deadline_of(context), partial(log_execution, parts.logger)))
    count_executions(report.executions, context.function_version)
    for message in report.undecodable:
        report_undecodable_message(parts.logger, message)
    return report.failures


def batch_response(failures: Iterable[str]) -> Response:
    """Lambda's partial batch response: the records or messages to deliver again."""
    return {"batchItemFailures": [{"itemIdentifier": failure} for failure in failures]}
