"""Job types: what a user of Headrace writes."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Generic, Protocol, TypeVar

from pydantic import BaseModel, Field

from headrace.authoring.context import JobContext, SyncJobContext
from headrace.authoring.frozen import Frozen
from headrace.authoring.outcomes import Fail, Retry, Stopped
from headrace.authoring.retry import Backoff

Payload = TypeVar("Payload", bound=BaseModel)
Payload_co = TypeVar("Payload_co", bound=BaseModel, covariant=True)
Result_co = TypeVar("Result_co", bound=BaseModel, covariant=True)


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
    expose_errors: bool = True
    """Whether callers see the message and the frames of an exception. If not, they see its type alone; admins and logs
    always have all of it."""


class JobType(Frozen, Generic[Payload_co, Result_co]):
    """The definition of a job type, known to the API (validation, JSON Schema) and to the worker."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$", max_length=64)
    summary: str
    payload: type[Payload_co]
    result: type[Result_co]
    policy: Policy = Policy()
    version: int = Field(default=1, ge=1)
    """Raise it when payloads change so that older code cannot run them: a worker of an older version leaves such jobs
    to the newer one."""
    settings: tuple[str, ...] = ()
    """The environment variables that the handler may read, as `context.settings`."""


class JobHandler(Protocol[Payload, Result_co]):
    """One job type's code."""

    @property
    def definition(self) -> JobType[Payload, Result_co]: ...

    async def run(self, payload: Payload, context: JobContext, /) -> Result_co | Retry | Fail | Stopped:
        """Do the work of one attempt, on the event loop. An exception counts as `Retry` with its type and message."""


class SyncJobHandler(Protocol[Payload, Result_co]):
    """One job type's code as a plain function, which runs in a thread of its own."""

    @property
    def definition(self) -> JobType[Payload, Result_co]: ...

    def run(
        self, payload: Payload, context: SyncJobContext, /
    ) -> Result_co | Retry | Fail | Stopped | Awaitable[Result_co | Retry | Fail | Stopped]:
        """Do the work of one attempt; likewise. What it returns is awaited, if it can be, on the event loop."""


AnyHandler = JobHandler[BaseModel, BaseModel] | SyncJobHandler[BaseModel, BaseModel]
AnyJobType = JobType[BaseModel, BaseModel]


class Handler(Protocol):
    """A member of `JOB_TYPES`: what `@job_type` makes, or an object of a class of one's own.

    Each takes only its own payload; the executor gives it just what its definition names.
    """

    @property
    def definition(self) -> AnyJobType: ...

    @property
    def run(self) -> Callable[..., object]:
        """As in `JobHandler` or `SyncJobHandler`."""
