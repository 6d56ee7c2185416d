"""What runs the functions in the simulation: event source mappings of stream and wake queue, recorder, schedule."""

import asyncio
import json
from contextlib import suppress
from datetime import timedelta
from functools import partial

from pydantic import JsonValue

from domain.durable.attempts import JobSteps
from domain.jobs.catalogue import Catalogue
from domain.jobs.dispatch import Dispatcher
from domain.jobs.documents import Documents
from domain.jobs.execution import JobExecutor
from domain.jobs.job import Job
from domain.jobs.run_due import DueJobRunner
from domain.jobs.sweeping import Sweeper
from domain.jobs.wake_queue import Wake
from domain.lanes.lanes import Lanes
from functions.attempts.wakes import run_wakes
from functions.recorder.recording import record_changes
from functions.worker.batch import run_batch
from functions.worker.position import PositionKeeper
from headrace.authoring.job_type import STANDARD, WORKER
from persistence.converters.dynamo_to_domain import job_to_item
from persistence.sqs.wake_messages import body_of
from scripts.generate import stream_record
from tests.reliability.simulated_blobs import SimulatedBlobs
from tests.reliability.simulated_children import child_recorder, child_stores, with_canceller
from tests.reliability.simulated_world import (
    PROCESS,
    Killed,
    Process,
    SimulatedLanes,
    SimulatedRepository,
    SimulatedSteps,
    SimulatedWakeQueue,
    World,
)

FUNCTION = timedelta(seconds=90)
RESERVE = timedelta(seconds=2)
OLDER = Catalogue(())
"""The job types of an older worker, which runs beside the others during a gradual deployment."""


async def pump(world: World, catalogue: Catalogue) -> None:
    """Act as the event source mapping: deliver batches to invocations, and sometimes repeat an old batch."""
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
    """Invoke the worker until the batch succeeds or the tries are exhausted (then the sweeper recovers the jobs)."""
    left = list(enumerate(batch))
    for _ in range(tries):
        process = world.process("worker")
        PROCESS.set(process)
        known = OLDER if world.strikes("older worker", 0.1) else catalogue
        executor = _executor(world, process, known, SimulatedRepository(world, process))
        records = [_stream_record(number, job) for number, job in left]
        try:
            position = PositionKeeper(world.positions, partial(str, process.name), process.clock)
            report = await run_batch(
                executor, _dispatcher(world, process, known), records, process.clock() + FUNCTION - RESERVE, position
            )
        except (Killed, BaseExceptionGroup):
            if not process.dead:
                raise
        else:
            left = [(number, job) for number, job in left if str(number) in report.failures]
            if not left:
                return
        await asyncio.sleep(world.random.uniform(0.5, 5))


def _executor(world: World, process: Process, known: Catalogue, jobs: SimulatedRepository) -> JobExecutor:
    documents = Documents(SimulatedBlobs(world.blobs, jobs))
    lanes = lanes_of(world, process, known)
    children = child_stores(world, process, documents)
    steps = JobSteps(SimulatedSteps(world, process), documents, process.clock, process.new_id, children)
    able = with_canceller(world, process, known) if world.with_children else known
    return JobExecutor(
        jobs, able, process.clock, process.new_id, world.random.random, {}, documents=documents, lanes=lanes,
        steps=lambda: steps,
    )  # fmt: skip


def lanes_of(world: World, process: Process, known: Catalogue) -> Lanes:
    """What one process does with lanes."""
    jobs = SimulatedRepository(world, process)
    return Lanes(jobs, SimulatedLanes(world, process), known, process.clock, world.random.random)


def _dispatcher(world: World, process: Process, known: Catalogue) -> Dispatcher:
    queues = {runner: SimulatedWakeQueue(world, process, runner) for runner in (WORKER, STANDARD)}
    return Dispatcher(known, queues, process.clock)


async def record(world: World, catalogue: Catalogue) -> None:
    """Act as the recorder and its event source mapping: deliver each change until its message is sent, or six times."""
    while True:
        batch = [await world.recorded.get()]
        await asyncio.sleep(world.random.uniform(0, 0.5))
        while world.with_children and not world.recorded.empty() and len(batch) < 20:
            batch.append(world.recorded.get_nowait())
        world.recorded_before.append(batch)
        await _record(world, catalogue, batch, tries=6)
        if world.with_children and world.strikes("changes recorded again", 0.1):
            await _record(world, catalogue, world.random.choice(world.recorded_before), tries=1)


async def _record(world: World, catalogue: Catalogue, batch: list[Job], tries: int) -> None:
    """Invoke the recorder until it hands nothing back, or the tries are exhausted."""
    left = [_stream_record(number, job) for number, job in enumerate(batch)]
    for _ in range(tries):
        process = world.process("recorder")
        dispatcher = _dispatcher(world, process, catalogue)
        children = child_recorder(world, process, catalogue) if world.with_children else None
        now = process.clock()
        with suppress(Killed):
            recorded = await record_changes(left, dispatcher, now, deadline=now + FUNCTION, children=children)
            if not recorded.failures:
                return
            # As Lambda does: it begins again with the first that failed.
            left = left[min(int(number) for number in recorded.failures) - len(batch) + len(left) :]
        if world.with_children:
            await asyncio.sleep(world.random.uniform(0.5, 5))


async def wake(world: World, catalogue: Catalogue) -> None:
    """Act as the event source mappings of queues: deliver each message, and again what is handed back."""
    while True:
        here, message = await world.messages.get()
        world.start(_run_due(world, catalogue, here, message))


async def _run_due(world: World, catalogue: Catalogue, here: str, wake: Wake) -> None:
    process = world.process(here)
    PROCESS.set(process)
    known = OLDER if world.strikes("older worker", 0.1) else catalogue
    repository = SimulatedRepository(world, process)
    executor = _executor(world, process, known, repository)
    runner = DueJobRunner(repository, executor, _dispatcher(world, process, known), here, process.clock)
    record: dict[str, JsonValue] = {"messageId": "1", "body": body_of(wake)}
    try:
        report = await run_wakes(runner, [record], process.clock() + FUNCTION - RESERVE)
    except (Killed, BaseExceptionGroup):
        if not process.dead:
            raise
    else:
        if report.failures and world.strikes("message handed back", 0.5):
            asyncio.get_running_loop().call_later(900, world.messages.put_nowait, (here, wake))


def _stream_record(number: int, job: Job) -> dict[str, JsonValue]:
    image: dict[str, JsonValue] = json.loads(json.dumps(job_to_item(job, "w")))
    record = stream_record("1", "INSERT", job.id, new=image)
    change = record["dynamodb"]
    if isinstance(change, dict):
        change["SequenceNumber"] = str(number)
    return record


async def schedule(world: World, catalogue: Catalogue, offset: float) -> None:
    """Start a sweep every minute; two schedules run, so that sweeps overlap."""
    await asyncio.sleep(offset)
    while True:
        world.start(_sweep(world, catalogue))
        await asyncio.sleep(60)


async def _sweep(world: World, catalogue: Catalogue) -> None:
    process = world.process("sweeper")
    repository = SimulatedRepository(world, process)
    wakes = SimulatedWakeQueue(world, process)
    lanes = lanes_of(world, process, catalogue)
    sweeper = Sweeper(repository, world.positions, wakes, catalogue, process.clock, world.random.random, lanes)
    with suppress(Killed):
        await sweeper.sweep(process.clock() + timedelta(seconds=55))
