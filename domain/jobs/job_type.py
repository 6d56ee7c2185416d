"""Job types: what a user of Headrace writes."""

from collections.abc import Awaitable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Generic, Protocol, TypeVar

from pydantic import BaseModel, Field

from domain.frozen import Frozen
from domain.jobs.outcomes import Fail, Retry, Stopped
from domain.jobs.retry import Backoff

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


class JobType(Frozen, Generic[Payload, Result]):
    """The definition of a job type, known to the API (validation, JSON Schema) and to the worker."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$", max_length=64)
    summary: str
    payload: type[Payload]
    result: type[Result]
    policy: Policy = Policy()


class JobContext(Protocol):
    """What a handler may know and ask while it runs."""

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
        """The function's environment."""

    async def report_progress(self, fraction: float, message: str = "") -> None:
        """Show the owner how far the job is (0 to 1); at most one report a second is written."""

    async def cancel_requested(self) -> bool:
        """Whether a person asked to cancel; costs one read. A handler that stops returns `Stopped()`."""


class JobHandler(Protocol[Payload, Result]):
    """One job type's code. `run` may be `async`; a plain function runs in a thread of its own."""

    @property
    def definition(self) -> JobType[Payload, Result]: ...

    def run(
        self, payload: Payload, context: JobContext, /
    ) -> Awaitable[Result | Retry | Fail | Stopped] | Result | Retry | Fail | Stopped:
        """Do the work of one attempt. An exception counts as `Retry` with its type and message."""


AnyHandler = JobHandler[BaseModel, BaseModel]
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
