"""Job types: what a user of Headrace writes."""

from collections.abc import Awaitable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Generic, Protocol, TypeVar

from pydantic import BaseModel, Field

from headrace.authoring.frozen import Frozen
from headrace.authoring.outcomes import Fail, Retry, Stopped
from headrace.authoring.retry import Backoff

Payload = TypeVar("Payload", bound=BaseModel)
Result = TypeVar("Result", bound=BaseModel)


class Policy(Frozen):
    """How a job type is tried. A submission may lower or raise `max_attempts` for one job."""

    max_attempts: int = Field(default=5, ge=1, le=100)
    timeout: timedelta = timedelta(seconds=30)
    """The longest that one attempt may take."""
    backoff: Backoff = Backoff()
    retention: timedelta = timedelta(days=7)
    """How long a finished job stays readable."""
    max_age: timedelta = timedelta(days=7)
    """How long after it was due a job may still be started; then it fails as `expired`."""
    concurrency: int | None = Field(default=None, ge=1)
    """How many attempts of the type one function runs at once. None: of `async` handlers as many as its batch has, of
    plain ones as many as the function has CPUs (all types that say nothing share them)."""


class JobType(Frozen, Generic[Payload, Result]):
    """The definition of a job type, known to the API (validation, JSON Schema) and to the worker."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$", max_length=64)
    summary: str
    payload: type[Payload]
    result: type[Result]
    policy: Policy = Policy()
    version: int = Field(default=1, ge=1)
    """Raise it when payloads change so that older code cannot run them: a worker of an older version leaves such jobs
    to the newer one."""
    settings: tuple[str, ...] = ()
    """The environment variables that the handler may read, as `context.settings`."""


class AttemptInfo(Protocol):
    """What every handler may know of the attempt that it runs in."""

    @property
    def job_id(self) -> str: ...

    @property
    def attempt(self) -> int:
        """Counts from 1."""

    @property
    def deadline(self) -> datetime:
        """When the attempt is stopped."""

    @property
    def idempotency_key(self) -> str:
        """The same in every attempt: give it to whatever must not happen twice."""

    @property
    def settings(self) -> Mapping[str, str]:
        """The settings that the job type declares, as far as the function's environment has them."""


class JobContext(AttemptInfo, Protocol):
    """What an `async` handler may know and ask while it runs."""

    async def report_progress(self, fraction: float, message: str = "") -> None:
        """Show the owner how far the job is (0 to 1); at most one report a second is written."""

    async def cancel_requested(self) -> bool:
        """Whether a person asked to cancel; costs one read. A handler that stops returns `Stopped()`."""


class SyncJobContext(AttemptInfo, Protocol):
    """What a plain handler may know and ask from its thread: the same, without `await`."""

    def report_progress(self, fraction: float, message: str = "") -> None:
        """Show the owner how far the job is (0 to 1); at most one report a second is written."""

    def cancel_requested(self) -> bool:
        """Whether a person asked to cancel, or the attempt has ended; costs one read.

        Ask now and then: a thread cannot be stopped from outside. A handler that stops returns `Stopped()`.
        """


class JobHandler(Protocol[Payload, Result]):
    """One job type's code."""

    @property
    def definition(self) -> JobType[Payload, Result]: ...

    async def run(self, payload: Payload, context: JobContext, /) -> Result | Retry | Fail | Stopped:
        """Do the work of one attempt, on the event loop. An exception counts as `Retry` with its type and message."""


class SyncJobHandler(Protocol[Payload, Result]):
    """One job type's code as a plain function, which runs in a thread of its own."""

    @property
    def definition(self) -> JobType[Payload, Result]: ...

    def run(
        self, payload: Payload, context: SyncJobContext, /
    ) -> Result | Retry | Fail | Stopped | Awaitable[Result | Retry | Fail | Stopped]:
        """Do the work of one attempt; likewise. What it returns is awaited, if it can be, on the event loop."""


AnyHandler = JobHandler[BaseModel, BaseModel] | SyncJobHandler[BaseModel, BaseModel]
AnyJobType = JobType[BaseModel, BaseModel]


class DuplicateJobType(ValueError):
    """Two job types have one name: a mistake in the registration, found at start."""


class Catalogue:
    """The registered job types, by name."""

    def __init__(self, handlers: Iterable[AnyHandler]) -> None:
        registered = tuple(handlers)
        names = [handler.definition.name for handler in registered]
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled:
            raise DuplicateJobType(f"registered twice: {', '.join(doubled)}")
        self._handlers = {handler.definition.name: handler for handler in registered}

    def names(self) -> tuple[str, ...]:
        """Every name, in alphabetical order."""
        return tuple(sorted(self._handlers))

    def definition(self, name: str) -> AnyJobType | None:
        """The definition registered under `name`."""
        handler = self._handlers.get(name)
        return handler.definition if handler else None

    def handler(self, name: str) -> AnyHandler | None:
        """The handler registered under `name`."""
        return self._handlers.get(name)

    def policy(self, name: str) -> Policy:
        """The policy of a type; the default for a name that is no longer (or not yet) known here."""
        definition = self.definition(name)
        return definition.policy if definition else Policy()
