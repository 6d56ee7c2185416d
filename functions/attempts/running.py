"""Runs the jobs of an invocation at once, ten at most, none of which can end another."""

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from domain.jobs.execution_results import Execution, Interrupted, NotStarted
from headrace.authoring.frozen import Frozen

CONCURRENCY = 10


class Crashed(Frozen):
    """A bug in Headrace ended an attempt. The job is delivered again, and the lease frees one that was claimed."""

    job_id: str
    error: str
    frames: tuple[str, ...]
    """Where it was raised, outermost first; never the message, which may quote the payload."""


Report = Callable[[Execution | Crashed], None]
"""Is called for each execution as soon as it has ended."""


def unreported(_execution: Execution | Crashed) -> None:
    """Report nothing."""


@dataclass(frozen=True)
class Work:
    """A job, and how its attempt is made."""

    job_id: str
    run: Callable[[], Awaitable[Execution]]


async def run_all(work: Sequence[Work], report: Report) -> tuple[Execution | Crashed, ...]:
    """Run every job to the end of its attempt; never raises for one."""
    slots = asyncio.Semaphore(CONCURRENCY)

    async def run(each: Work) -> Execution | Crashed:
        async with slots:
            execution = await _guarded(each)
        # At once: if the invocation is killed later, the log shows that this job was not the cause.
        report(execution)
        return execution

    async with asyncio.TaskGroup() as group:
        tasks = tuple(group.create_task(run(each)) for each in work)
    return tuple(task.result() for task in tasks)


def is_handed_back(execution: Execution | Crashed) -> bool:
    """Whether what triggered the job has to be delivered again."""
    return isinstance(execution, NotStarted | Interrupted | Crashed)


async def _guarded(work: Work) -> Execution | Crashed:
    try:
        return await work.run()
    except Exception as error:  # noqa: BLE001 - the other jobs of the batch continue
        trace = traceback.extract_tb(error.__traceback__)
        frames = tuple(f"{frame.filename}:{frame.lineno} {frame.name}" for frame in trace)
        return Crashed(job_id=work.job_id, error=type(error).__name__, frames=frames)
