"""What an admin does with lanes, and what the owner of a waiting job may ask of one. The caller decides who may."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from domain.jobs.job import Job
from domain.lanes.lane import Lane, LaneSettings, Mode
from domain.lanes.lanes import Lanes
from domain.lanes.releasing import MAX_RELEASED
from domain.lanes.repository import LaneRepository
from domain.results import StaleVersion, StorageUnavailable

MAX_COUNTED: Final = 1000
"""Jobs in line that are counted."""
MAX_LISTED: Final = 100
MAX_TRIES: Final = 5


@dataclass(frozen=True)
class LaneStatus:
    """A lane, and how many wait in its line: at most `MAX_COUNTED`, which then means as many or more."""

    lane: Lane
    waiting: int


@dataclass(frozen=True)
class PlaceInLine:
    """Why a blocked job waits."""

    lane: Lane
    """With the places taken, by whom and since when."""
    ahead: int
    """Jobs before it: at most `MAX_COUNTED`, which then means as many or more."""


class LaneService:
    """Lists, reads and changes lanes. After a change, those go that have room: up to 100, the rest by the sweeps."""

    def __init__(self, lanes: LaneRepository, releases: Lanes) -> None:
        self._lanes = lanes
        self._releases = releases

    async def list(self, limit: int, after: str | None = None) -> tuple[str, ...] | StorageUnavailable:
        """The next names of lanes that an admin has changed or in which somebody waits, in order; at most 100."""
        wanted = min(limit, MAX_LISTED)
        changed, *lines = await asyncio.gather(
            self._lanes.changed(wanted, after),
            *(self._lines(shard, after, wanted) for shard in self._lanes.line_shards),
        )
        names = set[str]()
        for found in (changed, *lines):
            if isinstance(found, StorageUnavailable):
                return found
            names |= {*found}
        return tuple(sorted(names)[:wanted])

    async def read(self, name: str) -> LaneStatus | StorageUnavailable:
        """The lane now. Every name is a lane: one that nobody uses is empty."""
        lane, line = await asyncio.gather(self._lanes.read(name), self._lanes.line(name, MAX_COUNTED))
        if isinstance(lane, StorageUnavailable):
            return lane
        return line if isinstance(line, StorageUnavailable) else LaneStatus(lane=lane, waiting=len(line))

    async def place_in_line(self, job: Job) -> PlaceInLine | StorageUnavailable | None:
        """Where a job stands in the line of its lane; None for one in no lane."""
        if job.lane is None:
            return None
        lane, ahead = await asyncio.gather(self._lanes.read(job.lane.name), self._lanes.ahead(job, MAX_COUNTED))
        if isinstance(lane, StorageUnavailable):
            return lane
        return ahead if isinstance(ahead, StorageUnavailable) else PlaceInLine(lane=lane, ahead=ahead)

    async def change(
        self, name: str, update: Callable[[LaneSettings], LaneSettings], expected: frozenset[int] | None = None
    ) -> LaneStatus | StaleVersion | StorageUnavailable:
        """Change the settings, only at a version of theirs in `expected`, unless it is None.

        A lowered limit lets what runs finish.
        """
        for _ in range(MAX_TRIES):
            lane = await self._lanes.read(name)
            if isinstance(lane, StorageUnavailable):
                return lane
            version = lane.settings.version
            if expected is not None and version not in expected:
                return StaleVersion(current_version=version)
            settings = replace(update(lane.settings), version=version + 1)
            saved = await self._lanes.save(name, settings, version)
            if saved is None:
                await self._releases.release(name, MAX_RELEASED)
                return await self.read(name)
            if isinstance(saved, StorageUnavailable):
                return saved
        return StaleVersion(current_version=None)

    async def pause(self, name: str) -> LaneStatus | StaleVersion | StorageUnavailable:
        """Start nothing more; what runs finishes, and new jobs stand in line."""
        return await self._set(name, "paused")

    async def resume(self, name: str) -> LaneStatus | StaleVersion | StorageUnavailable:
        """End a pause, or a draining."""
        return await self._set(name, "open")

    async def drain(self, name: str) -> LaneStatus | StaleVersion | StorageUnavailable:
        """Run what the lane has, and take no new jobs."""
        return await self._set(name, "draining")

    async def _set(self, name: str, mode: Mode) -> LaneStatus | StaleVersion | StorageUnavailable:
        return await self.change(name, lambda settings: replace(settings, mode=mode))

    async def _lines(self, shard: str, after: str | None, limit: int) -> tuple[str, ...] | StorageUnavailable:
        names: tuple[str, ...] = ()
        while len(names) < limit:
            following = await self._lanes.next_line(shard, names[-1] if names else after)
            if isinstance(following, StorageUnavailable):
                return following
            if following is None:
                return names
            names = (*names, following)
        return names
