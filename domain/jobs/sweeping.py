"""What nobody rang for: due jobs, ended leases and lost triggers, found through the wake index."""

import asyncio
from datetime import datetime, timedelta

from domain.frozen import Frozen
from domain.jobs import transitions
from domain.jobs.job import Job, Status
from domain.jobs.job_type import Catalogue
from domain.jobs.repository import (
    DueJob,
    JobNotFound,
    JobRepository,
    JobUnreadable,
    VersionConflict,
)
from domain.jobs.transitions import IllegalTransition
from domain.ports import Clock, Random
from domain.results import ItemTooLarge, StorageUnavailable

PAGE = 100
CONCURRENCY = 16
RESERVE = timedelta(seconds=5)
"""What a sweep leaves of its time for writes under way and for its report."""


class Swept(Frozen):
    """One job that the sweeper looked at; `after` is None when there was nothing for it to do."""

    job_id: str
    type: str | None = None
    before: Status | None = None
    after: Status | None = None
    problem: str | None = None


class SweepReport(Frozen):
    """What one sweep did."""

    moved: tuple[Swept, ...]
    idle: int
    """Index entries that had moved on already: another sweeper, or the index lagging behind."""
    problems: tuple[Swept, ...]
    unavailable: tuple[StorageUnavailable, ...]
    """Shards that could not be read."""
    complete: bool
    """False when time ran out; the next sweep goes on."""
    oldest_due: timedelta
    """For how long the most overdue entry had been due when the sweep came to it; zero when none was."""


class Sweeper:
    """Moves every job whose time has come. Two at once are safe: each move is conditional."""

    def __init__(self, jobs: JobRepository, catalogue: Catalogue, clock: Clock, random: Random) -> None:
        self._jobs = jobs
        self._catalogue = catalogue
        self._clock = clock
        self._random = random

    async def sweep(self, deadline: datetime) -> SweepReport:
        """Sweep all shards at once, page by page, until nothing is due or `deadline` is near."""
        slots = asyncio.Semaphore(CONCURRENCY)
        stop = deadline - RESERVE
        shards = await asyncio.gather(*(self._sweep_shard(shard, stop, slots) for shard in self._jobs.wake_shards))
        swept = tuple(entry for shard in shards for entry in shard.swept)
        return SweepReport(
            moved=tuple(entry for entry in swept if entry.after is not None),
            idle=sum(entry.after is None and entry.problem is None for entry in swept),
            problems=tuple(entry for entry in swept if entry.problem is not None),
            unavailable=tuple(shard.unavailable for shard in shards if shard.unavailable),
            complete=all(shard.complete for shard in shards),
            oldest_due=max((shard.oldest_due for shard in shards), default=timedelta(0)),
        )

    async def _sweep_shard(self, shard: str, stop: datetime, slots: asyncio.Semaphore) -> "_Shard":
        swept: tuple[Swept, ...] = ()
        oldest_due = timedelta(0)
        now, after = self._clock(), None
        while self._clock() < stop:
            page = await self._jobs.due(shard, now, PAGE, after)
            if isinstance(page, StorageUnavailable):
                return _Shard(swept=swept, unavailable=page, complete=False, oldest_due=oldest_due)
            if after is None and page.entries:
                oldest_due = now - page.entries[0].wake_at
            swept += tuple(await asyncio.gather(*(self._wake(due, stop, slots) for due in page.entries)))
            if not page.more or not page.entries:
                return _Shard(swept=swept, complete=self._clock() < stop, oldest_due=oldest_due)
            after = page.entries[-1]
        return _Shard(swept=swept, complete=False, oldest_due=oldest_due)

    async def _wake(self, due: DueJob, stop: datetime, slots: asyncio.Semaphore) -> Swept:
        async with slots:
            now = self._clock()
            if now >= stop:
                return Swept(job_id=due.id)
            found = await self._jobs.get(due.id, now)
            match found:
                case Job():
                    return await self._move(found, now)
                case JobNotFound():
                    return Swept(job_id=due.id)
                case JobUnreadable(detail=detail) | StorageUnavailable(detail=detail):
                    return Swept(job_id=due.id, problem=detail)

    async def _move(self, job: Job, now: datetime) -> Swept:
        policy = self._catalogue.policy(job.type)
        moved = transitions.wake(job, policy, now, self._random())
        if isinstance(moved, IllegalTransition):
            return Swept(job_id=job.id)
        written = await self._jobs.replace(moved, job.version)
        match written:
            case Job():
                return Swept(job_id=job.id, type=job.type, before=job.status, after=moved.status)
            case VersionConflict():
                return Swept(job_id=job.id)
            case ItemTooLarge(size=size):
                return Swept(job_id=job.id, problem=f"item of {size} bytes cannot be written")
            case JobUnreadable(detail=detail) | StorageUnavailable(detail=detail):
                return Swept(job_id=job.id, problem=detail)


class _Shard(Frozen):
    swept: tuple[Swept, ...]
    complete: bool
    oldest_due: timedelta
    unavailable: StorageUnavailable | None = None
