"""Makes the deliveries that a batch of changes asks for: what the recorder does of webhooks."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from domain.jobs import transitions
from domain.jobs.job import Job
from domain.jobs.repository import CompanionRefused, JobExists, JobRepository, JobUnreadable
from domain.jobs.transitions import NewJob
from domain.ports import Clock
from domain.results import ItemTooLarge, StorageUnavailable
from domain.webhooks.delivery import DELIVERY
from domain.webhooks.endpoint import Endpoint
from domain.webhooks.tell_of import TellOf
from headrace.authoring.frozen import Frozen

CONCURRENCY = 16
"""Deliveries that are written at once."""


class Endpoints(Protocol):
    """The endpoints as they were not long ago."""

    async def current(self, now: datetime) -> tuple[Endpoint, ...] | StorageUnavailable: ...


class NotMade(Frozen):
    """Deliveries of a change were not all made; to see the change again makes those that are missing."""

    job_id: str
    version: int
    problem: StorageUnavailable


class Lost(Frozen):
    """A delivery that cannot be made, however often the change is seen."""

    job_id: str
    detail: str


class Told(Frozen):
    """What became of a batch of changes."""

    made: int
    """New deliveries; one that was there already is not counted."""
    not_made: tuple[NotMade, ...] = ()
    lost: tuple[Lost, ...] = ()


class Teller:
    """Submits deliveries. Changes may come twice and in any order: a delivery's id makes it one."""

    def __init__(self, jobs: JobRepository, endpoints: Endpoints, tell_of: TellOf, clock: Clock) -> None:
        self._jobs = jobs
        self._endpoints = endpoints
        self._tell_of = tell_of
        self._clock = clock

    async def tell(self, changes: Sequence[Job], deadline: datetime) -> Told:
        """Make the deliveries of these changes; what is not begun before `deadline` is named as not made."""
        if not changes:
            return Told(made=0)
        endpoints = await self._endpoints.current(self._clock())
        if isinstance(endpoints, StorageUnavailable):
            return Told(made=0, not_made=tuple(_not_made(job, endpoints) for job in changes))
        slots = asyncio.Semaphore(CONCURRENCY)

        async def made(job: Job, new: NewJob) -> bool | NotMade | Lost:
            async with slots:
                return await self._made(job, new, deadline)

        wanted = [(job, new) for job in changes for new in self._tell_of.deliveries(job, endpoints)]
        done = await asyncio.gather(*(made(job, new) for job, new in wanted))
        return Told(
            made=sum(each is True for each in done),
            not_made=tuple(each for each in done if isinstance(each, NotMade)),
            lost=tuple(each for each in done if isinstance(each, Lost)),
        )

    async def _made(self, job: Job, new: NewJob, deadline: datetime) -> bool | NotMade | Lost:
        now = self._clock()
        if now >= deadline:
            return _not_made(job, StorageUnavailable(reason="timeout", detail="no time was left"))
        added = await self._jobs.add(transitions.submit(new, DELIVERY.policy, now), now)
        match added:
            case Job():
                return True
            case JobExists():
                return False
            case StorageUnavailable():
                return _not_made(job, added)
            case CompanionRefused():
                return _not_made(job, StorageUnavailable(reason="throttled", detail="contended"))
            case ItemTooLarge(size=size):
                return Lost(job_id=job.id, detail=f"the delivery would have {size} bytes")
            case JobUnreadable(newer=True):
                return False
            case JobUnreadable(detail=detail):
                return Lost(job_id=job.id, detail=f"another item has the delivery's id: {detail}")


def _not_made(job: Job, problem: StorageUnavailable) -> NotMade:
    return NotMade(job_id=job.id, version=job.version, problem=problem)
