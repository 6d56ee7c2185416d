"""How far a job's children are, for those who look at it: a query, and one more for each group."""

import asyncio
from typing import Final

from domain.children.counting import ended_in_sets, failed_in_sets
from domain.children.ids import partition_of
from domain.children.places import unpacked
from domain.children.repository import CountRepository
from domain.durable.repository import StepRepository
from domain.durable.step import Step
from domain.jobs.job import Job
from domain.results import StorageUnavailable
from headrace.authoring.frozen import Frozen

LATEST: Final = 50
"""Groups that are counted: a job may have a thousand, and each costs a read."""


class GroupCounts(Frozen):
    """The children of one `call` or `map`, as far as their ends were counted."""

    name: str
    type: str
    size: int
    """How many there are to be."""
    begun: int
    """How many are written, or about to be."""
    ended: int
    failed: int
    """Of those that have ended; cancelled ones count among them."""


class Overview:
    """Counts by the recorder's sets."""

    def __init__(self, steps: StepRepository, counts: CountRepository) -> None:
        self._steps = steps
        self._counts = counts

    async def of(self, job: Job) -> tuple[GroupCounts, ...] | StorageUnavailable:
        """The counts of the job's latest groups, in the order in which they began, at most `LATEST`.

        Nothing is read for a job that remembers nothing.
        """
        groups = await self._steps.groups(job.life) if job.steps else ()
        if isinstance(groups, StorageUnavailable):
            return groups
        latest = sorted(groups, key=lambda step: (step.began_at, step.name))[-LATEST:]
        counted = await asyncio.gather(*(self._counted(job, step) for step in latest))
        problem = next((each for each in counted if isinstance(each, StorageUnavailable)), None)
        return problem or tuple(each for each in counted if isinstance(each, GroupCounts))

    async def _counted(self, job: Job, step: Step) -> GroupCounts | StorageUnavailable | None:
        if (group := step.group) is None:
            return None
        sets = await self._counts.counted(partition_of(job.life, step.name, group.round))
        if isinstance(sets, StorageUnavailable):
            return sets
        before = group.placed - len(group.places)
        return GroupCounts(
            name=step.name,
            type=group.type,
            size=group.size,
            begun=group.placed,
            ended=before + len(ended_in_sets(sets)),
            failed=len(unpacked(group.failed)) + len(failed_in_sets(sets)),
        )
