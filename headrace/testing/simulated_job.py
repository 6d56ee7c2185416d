"""One job from its submission to its end, with one fault on the way: worker, sweeper and stream, on a virtual clock."""

import asyncio
import threading
from collections.abc import Callable, Collection, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import cast

from pydantic import BaseModel

from domain.durable.attempts import JobSteps
from domain.durable.repository import LeaseEnded, RememberResult
from domain.durable.signalling import Signalled, SignalService
from domain.durable.step import SIGNAL, Step
from domain.jobs.catalogue import Catalogue
from domain.jobs.change import Change
from domain.jobs.documents import Documents
from domain.jobs.execution import JobExecutor
from domain.jobs.fitting import refuse_longer_than
from domain.jobs.guard import is_plain
from domain.jobs.job import Job, Queued, Running, Waiting, is_final
from domain.jobs.repository import AddResult, JobNotFound, ReplaceResult
from domain.jobs.service import JobService
from domain.jobs.submission import Submission
from domain.jobs.submitting import SubmissionService
from domain.jobs.sweeping import Sweeper
from domain.results import StorageUnavailable
from headrace.authoring.context import JobContext, SyncJobContext
from headrace.authoring.job_type import AnyJobType, Handler
from headrace.testing.any_type import any_type
from headrace.testing.blob_store import FakeBlobStore
from headrace.testing.children import ChildrenInMemory
from headrace.testing.clock import FakeClock, half, numbered_ids
from headrace.testing.faults import Course, Fault, Point
from headrace.testing.job_repository import FakeJobRepository
from headrace.testing.payloads import Payload, a_user, accepted, document_of
from headrace.testing.process import Call, Process, current_process
from headrace.testing.secret_store import AnyonesSecrets
from headrace.testing.stack import FUNCTION
from headrace.testing.step_repository import FakeStepRepository
from headrace.testing.steps import json_of
from headrace.testing.stream_positions import FakeStreamPositions
from headrace.testing.virtual_loop import run_in_virtual_time
from headrace.testing.wake_queue import FakeWakeQueue

MAX_MOVES = 1000
"""Of the clock in one run, which ends when the job does; a job has up to 100 attempts."""


@dataclass(frozen=True)
class Run:
    """What one run came to."""

    fault: Fault | None
    job: Job
    calls: tuple[Call, ...]
    """The effects that were made, in order."""
    points: tuple[Point, ...]
    """Those that it passed, if it had no fault."""


@dataclass(frozen=True)
class Subject:
    """What is run."""

    handler: Handler
    payload: Payload
    effects: Collection[object]
    settings: Mapping[str, str]
    secrets: Mapping[str, str] = field(default_factory=dict)
    signals: Mapping[str, object] = field(default_factory=dict)
    children: tuple[Handler, ...] = ()
    """The job types of its children, and of theirs."""


def play(subject: Subject, number: int, fault: Fault | None) -> Run:
    """Run a job to its end. Its id is made of the run's number, so that fakes never meet one job twice."""
    world = _World(subject, f"00000000-0000-4000-8000-{number:012d}", fault)
    try:
        return world.play()
    finally:
        world.close()


class _World:
    def __init__(self, subject: Subject, job_id: str, fault: Fault | None) -> None:
        stepped = tuple(_stepped(each) for each in (subject.handler, *subject.children))
        self._catalogue: Catalogue = _AnyTypes(stepped)
        refuse_longer_than(self._catalogue, FUNCTION)
        self._subject = subject
        self._job_id = job_id
        self._fault = fault
        self._course = Course(fault)
        self._clock = FakeClock(datetime.now(UTC))
        self._new_id = numbered_ids()
        self._ended: list[Job] = []
        self._jobs = _Jobs(self._ended)
        self._documents = Documents(FakeBlobStore())
        self._calls: list[Call] = []
        self._processes: list[Process] = []
        self._over = threading.Event()
        self._wakes = FakeWakeQueue()
        service = JobService(self._jobs, self._catalogue, self._clock)
        steps = FakeStepRepository(self._jobs)
        self._children = ChildrenInMemory(self._jobs, steps, service, self._catalogue, self._clock)
        stores = self._children.stores(self._documents, self._new_id)
        self._steps = JobSteps(_Steps(self._jobs), self._documents, self._clock, self._new_id, stores)
        self._signals = SignalService(
            self._jobs, service, steps, self._documents, self._catalogue, self._clock, self._new_id
        )
        self._sweeper = Sweeper(self._jobs, FakeStreamPositions(), self._wakes, self._catalogue, self._clock, half)

    def play(self) -> Run:
        submitted = run_in_virtual_time(self._submit())
        self._deliver(submitted)
        self._recover()
        if self._fault is not None and self._fault.kind == "delivered again":
            self._deliver(submitted)
        return Run(self._fault, self._job, tuple(self._calls), self._course.points)

    def close(self) -> None:
        self._over.set()
        for process in self._processes:
            process.close()

    async def _submit(self) -> Job:
        ids = iter((self._job_id,))
        service = SubmissionService(self._jobs, self._catalogue, self._clock, lambda: next(ids), self._documents)
        submission = Submission(type=self._subject.handler.definition.name, payload=document_of(self._subject.payload))
        return accepted(await service.submit(submission, a_user("somebody", self._clock())))

    def _deliver(self, record: Job) -> None:
        """A new process gets a record of the stream."""
        process = Process(self._subject.effects, self._calls, self._course, lambda: self._overtake(record), self._over)
        self._processes.append(process)
        executor = JobExecutor(
            self._jobs, self._catalogue, self._clock, self._new_id, half, self._subject.settings,
            documents=self._documents, secrets=lambda: AnyonesSecrets(self._subject.secrets),
            steps=lambda: self._steps,
        )  # fmt: skip
        process.run(executor.execute(record, self._clock() + FUNCTION))

    def _overtake(self, record: Job) -> None:
        """While the first worker stands still, the same record is delivered to another, then the lease ends."""
        self._deliver(record)
        self._recover()

    def _recover(self) -> None:
        """Let time pass until the job has ended: leases end, the sweeper moves what is due, others run it."""
        for _ in range(MAX_MOVES):
            self._record()
            job = self._job
            if is_final(job) or job.wake_at is None:
                return
            if queued := [each for each in self._running_types if isinstance(each.state, Queued)]:
                self._deliver(queued[0])
                continue
            if (name := self._awaited(job)) is not None:
                owner = a_user(job.owner_id, self._clock())
                value = json_of(self._subject.signals[name])
                sent = run_in_virtual_time(self._signals.send(job.id, name, value, owner))
                assert isinstance(sent, Signalled), sent
                continue
            self._clock.now = max(self._clock.now, min(_due(each) for each in self._running_types))
            run_in_virtual_time(self._sweeper.sweep(self._clock.now + FUNCTION))
            due = {wake.job_id for wake in self._wakes.take(self._clock.now)}
            for woken in [each for each in self._running_types if each.id in due]:
                self._deliver(woken)

    def _record(self) -> None:
        """The recorder counts the children that have ended."""
        ended = tuple(self._ended)
        self._ended.clear()
        run_in_virtual_time(self._children.recorder.record(ended, self._clock() + FUNCTION))

    def _awaited(self, job: Job) -> str | None:
        """A signal that the job waits for, and that the test gives."""
        waits = job.state.waits_for if isinstance(job.state, Waiting) else ()
        names = (each.name for each in waits if each.kind == SIGNAL)
        return next((name for name in names if name in self._subject.signals), None)

    @property
    def _running_types(self) -> tuple[Job, ...]:
        """The jobs that have not ended, of types that are run here."""
        unfinished = (each for each in self._jobs.stored if not is_final(each))
        return tuple(each for each in unfinished if self._catalogue.handler(each.type) is not None)

    @property
    def _job(self) -> Job:
        (job,) = (each for each in self._jobs.stored if each.id == self._job_id)
        return job


class _AnyTypes(Catalogue):
    """The job type that is tried, and any other, for what it submits."""

    def definition(self, name: str) -> AnyJobType:
        return super().definition(name) or any_type(name)


class _Jobs(FakeJobRepository):
    """Jobs in memory, each call of which takes a turn of the loop, as one over a network takes several.

    A process may end before a child is written, or after.
    """

    def __init__(self, ended: list[Job]) -> None:
        super().__init__()
        self._ended = ended

    async def add(self, change: Change, now: datetime) -> AddResult:
        await _may_end()
        added = await super().add(change, now)
        await _may_end()
        return added

    def _written(self, job: Job) -> None:
        if is_final(job):
            self._ended.append(job)

    async def get(self, job_id: str, now: datetime) -> Job | JobNotFound:
        await asyncio.sleep(0)
        return await super().get(job_id, now)

    async def replace(self, change: Change, expected_version: int) -> ReplaceResult:
        await asyncio.sleep(0)
        return await super().replace(change, expected_version)


class _Steps(FakeStepRepository):
    """What the job remembers, likewise: a process may end before a step is remembered, or after."""

    async def remember(self, step: Step, token: str, expires_at: datetime) -> RememberResult:
        await _may_end()
        remembered = await super().remember(step, token, expires_at)
        await _may_end()
        return remembered

    async def rewrite(self, step: Step, token: str, expires_at: datetime) -> Step | LeaseEnded | StorageUnavailable:
        await _may_end()
        rewritten = await super().rewrite(step, token, expires_at)
        await _may_end()
        return rewritten

    async def remembered(self, job_id: str) -> tuple[Step, ...]:
        await asyncio.sleep(0)
        return await super().remembered(job_id)


def _due(job: Job) -> datetime:
    """When the sweeper does something with the job."""
    lease_ends = job.state.lease.until if isinstance(job.state, Running) else datetime.min.replace(tzinfo=UTC)
    return max(job.wake_at or lease_ends, lease_ends)


async def _may_end() -> None:
    """A point of its own: a step is remembered in a task beside the handler, which does not step through it."""
    if (process := current_process()) is not None:
        await process.passes("await", process.place_of())
    await asyncio.sleep(0)


def _stepped(handler: Handler) -> Handler:
    """The same job type, which tells the process that runs it how far it is."""
    return cast("Handler", (_Plain if is_plain(handler) else _Async)(handler))


class _Stepped:
    def __init__(self, handler: Handler) -> None:
        self.definition = handler.definition
        self._run = cast("Callable[[BaseModel, object], object]", handler.run)


class _Async(_Stepped):
    async def run(self, payload: BaseModel, context: JobContext) -> object:
        process = _current()
        process.begins(context.attempt, in_thread=False)
        try:
            returned = await process.stepping(cast("Coroutine[object, object, object]", self._run(payload, context)))
        except asyncio.CancelledError:
            await process.passes("end", None)
            raise
        await process.passes("end", None)
        return returned


class _Plain(_Stepped):
    def run(self, payload: BaseModel, context: SyncJobContext) -> object:
        process = _current()
        process.begins(context.attempt, in_thread=True)
        returned = self._run(payload, context)
        process.passes_in_thread("end", None)
        return returned


def _current() -> Process:
    process = current_process()
    assert process is not None
    return process
