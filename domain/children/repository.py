"""What the domain asks of the store of children, and of the sets that count which of them have ended.

One conformance suite (`tests/contract/test_children.py`) holds every implementation to these docstrings.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from pydantic import AwareDatetime

from domain.jobs.job import Job
from domain.results import StorageUnavailable
from headrace.authoring.frozen import Frozen

MAX_READ = 100
"""Children that one call reads."""


class Tally(Frozen):
    """One set of a round: indexes within the set of the children that have ended, and of those that failed.

    In the set of full sets, `ended` has their numbers.
    """

    ended: frozenset[int] = frozenset()
    failed: frozenset[int] = frozenset()


class ChildState(Frozen):
    """What a parent needs of a child to count it."""

    status: str
    expires_at: AwareDatetime
    round: int
    """Of its group, in which it counts; -1 for a job that is no child."""


class ChildReader(Protocol):
    """Reads many jobs by their ids (strongly consistent)."""

    async def jobs(self, ids: tuple[str, ...]) -> Mapping[str, Job] | StorageUnavailable:
        """At most `MAX_READ` jobs, by id. Those that are not there, or that this version cannot read, are left out."""

    async def states(self, ids: tuple[str, ...]) -> Mapping[str, ChildState] | StorageUnavailable:
        """The states of at most `MAX_READ` jobs, likewise, without their documents."""


class CountRepository(Protocol):
    """Which children have ended: sets, in partitions of their own (`group.partition_of`)."""

    async def add(self, partition: str, key: str, tally: Tally, expires_at: datetime) -> Tally | StorageUnavailable:
        """Add members to a set; returns the whole set then. To add them again changes nothing."""

    async def counted(self, partition: str) -> Mapping[str, Tally] | StorageUnavailable:
        """The sets of a round, by sort key (strongly consistent)."""

    async def forget(self, partition: str) -> StorageUnavailable | None:
        """Delete the sets of a round; none is left if this returns None."""
