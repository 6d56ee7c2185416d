"""The context that `async` handlers get; `threaded_attempt.py` has that of plain ones."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, TypeVar, TypeVarTuple, cast, overload

from domain.jobs import transitions
from domain.jobs.attempt_ports import AttemptStore, DurableCalls, DurableSource, FilesSource, FollowUpsSource
from domain.jobs.change import FollowUp
from domain.jobs.job import Job, Running
from domain.jobs.outcomes import Outcome
from domain.jobs.repository import JobNotFound, JobUnreadable, VersionConflict
from domain.jobs.transitions import IllegalTransition, Known
from domain.ports import Clock
from domain.results import StorageUnavailable
from domain.secrets.hidden import Hidden
from headrace.authoring.children import CallChild, MapChildren
from headrace.authoring.files import Chunks, File, FileUnavailable
from headrace.authoring.steps import StepUnavailable

if TYPE_CHECKING:  # most workers never touch a file, or submit a job
    from domain.files.attempts import JobFiles
    from domain.files.streams import BlobStream
    from domain.jobs.following import FollowUps
    from domain.secrets.store import SecretSource
    from headrace.authoring.outcomes import Fail, Retry
    from headrace.authoring.secrets import Secret

MAX_CONFLICTS = 5

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


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

    @property
    def call(self) -> CallChild:
        """Raises `ChildFailed`, `StepMisused` or `StepUnavailable`."""
        return cast("CallChild", self._call)  # its overloads say what comes of which arguments

    async def _call(
        self,
        name: str,
        type: str,
        payload: object,
        *,
        returns: object = None,
        tags: Mapping[str, str] | None = None,
    ) -> object:
        from domain.children.call import GroupCall  # noqa: PLC0415 - few handlers have children

        call = GroupCall(name=name, type=type, payloads=(payload,), returns=returns, tags=tags, single=True)
        return (await self.durable().children(call))[0]

    @property
    def map(self) -> MapChildren:
        """Raises `ChildFailed`, `StepMisused` or `StepUnavailable`."""
        return cast("MapChildren", self._map)  # its overloads say what comes of which arguments

    async def _map(
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
    ) -> list[object]:
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

    def durable(self) -> DurableCalls:
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
