"""Counts the children of a round by reading them: the backstop for ends that the recorder lost."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from domain.children.counting import ended_in_sets
from domain.children.group import Group
from domain.children.ids import FULL, SET, child_ids, partition_of, set_key
from domain.children.reading import read_all
from domain.children.repository import ChildState, Tally
from domain.children.stores import ChildStores
from domain.ports import Clock
from domain.results import StorageUnavailable
from headrace.authoring.steps import StepUnavailable

FINAL = frozenset({"succeeded", "failed", "cancelled"})


@dataclass(frozen=True)
class Recount:
    """What was found, by index in the round."""

    unfinished: frozenset[int]
    failed: frozenset[int]
    """Those that failed, were cancelled, or are not there (any more)."""
    missing: frozenset[int]


@dataclass(frozen=True)
class Recounter:
    """Counts for one attempt, until `deadline`."""

    stores: ChildStores
    clock: Clock
    deadline: datetime

    async def states(self, life: str, name: str, size: int) -> tuple[ChildState | None, ...]:
        """The states of the children at the first so many places; None for one that is not there."""
        ids = child_ids(life, name, range(size))
        found = await read_all(self.stores.reader.states, ids, self.clock, self.deadline)
        return tuple(found.get(id) for id in ids)

    async def recount(self, life: str, name: str, group: Group) -> Recount:
        """How far the present round is; raises `StepUnavailable`."""
        ids = child_ids(life, name, group.places)
        found = await read_all(self.stores.reader.states, ids, self.clock, self.deadline)
        states = [found.get(id) for id in ids]
        return Recount(
            unfinished=frozenset(i for i, state in enumerate(states) if state and state.status not in FINAL),
            failed=frozenset(i for i, state in enumerate(states) if state is None or _failed(state)),
            missing=frozenset(i for i, state in enumerate(states) if state is None),
        )

    async def repair(self, life: str, name: str, group: Group, seen: Recount, expires_at: datetime) -> bool:
        """Add to the sets what they lack, so that the rest makes them full; whether they are full then.

        Raises `StepUnavailable`.
        """
        partition, size = partition_of(life, name, group.round), len(group.places)
        sets = await self._sets(partition)
        ended = frozenset(range(size)) - seen.unfinished
        lacking = ended - ended_in_sets(sets)
        for number in sorted({index // SET for index in lacking}):
            mine = frozenset(index % SET for index in lacking if index // SET == number)
            failed = frozenset(index % SET for index in seen.failed & lacking if index // SET == number)
            await self._add(partition, set_key(number), Tally(ended=mine, failed=failed), expires_at)
        full = {
            number
            for number in range(-(-size // SET))
            if all(index in ended for index in range(number * SET, min(size, (number + 1) * SET)))
        }
        known = sets.get(FULL, Tally()).ended
        if size > SET and full - known:
            await self._add(partition, FULL, Tally(ended=frozenset(full - known)), expires_at)
        return len(ended_in_sets(await self._sets(partition))) == size

    async def _sets(self, partition: str) -> Mapping[str, Tally]:
        sets = await self.stores.counts.counted(partition)
        if isinstance(sets, StorageUnavailable):
            raise StepUnavailable(f"the counts of children are out of reach: {sets.detail}")
        return sets

    async def _add(self, partition: str, key: str, tally: Tally, expires_at: datetime) -> None:
        added = await self.stores.counts.add(partition, key, tally, expires_at)
        if isinstance(added, StorageUnavailable):
            raise StepUnavailable(f"the children cannot be counted: {added.detail}")


def _failed(state: ChildState) -> bool:
    return state.status in {"failed", "cancelled"}
