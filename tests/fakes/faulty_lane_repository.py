"""A store of lanes that fails in the calls that a test names."""

import asyncio

from domain.jobs.job import Job
from domain.lanes.lane import Lane, LaneSettings, Place
from domain.lanes.repository import LaneRepository
from domain.results import StaleVersion, StorageUnavailable
from tests.fakes.faulty_job_repository import OUTAGE


class FaultyLaneRepository:
    """Forwards all calls but the named ones, which are answered with an outage."""

    def __init__(self, inner: LaneRepository, *failing: str) -> None:
        self._inner = inner
        self.failing = set(failing)
        self.lines_read = 0
        self.places_read: list[int] = []
        """Of each reading of a lane, the first number of a place that was asked for."""
        self.stale: tuple[str, ...] = ()
        """What the index of the line still has, though it is gone."""

    @property
    def line_shards(self) -> tuple[str, ...]:
        return self._inner.line_shards

    async def read(self, name: str, first: int = 0) -> Lane | StorageUnavailable:
        self.places_read.append(first)
        return self._fault("read") or await self._inner.read(name, first)

    async def save(
        self, name: str, settings: LaneSettings, expected_version: int
    ) -> StaleVersion | StorageUnavailable | None:
        if "stale" in self.failing:
            return StaleVersion(current_version=None)
        return self._fault("save") or await self._inner.save(name, settings, expected_version)

    async def free(self, name: str, place: Place) -> StorageUnavailable | None:
        return self._fault("free") or await self._inner.free(name, place)

    async def changed(self, limit: int, after: str | None) -> tuple[str, ...] | StorageUnavailable:
        return self._fault("changed") or await self._inner.changed(limit, after)

    async def line(self, name: str, limit: int) -> tuple[str, ...] | StorageUnavailable:
        self.lines_read += 1
        await asyncio.sleep(0)  # as a store that is elsewhere, it lets others go on
        if self.stale:
            return self.stale[:limit]
        return () if "lags" in self.failing else self._fault("line") or await self._inner.line(name, limit)

    async def ahead(self, job: Job, limit: int) -> int | StorageUnavailable:
        return self._fault("ahead") or await self._inner.ahead(job, limit)

    async def next_line(self, shard: str, after: str | None) -> str | StorageUnavailable | None:
        return self._fault("next_line") or await self._inner.next_line(shard, after)

    async def holder(self, unique: str) -> str | StorageUnavailable | None:
        return self._fault("holder") or await self._inner.holder(unique)

    def _fault(self, call: str) -> StorageUnavailable | None:
        return OUTAGE if call in self.failing else None
