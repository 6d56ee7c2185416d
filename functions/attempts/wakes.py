"""Runs the jobs that a batch of the wake queue's messages names, and decides which must be delivered again."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from domain.jobs.execution_results import Execution
from domain.jobs.run_due import DueJobRunner
from functions.attempts.running import Crashed, Report, Work, is_handed_back, run_all, unreported
from headrace.authoring.frozen import Frozen
from persistence.sqs.wake_messages import UndecodableMessage, WakeMessage, decode_message

EVENT_SOURCE = "aws:sqs"


class WakesReport(Frozen):
    """What became of a batch of messages."""

    executions: tuple[Execution | Crashed, ...]
    undecodable: tuple[UndecodableMessage, ...]
    failures: tuple[str, ...]
    """Ids of the messages to hand back (`batchItemFailures`)."""


def are_messages(records: Sequence[object]) -> bool:
    """Whether an event's records are a queue's messages; an event has records of one source."""
    return any(isinstance(record, dict) and record.get("eventSource") == EVENT_SOURCE for record in records)


async def run_wakes(
    runner: DueJobRunner, records: Sequence[object], deadline: datetime, report: Report = unreported
) -> WakesReport:
    """Run the jobs that the messages name, each once; never raises for a job or a message.

    A message that is not one of ours is handed back, so that the queue itself puts it aside in the end.
    """
    messages = tuple(decode_message(record) for record in records)
    ours = [message for message in messages if isinstance(message, WakeMessage)]
    # Of two messages for one job, the one that is due first.
    latest_first = sorted(ours, key=lambda message: message.wake.due, reverse=True)
    by_job = {message.wake.job_id: message.wake for message in latest_first}
    executions = await run_all(
        [Work(job_id, partial(runner.run, wake, deadline)) for job_id, wake in by_job.items()], report
    )
    again = {job_id for job_id, execution in zip(by_job, executions, strict=True) if is_handed_back(execution)}
    strange = tuple(message for message in messages if isinstance(message, UndecodableMessage))
    unread = [message.message_id for message in strange if message.message_id is not None]
    return WakesReport(
        executions=executions,
        undecodable=strange,
        failures=(*(message.message_id for message in ours if message.wake.job_id in again), *unread),
    )
