"""Recovers what neither stream nor wake queue delivered: due jobs, expired leases, lost triggers, by the wake index.

And looks ahead: jobs whose time is still too far for a message when they are written get theirs here.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.jobs import transitions
from domain.jobs.catalogue import Catalogue
from domain.jobs.committing import commit
from domain.jobs.due_steps import INTERVAL, Step, step_of
from domain.jobs.job import Job, Queued
from domain.jobs.repository import (
    CompanionRefused,
    DueJob,
    DueState,
    JobNotFound,
    JobRepository,
    JobUnreadable,
    VersionConflict,
)
from domain.jobs.stream_position import StreamPositions, is_ahead, passed
from domain.jobs.sweep_report import ShardReport, SweepReport, Swept, failure_of, report_of
from domain.jobs.transitions import IllegalTransition
from domain.jobs.wake_queue import LONGEST_DELAY, Wake, WakeQueue
from domain.lanes.lanes import Lanes
from domain.lanes.releasing import Released
from domain.ports import Clock, Random
from domain.results import ItemTooLarge, StorageUnavailable

PAGE = 2000
"""Entries that one query of the index brings: some 0.2 MB."""
STATES = 100
"""Jobs of a page that are looked at and moved together, before the time left is looked at again."""
SHARDS_AT_ONCE = 4
"""Shards that are swept, and as many that are looked ahead into, at the same time."""
CONCURRENCY = 16
RESERVE = timedelta(seconds=5)
"""What a sweep leaves of its time for writes under way and for its report."""


class Sweeper:
    """Moves every job whose time has come. Two at once are safe: each move is conditional."""

    def __init__(
        self,
        jobs: JobRepository,
        positions: StreamPositions,
        wakes: WakeQueue,
        catalogue: Catalogue,
        clock: Clock,
        random: Random,
        lanes: Lanes | None = None,
    ) -> None:
        self._jobs = jobs
        self._lanes = lanes
        self._positions = positions
        self._wakes = wakes
        self._catalogue = catalogue
        self._clock = clock
        self._random = random

    async def sweep(self, deadline: datetime, tick: datetime | None = None) -> SweepReport:
        """Sweep all shards, page by page, until nothing is due or `deadline` is near; look ahead; repair lanes.

        `tick` is the time for which the sweep was planned, a whole interval after that of the sweep before it.
        """
        positions = await self._positions.current(self._clock())
        # Marks that cannot be read only cost redrives that were not needed.
        reached = None if isinstance(positions, StorageUnavailable) else passed(positions)
        sweep = _Sweep(stop=deadline - RESERVE, passed=reached, slots=asyncio.Semaphore(CONCURRENCY))
        far = (tick or self._clock()) + LONGEST_DELAY
        shards = self._jobs.wake_shards
        # A sweep that does not come to all shards in its time begins elsewhere than the one before it.
        first = int(self._random() * len(shards))
        shards = shards[first:] + shards[:first]
        # At once: a backlog must not make the jobs late whose messages can be sent now.
        swept, ahead = await asyncio.gather(
            _some_at_once(shards, lambda shard: self._sweep_shard(shard, sweep)),
            _some_at_once(shards, lambda shard: self._look_ahead(shard, far, sweep)),
        )
        # Last, as what was swept has freed places.
        released = await self._lanes.repair(sweep.stop) if self._lanes else Released()
        return report_of((*swept, *ahead), released)

    async def _look_ahead(self, shard: str, far: datetime, sweep: "_Sweep") -> ShardReport:
        """Send a message for all that falls due in the interval before `far`, without looking at it.

        Some of it may be a lease or a trigger; its message finds nothing to do.
        """
        done, after = ShardReport(), None
        while self._clock() < sweep.stop:
            page = await self._jobs.due(shard, far, PAGE, after, far - INTERVAL)
            if isinstance(page, StorageUnavailable):
                return done.and_then(ShardReport(unavailable=page))
            sent = await self._send(page.entries)
            done = done.and_then(ShardReport(
                woken=len(page.entries) - len(sent.unsent), unsent=len(sent.unsent), send_problem=sent.problem,
                complete=page.next is None,
            ))  # fmt: skip
            if page.next is None:
                return done
            after = page.next
        return done.and_then(ShardReport())

    async def _sweep_shard(self, shard: str, sweep: "_Sweep") -> ShardReport:
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
        return later.and_then(await self._sweep_range(shard, None, min(pivot, now), sweep))

    async def _sweep_range(self, shard: str, since: datetime | None, until: datetime, sweep: "_Sweep") -> ShardReport:
        done, after, reached = ShardReport(), None, since or sweep.passed or until
        while self._clock() < sweep.stop:
            page = await self._jobs.due(shard, until, PAGE, after, since)
            if isinstance(page, StorageUnavailable):
                return done.and_then(ShardReport(unavailable=page))
            unreadable = tuple(Swept(job_id=entry.job_id, problem=entry.detail) for entry in page.unreadable)
            done = done.and_then(ShardReport(swept=unreadable))
            for start in range(0, len(page.entries), STATES):
                if self._clock() >= sweep.stop:
                    return done.and_then(ShardReport(unreached=self._clock() - reached))
                entries = page.entries[start : start + STATES]
                done = done.and_then(await self._sweep_entries(entries, sweep, self._clock()))
                reached = entries[-1].wake_at
            if page.next is None:
                return done.and_then(ShardReport(complete=self._clock() < sweep.stop))
            after = page.next
        return done.and_then(ShardReport(unreached=self._clock() - reached))

    async def _sweep_entries(self, entries: tuple[DueJob, ...], sweep: "_Sweep", now: datetime) -> ShardReport:
        states = await self._jobs.due_states(tuple(entry.id for entry in entries))
        steps = {entry.id: self._step(states.get(entry.id), sweep.passed, now) for entry in entries}
        due = [states[id].since for id, step in steps.items() if step in {"send", "leave"}]
        sent = await self._send(tuple(entry for entry in entries if steps[entry.id] == "send"))
        examined = tuple(entry for entry in entries if steps[entry.id] == "examine" or entry.id in sent.unsent)
        swept = await asyncio.gather(*(self._examine(entry, sweep) for entry in examined))
        waits = [now - states[id].since for id, step in steps.items() if step == "wait"]
        queued = waits + [entry.queued for entry in swept if entry.queued is not None]
        return ShardReport(
            swept=tuple(swept),
            idle=sum(step == "idle" for step in steps.values()),
            waiting=len(waits),
            woken=sum(step == "send" for step in steps.values()) - len(sent.unsent),
            unsent=len(sent.unsent),
            send_problem=sent.problem,
            oldest_due=max((now - since for since in due), default=timedelta(0)),
            oldest_queued=max(queued, default=None),
        )

    def _step(self, state: DueState | None, passed: datetime | None, now: datetime) -> "Step":
        if state is None:
            return "examine"
        age, policy = now - state.since, self._catalogue.policy(state.type)
        return step_of(state, age, policy, is_ahead(state.written_at, passed))

    async def _send(self, entries: tuple[DueJob, ...]) -> "_Sent":
        if not entries:
            return _Sent({}, None)
        wakes = tuple(Wake(job_id=entry.id, due=entry.wake_at) for entry in entries)
        unsent = await self._wakes.send(wakes, self._clock())
        problems = {each.wake.job_id: each.problem for each in unsent}
        return _Sent(problems, next(iter(problems.values()), None))

    async def _examine(self, due: DueJob, sweep: "_Sweep") -> Swept:
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
        policy, known = self._catalogue.policy(job.type), self._catalogue.handler(job.type) is not None
        moved = transitions.wake(job, policy, now, self._random(), passed, known=known)
        queued = now - job.state.queued_at if isinstance(job.state, Queued) else None
        if isinstance(moved, IllegalTransition):
            return Swept(job_id=job.id, queued=queued)

        def examined(after: Job | None = None, problem: str | None = None) -> Swept:
            return Swept(
                job_id=job.id,
                type=job.type,
                before=job.status,
                after=after.status if after is not None else None,
                failure=failure_of(after) if after is not None else None,
                problem=problem,
                overdue=overdue,
                queued=queued,
            )

        written = await commit(self._jobs, moved, job.version)
        match written:
            case Job():
                return examined(after=written)
            case VersionConflict():
                return Swept(job_id=job.id)
            case CompanionRefused(index=index):
                return examined(problem=f"companion {index} was refused")
            case ItemTooLarge(size=size):
                return examined(problem=f"item of {size} bytes cannot be written")
            case JobUnreadable(detail=detail) | StorageUnavailable(detail=detail):
                return examined(problem=detail)


async def _some_at_once(
    shards: Sequence[str], work: Callable[[str], Awaitable[ShardReport]]
) -> tuple[ShardReport, ...]:
    slots = asyncio.Semaphore(SHARDS_AT_ONCE)

    async def one(shard: str) -> ShardReport:
        async with slots:
            return await work(shard)

    return tuple(await asyncio.gather(*map(one, shards)))


@dataclass(frozen=True)
class _Sweep:
    """What the parts of one sweep share."""

    stop: datetime
    passed: datetime | None
    slots: asyncio.Semaphore


@dataclass(frozen=True)
class _Sent:
    """What the wake queue did not take, by job, and one of the reasons."""

    unsent: Mapping[str, StorageUnavailable]
    problem: StorageUnavailable | None
