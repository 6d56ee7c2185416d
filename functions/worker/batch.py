"""Runs the jobs that a batch of stream records triggers, and decides which records must be delivered again."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from functools import partial

from domain.jobs.dispatch import Dispatcher
from domain.jobs.execution import JobExecutor
from domain.jobs.execution_results import Execution, UnknownJobType
from domain.jobs.job import Job
from domain.results import StorageUnavailable
from functions.attempts.running import Crashed, Report, Work, is_handed_back, run_all, unreported
from functions.worker.position import PositionKeeper
from headrace.authoring.frozen import Frozen
from headrace.authoring.job_type import WORKER
from persistence.dynamodb.stream_records import (
    JobOfNewerVersion,
    JobQueued,
    JobRemoved,
    StreamEvent,
    Undecodable,
    decode,
)


class Delivery(Frozen):
    """A job to run, and every record of the batch that triggers it."""

    job: Job
    sequence_numbers: tuple[str, ...]


class BatchReport(Frozen):
    """What became of a batch."""

    executions: tuple[Execution | Crashed, ...]
    undecodable: tuple[Undecodable, ...]
    failures: tuple[str, ...]
    """Sequence numbers to hand back (`batchItemFailures`)."""


Remove = Callable[[Job], Awaitable[StorageUnavailable | None]]
"""Deletes what a deleted job left behind."""


async def nothing_left(_job: Job) -> None:
    """Delete nothing."""


async def run_batch(
    executor: JobExecutor,
    dispatcher: Dispatcher,
    records: Sequence[object],
    deadline: datetime,
    position: PositionKeeper,
    report: Report = unreported,
    remove: Remove = nothing_left,
) -> BatchReport:
    """Run the jobs that `records` trigger, at most ten at once, and send those of other runners to these.

    `remove` deletes what a deleted job left behind; a record for which that failed is delivered again. Never raises for
    a job or a record.
    """
    events = tuple(decode(record) for record in records)
    deliveries = deliveries_of(events)
    handed_back: asyncio.Future[tuple[Job, ...]] = asyncio.get_running_loop().create_future()
    async with asyncio.TaskGroup() as group:
        group.create_task(position.keep([delivery.job for delivery in deliveries], deadline, handed_back))
        by_id = {delivery.job.id: delivery.job for delivery in deliveries}
        elsewhere = [job for job in by_id.values() if dispatcher.runner_of(job) not in {WORKER, None}]
        here = [job for job in by_id.values() if dispatcher.runner_of(job) in {WORKER, None}]
        dispatched, ran = await asyncio.gather(
            dispatcher.dispatch(elsewhere),
            run_all([Work(job.id, partial(executor.execute, job, deadline)) for job in here], report),
        )
        for each in dispatched:
            report(each)
        executions: tuple[Execution | Crashed, ...] = (*dispatched, *ran)
        ended = dict(zip((job.id for job in (*elsewhere, *here)), executions, strict=True))
        again = tuple(delivery for delivery in deliveries if is_handed_back(ended[delivery.job.id]))
        handed_back.set_result(tuple(delivery.job for delivery in again))
        left_over = group.create_task(_remove_all(events, remove))
    newer = (event for event in events if isinstance(event, JobOfNewerVersion))
    unknown = [UnknownJobType(job_id=event.job_id, type=event.type, why=event.detail) for event in newer]
    for execution in unknown:
        report(execution)
    return BatchReport(
        executions=(*executions, *unknown),
        undecodable=tuple(event for event in events if isinstance(event, Undecodable)),
        failures=(*(delivery.sequence_numbers[0] for delivery in again), *left_over.result()),
    )


async def _remove_all(events: Sequence[StreamEvent], remove: Remove) -> tuple[str, ...]:
    """Remove what deleted jobs left behind, one after the other; returns the records to deliver again."""
    removed = [(event, event.before) for event in events if isinstance(event, JobRemoved)]
    failed = [event.sequence_number for event, job in removed if job is not None and await remove(job) is not None]
    return tuple(failed)


def deliveries_of(events: Sequence[StreamEvent]) -> tuple[Delivery, ...]:
    """Deduplicates by job, keeping the newest image: it is the better start for the claim."""
    by_job: dict[str, tuple[JobQueued, ...]] = {}
    for event in events:
        if isinstance(event, JobQueued):
            by_job[event.after.id] = (*by_job.get(event.after.id, ()), event)
    return tuple(
        Delivery(job=queued[-1].after, sequence_numbers=tuple(event.sequence_number for event in queued))
        for queued in by_job.values()
    )
