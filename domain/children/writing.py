"""Writes the children of a round, some at a time, so that a run that dies is gone on with.

A child's id makes it one, however often it is written. Nothing fences these writes: what a worker writes that has lost
its lease are children that the next one writes as well.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from domain.children.call import GroupCall
from domain.children.group import Group
from domain.children.ids import child_id
from domain.children.stores import ChildStores
from domain.jobs import transitions
from domain.jobs.committing import commit
from domain.jobs.following import Checker
from domain.jobs.job import BlobRef, Job, Parent
from domain.jobs.repository import CompanionRefused, JobExists, JobNotFound, JobUnreadable, VersionConflict
from domain.jobs.service import admitted_again
from domain.jobs.transitions import UNFINISHED_HORIZON, IllegalTransition
from domain.patience import answered
from domain.ports import Clock
from domain.results import ItemTooLarge, StorageUnavailable
from headrace.authoring.job_type import Policy
from headrace.authoring.steps import StepError, StepMisused, StepUnavailable

CHUNK: Final = 200
"""Children that are written before it is noted how far the group is."""
CONCURRENCY: Final = 32
"""Children that are written at once."""
MAX_CONFLICTS: Final = 10


@dataclass(frozen=True)
class ChildWriter:
    """Writes for one attempt of the job `parent`, until `deadline`."""

    stores: ChildStores
    parent: Job
    policy: Policy
    """The parent's."""
    checker: Checker
    clock: Clock
    deadline: datetime

    async def chunk(self, call: GroupCall, group: Group) -> int:
        """Write the next children of the round; returns how many there are then. Raises `StepError`."""
        places = group.places
        upto = min(group.written + CHUNK, len(places))
        slots, like = asyncio.Semaphore(CONCURRENCY), self._first(call, group, len(places))

        async def written(index: int) -> StepError | None:
            child = like.model_copy(update={"place": places[index], "index": index})
            async with slots:
                try:
                    await self._written(call, group, places[index], child)
                except StepError as error:
                    return error
            return None

        problems = await asyncio.gather(*(written(index) for index in range(group.written, upto)))
        for problem in problems:
            if problem is not None:
                raise problem
        return upto

    def _first(self, call: GroupCall, group: Group, size: int) -> Parent:
        """Where the round's first child belongs; the others differ in place and index."""
        keep = self.policy.retention + UNFINISHED_HORIZON
        return Parent(
            life=self.parent.life,
            group=call.name,
            place=0,
            depth=1 + (self.parent.parent.depth if self.parent.parent else 0),
            round=group.round,
            index=0,
            size=size,
            keep_seconds=int(keep.total_seconds()),
        )

    async def _written(self, call: GroupCall, group: Group, place: int, parent: Parent) -> None:
        id = child_id(self.parent.life, call.name, place)

        async def write() -> StorageUnavailable | None:
            if group.again:
                return await self._another_turn(id, parent)
            return await self._added(call, id, place, parent)

        problem = await answered(write, self.clock, self.deadline)
        if problem is not None:
            raise StepUnavailable(f"the children of {call.name} cannot be written: {problem.detail}")

    async def _added(self, call: GroupCall, id: str, place: int, parent: Parent) -> StorageUnavailable | None:
        label = f"{call.name}[{place}]"
        asked = self.checker.checked(call.type, call.payloads[place], label, tags=call.tags)
        payload = await self.stores.documents.keep(id, "payload", self.stores.new_id, asked.payload)
        if isinstance(payload, StorageUnavailable):
            return payload
        now = self.clock()
        new = asked.as_job(id, payload, counted=self.parent.counted, parent=parent)
        added = await self.stores.jobs.add(transitions.submit(new, asked.definition.policy, now), now)
        match added:
            case Job():
                return None
            case JobExists(current=current):
                if isinstance(payload, BlobRef) and current.payload != payload:
                    await self.stores.documents.discard(payload)
                return None
            case JobUnreadable(newer=True):
                return None
            case JobUnreadable(detail=detail):
                raise StepMisused(f"another item has the id of {label}: {detail}")
            case ItemTooLarge(size=size):
                raise StepMisused(f"the job {label} would have {size} bytes, and cannot be stored")
            case CompanionRefused():
                return StorageUnavailable(reason="throttled", detail="contended")
            case StorageUnavailable():
                return added

    async def _another_turn(self, id: str, parent: Parent) -> StorageUnavailable | None:
        """Queue a failed child again, and count every unfinished one in this round."""
        found: Job | JobNotFound | JobUnreadable | StorageUnavailable | None
        found = await self.stores.jobs.get(id, self.clock())
        for tried in range(MAX_CONFLICTS):
            match found:
                case Job(parent=Parent(round=before)) if before < parent.round:
                    pass
                case StorageUnavailable():
                    return found
                case Job() | JobNotFound() | JobUnreadable() | None:
                    return None  # Its parent counts anew when all are written.
            policy = self.checker.policy(found.type)
            admitted = await admitted_again(found, policy, self.stores.lanes, tried)
            if isinstance(admitted, StorageUnavailable):
                return admitted
            moved = transitions.take_another_turn(found, policy, parent, self.clock(), admitted)
            if isinstance(moved, IllegalTransition):
                return None  # It has succeeded: likewise.
            written = await commit(self.stores.jobs, moved, found.version)
            match written:
                case Job():
                    if self.stores.lanes is not None:
                        await self.stores.lanes.look_again(written)
                    return None
                case VersionConflict(current=current):
                    found = current
                case CompanionRefused():
                    pass
                case JobUnreadable() | ItemTooLarge():
                    return None
                case StorageUnavailable():
                    return written
        return StorageUnavailable(reason="throttled", detail="contended")
