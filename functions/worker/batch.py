"""One batch of stream records: which jobs it rings for, and which records have to come again."""

import asyncio
from collections.abc import Sequence
from datetime import datetime

from domain.frozen import Frozen
from domain.jobs.execution import Execution, Interrupted, JobExecutor, NotStarted
from domain.jobs.job import Job
from events.stream import JobQueued, Undecodable, decode

CONCURRENCY = 10


class Ring(Frozen):
    """A job to look at, and every record of the batch that rang for it."""

    job: Job
    sequence_numbers: tuple[str, ...]


class BatchReport(Frozen):
    """What became of a batch."""

    executions: tuple[Execution, ...]
    undecodable: tuple[Undecodable, ...]
    failures: tuple[str, ...]
    """Sequence numbers to hand back (`batchItemFailures`)."""


async def run_batch(executor: JobExecutor, records: Sequence[object], deadline: datetime) -> BatchReport:
    """Run the jobs that `records` ring for, at most ten at once; never raises for a job or a record."""
    events = tuple(decode(record) for record in records)
    rings = _rings(tuple(event for event in events if isinstance(event, JobQueued)))
    slots = asyncio.Semaphore(CONCURRENCY)

    async def run(ring: Ring) -> Execution:
        async with slots:
            return await executor.execute(ring.job, deadline)

    async with asyncio.TaskGroup() as group:
        tasks = tuple(group.create_task(run(ring)) for ring in rings)
    executions = tuple(task.result() for task in tasks)
    return BatchReport(
        executions=executions,
        undecodable=tuple(event for event in events if isinstance(event, Undecodable)),
        failures=tuple(
            ring.sequence_numbers[0]
            for ring, execution in zip(rings, executions, strict=True)
            if isinstance(execution, NotStarted | Interrupted)
        ),
    )


def _rings(queued: tuple[JobQueued, ...]) -> tuple[Ring, ...]:
    """Two rings for one job are one; the later image is the better start for the claim."""
    by_job: dict[str, tuple[JobQueued, ...]] = {}
    for event in queued:
        by_job[event.job.id] = (*by_job.get(event.job.id, ()), event)
    return tuple(
        Ring(job=events[-1].job, sequence_numbers=tuple(event.sequence_number for event in events))
        for events in by_job.values()
    )
