"""API, stream, workers and sweepers in one process, in virtual time, with seeded faults.

The code under test is the product's own: `JobService`, `run_batch` and `run_wakes` with `JobExecutor`, the recorder,
`Sweeper`. Around it: a repository that throttles, is slow, loses responses after the write was applied, and at whose
calls processes die or stop; a stream and a wake queue that lose, repeat, delay and reorder what they carry; clocks
that differ by ten minutes. The same seed gives the same run.
"""

import asyncio
import dataclasses
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

from domain.durable.signalling import SignalService
from domain.jobs.catalogue import Catalogue
from domain.jobs.documents import Documents
from domain.jobs.job import Cancelled, Failed, Job, is_final
from domain.jobs.service import JobService
from domain.jobs.submission import Submission
from domain.jobs.submitting import SubmissionService, Submitted
from headrace.authoring.context import JobContext
from headrace.authoring.frozen import Frozen
from headrace.authoring.job_type import STANDARD, WORKER, Policy
from headrace.authoring.outcomes import Done, Fail, Retry, Stopped
from headrace.authoring.retry import Backoff
from headrace.authoring.writes import Update
from headrace.testing.job_repository import FakeJobRepository
from headrace.testing.virtual_loop import run_in_virtual_time
from tests.factories import NOW, UserFactory
from tests.fakes.handlers import Count, Run, Text, a_handler
from tests.reliability.history import Violation
from tests.reliability.simulated_blobs import SimulatedBlobs, check_blobs
from tests.reliability.simulated_platform import lanes_of, pump, record, schedule, wake
from tests.reliability.simulated_world import PROCESS, STORM_SECONDS, Killed, SimulatedRepository, SimulatedSteps, World

T = TypeVar("T")

OWNER = UserFactory.build(id="owner", role="member")
TYPE = "sim.work"
POLICY = Policy(max_attempts=4, timeout=timedelta(seconds=30), backoff=Backoff(cap=timedelta(minutes=2)))
HEALED_SECONDS = 6 * 3600
JOBS = 6
LARGE = "x" * 9000
"""Of a payload that becomes a blob."""


class Echo(Count):
    """A result that becomes a blob."""

    text: str


class Report(Frozen):
    """The result of one seed."""

    seed: int
    accepted: int
    ended: dict[str, int]
    faults: dict[str, int]
    attempts: int
    effects: int
    """Executions that made their effect; those beyond `accepted` are duplicates, unless the effect is keyed."""
    effects_keyed: int
    """Effects that remain when they are keyed by `idempotency_key`."""


def simulate(seed: int, store: FakeJobRepository | None = None) -> Report:
    """Run one seed; raise `Violation` if an invariant does not hold."""
    return run_in_virtual_time(_simulate(seed, store or FakeJobRepository()))


async def _simulate(seed: int, store: FakeJobRepository) -> Report:
    world = World(seed, store)
    limit = world.random.choice((None, 1, 2))
    world.lane_checks.limit = limit or 0
    world.durable = world.random.random() < 0.5
    policy = POLICY.model_copy(update={"runner": world.random.choice((WORKER, STANDARD)), "limit": limit})
    catalogue = Catalogue((a_handler(TYPE, _handler(world), policy),))
    world.start(pump(world, catalogue))
    world.start(record(world, catalogue))
    world.start(wake(world, catalogue))
    for offset in (0.0, 31.0):
        world.start(schedule(world, catalogue, offset))
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
    world.lane_checks.settled()
    ledger = world.store.item("user:ledger", {"id": "sum"}) or {"n": 0}
    if ledger["n"] != sum(job.status == "succeeded" for job in jobs.values()):
        raise Violation(f"I10: {ledger['n']} writes were committed, of {Counter(job.status for job in jobs.values())}")
    for job in jobs.values():
        await check_blobs(world.blobs, job)
        if job.unknown != world.newer.get(job.id, {}):
            raise Violation(f"{job.id} lost what a newer version had written")
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
    async def run(document: Text, context: JobContext) -> Count | Done[Count] | Retry | Fail | Stopped:
        choice = world.random.random()
        await asyncio.sleep(world.random.uniform(0, 40) if choice < 0.2 else world.random.uniform(0, 3))
        PROCESS.get().check()
        if choice < 0.3:
            await context.report_progress(0.5, "half")
        if await context.cancel_requested():
            return Stopped()
        PROCESS.get().check()

        async def effect() -> str:
            await world.check_not_remembered(context.job_id, "effect")
            world.history.effects[context.job_id] += 1
            await asyncio.sleep(world.random.uniform(0, 1))
            PROCESS.get().check()
            return f"made by {PROCESS.get().new_id()}"

        if not world.durable:
            await effect()
        else:
            world.history.seen(context.job_id, "effect", await context.step("effect", effect))
            await context.sleep("nap", timedelta(seconds=world.random.uniform(1, 100)))
            signal = await context.signal("go", bool, timeout=timedelta(seconds=world.random.uniform(1, 200)))
            world.history.seen(context.job_id, "go", str(signal))
            PROCESS.get().check()
        outcome = world.random.random() if world.stormy else 1.0
        if outcome < 0.1:
            raise ValueError("as the seed decides")
        if outcome < 0.2:
            return Retry(reason="later")
        if outcome < 0.25:
            return Fail(reason="never")
        result = Count(words=1) if document.text == "x" else Echo(words=1, text=document.text)
        # Without a key: it counts too much if it is ever written twice.
        return Done(result, writes=[Update(table="ledger", key={"id": "sum"}, add={"n": 1})])

    return run


async def _client(world: World, catalogue: Catalogue, number: int) -> None:
    """Submit one job, repeat the request until there is a response, and sometimes cancel or retry the job."""
    await asyncio.sleep(world.random.uniform(0, STORM_SECONDS / 2))
    submission = Submission(
        type=TYPE,
        payload={"text": "x" if number % 2 else LARGE},
        delay_seconds=world.random.uniform(1, 120) if number % 3 == 0 else None,
    )
    submitted = None
    for _ in range(8):
        response = await _call(world, lambda api: api.submissions.submit(submission, OWNER, f"key-{number}"), catalogue)
        if isinstance(response, Submitted):
            submitted = response.job
            world.history.accepted.add(submitted.id)
            break
        await asyncio.sleep(world.random.uniform(1, 20))
    if submitted is None:
        return
    job_id = submitted.id
    if world.durable and world.random.random() < 0.7:
        await asyncio.sleep(world.random.uniform(0, 120))
        for _ in range(world.random.randint(1, 3)):
            await _call(world, lambda api: api.signals.send(job_id, "go", True, OWNER), catalogue)
    if world.random.random() < 0.3:
        await asyncio.sleep(world.random.uniform(0, 60))
        await _call(world, lambda api: api.jobs.cancel(job_id, OWNER), catalogue)
    if world.random.random() < 0.5:
        await asyncio.sleep(world.random.uniform(60, 300))
        found = await world.store.get(job_id, NOW)
        if isinstance(found, Job) and isinstance(found.state, Failed | Cancelled):
            await _call(world, lambda api: api.jobs.retry(job_id, OWNER), catalogue)


@dataclasses.dataclass(frozen=True)
class Api:
    """The services of one API process."""

    submissions: SubmissionService
    jobs: JobService
    signals: SignalService


async def _call(world: World, call: Callable[[Api], Awaitable[T]], catalogue: Catalogue) -> T | None:
    """Make one call through a new API process; None if that process died during the call."""
    process = world.process("client")
    jobs = SimulatedRepository(world, process)
    documents = Documents(SimulatedBlobs(world.blobs, jobs))
    lanes = lanes_of(world, process, catalogue)
    job_service = JobService(jobs, catalogue, process.clock, lanes)
    steps = SimulatedSteps(world, process)
    service = Api(
        SubmissionService(jobs, catalogue, process.clock, process.new_id, documents, lanes=lanes),
        job_service,
        SignalService(jobs, job_service, steps, documents, catalogue, process.clock, process.new_id),
    )
    try:
        return await call(service)
    except Killed:
        return None
