"""Runs the job that a message of the wake queue, or of a runner's own, names, if it is due."""

import asyncio
from datetime import datetime, timedelta

from domain.jobs import transitions
from domain.jobs.dispatch import Dispatcher
from domain.jobs.execution import JobExecutor
from domain.jobs.execution_results import Execution, Interrupted, NothingToDo
from domain.jobs.job import Job
from domain.jobs.repository import JobNotFound, JobRepository, JobUnreadable
from domain.jobs.wake_queue import Wake
from domain.ports import Clock
from domain.results import StorageUnavailable
from headrace.authoring.job_type import WORKER

MAX_EARLY = timedelta(seconds=2)
"""How much too early a message may come, by clocks that differ, for its worker to wait for the rest of the time.

An earlier one is left to the sweep: waiting is paid for, and a queue that is handed a message back brings it only after
its visibility timeout, which is far longer than a minute.
"""


class DueJobRunner:
    """Reads a job that should be due, and gives it to the executor, which claims it straight from its wait.

    A job that another function runs is sent there; `here` is the name of this one.
    """

    def __init__(
        self, jobs: JobRepository, executor: JobExecutor, dispatcher: Dispatcher, here: str, clock: Clock
    ) -> None:
        self._jobs = jobs
        self._executor = executor
        self._dispatcher = dispatcher
        self._here = here
        self._clock = clock

    async def run(self, wake: Wake, deadline: datetime) -> Execution:
        """One attempt, as of `JobExecutor.execute`; a message that is early, doubled or stale costs at most a read."""
        early = wake.due - self._clock()
        if early > MAX_EARLY:
            return NothingToDo(job_id=wake.job_id, why="early")
        # And a little more, so that it is not a tick too early when the loop's clock is ahead of the other.
        await asyncio.sleep(early.total_seconds() + 0.01)
        found = await self._jobs.get(wake.job_id, self._clock())
        match found:
            case Job() if transitions.is_claimable(found, self._dispatcher.policy_of(found), self._clock()):
                # A message that was sent before the type moved to the worker; its jobs are short.
                if self._dispatcher.runner_of(found) in {self._here, WORKER, None}:
                    return await self._executor.execute(found, deadline)
                (dispatched,) = await self._dispatcher.dispatch((found,))
                return dispatched
            case Job():
                return NothingToDo(job_id=wake.job_id, why=found.status)
            case JobNotFound():
                return NothingToDo(job_id=wake.job_id, why="gone")
            case JobUnreadable():
                return NothingToDo(job_id=wake.job_id, why="unreadable")
            case StorageUnavailable():
                return Interrupted(job_id=wake.job_id, stage="claim", problem=found)
