"""`job_stack`: API, worker and sweeper in this process, on jobs in memory and a clock that a test moves."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, cast
from uuid import uuid4

from pydantic import BaseModel, JsonValue

from domain.durable.attempts import JobSteps
from domain.durable.signalling import Signalled, SignalService
from domain.files.attempts import JobFiles
from domain.files.file import blob_key
from domain.files.service import FileService
from domain.jobs.catalogue import Catalogue
from domain.jobs.change import OF_USERS
from domain.jobs.documents import Documents
from domain.jobs.execution import JobExecutor
from domain.jobs.execution_results import Execution
from domain.jobs.fitting import refuse_longer_than
from domain.jobs.job import (
    BlobRef,
    Failed,
    Job,
    JobDocument,
    JobError,
    Progress,
    Queued,
    Retrying,
    Running,
    Status,
    Succeeded,
    Waiting,
    is_expired,
    is_final,
)
from domain.jobs.own_types import OWN_TYPES
from domain.jobs.service import JobService
from domain.jobs.submission import Submission
from domain.jobs.submitting import SubmissionService
from domain.jobs.sweeping import Sweeper
from domain.lanes.lanes import Lanes
from headrace.authoring.files import File
from headrace.authoring.job_type import Handler
from headrace.authoring.json_text import JsonText, from_json_text
from headrace.testing.blob_store import FakeBlobStore
from headrace.testing.children import ChildrenInMemory
from headrace.testing.clock import FakeClock, half, numbered_ids
from headrace.testing.file_repository import FakeFileRepository
from headrace.testing.files import FILE_LIFETIME, given_files
from headrace.testing.job_repository import FakeJobRepository
from headrace.testing.job_run import failure_text
from headrace.testing.lane_repository import FakeLaneRepository
from headrace.testing.loop_time import LoopTime
from headrace.testing.observing import catalogue_of
from headrace.testing.patience import SLICE, Patience, until_one_ends
from headrace.testing.payloads import Payload, a_user, accepted, document_of
from headrace.testing.secret_store import AnyonesSecrets
from headrace.testing.step_repository import FakeStepRepository
from headrace.testing.steps import json_of
from headrace.testing.stream_positions import FakeStreamPositions
from headrace.testing.wake_queue import FakeWakeQueue

FUNCTION = timedelta(minutes=15)
"""What an invocation has: Lambda's longest."""


@dataclass(frozen=True)
class StackJob:
    """A job as it was when the test asked for it."""

    id: str
    type: str
    status: Status
    payload: JsonValue
    attempt: int
    """Attempts begun so far."""
    max_attempts: int
    tags: Mapping[str, str]
    error: JobError | None
    """Of the last attempt, in a job that waits for the next one or has failed."""
    progress: Progress | None
    """The last report of the attempt under way."""
    due: datetime | None
    """When the sweeper next looks at it: for a delayed job or a retry, when that is due."""
    waits_for: tuple[str, ...]
    """The names of what a job waits for that is asleep or waits for a signal."""
    history: tuple[str, ...]
    """The statuses that it has had, oldest first, at most the last 20."""
    returned: BaseModel | None

    @property
    def result(self) -> BaseModel:
        """The result's model; fails the test with the job's error if it has none."""
        if self.returned is None:
            raise AssertionError(failure_text(self.status, self.error))
        return self.returned


class JobStack:
    """API, worker and sweeper in one process. Jobs run on the test's event loop, by production's own code."""

    def __init__(self, job_types: Iterable[Handler] | Catalogue, now: datetime) -> None:
        self._catalogue = job_types if isinstance(job_types, Catalogue) else catalogue_of(job_types)
        refuse_longer_than(self._catalogue, FUNCTION)
        self.settings: dict[str, str] = {}
        """The environment of the worker, of which a job type gets the settings that it declares."""
        self.secrets: dict[str, str] = {}
        """The values of secrets, by the names that payloads have for them; they are the secrets of every owner."""
        self._secrets = AnyonesSecrets(self.secrets)
        self._clock = FakeClock(now)
        self._ended: list[Job] = []
        self._jobs = _Stream(self._trigger, self._ended.append)
        self._blobs = FakeBlobStore()
        documents, self._files = Documents(self._blobs), FakeFileRepository()
        files = FileService(self._files, self._blobs, self._clock, numbered_ids(), FILE_LIFETIME)
        of_jobs = JobFiles(self._files, self._blobs, self._clock, lambda: str(uuid4()), FILE_LIFETIME)
        lanes = Lanes(self._jobs, FakeLaneRepository(self._jobs), self._catalogue, self._clock, half)
        self._submissions = SubmissionService(
            self._jobs, self._catalogue, self._clock, numbered_ids(), documents, files, lanes
        )
        self._service = JobService(self._jobs, self._catalogue, self._clock, lanes)
        self._steps = FakeStepRepository(self._jobs)
        self._children = ChildrenInMemory(self._jobs, self._steps, self._service, self._catalogue, self._clock)
        self._catalogue = self._children.catalogue
        stores = self._children.stores(documents, lambda: str(uuid4()), lanes)
        of_steps = JobSteps(self._steps, documents, self._clock, lambda: str(uuid4()), stores)
        self._signals = SignalService(
            self._jobs, self._service, self._steps, documents, self._catalogue, self._clock, lambda: str(uuid4())
        )
        self._executor = JobExecutor(
            self._jobs, self._catalogue, self._clock, numbered_ids(), half, self.settings, cpus=4, documents=documents,
            files=lambda: of_jobs, lanes=lanes, secrets=lambda: self._secrets, steps=lambda: of_steps,
        )  # fmt: skip
        self._wakes = FakeWakeQueue()
        self._sweeper = Sweeper(
            self._jobs, FakeStreamPositions(), self._wakes, self._catalogue, self._clock, half, lanes
        )
        self._triggered: list[Job] = []
        self._running: set[asyncio.Task[Execution]] = set()
        self._loop_time = LoopTime()

    @property
    def now(self) -> datetime:
        """The time in the stack; only `travel` moves it."""
        return self._clock.now

    async def submit(
        self,
        type: str,
        payload: Payload,
        *,
        delay: timedelta | None = None,
        run_at: datetime | None = None,
        max_attempts: int | None = None,
        tags: Mapping[str, str] | None = None,
        key: str | None = None,
        unique: Literal["while-unfinished"] | None = None,
        lane: str | None = None,
        priority: int | None = None,
        owner: str = "somebody",
    ) -> StackJob:
        """Submit a job, as the API does; `key` is the idempotency key. Raises `SubmissionRefused`."""
        submission = Submission(
            type=type,
            payload=document_of(payload),
            run_at=run_at,
            delay_seconds=None if delay is None else delay.total_seconds(),
            max_attempts=max_attempts,
            tags=dict(tags or {}),
            unique=unique,
            lane=lane,
            priority=priority,
        )
        return self._view(accepted(await self._submissions.submit(submission, a_user(owner, self.now), key)))

    async def upload(self, content: bytes, owner: str = "somebody") -> File:
        """Upload a file, for a payload to name."""
        file = File(id=str(uuid4()))
        await given_files({file.id: content}, owner, self._blobs, self._files, self.now)
        return file

    def content(self, file: File, owner: str = "somebody") -> bytes:
        """What a file holds, such as one that a handler saved; raises `KeyError` if the owner has no such file."""
        return self._blobs.stored[blob_key(owner, file.id)].content

    async def cancel(self, job_id: str) -> StackJob:
        """Cancel a waiting job, or ask a running one to stop, as its owner."""
        changed = await self._service.cancel(job_id, a_user(self._stored(job_id).owner_id, self.now))
        return self._view(_changed(changed))

    async def retry(self, job_id: str) -> StackJob:
        """Queue a failed or cancelled job again, as its owner."""
        changed = await self._service.retry(job_id, a_user(self._stored(job_id).owner_id, self.now))
        return self._view(_changed(changed))

    async def signal(self, job_id: str, name: str, value: object = None) -> StackJob:
        """Send a job a signal, as its owner; `value` is its body: a model, or what its JSON says."""
        sent = await self._signals.send(job_id, name, json_of(value), a_user(self._stored(job_id).owner_id, self.now))
        return self._view(_changed(sent.job if isinstance(sent, Signalled) else sent))

    def put(self, table: str, key: Mapping[str, str | int], values: Mapping[str, object]) -> None:
        """Store an item in a table of yours, for handlers that write to it by `Done(…, writes=…)`."""
        item = cast("dict[str, JsonValue]", {**values, **key})
        self._jobs.put_item(f"{OF_USERS}{table}", key, item)

    def item(self, table: str, key: Mapping[str, str | int]) -> Mapping[str, JsonValue] | None:
        """What is stored in a table of yours; None for nothing."""
        return self._jobs.item(f"{OF_USERS}{table}", key)

    async def drain(self) -> None:
        """Run every job that is due now to the end of its attempt. The clock stands still: retries wait."""
        await self._sweep()
        while self._triggered or self._running or self._ended:
            await self._settle(None)

    async def travel(self, *, days: float = 0, hours: float = 0, minutes: float = 0, seconds: float = 0) -> None:
        """Move the clock. What becomes due on the way happens at its time: delayed jobs, retries, timeouts, expiry."""
        target = self.now + timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
        with self._loop_time.stopped():
            while True:
                await self._sweep()
                await self._settle(Patience())
                if self.now >= target:
                    return
                self._advance(min(self._next_moment(), target))

    def job(self, job_id: str) -> StackJob:
        """The job as it is now; raises `LookupError` for one that its retention has ended."""
        return self._view(self._stored(job_id))

    def submitted(self, type: str | None = None) -> tuple[StackJob, ...]:
        """Every job, or every job of a type, in the order of submission; not those that Headrace submits itself."""
        jobs = (job for job in self._present() if job.type not in OWN_TYPES)
        return tuple(self._view(job) for job in jobs if type in {None, job.type})

    def close(self) -> None:
        """Abandon what still runs."""
        self._loop_time.restore()
        for task in self._running:
            if not task.get_loop().is_closed():
                task.cancel()

    def _trigger(self, job: Job) -> None:
        self._triggered.append(job)

    async def _sweep(self) -> None:
        await self._sweeper.sweep(self.now + FUNCTION)
        due = {wake.job_id for wake in self._wakes.take(self.now)}
        self._triggered += [job for job in self._jobs.stored if job.id in due]

    async def _settle(self, patience: Patience | None) -> None:
        """Run what is triggered, until nothing is left, or patience with what is left is over."""
        while self._triggered or self._running or self._ended:
            await self._record()
            jobs, self._triggered = self._triggered, []
            if not jobs and not self._running:
                continue
            self._running |= {
                asyncio.create_task(self._executor.execute(job, self.now + FUNCTION), name=f"worker {job.id}")
                for job in jobs
            }
            if patience is None:
                done, self._running = await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
            else:
                done, self._running = await until_one_ends(self._running)
            for task in done:
                task.result()
            if patience is None:
                continue
            if done:
                patience.renew()
            elif patience.is_quiet():
                self._loop_time.forward(timedelta(seconds=SLICE))  # for short waits, such as those of a loop that polls
            if patience.is_over:
                return

    async def _record(self) -> None:
        """Count children that have ended, as the recorder does."""
        ended = tuple(self._ended)
        self._ended.clear()
        await self._children.recorder.record(ended, self.now + FUNCTION)

    def _next_moment(self) -> datetime:
        """When the next job is due, or the next timer of an attempt under way."""
        leases = [job.state.lease.until for job in self._jobs.stored if isinstance(job.state, Running)]
        waits = [job.wake_at for job in self._jobs.stored if job.wake_at is not None]
        moments = [moment for moment in (*leases, *waits) if moment > self.now]
        timer = self._loop_time.next_timer() if self._running else None
        if timer is not None:
            moments.append(self.now + timer)
        return min(moments, default=datetime.max.replace(tzinfo=self.now.tzinfo))

    def _advance(self, moment: datetime) -> None:
        if self._running:
            self._loop_time.forward(moment - self.now)
        self._clock.now = moment
        self._jobs.delete_expired(moment)

    def _stored(self, job_id: str) -> Job:
        for job in self._present():
            if job.id == job_id:
                return job
        raise LookupError(f"no job has the id {job_id}, or it has expired")

    def _present(self) -> tuple[Job, ...]:
        return tuple(job for job in self._jobs.stored if not is_expired(job.expires_at, self.now))

    def _view(self, job: Job) -> StackJob:
        state, definition = job.state, self._catalogue.definition(job.type)
        result = self._text(state.result) if isinstance(state, Succeeded) else None
        return StackJob(
            id=job.id,
            type=job.type,
            status=job.status,
            payload=from_json_text(self._text(job.payload)),
            attempt=job.attempt,
            max_attempts=job.max_attempts,
            tags=job.tags,
            error=state.error if isinstance(state, Retrying | Failed) else None,
            progress=state.progress if isinstance(state, Running) else None,
            due=job.wake_at,
            waits_for=tuple(each.name for each in state.waits_for) if isinstance(state, Waiting) else (),
            history=tuple(entry.status for entry in job.history),
            returned=definition.result.model_validate_json(result) if result and definition else None,
        )

    def _text(self, document: JobDocument) -> JsonText:
        if isinstance(document, BlobRef):
            return JsonText(self._blobs.stored[document.key].content.decode())
        return document


class _Stream(FakeJobRepository):
    """Jobs in memory; each that is queued triggers the worker, each that ends the recorder, as the table's stream."""

    def __init__(self, trigger: Callable[[Job], None], ended: Callable[[Job], None]) -> None:
        super().__init__()
        self._trigger = trigger
        self._ended = ended

    def _written(self, job: Job) -> None:
        if isinstance(job.state, Queued):
            self._trigger(job)
        elif is_final(job):
            self._ended(job)


def _changed(result: object) -> Job:
    if not isinstance(result, Job):
        raise ValueError(f"the job cannot be changed: {result!r}")  # noqa: TRY004 - it is no mistake in a type
    return result
