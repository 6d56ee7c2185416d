"""The world of `simulation.py`: processes that die, a store that fails, a stream that loses and repeats records.

Everything is seeded and runs in virtual time.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Coroutine, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import replace
from datetime import datetime, timedelta

from domain.durable.repository import LeaseEnded, RememberResult, StepPage
from domain.durable.step import Step
from domain.jobs.change import Change, Moved
from domain.jobs.job import Job, Running, is_final
from domain.jobs.repository import AddResult, DuePage, DueState, JobNotFound, ReplaceResult
from domain.jobs.wake_queue import Unsent, Wake, wake_of
from domain.lanes.lane import Lane, LaneSettings, Place
from domain.results import StaleVersion, StorageUnavailable
from headrace.authoring.job_type import WORKER
from headrace.testing.blob_store import FakeBlobStore
from headrace.testing.job_repository import FakeJobRepository
from headrace.testing.lane_repository import FakeLaneRepository
from headrace.testing.step_repository import FakeStepRepository
from headrace.testing.stream_positions import FakeStreamPositions
from persistence.sqs.wake_queue import delay_seconds
from tests.factories import NOW
from tests.reliability.history import History
from tests.reliability.lane_checks import LaneChecks

SKEW = timedelta(minutes=10)
"""How far the clock of a process may be off."""
STORM_SECONDS = 600
"""How long faults are injected; after that every job must reach a final state."""

THROTTLED = StorageUnavailable(reason="throttled", detail="ThrottlingException")
TIMED_OUT = StorageUnavailable(reason="timeout", detail="ReadTimeoutError")


class Killed(BaseException):
    """The process ends here, as by SIGKILL."""


class Process:
    """A caller of the repository: a worker's invocation, a sweep or a client."""

    def __init__(self, world: "World", name: str) -> None:
        self._world = world
        self.name = name
        self.dead = False
        self._skew = SKEW * world.random.uniform(-1, 1) if world.random.random() < 0.3 else timedelta(0)
        self._ids = 0

    def clock(self) -> datetime:
        """Return the time as this process sees it."""
        return self._world.now + self._skew

    def new_id(self) -> str:
        """Return a token that names its process, so that the checker knows the holder of a lease."""
        self._ids += 1
        return f"{self.name}:{self._ids}"

    def check(self) -> None:
        """Raise `Killed` if this process is dead."""
        if self.dead:
            raise Killed


PROCESS: ContextVar[Process] = ContextVar("process")


class World:
    """The state that all processes share."""

    def __init__(self, seed: int, store: FakeJobRepository) -> None:
        self.random = random.Random(seed)
        self.store = store
        self.blobs = FakeBlobStore()
        self.positions = FakeStreamPositions()
        self.newer: dict[str, dict[str, str]] = {}
        """By job: attributes that a newer version wrote, and that every writer must keep."""
        self.history = History()
        self.lanes = FakeLaneRepository(store)
        self.lane_checks = LaneChecks(store, self.lanes)
        self.durable = False
        """Whether the handler makes its effect in a step, sleeps, and waits for a signal."""
        self.with_children = False
        """Whether jobs have children, which the recorder counts."""
        self.steps = FakeStepRepository(store)
        self.faults: Counter[str] = Counter()
        self.queue: asyncio.Queue[Job] = asyncio.Queue()
        self.recorded: asyncio.Queue[Job] = asyncio.Queue()
        """What the recorder is still to see."""
        self.messages: asyncio.Queue[tuple[str, Wake]] = asyncio.Queue()
        """Of the wake queue and of the runners' queues, when they may be delivered, with the runner."""
        self.names = 0
        self.old_batches: list[list[Job]] = []
        self.recorded_before: list[list[Job]] = []
        self.tasks: set[asyncio.Task[None]] = set()
        self.bugs: list[BaseException] = []

    @property
    def now(self) -> datetime:
        """The true time, without skew."""
        return NOW + timedelta(seconds=asyncio.get_running_loop().time())

    @property
    def stormy(self) -> bool:
        """Whether faults are injected now."""
        return asyncio.get_running_loop().time() < STORM_SECONDS

    def strikes(self, fault: str, probability: float) -> bool:
        """Decide whether this fault is injected here, and count it."""
        if not self.stormy or self.random.random() >= probability:
            return False
        self.faults[fault] += 1
        return True

    async def check_not_remembered(self, job_id: str, name: str) -> None:
        """Raise `Violation` if the holder of the job's lease makes an effect that the job remembers."""
        job = await self.store.get(job_id, NOW)
        token = job.state.lease.token if isinstance(job, Job) and isinstance(job.state, Running) else ""
        if not token.startswith(f"{PROCESS.get().name}:"):
            return
        if isinstance(job, Job) and await self.steps.find(job.life, name) is not None:
            self.history.fails(f"I9: {job_id} makes {name} again, which it remembers")

    def process(self, kind: str) -> Process:
        """Start a new process of this kind."""
        self.names += 1
        return Process(self, f"{kind}-{self.names}")

    def start(self, work: Coroutine[object, object, None]) -> None:
        """Run `work` concurrently with everything else."""
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self.tasks.discard(task)
        if not task.cancelled() and (bug := task.exception()) is not None:
            self.bugs.append(bug)

    def is_recorded(self, job: Job) -> bool:
        """Whether the recorder sees the change of a job."""
        return wake_of(job) is not None or (self.with_children and is_final(job))

    def trigger(self, job: Job) -> None:
        """Deliver a stream record for a write of `queued`, at least once unless it is lost."""
        if self.strikes("trigger lost", 0.05):
            return
        copies = 2 if self.strikes("trigger duplicated", 0.1) else 1
        for _ in range(copies):
            delay = self.random.uniform(60, 400) if self.strikes("trigger delayed", 0.05) else self.random.uniform(0, 2)
            asyncio.get_running_loop().call_later(delay, self.queue.put_nowait, job)


class SimulatedWakeQueue:
    """The wake queue, or a runner's, as one process sees it, with faults."""

    def __init__(self, world: World, process: Process, runner: str = WORKER) -> None:
        self._world = world
        self._process = process
        self._runner = runner

    async def send(self, wakes: Sequence[Wake], now: datetime) -> tuple[Unsent, ...]:
        self._process.check()
        await asyncio.sleep(self._world.random.uniform(0.001, 0.05))
        if self._world.strikes("wake queue down", 0.1):
            return tuple(Unsent(wake=wake, problem=TIMED_OUT) for wake in wakes)
        for wake in wakes:
            self._deliver(wake, delay_seconds(wake, now))
        return ()

    def _deliver(self, wake: Wake, delay: float) -> None:
        """At least once, unless it is lost; by the clock of the queue, not by the sender's."""
        world = self._world
        if world.strikes("message lost", 0.05):
            return
        copies = 2 if world.strikes("message duplicated", 0.1) else 1
        for _ in range(copies):
            late = world.random.uniform(60, 400) if world.strikes("message delayed", 0.05) else 0
            asyncio.get_running_loop().call_later(delay + late, world.messages.put_nowait, (self._runner, wake))


class SimulatedRepository:
    """The store as one process sees it, with faults."""

    def __init__(self, world: World, process: Process) -> None:
        self._world = world
        self._process = process

    @property
    def wake_shards(self) -> tuple[str, ...]:
        return self._world.store.wake_shards

    async def add(self, change: Change, now: datetime) -> AddResult:
        if (fault := await self._before()) is not None:
            return fault
        if self._world.strikes("newer writer", 0.2):
            unknown = {"colour": '{"S":"of a newer version"}'}
            change = replace(change, job=change.job.model_copy(update={"unknown": unknown}))
        added = await self._world.store.add(change, now)
        if isinstance(added, Job):
            self._world.newer[added.id] = added.unknown
            self._applied(None, added)
        return await self._after() or added

    async def get(self, job_id: str, now: datetime) -> Job | JobNotFound | StorageUnavailable:
        return await self._before() or await self._world.store.get(job_id, now)

    async def get_all(self, job_ids: tuple[str, ...], now: datetime) -> Mapping[str, Job] | StorageUnavailable:
        return await self._before() or await self._world.store.get_all(job_ids, now)

    async def replace(self, change: Change, expected_version: int) -> ReplaceResult:
        if (fault := await self._before()) is not None:
            return fault
        moved = (change.job, *(each.job for each in change.companions if isinstance(each, Moved)))
        before = await self._world.store.get_all(tuple(job.id for job in moved), NOW)
        replaced = await self._world.store.replace(change, expected_version)
        for job in moved if isinstance(replaced, Job) else ():
            self._applied(before.get(job.id), job)
        return await self._after() or replaced

    async def due(
        self, shard: str, now: datetime, limit: int, after: str | None, since: datetime | None = None
    ) -> DuePage | StorageUnavailable:
        return await self._before() or await self._world.store.due(shard, now, limit, after, since)

    async def due_states(self, job_ids: tuple[str, ...]) -> Mapping[str, DueState]:
        return await self._world.store.due_states(job_ids)

    def _applied(self, before: Job | None, after: Job) -> None:
        self._world.history.committed(self._process.name, before, after, self._world.now)
        self._world.lane_checks.committed(after, self._world.now)
        if after.status == "queued":
            self._world.trigger(after)
        elif self._world.is_recorded(after) and not self._world.strikes("record lost", 0.05):
            self._world.recorded.put_nowait(after)

    async def _before(self) -> StorageUnavailable | None:
        await self._pause()
        return THROTTLED if self._world.strikes("throttled", 0.05) else None

    async def _after(self) -> StorageUnavailable | None:
        """Inject faults between the write and its response."""
        await self._pause()
        return TIMED_OUT if self._world.strikes("response lost", 0.05) else None

    async def _pause(self) -> None:
        """Simulate network latency; processes may die or stop here."""
        self._process.check()
        world = self._world
        if world.strikes("process killed", 0.03):
            self._process.dead = True
            raise Killed
        stopped = world.strikes("process stopped", 0.02)
        await asyncio.sleep(world.random.uniform(60, 300) if stopped else world.random.uniform(0.001, 0.05))
        self._process.check()


class SimulatedSteps:
    """The store of what jobs remember as one process sees it, late and failing as that of jobs."""

    def __init__(self, world: World, process: Process) -> None:
        self._steps = world.steps
        self._jobs = SimulatedRepository(world, process)

    async def remember(self, step: Step, token: str, expires_at: datetime) -> RememberResult:
        if (fault := await self._jobs._before()) is not None:
            return fault
        remembered = await self._steps.remember(step, token, expires_at)
        return await self._jobs._after() or remembered

    async def rewrite(self, step: Step, token: str, expires_at: datetime) -> Step | LeaseEnded | StorageUnavailable:
        if (fault := await self._jobs._before()) is not None:
            return fault
        rewritten = await self._steps.rewrite(step, token, expires_at)
        return await self._jobs._after() or rewritten

    async def groups(self, life: str) -> tuple[Step, ...] | StorageUnavailable:
        return await self._jobs._before() or await self._steps.groups(life)

    async def remembered(self, life: str) -> tuple[Step, ...] | StorageUnavailable:
        return await self._jobs._before() or await self._steps.remembered(life)

    async def find(self, life: str, key: str) -> Step | StorageUnavailable | None:
        return await self._jobs._before() or await self._steps.find(life, key)

    async def page(self, life: str, limit: int, after: str | None) -> StepPage | StorageUnavailable:
        return await self._jobs._before() or await self._steps.page(life, limit, after)

    async def forget(self, life: str) -> StorageUnavailable | None:
        if (fault := await self._jobs._before()) is None:
            await self._steps.forget(life)
        return fault


class SimulatedLanes:
    """The store of lanes as one process sees it: late and failing as that of jobs, and with an index that lags."""

    def __init__(self, world: World, process: Process) -> None:
        self._world = world
        self._jobs = SimulatedRepository(world, process)

    @property
    def line_shards(self) -> tuple[str, ...]:
        return self._world.lanes.line_shards

    async def read(self, name: str, first: int = 0) -> Lane | StorageUnavailable:
        return await self._jobs._before() or await self._world.lanes.read(name, first)

    async def save(
        self, name: str, settings: LaneSettings, expected_version: int
    ) -> StaleVersion | StorageUnavailable | None:
        return await self._jobs._before() or await self._world.lanes.save(name, settings, expected_version)

    async def free(self, name: str, place: Place) -> StorageUnavailable | None:
        if (fault := await self._jobs._before()) is not None:
            return fault
        await self._world.lanes.free(name, place)
        return None

    async def changed(self, limit: int, after: str | None) -> tuple[str, ...] | StorageUnavailable:
        return await self._jobs._before() or await self._world.lanes.changed(limit, after)

    async def line(self, name: str, limit: int) -> tuple[str, ...] | StorageUnavailable:
        if (fault := await self._jobs._before()) is not None:
            return fault
        ids = await self._world.lanes.line(name, limit)
        if ids and self._world.strikes("line lags", 0.2):
            return ids[1:] if self._world.random.random() < 0.5 else ids[:-1]
        return ids

    async def ahead(self, job: Job, limit: int) -> int | StorageUnavailable:
        return await self._jobs._before() or await self._world.lanes.ahead(job, limit)

    async def next_line(self, shard: str, after: str | None) -> str | StorageUnavailable | None:
        return await self._jobs._before() or await self._world.lanes.next_line(shard, after)

    async def holder(self, unique: str) -> str | StorageUnavailable | None:
        return await self._jobs._before() or await self._world.lanes.holder(unique)
