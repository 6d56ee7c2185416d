"""A ticker over fakes, whose clock and jobs a test moves."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from domain.jobs import transitions
from domain.jobs.catalogue import Catalogue
from domain.jobs.change import Change
from domain.jobs.job import Job
from domain.jobs.outcomes import Done, Outcome
from domain.jobs.repository import JobRepository
from domain.jobs.service import JobService
from domain.jobs.submitting import SubmissionService
from domain.schedules.repository import ScheduleRepository
from domain.schedules.schedule import Schedule, due_at
from domain.schedules.service import ScheduleService
from domain.schedules.tick_outcomes import (
    TickOutcome,
)
from domain.schedules.tick_queue import TickWake
from domain.schedules.ticking import (
    Ticker,
)
from domain.users.repository import UserRepository
from headrace.authoring.json_text import JsonText
from headrace.authoring.outcomes import Fail
from headrace.testing.clock import FakeClock, numbered_ids
from headrace.testing.job_repository import FakeJobRepository
from tests.factories import POLICY, TOKEN, UserFactory, legal
from tests.fakes.handlers import a_handler
from tests.fakes.schedule_repository import COMPANIONS, FakeScheduleRepository, FakeTickQueue
from tests.fakes.user_repository import FakeUserRepository

CATALOGUE = Catalogue([a_handler(policy=POLICY)])
SUCCESS = Done(result=JsonText('{"words":2}'))
FAILURE = Fail(reason="never")
OWNER = UserFactory.build(id="owner-1", email="owner@example.com")


@dataclass
class World:
    """Fakes, and services on them."""

    clock: FakeClock = field(default_factory=FakeClock)
    jobs: FakeJobRepository = field(default_factory=lambda: FakeJobRepository(COMPANIONS))
    queue: FakeTickQueue = field(default_factory=FakeTickQueue)
    users: FakeUserRepository = field(default_factory=FakeUserRepository)
    catalogue: Catalogue = CATALOGUE

    def __post_init__(self) -> None:
        self.schedules = FakeScheduleRepository(self.jobs)
        self.new_id = numbered_ids()

    def ticker(
        self,
        schedules: ScheduleRepository | None = None,
        jobs: JobRepository | None = None,
        users: UserRepository | None = None,
    ) -> Ticker:
        jobs = jobs or self.jobs
        return Ticker(
            schedules or self.schedules, jobs, self.submissions(jobs), JobService(jobs, self.catalogue, self.clock),
            users or self.users, self.queue, self.clock,
        )  # fmt: skip

    def submissions(self, jobs: JobRepository | None = None) -> SubmissionService:
        return SubmissionService(jobs or self.jobs, self.catalogue, self.clock, self.new_id)

    def service(self, schedules: ScheduleRepository | None = None, limit: int = 3) -> ScheduleService:
        return ScheduleService(
            schedules or self.schedules, self.schedules, self.submissions(), self.users, self.queue, self.clock,
            self.new_id, limit,
        )  # fmt: skip

    async def add(self, schedule: Schedule) -> Schedule:
        await self.schedules.add(schedule)
        return schedule

    async def tick(self, schedule: Schedule, ticker: Ticker | None = None) -> tuple[TickOutcome, ...]:
        """As a message that is due now brings it."""
        wake = TickWake(schedule_id=schedule.id, due=self.clock())
        return await (ticker or self.ticker()).tick(wake)

    async def tick_next(self, schedule: Schedule, late: timedelta = timedelta(0)) -> tuple[TickOutcome, ...]:
        """Wait for the next tick of the schedule, as it is stored."""
        due = due_at(await self.stored(schedule))
        assert due is not None
        self.clock.now = due + late
        return await self.tick(schedule)

    async def stored(self, schedule: Schedule) -> Schedule:
        found = await self.schedules.get(schedule.id)
        assert isinstance(found, Schedule)
        return found

    def ids(self) -> list[str]:
        return [job.id for job in self.jobs.stored]

    async def finish(self, job_id: str, outcome: Outcome = SUCCESS, at: datetime | None = None) -> None:
        """Run the job to this end."""
        now = at or self.clock()
        job = await self.jobs.get(job_id, now)
        assert isinstance(job, Job)
        claimed = legal(transitions.claim(job, POLICY, TOKEN, now + timedelta(minutes=5), now))
        ended = legal(transitions.finish(claimed, POLICY, TOKEN, outcome, now, 0.5))
        await self.jobs.replace(Change(claimed), job.version)
        await self.jobs.replace(Change(ended), claimed.version)

    @classmethod
    async def with_owner(cls) -> "World":
        """A world in which the schedules' owner is known."""
        world = cls()
        await world.users.add(OWNER)
        return world


@pytest.fixture
async def world() -> World:
    return await World.with_owner()
