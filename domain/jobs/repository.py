"""What the domain asks of the store of jobs.

One conformance suite (`tests/contract`) holds every implementation to these docstrings.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, Protocol

from pydantic import AwareDatetime

from domain.jobs.change import Change
from domain.jobs.job import Job
from domain.results import ItemTooLarge, StorageUnavailable
from headrace.authoring.frozen import Frozen


class JobNotFound(Frozen):
    """No job has this id, or it has expired."""

    job_id: str


class JobExists(Frozen):
    """An unexpired job has this id already."""

    current: Job


class VersionConflict(Frozen):
    """Another writer was first; `current` is the stored job now, None when there is none."""

    job_id: str
    current: Job | None


class JobUnreadable(Frozen):
    """The item under this id is not a job in a form that this version knows."""

    job_id: str
    detail: str
    newer: bool = False
    """A newer version wrote it; that version can read it."""


class CompanionRefused(Frozen):
    """The job's own condition held, a companion's did not; nothing was written."""

    job_id: str
    index: int
    """The place in `Change.companions` of the first that was refused."""


AddResult = Job | JobExists | JobUnreadable | CompanionRefused | ItemTooLarge | StorageUnavailable
ReplaceResult = Job | VersionConflict | JobUnreadable | CompanionRefused | ItemTooLarge | StorageUnavailable


class DueJob(Frozen):
    """An entry of the wake index."""

    id: str
    wake_at: AwareDatetime


class DuePage(Frozen):
    """Some entries of one shard of the wake index, earliest first."""

    entries: tuple[DueJob, ...]
    unreadable: tuple[JobUnreadable, ...] = ()
    """Entries that no version of Headrace wrote."""
    next: str | None = None
    """Where the next page begins, opaque; None at the end."""


class DueState(Frozen):
    """What the sweeper needs of an unfinished job to know whether there is anything to do."""

    type: str
    status: Literal["scheduled", "blocked", "queued", "running", "retrying", "waiting"]
    since: AwareDatetime
    """When it was queued, since when it has stood in line, when it is due or its wait ends, or when its lease ends."""
    written_at: AwareDatetime
    """When this state was written; for a queued job, the trigger that should start it."""


class JobRepository(Protocol):
    """Jobs, one item each. No method raises for what can be expected of a network or a race.

    A change is committed with its companions or not at all. The job's own conflict is named before a companion's.
    Nothing is sent, and `StorageUnavailable(reason="rejected")` returned, for more than `MAX_COMPANIONS`, for a table
    that the repository does not know, for two companions on one item, and for items beyond DynamoDB's limits.
    """

    @property
    def wake_shards(self) -> tuple[str, ...]:
        """The partitions of the wake index."""

    async def add(self, change: Change, now: datetime) -> AddResult:
        """Store a new job, unless one that has not expired has its id.

        An `add` whose acknowledgement was lost and that is tried again inside the SDK succeeds.
        """

    async def get(self, job_id: str, now: datetime) -> Job | JobNotFound | JobUnreadable | StorageUnavailable:
        """The stored job (strongly consistent); an expired one is not found."""

    async def get_all(self, job_ids: tuple[str, ...], now: datetime) -> Mapping[str, Job] | StorageUnavailable:
        """Those of at most 100 stored jobs that can be read, by id (strongly consistent).

        One that the database had no capacity for just now is left out, like one that has expired.
        """

    async def replace(self, change: Change, expected_version: int) -> ReplaceResult:
        """Store the job's next version, if its version in the store is `expected_version`.

        A conflict that turns out to be this very call's own lost acknowledgement is success.
        """

    async def due(
        self, shard: str, now: datetime, limit: int, after: str | None, since: datetime | None = None
    ) -> DuePage | StorageUnavailable:
        """Jobs of a shard whose `wake_at` is not later than `now` (eventually consistent); `after` is a page's `next`.

        With `since`, only those whose `wake_at` is later than that.

        An entry that cannot be read is named on the page, and ends nothing.
        """

    async def due_states(self, job_ids: tuple[str, ...]) -> Mapping[str, DueState]:
        """The unfinished jobs among at most 100 (eventually consistent), by id, without reading their documents.

        A job that could not be read is left out, like one that is final.
        """
