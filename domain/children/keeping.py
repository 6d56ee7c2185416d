"""Keeps children that have ended for as long as their parent may need them, where others of their group take long.

At their end they are kept for the parent's retention and 30 days, which most groups never outlast: to keep all of them
for the year that a parent may wait would cost more than to run them.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from domain.children.group import Group
from domain.children.ids import child_ids
from domain.children.reading import read_all
from domain.children.recounting import FINAL
from domain.children.stores import ChildStores
from domain.jobs import transitions
from domain.jobs.job import Job
from domain.jobs.repository import CompanionRefused, JobNotFound, JobUnreadable, VersionConflict
from domain.jobs.transitions import UNFINISHED_HORIZON, IllegalTransition
from domain.patience import answered
from domain.ports import Clock
from domain.results import ItemTooLarge, StorageUnavailable
from headrace.authoring.steps import StepUnavailable

KEEP_EVERY: Final = UNFINISHED_HORIZON / 2
"""How often a group is gone through: a child is met twice before it would expire, and changed once."""
CHUNK: Final = 1000
"""Children that are gone through before it is noted how far the group is."""
CONCURRENCY: Final = 32
"""Children that are written at once."""
MAX_CONFLICTS: Final = 10


@dataclass(frozen=True)
class ChildKeeper:
    """Keeps for one attempt, until `deadline`."""

    stores: ChildStores
    clock: Clock
    deadline: datetime

    async def chunk(self, life: str, name: str, group: Group, until: datetime) -> int:
        """Have the group's next children that have ended kept until then; returns how many were gone through.

        Raises `StepUnavailable`.
        """
        upto = min(group.kept + CHUNK, group.placed)
        ids = child_ids(life, name, range(group.kept, upto))
        states = await read_all(self.stores.reader.states, ids, self.clock, self.deadline)
        slots = asyncio.Semaphore(CONCURRENCY)

        async def kept(id: str) -> StorageUnavailable | None:
            async with slots:
                return await answered(lambda: self._kept(id, until), self.clock, self.deadline)

        ending = [id for id, state in states.items() if state.status in FINAL and state.expires_at < until]
        problems = [each for each in await asyncio.gather(*(kept(id) for id in ending)) if each is not None]
        if problems:
            raise StepUnavailable(f"the children of {name} cannot be kept: {problems[0].detail}")
        return upto

    async def _kept(self, id: str, until: datetime) -> StorageUnavailable | None:
        found: Job | JobNotFound | JobUnreadable | StorageUnavailable | None
        found = await self.stores.jobs.get(id, self.clock())
        for _ in range(MAX_CONFLICTS):
            match found:
                case StorageUnavailable():
                    return found
                case JobNotFound() | JobUnreadable() | None:
                    return None
                case Job():
                    pass
            moved = transitions.keep(found, until, self.clock())
            if isinstance(moved, IllegalTransition):
                return None  # A person has retried it: it will end anew.
            written = await self.stores.jobs.replace(moved, found.version)
            match written:
                case VersionConflict(current=current):
                    found = current
                case StorageUnavailable():
                    return written
                case Job() | CompanionRefused() | JobUnreadable() | ItemTooLarge():
                    return None
        return StorageUnavailable(reason="throttled", detail="contended")
