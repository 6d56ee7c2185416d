"""Lanes in memory, beside the jobs in memory; held to the same conformance suite as the real repository."""

import heapq
from datetime import datetime

from domain.jobs.job import Job
from domain.jobs.uniqueness import key_item
from domain.lanes.lane import PLACE, RATE, TABLE, Lane, LaneSettings, Place, place_given_back
from domain.results import StaleVersion
from headrace.testing.job_repository import FakeJobRepository
from persistence.converters.dynamo_to_domain import LINE_SEPARATOR, LINE_SHARDS, line_rank, line_shard


class FakeLaneRepository:
    """The items that companions of jobs wrote, the blocked jobs, and settings."""

    def __init__(self, jobs: FakeJobRepository) -> None:
        self._jobs = jobs
        self._settings: dict[str, LaneSettings] = {}

    @property
    def line_shards(self) -> tuple[str, ...]:
        return LINE_SHARDS

    async def read(self, name: str, first: int = 0) -> Lane:
        items = {str(item["item"]): item for item in self._jobs.items_of(TABLE) if item["lane"] == name}
        places = tuple(
            Place(
                number=int(key.removeprefix(PLACE)),
                holder=str(item["holder"]),
                token=str(item["token"]),
                since=datetime.fromisoformat(str(item["since"])),
            )
            for key, item in sorted(items.items())
            if key.startswith(PLACE) and int(key.removeprefix(PLACE)) >= first
        )
        next_start = datetime.fromisoformat(str(items[RATE]["next_start"])) if RATE in items else None
        settings = self._settings.get(name, LaneSettings())
        return Lane(name=name, settings=settings, places=places, next_start=next_start)

    async def save(self, name: str, settings: LaneSettings, expected_version: int) -> StaleVersion | None:
        if self._settings.get(name, LaneSettings()).version != expected_version:
            return StaleVersion(current_version=None)
        self._settings[name] = settings
        return None

    async def free(self, name: str, place: Place) -> None:
        self._jobs.remove_item(place_given_back(name, place.number, place.token))

    async def changed(self, limit: int, after: str | None) -> tuple[str, ...]:
        names = sorted(name for name in self._settings if after is None or name > after)
        return tuple(names[:limit])

    async def line(self, name: str, limit: int) -> tuple[str, ...]:
        ranks = self._jobs.lines.get(name, {})
        return tuple(heapq.nsmallest(limit, ranks, key=ranks.__getitem__))

    async def ahead(self, job: Job, limit: int) -> int:
        name, own = job.lane.name if job.lane else "", line_rank(job) or ""
        return min(limit, sum(rank < own for rank in self._jobs.lines.get(name, {}).values()))

    async def next_line(self, shard: str, after: str | None) -> str | None:
        past = "" if after is None else f"{after}{chr(ord(LINE_SEPARATOR) + 1)}"
        names = {name for name, line in self._jobs.lines.items() if line and line_shard(name) == shard}
        keys = sorted(f"{name}{LINE_SEPARATOR}".encode() for name in names)
        later = [key for key in keys if key > past.encode()]
        return later[0].decode().removesuffix(LINE_SEPARATOR) if later else None

    async def holder(self, unique: str) -> str | None:
        item = self._jobs.item(TABLE, key_item(unique))
        return None if item is None else str(item["holder"])
