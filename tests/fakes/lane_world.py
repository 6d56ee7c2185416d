"""API, stream, wake queue, workers and sweeps in virtual time, without faults but those that a test asks for."""

import asyncio
import random
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar

from domain.jobs.catalogue import Catalogue
from domain.jobs.change import Change
from domain.jobs.execution import JobExecutor
from domain.jobs.job import Job, Queued, Retrying, Scheduled, is_final
from domain.jobs.service import JobService
from domain.jobs.submission import Submission
from domain.jobs.submitting import SubmissionService, Submitted
from domain.jobs.sweeping import Sweeper
from domain.jobs.transitions import place_of
from domain.lanes.lane import PLACE, TABLE, LaneSettings
from domain.lanes.lanes import Lanes
from domain.lanes.service import LaneService
from domain.users.user import User
from headrace.authoring.job_type import Handler
from headrace.authoring.rate import Rate
from headrace.testing.job_repository import FakeJobRepository
from headrace.testing.lane_repository import FakeLaneRepository
from headrace.testing.stream_positions import FakeStreamPositions
from headrace.testing.virtual_loop import run_in_virtual_time
from headrace.testing.wake_queue import FakeWakeQueue
from tests.factories import NOW, UserFactory

T = TypeVar("T")

OWNER = UserFactory.build(id="owner-1")
FUNCTION = timedelta(seconds=90)


def to(limit: int | None, rate: Rate | None = None) -> Callable[[LaneSettings], LaneSettings]:
    """Changes a lane's limit and rate."""
    return lambda settings: replace(settings, limit=limit, rate=rate)


class LaneWorld:
    """What `work` in `play` uses. Kills workers with the given probability, between any two calls of the store."""

    def __init__(self, *handlers: Handler, owner_limit: int = 0, kills: float = 0, seed: int = 1) -> None:
        self.random = random.Random(seed)
        self._kills = kills
        self.jobs = _Stream(self)
        self.lanes = FakeLaneRepository(self.jobs)
        catalogue = Catalogue(handlers)
        self.passage = Lanes(self.jobs, self.lanes, catalogue, self.now, self.random.random, owner_limit)
        self.submissions = SubmissionService(self.jobs, catalogue, self.now, self.new_id, lanes=self.passage)
        self.service = JobService(self.jobs, catalogue, self.now, self.passage)
        self.admin = LaneService(self.lanes, self.passage)
        self._executor = JobExecutor(
            self.jobs, catalogue, self.now, self.new_id, self.random.random, {}, lanes=self.passage
        )
        self.wakes = FakeWakeQueue()
        self._sweeper = Sweeper(
            self.jobs, FakeStreamPositions(), self.wakes, catalogue, self.now, self.random.random, self.passage
        )
        self._tasks: set[asyncio.Task[None]] = set()
        self._ids = 0
        self.triggers = 0
        """Records that brought a job to a worker."""
        self.highest = 0
        """The most places of a lane that were taken at once."""

    def now(self) -> datetime:
        return NOW + timedelta(seconds=asyncio.get_running_loop().time())

    def new_id(self) -> str:
        self._ids += 1
        return f"{self._ids:036}"

    def play(self, work: Callable[[], Coroutine[object, object, T]]) -> T:
        """Run `work` with all that runs beside it, in virtual time."""
        return run_in_virtual_time(self._play(work))

    async def submit(self, type: str, text: str = "x", owner: User = OWNER, **fields: object) -> Job:
        key = fields.pop("key", None)
        submission = Submission.model_validate({"type": type, "payload": {"text": text}, **fields})
        submitted = await self.submissions.submit(submission, owner, str(key) if key else None)
        assert isinstance(submitted, Submitted), submitted
        return submitted.job

    async def ended(self, within: timedelta = timedelta(hours=6)) -> None:
        """Wait until all jobs have ended."""
        deadline = self.now() + within
        while not all(is_final(job) for job in self.jobs.stored):
            assert self.now() < deadline, [job.status for job in self.jobs.stored if not is_final(job)][:10]
            await asyncio.sleep(1)

    async def ended_one(self, job_id: str) -> None:
        """Wait until a job has ended, and a moment for what follows from it."""
        while not any(job.id == job_id and is_final(job) for job in self.jobs.stored):  # noqa: ASYNC110 - virtual time
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.006)

    def committed(self, job: Job) -> None:
        """Check the lanes, and deliver what stream and wake queue would."""
        if job.lane is not None:
            taken = sorted(
                str(item["token"])
                for item in self.jobs.items_of(TABLE)
                if item["lane"] == job.lane.name and str(item["item"]).startswith(PLACE)
            )
            self.highest = max(self.highest, len(taken))
            if len(self.jobs.stored) < 500 or self.random.random() < 0.01:
                assert taken == sorted(
                    place[1]
                    for each in self.jobs.stored
                    if each.lane and each.lane.name == job.lane.name and (place := place_of(each.state))
                )
        match job.state:
            case Queued():
                self._later(self.random.uniform(0.01, 0.3), job)
            case Scheduled(run_at=due) | Retrying(retry_at=due):
                self._later(max(0.0, (due - self.now()).total_seconds()) + 0.01, job)
            case _:
                pass

    def dies(self) -> bool:
        """Whether the worker that calls dies here."""
        return self._kills > 0 and self.random.random() < self._kills

    def _later(self, seconds: float, job: Job) -> None:
        self.triggers += 1
        asyncio.get_running_loop().call_later(seconds, lambda: self._start(self._run(job)))

    def _start(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, job: Job) -> None:
        found = await self.jobs.get(job.id, self.now())
        task = asyncio.current_task()
        if isinstance(found, Job) and task is not None:
            task.set_name("worker")
            await self._executor.execute(found, self.now() + FUNCTION)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(60)
            await self._sweeper.sweep(self.now() + timedelta(seconds=55))

    async def _play(self, work: Callable[[], Coroutine[object, object, T]]) -> T:
        sweeps = [asyncio.get_running_loop().create_task(self._sweep()) for _ in range(2)]
        result = await work()
        for task in (*self._tasks, *sweeps):
            task.cancel()
        await asyncio.gather(*self._tasks, *sweeps, return_exceptions=True)
        return result


class _Stream(FakeJobRepository):
    """Jobs in memory, whose writes are followed. Each call of a worker takes time, and may be its last."""

    def __init__(self, world: LaneWorld) -> None:
        super().__init__()
        self._world = world

    async def replace(self, change: Change, expected_version: int):  # type: ignore[no-untyped-def]  # as its base
        await self._pause()
        replaced = await super().replace(change, expected_version)
        await self._pause()
        return replaced

    def _written(self, job: Job) -> None:
        self._world.committed(job)

    async def _pause(self) -> None:
        task = asyncio.current_task()
        if task is not None and task.get_name() == "worker" and self._world.dies():
            raise asyncio.CancelledError
        await asyncio.sleep(0.002)
