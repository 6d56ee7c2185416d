"""What the domain asks of the store of lanes.

One conformance suite (`tests/contract/test_lane_repository.py`) holds every implementation to these docstrings.
Places and slots are written as companions of jobs, by `JobRepository`.
"""

from typing import Protocol

from domain.jobs.job import Job
from domain.lanes.lane import Lane, LaneSettings, Place
from domain.results import StaleVersion, StorageUnavailable


class LaneRepository(Protocol):
    """Lanes, and the lines before them."""

    @property
    def line_shards(self) -> tuple[str, ...]:
        """The partitions of the index of all lines."""

    async def read(self, name: str, first: int = 0) -> Lane | StorageUnavailable:
        """The lane now (strongly consistent); one that nobody has used or changed is empty.

        Of its places only those with numbers from `first`.
        """

    async def save(
        self, name: str, settings: LaneSettings, expected_version: int
    ) -> StaleVersion | StorageUnavailable | None:
        """Replace the settings of a lane, if their version in the store is `expected_version`."""

    async def free(self, name: str, place: Place) -> StorageUnavailable | None:
        """Delete a place, if it is still of the same lease."""

    async def changed(self, limit: int, after: str | None) -> tuple[str, ...] | StorageUnavailable:
        """The names of lanes with settings, in order, those after `after` (eventually consistent)."""

    async def line(self, name: str, limit: int) -> tuple[str, ...] | StorageUnavailable:
        """The ids of the first `limit` jobs that stand in line, the next one first (eventually consistent).

        The highest priority goes first, then the oldest.
        """

    async def ahead(self, job: Job, limit: int) -> int | StorageUnavailable:
        """How many stand before a job in the line of its lane, counted up to `limit` (eventually consistent)."""

    async def next_line(self, shard: str, after: str | None) -> str | StorageUnavailable | None:
        """The name of the next lane of a shard in which somebody waits (eventually consistent); None at the end."""

    async def holder(self, unique: str) -> str | StorageUnavailable | None:
        """The id of the job that was last given a unique key (strongly consistent)."""
