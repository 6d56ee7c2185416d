"""Runs `children.cancel`: cancels what waits of a cancelled job's children, and asks what runs to stop.

It goes through them twice. A worker of the parent that has lost its lease may still write children until its function
ends; the second time is after that. A child that is cancelled has its own children cancelled in the same way.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from domain.children.cancellation import CANCELLATION, Cancellation, ChildrenCancelled
from domain.children.ids import child_ids
from domain.children.recounting import FINAL
from domain.children.repository import MAX_READ, ChildReader
from domain.durable.repository import StepRepository
from domain.durable.step import job_of
from domain.jobs.job import Cancelled, Job
from domain.jobs.repository import JobNotFound, JobRepository, JobUnreadable
from domain.jobs.service import Contended, JobService
from domain.jobs.transitions import IllegalTransition
from domain.ports import Clock
from domain.results import StaleVersion, StorageUnavailable
from domain.users.user import User
from headrace.authoring.context import JobContext
from headrace.authoring.outcomes import Retry

CONCURRENCY: Final = 32
"""Children that are cancelled at once."""
LONGEST_FUNCTION = timedelta(minutes=16)
"""After which no worker of the parent's can still run: Lambda's longest, and a margin."""


class ChildCanceller:
    """Cancels children."""

    def __init__(
        self, jobs: JobRepository, service: JobService, reader: ChildReader, steps: StepRepository, clock: Clock
    ) -> None:
        self._jobs = jobs
        self._service = service
        self._reader = reader
        self._steps = steps
        self._clock = clock

    async def cancel(self, cancellation: Cancellation) -> int | StorageUnavailable:
        """Go through all groups once; how many children were reached. A parent that was retried keeps them."""
        groups = await self._steps.groups(cancellation.life)
        if isinstance(groups, StorageUnavailable):
            return groups
        reached = 0
        for step in groups:
            places = range(step.group.placed if step.group else 0)
            for start in range(0, len(places), MAX_READ):
                ids = child_ids(cancellation.life, step.name, places[start : start + MAX_READ])
                some = await self._batch(cancellation, ids)
                if isinstance(some, StorageUnavailable):
                    return some
                reached += some
        return reached

    async def _batch(self, cancellation: Cancellation, ids: tuple[str, ...]) -> int | StorageUnavailable:
        parent = await self._jobs.get(job_of(cancellation.life), self._clock())
        match parent:
            case StorageUnavailable():
                return parent
            case Job(state=Cancelled(), generation=generation) if generation == cancellation.generation:
                pass
            case Job() if parent.life == cancellation.life:
                return 0
            case Job() | JobNotFound() | JobUnreadable():
                pass
        states = await self._reader.states(ids)
        if isinstance(states, StorageUnavailable):
            return states
        slots = asyncio.Semaphore(CONCURRENCY)

        async def cancelled(id: str) -> StorageUnavailable | None:
            async with slots:
                return await self._cancelled(id)

        left = [id for id, state in states.items() if state.status not in FINAL]
        problems = [each for each in await asyncio.gather(*(cancelled(id) for id in left)) if each is not None]
        return problems[0] if problems else len(left)

    async def _cancelled(self, id: str) -> StorageUnavailable | None:
        changed = await self._service.cancel(id, _headrace(self._clock()))
        match changed:
            case Job() | IllegalTransition() | JobNotFound() | JobUnreadable() | StaleVersion():
                return None
            case Contended():
                return StorageUnavailable(reason="throttled", detail="contended")
            case StorageUnavailable():
                return changed


class CancelChildren:
    """The handler."""

    definition = CANCELLATION

    def __init__(self, canceller: Callable[[], ChildCanceller]) -> None:
        self._canceller = canceller

    async def run(self, cancellation: Cancellation, context: JobContext, /) -> ChildrenCancelled | Retry:
        """Cancel, wait until no worker of the parent can write children any more, and by that begin anew: once more."""
        reached = await self._canceller().cancel(cancellation)
        if isinstance(reached, StorageUnavailable):
            return Retry(code="storage_unavailable", reason=f"children could not be reached: {reached.detail}")
        await context.sleep("until-workers-have-ended", LONGEST_FUNCTION)
        return ChildrenCancelled(cancelled=reached)


def _headrace(now: datetime) -> User:
    """Who cancels: only id and role decide anything."""
    return User.model_construct(id="", email="", name="", role="admin", version=0, created_at=now, updated_at=now)
