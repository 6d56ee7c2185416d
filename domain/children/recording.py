"""What the recorder does for children: counts those that have ended, and has those of cancelled parents cancelled."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from domain.children.cancellation import CANCELLATION, cancellation_of, may_have_children
from domain.children.counting import ChildCounter, NotCounted
from domain.durable.repository import StepRepository
from domain.jobs import transitions
from domain.jobs.job import Job, has_moved
from domain.jobs.repository import CompanionRefused, JobExists, JobRepository, JobUnreadable
from domain.ports import Clock
from domain.results import ItemTooLarge, StorageUnavailable

CONCURRENCY: Final = 16
"""Cancelled jobs whose children are looked for at once."""


class ChildRecorder:
    """Does it. Changes may come twice, and in any order."""

    def __init__(self, counter: ChildCounter, steps: StepRepository, jobs: JobRepository, clock: Clock) -> None:
        self._counter = counter
        self._steps = steps
        self._jobs = jobs
        self._clock = clock

    async def record(self, changes: Sequence[Job], deadline: datetime) -> tuple[NotCounted, ...]:
        """Do what these changes ask for; returns those that have to be seen again, or that are lost."""
        moved = [job for job in changes if has_moved(job)]
        slots = asyncio.Semaphore(CONCURRENCY)

        async def cancelled(job: Job) -> NotCounted | None:
            async with slots:
                problem = await self._cancelled(job, deadline)
            return None if problem is None else NotCounted(jobs=((job.id, job.version),), problem=problem)

        uncounted = await self._counter.count(moved, deadline)
        left = await asyncio.gather(*(cancelled(job) for job in moved if may_have_children(job)))
        return (*uncounted, *(each for each in left if each is not None))

    async def _cancelled(self, parent: Job, deadline: datetime) -> StorageUnavailable | None:
        """Submit what cancels the children, if the parent has begun any."""
        now = self._clock()
        if now >= deadline:
            return StorageUnavailable(reason="timeout", detail="no time was left")
        groups = await self._steps.groups(parent.life)
        if isinstance(groups, StorageUnavailable) and groups.reason != "rejected":
            return groups
        if not groups:
            return None
        added = await self._jobs.add(transitions.submit(cancellation_of(parent), CANCELLATION.policy, now), now)
        match added:
            case Job() | JobExists() | JobUnreadable() | ItemTooLarge():
                return None
            case CompanionRefused():
                return StorageUnavailable(reason="throttled", detail="contended")
            case StorageUnavailable():
                return added
