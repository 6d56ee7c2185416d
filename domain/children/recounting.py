"""Counts the children of a round by reading them: the backstop for ends that the recorder lost."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from domain.children.counting import ended_in_sets, failed_in_sets
from domain.children.group import Group
from domain.children.ids import FULL, SET, child_ids, partition_of, set_key, set_size
from domain.children.reading import read_all
from domain.children.repository import ChildState, Tally
from domain.children.stores import ChildStores
from domain.ports import Clock
from domain.results import StorageUnavailable
from headrace.authoring.steps import StepUnavailable

FINAL = frozenset({"succeeded", "failed", "cancelled"})


@dataclass(frozen=True)
class _Seen:
    """What the children's states say, by index in the round."""

    unfinished: frozenset[int]
    failed: frozenset[int]
    """Those that failed, were cancelled, or are not there (any more)."""


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

    async def ended(self, life: str, name: str, group: Group, expires_at: datetime) -> frozenset[int] | None:
        """The indexes of the present round's children that failed, once all have ended; else None.

        Where a set has a child, that is how it ended, whatever it has become since. What the sets lack is added to
        them, so that the rest makes them full. Raises `StepUnavailable`.
        """
        partition, size = partition_of(life, name, group.round), len(group.places)
        sets = await self._sets(partition)
        counted = ended_in_sets(sets)
        if len(counted) == size:
            return failed_in_sets(sets)
        seen = await self._seen(life, name, group)
        lacking = frozenset(range(size)) - seen.unfinished - counted
        if len(counted) + len(lacking) == size:
            return failed_in_sets(sets) | (seen.failed & lacking)
        await self._add_all(partition, lacking, seen.failed & lacking, expires_at)
        await self._add_full(partition, size, counted | lacking, sets, expires_at)
        # The last may have ended meanwhile: then nobody else tells of it.
        sets = await self._sets(partition)
        return failed_in_sets(sets) if len(ended_in_sets(sets)) == size else None

    async def _seen(self, life: str, name: str, group: Group) -> _Seen:
        ids = child_ids(life, name, group.places)
        found = await read_all(self.stores.reader.states, ids, self.clock, self.deadline)
        states = [found.get(id) for id in ids]
        return _Seen(
            unfinished=frozenset(i for i, state in enumerate(states) if state and state.status not in FINAL),
            failed=frozenset(i for i, state in enumerate(states) if state is None or _failed(state)),
        )

    async def _add_all(
        self, partition: str, ended: frozenset[int], failed: frozenset[int], expires_at: datetime
    ) -> None:
        for number in sorted({index // SET for index in ended}):
            tally = Tally(ended=_in_set(number, ended), failed=_in_set(number, failed))
            await self._add(partition, set_key(number), tally, expires_at)

    async def _add_full(
        self, partition: str, size: int, ended: frozenset[int], sets: Mapping[str, Tally], expires_at: datetime
    ) -> None:
        sizes = Counter(index // SET for index in ended)
        full = {number for number, found in sizes.items() if found == set_size(size, number)}
        new = frozenset(full) - sets.get(FULL, Tally()).ended
        if new:
            await self._add(partition, FULL, Tally(ended=new), expires_at)

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


def _in_set(number: int, indexes: frozenset[int]) -> frozenset[int]:
    return frozenset(index % SET for index in indexes if index // SET == number)
