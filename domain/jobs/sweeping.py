"""Recovers jobs that the stream did not deliver: due jobs, expired leases and lost triggers, by the wake index."""

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from domain.jobs import transitions
from domain.jobs.catalogue import Catalogue
from domain.jobs.job import Job, Queued, Status
from domain.jobs.repository import (
    CompanionRefused,
    DueJob,
    DuePage,
    JobNotFound,
    JobRepository,
    JobUnreadable,
    QueuedTrigger,
    VersionConflict,
)
from domain.jobs.stream_position import StreamPositions, is_ahead, passed
from domain.jobs.transitions import IllegalTransition
from domain.ports import Clock, Random
from domain.results import ItemTooLarge, StorageUnavailable
from headrace.authoring.frozen import Frozen

PAGE = 100
CONCURRENCY = 16
RESERVE = timedelta(seconds=5)
"""What a sweep leaves of its time for writes under way and for its report."""


class Swept(Frozen):
    """One job that the sweeper examined; `after` is None when there was nothing for it to do."""

    job_id: str
    type: str | None = None
    before: Status | None = None
    after: Status | None = None
    problem: str | None = None
    overdue: timedelta = timedelta(0)
    """For how long the job had been due."""
    queued: timedelta | None = None
    """For how long the job has been queued, if it is."""


class SweepReport(Frozen):
    """What one sweep did."""

    moved: tuple[Swept, ...]
    idle: int
    """Index entries that had moved on already: another sweeper, or the index lagging behind."""
    waiting: int
    """Queued jobs whose triggers still wait in the stream: the workers lag."""
    problems: tuple[Swept, ...]
    unavailable: tuple[StorageUnavailable, ...]
    """Shards that could not be read."""
    complete: bool
    """False when time ran out; the next sweep continues."""
    oldest_due: timedelta
    """For how long the most overdue job had been due when the sweep came to it, or may have been to which it did not
    come in its time; zero when none was."""
    oldest_queued: timedelta | None
    """For how long that job has been queued that has waited longest for a worker, of those examined; None if none."""


class Sweeper:
    """Moves every job whose time has come. Two at once are safe: each move is conditional."""

    def __init__(
        self, jobs: JobRepository, positions: StreamPositions, catalogue: Catalogue, clock: Clock, random: Random
    ) -> None:
        self._jobs = jobs
        self._positions = positions
        self._catalogue = catalogue
        self._clock = clock
        self._random = random

    async def sweep(self, deadline: datetime) -> SweepReport:
        """Sweep all shards at once, page by page, until nothing is due or `deadline` is near."""
        positions = await self._positions.current(self._clock())
        # Marks that cannot be read only cost redrives that were not needed.
        reached = None if isinstance(positions, StorageUnavailable) else passed(positions)
        sweep = _Sweep(stop=deadline - RESERVE, passed=reached, slots=asyncio.Semaphore(CONCURRENCY))
        shards = await asyncio.gather(*(self._sweep_shard(shard, sweep) for shard in self._jobs.wake_shards))
        swept = tuple(entry for shard in shards for entry in shard.swept)
        return SweepReport(
            moved=tuple(entry for entry in swept if entry.after is not None),
            idle=sum(entry.after is None and entry.problem is None for entry in swept),
            waiting=sum(shard.waiting for shard in shards),
            problems=tuple(entry for entry in swept if entry.problem is not None),
            unavailable=tuple(shard.unavailable for shard in shards if shard.unavailable),
            complete=all(shard.complete for shard in shards),
            oldest_due=max([entry.overdue for entry in swept] + [shard.unreached for shard in shards]),
            oldest_queued=max((shard.oldest_queued for shard in shards if shard.oldest_queued), default=None),
        )

    async def _sweep_shard(self, shard: str, sweep: "_Sweep") -> "_Shard":
        """All that is due in a shard, earliest first; beside a backlog from a random moment on, then from the start.

        The jobs of a backlog stay due, so a sweep may come to no end of them: the next one begins elsewhere.
        """
        now = self._clock()
        if sweep.passed is None:
            return await self._sweep_range(shard, None, now, sweep)
        pivot = sweep.passed + (now - sweep.passed) * self._random()
        later = await self._sweep_range(shard, pivot, now, sweep)
        if not later.complete:
            return later
        earlier = await self._sweep_range(shard, None, min(pivot, now), sweep)
        both = later.and_then(earlier)
        return replace(both, complete=earlier.complete, unavailable=earlier.unavailable, unreached=earlier.unreached)

    async def _sweep_range(self, shard: str, since: datetime | None, until: datetime, sweep: "_Sweep") -> "_Shard":
        done, after, reached = _Shard(), None, since or sweep.passed or until
        while self._clock() < sweep.stop:
            page = await self._jobs.due(shard, until, PAGE, after, since)
            if isinstance(page, StorageUnavailable):
                return replace(done, unavailable=page)
            done = done.and_then(await self._sweep_page(page, sweep, self._clock()))
            if page.next is None:
                return replace(done, complete=self._clock() < sweep.stop)
            after = page.next
            reached = page.entries[-1].wake_at if page.entries else reached
        return replace(done, unreached=self._clock() - reached)

    async def _sweep_page(self, page: DuePage, sweep: "_Sweep", now: datetime) -> "_Shard":
        waiting = await self._still_in_the_stream(page, sweep.passed, now)
        due = tuple(entry for entry in page.entries if entry.id not in waiting)
        unreadable = tuple(Swept(job_id=entry.job_id, problem=entry.detail) for entry in page.unreadable)
        examined = tuple(await asyncio.gather(*(self._wake(entry, sweep) for entry in due)))
        queued = [now - trigger.queued_at for trigger in waiting.values()]
        queued += [entry.queued for entry in examined if entry.queued is not None]
        return _Shard(swept=(*unreadable, *examined), waiting=len(waiting), oldest_queued=max(queued, default=None))

    async def _still_in_the_stream(
        self, page: DuePage, passed: datetime | None, now: datetime
    ) -> dict[str, QueuedTrigger]:
        """The queued jobs of a page whose triggers the workers have yet to come to; nothing has to be read of them."""
        if passed is None or not page.entries:
            return {}
        triggers = await self._jobs.queued_triggers(tuple(entry.id for entry in page.entries))
        return {
            id: trigger
            for id, trigger in triggers.items()
            if is_ahead(trigger.triggered_at, passed)
            and now - trigger.queued_at <= self._catalogue.policy(trigger.type).max_age
        }

    async def _wake(self, due: DueJob, sweep: "_Sweep") -> Swept:
        async with sweep.slots:
            now = self._clock()
            if now >= sweep.stop:
                return Swept(job_id=due.id)
            found = await self._jobs.get(due.id, now)
            match found:
                case Job():
                    return await self._move(found, sweep.passed, now, overdue=now - due.wake_at)
                case JobNotFound():
                    return Swept(job_id=due.id)
                case JobUnreadable(newer=True):
                    # The newer version's sweeper moves it; after a rollback there is none, so the alarm must count it.
                    return Swept(job_id=due.id, overdue=now - due.wake_at)
                case JobUnreadable(detail=detail) | StorageUnavailable(detail=detail):
                    return Swept(job_id=due.id, problem=detail, overdue=now - due.wake_at)

    async def _move(self, job: Job, passed: datetime | None, now: datetime, overdue: timedelta) -> Swept:
        policy = self._catalogue.policy(job.type)
        moved = transitions.wake(job, policy, now, self._random(), passed)
        queued = now - job.state.queued_at if isinstance(job.state, Queued) else None
        if isinstance(moved, IllegalTransition):
            return Swept(job_id=job.id, queued=queued)

        def examined(after: Status | None = None, problem: str | None = None) -> Swept:
            return Swept(
                job_id=job.id,
                type=job.type,
                before=job.status,
                after=after,
                problem=problem,
                overdue=overdue,
                queued=queued,
            )

        written = await self._jobs.replace(moved, job.version)
        match written:
            case Job():
                return examined(after=written.status)
            case VersionConflict():
                return Swept(job_id=job.id)
            case CompanionRefused(index=index):
                return examined(problem=f"companion {index} was refused")
            case ItemTooLarge(size=size):
                return examined(problem=f"item of {size} bytes cannot be written")
            case JobUnreadable(detail=detail) | StorageUnavailable(detail=detail):
                return examined(problem=detail)


@dataclass(frozen=True)
class _Sweep:
    """What the parts of one sweep share."""

    stop: datetime
    passed: datetime | None
    slots: asyncio.Semaphore


@dataclass(frozen=True)
class _Shard:
    """What was done of one shard so far, or on one page of it."""

    swept: tuple[Swept, ...] = ()
    waiting: int = 0
    oldest_queued: timedelta | None = None
    complete: bool = False
    unavailable: StorageUnavailable | None = None
    unreached: timedelta = timedelta(0)
    """For how long the next job may have been due, when time ran out before it."""

    def and_then(self, page: "_Shard") -> "_Shard":
        ages = [age for age in (self.oldest_queued, page.oldest_queued) if age is not None]
        return _Shard(
            swept=(*self.swept, *page.swept),
            waiting=self.waiting + page.waiting,
            oldest_queued=max(ages, default=None),
        )
