"""Counts the children that have ended, and wakes the parent when the last of a round has: what the recorder does.

Counts are sets, so that a change that is seen twice counts once. Whoever adds the last member sees that a set is full;
a batch that dies before it has told so is repeated, adds nothing, and sees it again.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from domain.children.ids import FULL, SET, counted_in, set_key, set_size, sets_of
from domain.children.places import packed
from domain.children.repository import CountRepository, Tally
from domain.children.waking import Waker
from domain.durable.step import MAX_LIFE, submitted_at
from domain.jobs.job import Cancelled, Failed, Job, Parent, is_final
from domain.ports import Clock
from domain.results import StorageUnavailable
from headrace.authoring.frozen import Frozen

CONCURRENCY: Final = 16
"""Sets that are written at once."""


class NotCounted(Frozen):
    """Ends of children that were not counted, or whose parent was not told; to see them again does that."""

    jobs: tuple[tuple[str, int], ...]
    """Ids and versions."""
    problem: StorageUnavailable

    @property
    def is_lost(self) -> bool:
        """Whether it is refused each time: to hand it back would hold up all that follows in the stream."""
        return self.problem.reason == "rejected"


@dataclass(frozen=True)
class _Round:
    """A round of a parent's children, and how many it has."""

    partition: str
    life: str
    group: str
    number: int
    size: int


class ChildCounter:
    """Counts ends. They may come again, in other batches, and from several shards at once."""

    def __init__(self, counts: CountRepository, waker: Waker, clock: Clock) -> None:
        self._counts = counts
        self._waker = waker
        self._clock = clock

    async def count(self, changes: Iterable[Job], deadline: datetime) -> tuple[NotCounted, ...]:
        """Count the children among these changes that have ended: a call for each thousand of a round.

        What is not begun before `deadline` is named as not counted.
        """
        by_set: dict[tuple[_Round, int], list[tuple[Job, Parent]]] = {}
        for job in changes:
            if job.parent is not None and is_final(job):
                by_set.setdefault((_round_of(job.parent), job.parent.index // SET), []).append((job, job.parent))
        slots = asyncio.Semaphore(CONCURRENCY)

        async def counted(place: tuple[_Round, int], ended: Sequence[tuple[Job, Parent]]) -> NotCounted | None:
            async with slots:
                problem = await self._counted(*place, ended, deadline)
            jobs = tuple((job.id, job.version) for job, _ in ended)
            return None if problem is None else NotCounted(jobs=jobs, problem=problem)

        done = await asyncio.gather(*(counted(place, ended) for place, ended in by_set.items()))
        return tuple(each for each in done if each is not None)

    async def _counted(
        self, round: _Round, number: int, ended: Sequence[tuple[Job, Parent]], deadline: datetime
    ) -> StorageUnavailable | None:
        if self._clock() >= deadline:
            return StorageUnavailable(reason="timeout", detail="no time was left")
        # The sets are needed for as long as their parent may wait, and are deleted with it.
        keep = timedelta(seconds=max(parent.keep_seconds for _, parent in ended))
        expires_at = max(submitted_at(round.life) + MAX_LIFE, self._clock()) + keep
        indexes = {job.id: parent.index % SET for job, parent in ended}
        failed = frozenset(indexes[job.id] for job, _ in ended if isinstance(job.state, Failed | Cancelled))
        tally = Tally(ended=frozenset(indexes.values()), failed=failed)
        whole = await self._counts.add(round.partition, set_key(number), tally, expires_at)
        if isinstance(whole, StorageUnavailable) or len(whole.ended) < set_size(round.size, number):
            return whole if isinstance(whole, StorageUnavailable) else None
        sets = sets_of(round.size)
        if sets == 1:
            return await self._told(round, {set_key(number): whole})
        full = await self._counts.add(round.partition, FULL, Tally(ended=frozenset({number})), expires_at)
        if isinstance(full, StorageUnavailable) or len(full.ended) < sets:
            return full if isinstance(full, StorageUnavailable) else None
        every = await self._counts.counted(round.partition)
        return every if isinstance(every, StorageUnavailable) else await self._told(round, every)

    async def _told(self, round: _Round, sets: Mapping[str, Tally]) -> StorageUnavailable | None:
        return await self._waker.wake(round.life, round.group, round.number, packed(failed_in_sets(sets)))


def failed_in_sets(sets: Mapping[str, Tally]) -> frozenset[int]:
    """The indexes in its round of all children that failed, by the round's sets."""
    return frozenset(int(key) * SET + index for key, tally in sets.items() if key != FULL for index in tally.failed)


def ended_in_sets(sets: Mapping[str, Tally]) -> frozenset[int]:
    """The indexes in its round of all children that have ended."""
    return frozenset(int(key) * SET + index for key, tally in sets.items() if key != FULL for index in tally.ended)


def _round_of(parent: Parent) -> _Round:
    return _Round(counted_in(parent), parent.life, parent.group, parent.round, parent.size)
