"""The contexts that handlers get."""

import asyncio
import logging
import threading
from builtins import type as _type
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, BinaryIO, Final, Literal, NoReturn, Protocol, TypeVar, TypeVarTuple, overload

from pydantic import JsonValue

from domain.jobs import transitions
from domain.jobs.change import Change, FollowUp
from domain.jobs.job import Job, Running
from domain.jobs.outcomes import Outcome
from domain.jobs.repository import JobNotFound, JobUnreadable, ReplaceResult, VersionConflict
from domain.jobs.transitions import IllegalTransition, Known
from domain.ports import Clock
from domain.results import StorageUnavailable
from domain.secrets.hidden import Hidden
from headrace.authoring.children import ChildFailed
from headrace.authoring.files import Chunks, File, FileUnavailable
from headrace.authoring.steps import StepMisused, StepUnavailable

if TYPE_CHECKING:  # most workers never touch a file, or submit a job
    from domain.children.call import GroupCall
    from domain.files.attempts import JobFiles
    from domain.files.streams import BlobStream
    from domain.jobs.following import FollowUps
    from domain.secrets.store import SecretSource
    from headrace.authoring.outcomes import Fail, Retry
    from headrace.authoring.secrets import Secret

MAX_CONFLICTS = 5

_ENDED: Final = "the attempt has ended"

FilesSource = Callable[[], "JobFiles"]
"""Gives what works on files when a handler first asks for it; most handlers never do."""

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class AttemptStore(Protocol):
    """The part of `JobRepository` that an attempt uses."""

    async def get(self, job_id: str, now: datetime, /) -> Job | JobNotFound | JobUnreadable | StorageUnavailable: ...

    async def replace(self, change: Change, expected_version: int, /) -> ReplaceResult: ...


class DurableCalls(Protocol):
    """What remembers for an attempt: `domain/durable/durable.py` in a worker."""

    flaw: str | None
    """What the handler did wrong, even if it caught the exception."""

    @property
    def size(self) -> int:
        """How many items the job has, as far as the attempt knows."""

    def current_step(self) -> str | None:
        """The name of the step that the calling code belongs to."""

    async def step(
        self, name: str, function: Callable[..., object], args: tuple[object, ...], returns: object, /
    ) -> object: ...

    async def sleep(self, name: str, duration: timedelta, /) -> None: ...

    async def signal(self, name: str, model: object, timeout: timedelta | None, /) -> object: ...

    async def children(self, call: "GroupCall", /) -> list[object]: ...

    async def close(self) -> None:
        """Call no function of a step from here on; return when those that are under way are remembered."""


DurableSource = Callable[[Job, "asyncio.Future[Outcome]", Hidden], DurableCalls]
"""Gives what remembers for an attempt, by its job, what ends it, and what it hides, when a handler first asks."""


FollowUpsSource = Callable[[Job, Hidden], "FollowUps"]
"""Gives what takes the jobs that an attempt submits, by its job and what it hides, when a handler first asks."""


class Attempt:
    """The `JobContext` of one attempt."""

    def __init__(
        self,
        jobs: AttemptStore,
        clock: Clock,
        job: Job,
        deadline: datetime,
        settings: Mapping[str, str],
        files: FilesSource | None = None,
        secrets: "SecretSource | None" = None,
        durable: DurableSource | None = None,
        follow_ups: FollowUpsSource | None = None,
    ) -> None:
        self._jobs = jobs
        self._clock = clock
        self._job = job
        self._files = files
        self._secrets = secrets
        self.hidden = Hidden()
        """What the attempt must write nowhere."""
        self.job_id = job.id
        self.attempt = job.attempt
        self.max_attempts = job.max_attempts
        self.owner_id = job.owner_id
        self.tags: Mapping[str, str] = MappingProxyType(job.tags)
        self.logger = logging.getLogger(job.type)
        self.deadline = deadline
        self.traceparent = job.traceparent
        self.settings = settings
        self._ended: asyncio.Future[Outcome] | None = None
        self._durable_source = durable
        self._follow_ups_source = follow_ups
        self._follow_ups: FollowUps | None = None
        self._durable: DurableCalls | None = None

    @property
    def ended(self) -> "asyncio.Future[Outcome]":
        """Set when the invocation has to end before the handler does; of the running loop."""
        if self._ended is None:
            self._ended = asyncio.get_running_loop().create_future()
        return self._ended

    @property
    def idempotency_key(self) -> str:
        """The job's; within a step, the step's own."""
        if self._durable is None or (step := self._durable.current_step()) is None:
            return self.job_id
        return f"{self.job_id}:{step}"

    @overload
    async def step(self, name: str, function: Callable[[*Ts], Awaitable[T]], *args: *Ts) -> T: ...
    @overload
    async def step(self, name: str, function: Callable[[*Ts], T], *args: *Ts) -> T: ...
    @overload
    async def step(self, name: str, function: Callable[[*Ts], object], *args: *Ts, returns: type[T]) -> T: ...
    async def step(self, name: str, function: Callable[..., object], *args: object, returns: object = None) -> object:
        """Raises `StepMisused`, `StepUnavailable`, and whatever the function raises."""
        return await self.durable().step(name, function, args, returns)

    async def sleep(self, name: str, duration: timedelta) -> None:
        """Raises `StepMisused` or `StepUnavailable`."""
        await self.durable().sleep(name, duration)

    @overload
    async def signal(self, name: str, model: type[T]) -> T: ...
    @overload
    async def signal(self, name: str, model: type[T], *, timeout: timedelta) -> T | None: ...
    async def signal(self, name: str, model: object, *, timeout: timedelta | None = None) -> object:
        """Raises `StepMisused` or `StepUnavailable`."""
        return await self.durable().signal(name, model, timeout)

    @overload
    async def call(
        self, name: str, type: str, payload: object, *, tags: Mapping[str, str] | None = None
    ) -> JsonValue: ...
    @overload
    async def call(
        self, name: str, type: str, payload: object, *, returns: _type[T], tags: Mapping[str, str] | None = None
    ) -> T: ...
    async def call(
        self,
        name: str,
        type: str,
        payload: object,
        *,
        returns: object = None,
        tags: Mapping[str, str] | None = None,
    ) -> object:
        """Raises `ChildFailed`, `StepMisused` or `StepUnavailable`."""
        from domain.children.call import GroupCall  # noqa: PLC0415 - few handlers have children

        call = GroupCall(name=name, type=type, payloads=(payload,), returns=returns, tags=tags, single=True)
        return (await self.durable().children(call))[0]

    @overload
    async def map(
        self,
        name: str,
        type: str,
        payloads: Sequence[object],
        *,
        failed: Literal["raise"] = "raise",
        max_in_flight: int | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> list[JsonValue]: ...
    @overload
    async def map(
        self,
        name: str,
        type: str,
        payloads: Sequence[object],
        *,
        returns: _type[T],
        failed: Literal["raise"] = "raise",
        max_in_flight: int | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> list[T]: ...
    @overload
    async def map(
        self,
        name: str,
        type: str,
        payloads: Sequence[object],
        *,
        failed: Literal["raise", "collect"] = "raise",
        max_in_flight: int | None = None,
        tolerated_failures: int = 0,
        tags: Mapping[str, str] | None = None,
    ) -> list[JsonValue | ChildFailed]: ...
    @overload
    async def map(
        self,
        name: str,
        type: str,
        payloads: Sequence[object],
        *,
        returns: _type[T],
        failed: Literal["raise", "collect"] = "raise",
        max_in_flight: int | None = None,
        tolerated_failures: int = 0,
        tags: Mapping[str, str] | None = None,
    ) -> list[T | ChildFailed]: ...
    async def map(
        self,
        name: str,
        type: str,
        payloads: Sequence[object],
        *,
        returns: object = None,
        failed: Literal["raise", "collect"] = "raise",
        max_in_flight: int | None = None,
        tolerated_failures: int = 0,
        tags: Mapping[str, str] | None = None,
    ) -> Sequence[object]:
        """Raises `ChildFailed`, `StepMisused` or `StepUnavailable`."""
        from domain.children.call import GroupCall  # noqa: PLC0415 - few handlers have children

        call = GroupCall(
            name=name, type=type, payloads=tuple(payloads), returns=returns, collect=failed == "collect",
            tolerated=tolerated_failures, in_flight=max_in_flight, tags=tags,
        )  # fmt: skip
        return await self.durable().children(call)

    def submit(
        self,
        type: str,
        payload: object,
        *,
        name: str,
        delay: timedelta | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> str:
        """Raises `StepMisused` for what would not be accepted."""
        if self._follow_ups is None:
            if self._follow_ups_source is None:
                raise StepUnavailable("no jobs can be submitted here")
            self._follow_ups = self._follow_ups_source(self._job, self.hidden)
        return self._follow_ups.add(type, payload, name, delay, tags)

    @property
    def submitted(self) -> "tuple[FollowUp, ...]":
        """The jobs that exist if this attempt succeeds."""
        return self._follow_ups.all if self._follow_ups else ()

    def durable(self) -> "DurableCalls":
        """What remembers; raises `StepUnavailable` where nothing does."""
        if self._durable_source is None:
            raise StepUnavailable("nothing is remembered here")
        if self._durable is None:
            self._durable = self._durable_source(self._job, self.ended, self.hidden)
        return self._durable

    async def close(self, seconds: float) -> None:
        """Begin no step from here on, and wait so long for what is under way: its effects are to be remembered."""
        if self._durable is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._durable.close()

    @property
    def flaw(self) -> str | None:
        """What the handler did wrong with its steps, even if it caught the exception."""
        return self._durable.flaw if self._durable else None

    @property
    def known(self) -> Known:
        """What the attempt knows of its job's steps and signals."""
        return Known(steps=self._durable.size if self._durable else 0, signals=self._job.signals)

    async def report_progress(self, fraction: float, message: str = "") -> None:
        """Best effort: a report that cannot be written is dropped."""
        shown, current = self.hidden.text(message), await self._jobs.get(self._job.id, self._clock())
        for _ in range(MAX_CONFLICTS):
            if not isinstance(current, Job):
                return
            reported = transitions.report_progress(current, self._token(), fraction, shown, self._clock())
            if isinstance(reported, IllegalTransition) or reported.job == current:
                return
            written = await self._jobs.replace(reported, current.version)
            if not isinstance(written, VersionConflict) or written.current is None:
                return
            current = written.current

    async def cancel_requested(self) -> bool:
        """Also true when the attempt has lost its lease: its outcome would be refused."""
        current = await self._jobs.get(self._job.id, self._clock())
        match current:
            case Job(state=Running(lease=lease, cancel_requested=asked)):
                return asked or lease.token != self._token()
            case Job() | JobNotFound():
                return True
            case JobUnreadable() | StorageUnavailable():
                return False

    async def open(self, file: File) -> "BlobStream":
        """Raises `FileMissing` or `FileUnavailable`."""
        return await self.job_files().open(self._job.owner_id, file)

    async def save(self, name: str, content: Chunks, content_type: str = "application/octet-stream") -> File:
        """Raises `FileTooLarge` or `FileUnavailable`, and whatever the content raises."""
        return await self.job_files().save(self._job.owner_id, name, content, content_type)

    async def reveal(self, found: "Sequence[Secret]") -> "Fail | Retry | None":
        """Give the secrets of the payload their values; or what the attempt comes to without them."""
        from domain.secrets.revealing import reveal  # noqa: PLC0415 - most workers never see a secret

        return await reveal(self._secrets, self._job.owner_id, found, self.hidden)

    def job_files(self) -> "JobFiles":
        """What works on files; raises `FileUnavailable` where there are none."""
        if self._files is None:
            raise FileUnavailable("there are no files here")
        return self._files()

    def _token(self) -> str:
        return self._job.state.lease.token if isinstance(self._job.state, Running) else ""


class ThreadedAttempt:
    """The `SyncJobContext` of one attempt: its calls are made on the event loop, which the thread waits for.

    A plain function may return something to await, which then runs on the loop itself; there a call gives something to
    await too, for the loop cannot wait for itself.
    """

    def __init__(self, attempt: Attempt, loop: asyncio.AbstractEventLoop, ended: threading.Event) -> None:
        self._attempt = attempt
        self._loop = loop
        self._ended = ended
        self._loop_thread = threading.get_ident()
        self.job_id = attempt.job_id
        self.attempt = attempt.attempt
        self.max_attempts = attempt.max_attempts
        self.owner_id = attempt.owner_id
        self.tags = attempt.tags
        self.logger = attempt.logger
        self.deadline = attempt.deadline
        self.idempotency_key = attempt.idempotency_key
        self.traceparent = attempt.traceparent
        self.settings = attempt.settings

    def step(self, *_: object, **__: object) -> NoReturn:
        """Not for a thread: nothing can end it where it waits, or begin it anew."""
        raise StepMisused(
            "step, sleep, signal, call, map and submit need an `async` handler: write `async def`, and await them"
        )

    sleep = signal = submit = call = map = step

    def report_progress(self, fraction: float, message: str = "") -> Coroutine[None, None, None] | None:
        """Best effort: a report that cannot be written, or comes after the attempt's end, is dropped."""
        return self._call(self._attempt.report_progress(fraction, message), after_the_end=None)

    def cancel_requested(self) -> Coroutine[None, None, bool] | bool:
        """Also true when the attempt has ended, or has lost its lease: its outcome would be refused."""
        return self._call(self._attempt.cancel_requested(), after_the_end=True)

    def open(self, file: File) -> "Coroutine[None, None, BlobStream] | BinaryIO":
        """A file that can be read and sought; raises `FileMissing` or `FileUnavailable`."""
        if self._on_loop():
            return self._attempt.open(file)
        return self._attempt.job_files().as_binary_file(self._wait_for(self._attempt.open(file)), self._wait_for)

    def save(
        self, name: str, content: bytes | Iterable[bytes], content_type: str = "application/octet-stream"
    ) -> Coroutine[None, None, File] | File:
        """The content is taken by this thread; raises `FileTooLarge` or `FileUnavailable`."""
        if self._on_loop():
            return self._attempt.save(name, content, content_type)
        if self._ended.is_set():
            raise FileUnavailable(_ENDED)
        files = self._attempt.job_files()
        return files.save_from_thread(
            lambda chunks: self._attempt.save(name, chunks, content_type), content, self._loop
        )

    def _on_loop(self) -> bool:
        return threading.get_ident() == self._loop_thread

    def _wait_for(self, work: Coroutine[None, None, T]) -> T:
        """Of work on files, which has no meaning after the attempt's end."""
        if self._ended.is_set():
            work.close()
            raise FileUnavailable(_ENDED)
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _call(self, work: Coroutine[None, None, T], after_the_end: T) -> Coroutine[None, None, T] | T:
        if self._on_loop():
            return work
        if self._ended.is_set():
            # The loop does not run between invocations, so the thread would wait for the next one.
            work.close()
            return after_the_end
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()
