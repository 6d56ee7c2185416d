"""A year of schedules in virtual time: two sweepers, crashes at any await, lost and doubled messages, an outage.

Nothing waits: what would happen at the same time happens in an order that the seed decides.
"""

import heapq
import random
from collections.abc import Callable, Coroutine, Generator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from itertools import count

from domain.jobs import transitions
from domain.jobs.catalogue import Catalogue
from domain.jobs.change import Change
from domain.jobs.due_steps import INTERVAL
from domain.jobs.job import Job, Succeeded
from domain.jobs.outcomes import Done
from domain.jobs.repository import AddResult, JobNotFound, JobUnreadable
from domain.jobs.service import JobService
from domain.jobs.submitting import SubmissionService
from domain.results import ItemTooLarge, StorageUnavailable
from domain.schedules.repository import DueSchedules, ScheduleConflict, ScheduleNotFound
from domain.schedules.schedule import Schedule
from domain.schedules.sweeping import TickSweeper
from domain.schedules.tick_queue import NEAR, TickWake
from domain.schedules.ticking import Ticker
from headrace.authoring.json_text import JsonText
from headrace.testing.clock import FakeClock, numbered_ids
from headrace.testing.job_repository import FakeJobRepository
from tests.factories import POLICY, TOKEN, UserFactory, legal
from tests.fakes.faulty_job_repository import FaultyJobRepository
from tests.fakes.faulty_schedule_repository import FaultyScheduleRepository
from tests.fakes.handlers import a_handler
from tests.fakes.schedule_repository import COMPANIONS, FakeScheduleRepository, FakeTickQueue
from tests.fakes.user_repository import FakeUserRepository

OWNER_ID = "owner-1"
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
CRASH, LOST, DOUBLED, SKIPPED_SWEEP = 0.01, 0.03, 0.05, 0.05
"""Probabilities: at an await, of a message, of a message, of a sweep."""


class Point:
    """A place at which a process may be overtaken by another, or die."""

    def __await__(self) -> Generator[None]:
        yield


class PausingSchedules(FaultyScheduleRepository):
    """Is overtaken before and after each call."""

    async def get(self, schedule_id: str) -> Schedule | ScheduleNotFound | StorageUnavailable:
        await Point()
        found = await super().get(schedule_id)
        await Point()
        return found

    async def replace(
        self, schedule: Schedule, expected_version: int
    ) -> Schedule | ScheduleConflict | ItemTooLarge | StorageUnavailable:
        await Point()
        written = await super().replace(schedule, expected_version)
        await Point()
        return written

    async def due(self, until: datetime, limit: int, after: str | None) -> DueSchedules | StorageUnavailable:
        await Point()
        found = await super().due(until, limit, after)
        await Point()
        return found


class PausingJobs(FaultyJobRepository):
    """The same for jobs; knows which are new."""

    def __init__(self, inner: FakeJobRepository) -> None:
        super().__init__(inner)
        self.new: list[str] = []

    async def add(self, change: Change, now: datetime) -> AddResult:
        await Point()
        added = await super().add(change, now)
        if isinstance(added, Job):
            self.new.append(added.id)
        await Point()
        return added

    async def get(self, job_id: str, now: datetime) -> Job | JobNotFound | JobUnreadable | StorageUnavailable:
        await Point()
        return await super().get(job_id, now)


@dataclass
class Outage:
    """While it lasts nothing runs."""

    start: datetime
    end: datetime

    def covers(self, moment: datetime) -> bool:
        return self.start <= moment < self.end


@dataclass
class Year:
    """The processes, the clock and what is stored."""

    start: datetime
    end: datetime
    outage: Outage
    seed: int
    longest_job: timedelta = timedelta(0)
    crashes: int = 0
    events: list[tuple[datetime, int, Callable[[], None]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.clock = FakeClock(self.start)
        self.jobs = FakeJobRepository(COMPANIONS)
        self.schedules = FakeScheduleRepository(self.jobs)
        self.queue = FakeTickQueue()
        self.users = FakeUserRepository()
        self._numbers = count()
        catalogue = Catalogue([a_handler(policy=POLICY)])
        self.made = pausing_jobs = PausingJobs(self.jobs)
        pausing = PausingSchedules(self.schedules)
        submissions = SubmissionService(pausing_jobs, catalogue, self.clock, numbered_ids())
        service = JobService(pausing_jobs, catalogue, self.clock)
        self.ticker = Ticker(pausing, pausing_jobs, submissions, service, self.users, self.queue, self.clock)
        self.sweepers = [TickSweeper(pausing, self.queue, self.clock) for _ in range(2)]

    def run(self, schedules: list[Schedule]) -> None:
        """From the start to the end of the year."""
        _at_once(self.users.add(UserFactory.build(id=OWNER_ID)))
        for schedule in schedules:
            _at_once(self.schedules.add(schedule))
        planned = self.start.replace(second=0, microsecond=0)
        while (planned := self._next_sweep(planned + INTERVAL)) < self.end:
            self._until(planned)
            for sweeper in self.sweepers:
                if self.random.random() >= SKIPPED_SWEEP:
                    at = planned + self.random.random() * 25 * SECOND
                    self._plan(at, partial(self._sweep, sweeper, planned))
        self._until(self.end)

    def _next_sweep(self, earliest: datetime) -> datetime:
        """The next minute whose sweep may find something; those before it would find nothing."""
        waking = [datetime.fromisoformat(str(item["wake_at"])) for item in self.jobs.items_of("schedules")]
        near = (min(waking) - NEAR).replace(second=0, microsecond=0)
        return max(earliest, near)

    def _until(self, moment: datetime) -> None:
        while self.events and self.events[0][0] <= moment:
            at, _, happen = heapq.heappop(self.events)
            self.clock.now = max(self.clock.now, at)
            happen()
            self._deliver()
            self._end_jobs()
        self.clock.now = max(self.clock.now, moment)

    def _plan(self, at: datetime, happen: Callable[[], None]) -> None:
        heapq.heappush(self.events, (at, next(self._numbers), happen))

    def _sweep(self, sweeper: TickSweeper, planned: datetime) -> None:
        if not self.outage.covers(self.clock.now):
            self._resume(sweeper.sweep(self.clock.now + 50 * SECOND, planned))

    def _deliver(self) -> None:
        """Give each message that was sent to a worker, later, twice or never."""
        far = self.clock.now + timedelta(days=1)
        for wake in self.queue.take(far):
            due = max(wake.due, self.clock.now)
            for _ in range(2 if self.random.random() < DOUBLED else 1):
                if self.random.random() >= LOST:
                    self._plan(due + self.random.random() * 3 * SECOND, partial(self._work, wake))

    def _work(self, wake: TickWake) -> None:
        if not self.outage.covers(self.clock.now):
            self._resume(self.ticker.tick(wake))

    def _resume(self, process: Coroutine[object, object, object]) -> None:
        try:
            process.send(None)
        except StopIteration:
            return
        if self.random.random() < CRASH or self.outage.covers(self.clock.now):
            process.close()
            self.crashes += 1
            return
        # Now and then a process stands still for longer than another needs for the whole tick.
        pause = self.random.random() * (10 * SECOND if self.random.random() < 0.05 else 0.05 * SECOND)
        self._plan(self.clock.now + pause, partial(self._resume, process))

    def _end_jobs(self) -> None:
        """Have each new job end after some time."""
        if self.longest_job == timedelta(0):
            return
        while self.made.new:
            ends = self.clock.now + self.random.random() * self.longest_job
            self._plan(ends, partial(self._finish, self.made.new.pop()))

    def _finish(self, job_id: str) -> None:
        now = self.clock.now
        job = _at_once(self.jobs.get(job_id, now))
        if not isinstance(job, Job):
            return
        claimed = legal(transitions.claim(job, POLICY, TOKEN, now + MINUTE, now))
        ended = legal(transitions.finish(claimed, POLICY, TOKEN, Done(result=JsonText("{}")), now, 0.5))
        _at_once(self.jobs.replace(Change(claimed), job.version))
        _at_once(self.jobs.replace(Change(ended), claimed.version))


def ticks_of(jobs: tuple[Job, ...], schedule: Schedule) -> list[datetime]:
    """The ticks that a schedule's jobs were made for; one that made two is there twice."""
    return sorted(datetime.fromisoformat(job.tags["tick"]) for job in jobs if job.tags["schedule"] == schedule.id)


def lives_of(jobs: tuple[Job, ...], schedule: Schedule) -> list[tuple[datetime, datetime]]:
    """From when to when each job of a schedule was unfinished."""
    mine = [job for job in jobs if job.tags["schedule"] == schedule.id]
    ended = [(job.created_at, job.state.finished_at) for job in mine if isinstance(job.state, Succeeded)]
    return sorted(ended)


def _at_once(work: Coroutine[object, object, object]) -> object:
    """The result of what never waits."""
    try:
        work.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("it waits")
