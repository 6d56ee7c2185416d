"""Sends a job to the queue of the function that runs its type.

The message only names the job. The function that receives it claims the job then, so that a lease begins when the work
does, and a message that comes twice runs nothing twice. A lost one is repaired as a lost trigger is, by the sweeper.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime

from domain.jobs.catalogue import Catalogue
from domain.jobs.execution_results import Dispatched, Interrupted
from domain.jobs.job import Job
from domain.jobs.wake_queue import Unsent, Wake, WakeQueue
from domain.ports import Clock
from domain.results import StorageUnavailable
from headrace.authoring.job_type import Policy


class Dispatcher:
    """Knows where each job type runs."""

    def __init__(self, catalogue: Catalogue, queues: Mapping[str, WakeQueue], clock: Clock) -> None:
        self._catalogue = catalogue
        self._queues = queues
        self._clock = clock

    def runner_of(self, job: Job) -> str | None:
        """The function that runs the job; None when this version does not know its type."""
        return self._catalogue.policy(job.type).runs_in if self._catalogue.handler(job.type) else None

    def policy_of(self, job: Job) -> Policy:
        """The policy of the job's type; the default for an unknown one."""
        return self._catalogue.policy(job.type)

    async def dispatch(self, jobs: Sequence[Job]) -> tuple[Dispatched | Interrupted, ...]:
        """Send each job to its runner, and say what became of each, in order."""
        now = self._clock()
        # Due at once, and not in the future for a clock that is behind this one.
        wakes = [Wake(job_id=job.id, due=min(job.updated_at, now), owner_id=job.owner_id) for job in jobs]
        unsent = await self.send([(self.runner_of(job), wake) for job, wake in zip(jobs, wakes, strict=True)], now)
        problems = {each.wake.job_id: each.problem for each in unsent}
        return tuple(
            Interrupted(job_id=job.id, stage="dispatch", problem=problems[job.id])
            if job.id in problems
            else Dispatched(job_id=job.id, runner=str(self.runner_of(job)))
            for job in jobs
        )

    async def send(self, wakes: Sequence[tuple[str | None, Wake]], now: datetime) -> tuple[Unsent, ...]:
        """Send messages to the queues of their runners; those that were not taken."""
        by_runner: dict[str | None, list[Wake]] = {}
        for runner, wake in wakes:
            by_runner.setdefault(runner, []).append(wake)
        sent = [self._send(runner, each, now) for runner, each in by_runner.items()]
        return tuple(unsent for each in await asyncio.gather(*sent) for unsent in each)

    async def _send(self, runner: str | None, wakes: Sequence[Wake], now: datetime) -> tuple[Unsent, ...]:
        queue = self._queues.get(str(runner))
        if queue is None:
            missing = StorageUnavailable(reason="rejected", detail=f"the runner {runner} has no queue")
            return tuple(Unsent(wake=wake, problem=missing) for wake in wakes)
        return await queue.send(wakes, now)
