"""Collects what the children of a group came to, when all have ended."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from domain.children.call import GroupCall
from domain.children.ids import child_id, child_ids
from domain.children.reading import read_all
from domain.children.results import Outcome, failure_of
from domain.children.stores import ChildStores
from domain.jobs.documents import DocumentLost
from domain.jobs.following import Checker
from domain.jobs.job import Job, Succeeded
from domain.ports import Clock
from domain.results import StorageUnavailable
from headrace.authoring.children import ChildFailed
from headrace.authoring.steps import StepMisused

CONCURRENCY: Final = 16
"""Large results that are read at once."""


@dataclass(frozen=True)
class Lost:
    """A result that nothing brings back."""

    why: str


@dataclass(frozen=True)
class Collector:
    """Reads for one attempt, until `deadline`."""

    stores: ChildStores
    checker: Checker
    clock: Clock
    deadline: datetime

    async def failure(self, life: str, call: GroupCall, place: int) -> ChildFailed:
        """How the child at this place failed; raises `StepUnavailable`."""
        id = child_id(life, call.name, place)
        found = await read_all(self.stores.reader.jobs, (id,), self.clock, self.deadline)
        job = found.get(id)
        return failure_of(call.name, place, id, job, self.checker.policy)

    async def outcomes(
        self, life: str, call: GroupCall, size: int, failed: frozenset[int], *, again: bool
    ) -> tuple[Outcome, ...]:
        """What each child came to, in order; raises `StepError`.

        A child that is gone has failed, unless the handler was told (`again`) what it came to: then that cannot be told
        any more, and is the handler's failure, as a result is that is gone from the blobs.
        """
        ids = child_ids(life, call.name, range(size))
        places = {id: place for place, id in enumerate(ids)}
        slots = asyncio.Semaphore(CONCURRENCY)

        async def read(some: tuple[str, ...]) -> Mapping[str, Outcome | Lost] | StorageUnavailable:
            """A batch at a time, so that no more than that is held as jobs."""
            jobs = await self.stores.reader.jobs(some)
            if isinstance(jobs, StorageUnavailable):
                return jobs
            done = await asyncio.gather(
                *(self._outcome(call, id, places[id], jobs.get(id), failed, slots, again=again) for id in some)
            )
            problem = next((each for each in done if isinstance(each, StorageUnavailable)), None)
            told = {id: each for id, each in zip(some, done, strict=True) if not isinstance(each, StorageUnavailable)}
            return problem or told

        found = await read_all(read, ids, self.clock, self.deadline)
        for place, id in enumerate(ids):
            if isinstance(lost := found[id], Lost):
                raise StepMisused(f"the result of child {place} of {call.name} is gone: {lost.why}")
        return tuple(outcome for id in ids if not isinstance(outcome := found[id], Lost))

    async def _outcome(
        self,
        call: GroupCall,
        id: str,
        place: int,
        job: Job | None,
        failed: frozenset[int],
        slots: asyncio.Semaphore,
        *,
        again: bool,
    ) -> Outcome | Lost | StorageUnavailable:
        if place in failed or (job is None and not again):
            return failure_of(call.name, place, id, job, self.checker.policy)
        match job:
            case Job(state=Succeeded(result=result)):
                async with slots:
                    loaded = await self.stores.documents.load("result", result)
                return Lost(loaded.message) if isinstance(loaded, DocumentLost) else loaded
            case _:
                return Lost("its job is not there any more")
