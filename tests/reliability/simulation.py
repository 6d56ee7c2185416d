"""API, stream, workers and sweepers in one process, in virtual time, with seeded faults.

What runs is the product's own code: `JobService`, `run_batch` with `JobExecutor`, `Sweeper`. Around it: a repository
that throttles, is slow, loses answers after the write was applied, and is where processes die or stand still; a stream
that loses, repeats, delays and reorders; clocks that are ten minutes apart. The same seed gives the same run.
"""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from contextvars import ContextVar
from datetime import datetime, timedelta
from typing import TypeVar

from pydantic import JsonValue

from domain.frozen import Frozen
from domain.jobs.execution import JobExecutor
from domain.jobs.job import Cancelled, Failed, Job, is_final
from domain.jobs.job_type import Catalogue, JobContext, Policy
from domain.jobs.outcomes import Fail, Retry, Stopped
from domain.jobs.repository import (
    DueJob,
    DuePage,
    JobExists,
    JobFilter,
    JobNotFound,
    VersionConflict,
)
from domain.jobs.retry import Backoff
from domain.jobs.service import JobService, Submission, Submitted
from domain.jobs.sweeping import Sweeper
from domain.paging import Page, PageRequest
from domain.results import BadCursor, ItemTooLarge, StorageUnavailable
from functions.worker.batch import run_batch
from persistence.converters.dynamo_to_domain import job_to_item
from scripts.generate import stream_record
from tests.factories import NOW, UserFactory
from tests.fakes.handlers import Count, Run, Text, a_handler
from tests.fakes.job_repository import FakeJobRepository
from tests.reliability.history import History
from tests.reliability.virtual_loop import run_in_virtual_time

T = TypeVar("T")

OWNER = UserFactory.build(id="owner", role="member")
TYPE = "sim.work"
POLICY = Policy(max_attempts=4, timeout=timedelta(seconds=30), backoff=Backoff(cap=timedelta(minutes=2)))
FUNCTION = timedelta(seconds=90)
RESERVE = timedelta(seconds=2)
SKEW = timedelta(minutes=10)
STORM_SECONDS = 600
"""Faults are injected for so long; then everything heals, and has to come to its end."""
HEALED_SECONDS = 6 * 3600
JOBS = 6

THROTTLED = StorageUnavailable(reason="throttled", detail="ThrottlingException")
TIMED_OUT = StorageUnavailable(reason="timeout", detail="ReadTimeoutError")


class Killed(BaseException):
    """The process ended here, as SIGKILL ends one."""


class Process:
    """Whoever calls the repository: a worker's invocation, a sweep, a client."""

    def __init__(self, world: "World", name: str) -> None:
        self._world = world
        self.name = name
        self.dead = False
        self._skew = SKEW * world.random.uniform(-1, 1) if world.random.random() < 0.3 else timedelta(0)
        self._ids = 0

    def clock(self) -> datetime:
        """This process's idea of the time."""
        return self._world.now + self._skew

    def new_id(self) -> str:
        """Tokens that name their process, so that the checker knows whose a lease is."""
        self._ids += 1
        return f"{self.name}:{self._ids}"

    def check(self) -> None:
        """A dead process does nothing more."""
        if self.dead:
            raise Killed


PROCESS: ContextVar[Process] = ContextVar("process")


class World:
    """Everything that the processes share."""

    def __init__(self, seed: int, store: FakeJobRepository) -> None:
        self.random = random.Random(seed)
        self.store = store
        self.history = History()
        self.faults: Counter[str] = Counter()
        self.queue: asyncio.Queue[Job] = asyncio.Queue()
        self.names = 0
        self.old_batches: list[list[Job]] = []
        self.tasks: set[asyncio.Task[None]] = set()
        self.bugs: list[BaseException] = []

    @property
    def now(self) -> datetime:
        """The true time."""
        return NOW + timedelta(seconds=asyncio.get_running_loop().time())

    @property
    def stormy(self) -> bool:
        """Whether faults are injected now."""
        return asyncio.get_running_loop().time() < STORM_SECONDS

    def strikes(self, fault: str, probability: float) -> bool:
        """Whether this fault is injected here; counted."""
        if not self.stormy or self.random.random() >= probability:
            return False
        self.faults[fault] += 1
        return True

    def process(self, kind: str) -> Process:
        """A new process of this kind."""
        self.names += 1
        return Process(self, f"{kind}-{self.names}")

    def start(self, work: Coroutine[object, object, None]) -> None:
        """Run something beside everything else."""
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self.tasks.discard(task)
        if not task.cancelled() and (bug := task.exception()) is not None:
            self.bugs.append(bug)

    def ring(self, job: Job) -> None:
        """The stream: a record for each write of `queued`, at least once unless it is lost."""
        if self.strikes("trigger lost", 0.05):
            return
        copies = 2 if self.strikes("trigger doubled", 0.1) else 1
        for _ in range(copies):
            late = self.random.uniform(60, 400) if self.strikes("trigger late", 0.05) else self.random.uniform(0, 2)
            asyncio.get_running_loop().call_later(late, self.queue.put_nowait, job)


class SimulatedRepository:
    """The store as one process meets it."""

    def __init__(self, world: World, process: Process) -> None:
        self._world = world
        self._process = process

    @property
    def wake_shards(self) -> tuple[str, ...]:
        return self._world.store.wake_shards

    async def add(self, job: Job, now: datetime) -> Job | JobExists | ItemTooLarge | StorageUnavailable:
        if (fault := await self._before()) is not None:
            return fault
        added = await self._world.store.add(job, now)
        if isinstance(added, Job):
            self._applied(None, job)
        return await self._after() or added

    async def get(self, job_id: str, now: datetime) -> Job | JobNotFound | StorageUnavailable:
        return await self._before() or await self._world.store.get(job_id, now)

    async def replace(
        self, job: Job, expected_version: int
    ) -> Job | VersionConflict | ItemTooLarge | StorageUnavailable:
        if (fault := await self._before()) is not None:
            return fault
        before = await self._world.store.get(job.id, NOW)
        replaced = await self._world.store.replace(job, expected_version)
        if isinstance(replaced, Job) and isinstance(before, Job):
            self._applied(before, job)
        return await self._after() or replaced

    async def list_by_owner(
        self, owner_id: str, filter: JobFilter, page: PageRequest, now: datetime
    ) -> Page[Job] | BadCursor:
        return await self._world.store.list_by_owner(owner_id, filter, page, now)

    async def list_failed(self, type: str, page: PageRequest, now: datetime) -> Page[Job] | BadCursor:
        return await self._world.store.list_failed(type, page, now)

    async def due(self, shard: str, now: datetime, limit: int, after: DueJob | None) -> DuePage | StorageUnavailable:
        return await self._before() or await self._world.store.due(shard, now, limit, after)

    def _applied(self, before: Job | None, after: Job) -> None:
        self._world.history.committed(self._process.name, before, after, self._world.now)
        if after.status == "queued":
            self._world.ring(after)

    async def _before(self) -> StorageUnavailable | None:
        await self._pause()
        return THROTTLED if self._world.strikes("throttled", 0.05) else None

    async def _after(self) -> StorageUnavailable | None:
        """Between the write and its answer."""
        await self._pause()
        return TIMED_OUT if self._world.strikes("answer lost", 0.05) else None

    async def _pause(self) -> None:
        """A network takes its time; and here processes die, or stand still."""
        self._process.check()
        world = self._world
        if world.strikes("process killed", 0.03):
            self._process.dead = True
            raise Killed
        stands_still = world.strikes("process stopped", 0.02)
        await asyncio.sleep(world.random.uniform(60, 300) if stands_still else world.random.uniform(0.001, 0.05))
        self._process.check()


class Report(Frozen):
    """What one seed came to."""

    seed: int
    accepted: int
    ended: dict[str, int]
    faults: dict[str, int]
    attempts: int
    effects: int
    """Executions that made their effect; less `accepted` are doubled unless keyed."""
    effects_keyed: int
    """What is left of them where the effect is keyed by `idempotency_key`."""


def simulate(seed: int, store: FakeJobRepository | None = None) -> Report:
    """One run; raises `Violation` when an invariant does not hold."""
    return run_in_virtual_time(_simulate(seed, store or FakeJobRepository()))


async def _simulate(seed: int, store: FakeJobRepository) -> Report:
    world = World(seed, store)
    catalogue = Catalogue((a_handler(TYPE, _handler(world), POLICY),))
    world.start(_pump(world, catalogue))
    for offset in (0.0, 31.0):
        world.start(_schedule(world, catalogue, offset))
    clients = [asyncio.get_running_loop().create_task(_client(world, catalogue, number)) for number in range(JOBS)]
    await asyncio.gather(*clients)
    while asyncio.get_running_loop().time() < STORM_SECONDS + HEALED_SECONDS:
        await asyncio.sleep(60)
        jobs = await _all_jobs(world)
        if not world.stormy and all(is_final(job) for job in jobs.values()):
            break
    for task in tuple(world.tasks):
        task.cancel()
    await asyncio.gather(*world.tasks, return_exceptions=True)
    jobs = await _all_jobs(world)
    world.history.settled(jobs)
    if world.bugs:
        raise world.bugs[0]
    return Report(
        seed=seed,
        accepted=len(world.history.accepted),
        ended=dict(Counter(job.status for job in jobs.values())),
        faults=dict(world.faults),
        attempts=sum(job.attempt for job in jobs.values()),
        effects=sum(world.history.effects.values()),
        effects_keyed=len(world.history.effects),
    )


async def _all_jobs(world: World) -> dict[str, Job]:
    found = [await world.store.get(job_id, NOW) for job_id in world.history.changes]
    return {job.id: job for job in found if isinstance(job, Job)}


def _handler(world: World) -> Run:
    async def run(_document: Text, context: JobContext) -> Count | Retry | Fail | Stopped:
        choice = world.random.random()
        await asyncio.sleep(world.random.uniform(0, 40) if choice < 0.2 else world.random.uniform(0, 3))
        PROCESS.get().check()
        if choice < 0.3:
            await context.report_progress(0.5, "half")
        if await context.cancel_requested():
            return Stopped()
        PROCESS.get().check()
        world.history.effects[context.idempotency_key] += 1
        await asyncio.sleep(world.random.uniform(0, 1))
        PROCESS.get().check()
        outcome = world.random.random() if world.stormy else 1.0
        if outcome < 0.1:
            raise ValueError("as the seed wants it")
        if outcome < 0.2:
            return Retry(reason="later")
        if outcome < 0.25:
            return Fail(reason="never")
        return Count(words=1)

    return run


async def _pump(world: World, catalogue: Catalogue) -> None:
    """The event source mapping: batches to invocations, and old batches once more."""
    while True:
        batch = [await world.queue.get()]
        await asyncio.sleep(world.random.uniform(0, 0.5))
        while not world.queue.empty() and len(batch) < 10:
            batch.append(world.queue.get_nowait())
        world.old_batches.append(batch)
        world.start(_deliver(world, catalogue, batch, tries=6))
        if world.strikes("batch replayed", 0.05):
            world.start(_deliver(world, catalogue, world.random.choice(world.old_batches), tries=1))


async def _deliver(world: World, catalogue: Catalogue, batch: list[Job], tries: int) -> None:
    """Invoke the worker until it takes the batch, or the tries run out (then only the wake index is left)."""
    left = list(enumerate(batch))
    for _ in range(tries):
        process = world.process("worker")
        PROCESS.set(process)
        executor = JobExecutor(
            SimulatedRepository(world, process), catalogue, process.clock, process.new_id, world.random.random, {}
        )
        records = [_record(number, job) for number, job in left]
        try:
            report = await run_batch(executor, records, process.clock() + FUNCTION - RESERVE)
        except (Killed, BaseExceptionGroup):
            if not process.dead:
                raise
        else:
            left = [(number, job) for number, job in left if str(number) in report.failures]
            if not left:
                return
        await asyncio.sleep(world.random.uniform(0.5, 5))


def _record(number: int, job: Job) -> dict[str, JsonValue]:
    image: dict[str, JsonValue] = json.loads(json.dumps(job_to_item(job, "w", shards=8)))
    record = stream_record("1", "INSERT", job.id, new=image)
    change = record["dynamodb"]
    if isinstance(change, dict):
        change["SequenceNumber"] = str(number)
    return record


async def _schedule(world: World, catalogue: Catalogue, offset: float) -> None:
    """Two schedules, so that sweeps overlap."""
    await asyncio.sleep(offset)
    while True:
        world.start(_sweep(world, catalogue))
        await asyncio.sleep(60)


async def _sweep(world: World, catalogue: Catalogue) -> None:
    process = world.process("sweeper")
    repository = SimulatedRepository(world, process)
    sweeper = Sweeper(repository, catalogue, process.clock, world.random.random)
    with suppress(Killed):
        await sweeper.sweep(process.clock() + timedelta(seconds=55))


async def _client(world: World, catalogue: Catalogue, number: int) -> None:
    """Submits one job, asks again while the answer is unknown, and sometimes changes its mind."""
    await asyncio.sleep(world.random.uniform(0, STORM_SECONDS / 2))
    wish = Submission(
        type=TYPE, payload={"text": "x"}, delay_seconds=world.random.uniform(1, 120) if number % 3 == 0 else None
    )
    submitted = None
    for _ in range(8):
        answer = await _ask(world, catalogue, lambda service: service.submit(wish, OWNER, f"key-{number}"))
        if isinstance(answer, Submitted):
            submitted = answer.job
            world.history.accepted.add(submitted.id)
            break
        await asyncio.sleep(world.random.uniform(1, 20))
    if submitted is None:
        return
    job_id = submitted.id
    if world.random.random() < 0.3:
        await asyncio.sleep(world.random.uniform(0, 60))
        await _ask(world, catalogue, lambda service: service.cancel(job_id, OWNER))
    if world.random.random() < 0.5:
        await asyncio.sleep(world.random.uniform(60, 300))
        found = await world.store.get(job_id, NOW)
        if isinstance(found, Job) and isinstance(found.state, Failed | Cancelled):
            await _ask(world, catalogue, lambda service: service.retry(job_id, OWNER))


async def _ask(world: World, catalogue: Catalogue, call: Callable[[JobService], Awaitable[T]]) -> T | None:
    """One call of a client's, by a process of the API; None when that died on the way."""
    process = world.process("client")
    service = JobService(SimulatedRepository(world, process), catalogue, process.clock, process.new_id)
    try:
        return await call(service)
    except Killed:
        return None
