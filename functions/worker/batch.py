"""Runs the jobs that a batch of stream records triggers, and decides which records must be delivered again."""

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from domain.jobs.execution import Execution, Interrupted, JobExecutor, NotStarted, UnknownJobType
from domain.jobs.job import Job
from domain.results import StorageUnavailable
from functions.worker.position import PositionKeeper
from headrace.authoring.frozen import Frozen
from persistence.dynamodb.stream_records import (
    JobOfNewerVersion,
    JobQueued,
    JobRemoved,
    StreamEvent,
    Undecodable,
    decode,
)

CONCURRENCY = 10


class Delivery(Frozen):
    """A job to run, and every record of the batch that triggers it."""

    job: Job
    sequence_numbers: tuple[str, ...]


class Crashed(Frozen):
    """A bug in Headrace ended an attempt. The record is delivered again, and the lease frees a job that was claimed."""

    job_id: str
    error: str
    frames: tuple[str, ...]
    """Where it was raised, outermost first; never the message, which may quote the payload."""


class BatchReport(Frozen):
    """What became of a batch."""

    executions: tuple[Execution | Crashed, ...]
    undecodable: tuple[Undecodable, ...]
    failures: tuple[str, ...]
    """Sequence numbers to hand back (`batchItemFailures`)."""


Report = Callable[[Execution | Crashed], None]
"""Is called for each execution as soon as it has ended."""


def unreported(_execution: Execution | Crashed) -> None:
    """Report nothing."""


Remove = Callable[[Job], Awaitable[StorageUnavailable | None]]
"""Deletes what a deleted job left behind."""


async def nothing_left(_job: Job) -> None:
    """Delete nothing."""


async def run_batch(
    executor: JobExecutor,
    records: Sequence[object],
    deadline: datetime,
    position: PositionKeeper,
    report: Report = unreported,
    remove: Remove = nothing_left,
) -> BatchReport:
    """Run the jobs that `records` trigger, at most ten at once; never raises for a job or a record.

    `remove` deletes what a deleted job left behind; a record for which that failed is delivered again.
    """
    events = tuple(decode(record) for record in records)
    deliveries = deliveries_of(events)
    handed_back: asyncio.Future[tuple[Job, ...]] = asyncio.get_running_loop().create_future()
    async with asyncio.TaskGroup() as group:
        group.create_task(position.keep([delivery.job for delivery in deliveries], deadline, handed_back))
        executions = await _run_all(executor, deliveries, deadline, report)
        again = tuple(
            delivery
            for delivery, execution in zip(deliveries, executions, strict=True)
            if isinstance(execution, NotStarted | Interrupted | Crashed)
        )
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


async def _run_all(
    executor: JobExecutor, deliveries: Sequence[Delivery], deadline: datetime, report: Report
) -> tuple[Execution | Crashed, ...]:
    slots = asyncio.Semaphore(CONCURRENCY)

    async def run(delivery: Delivery) -> Execution | Crashed:
        async with slots:
            execution = await execute(delivery)
        # At once: if the invocation is killed later, the log shows that this job was not the cause.
        report(execution)
        return execution

    async def execute(delivery: Delivery) -> Execution | Crashed:
        try:
            return await executor.execute(delivery.job, deadline)
        except Exception as error:  # noqa: BLE001 - the other jobs of the batch continue
            trace = traceback.extract_tb(error.__traceback__)
            frames = tuple(f"{frame.filename}:{frame.lineno} {frame.name}" for frame in trace)
            return Crashed(job_id=delivery.job.id, error=type(error).__name__, frames=frames)

    async with asyncio.TaskGroup() as group:
        tasks = tuple(group.create_task(run(delivery)) for delivery in deliveries)
    return tuple(task.result() for task in tasks)


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
