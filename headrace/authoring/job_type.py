"""Job types: what a user of Headrace writes."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from types import FunctionType
from typing import TYPE_CHECKING, Annotated, Generic, Never, Protocol, TypeVar

from pydantic import BaseModel, Field, InstanceOf, model_validator

from headrace.authoring.context import JobContext, SyncJobContext
from headrace.authoring.frozen import Frozen
from headrace.authoring.rate import Rate
from headrace.authoring.retry import Backoff
from headrace.authoring.upcasts import Upcast, flaw_of_aliases, flaw_of_upcasts, oldest_version

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$", max_length=64)]
"""Of a job type."""

RunnerName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$", max_length=30)]
"""Of a function that runs jobs."""

WORKER = "worker"
"""The runner that is the worker itself: jobs run in the batches in which the stream delivers them."""
STANDARD = "standard"
"""The runner of job types that name none and are too long for the worker's batches."""
LONGEST_IN_WORKER = timedelta(seconds=10)
"""Of job types that name no runner. A batch, and what waits behind it in its lane of the stream, lasts as long as its
slowest job (docs/decisions/025-runners.md)."""

MAX_LIMIT = 1000
"""Of a lane: its places are read at each claim."""

LaneKey = Callable[[Never, str], str | None]
"""Gives the lane of a job by its payload and its owner's id; None for no lane of the type's own."""

Payload_co = TypeVar("Payload_co", bound=BaseModel, covariant=True)
Payload_contra = TypeVar("Payload_contra", bound=BaseModel, contravariant=True)
Result_co = TypeVar("Result_co", bound=BaseModel, covariant=True)


class Policy(Frozen):
    """How a job type is tried. A submission may lower or raise `max_attempts` for one job."""

    max_attempts: int = Field(default=5, ge=1, le=100)
    timeout: timedelta = Field(default=timedelta(seconds=30), gt=timedelta(0))
    """The longest that one attempt may take."""
    backoff: Backoff = Backoff()
    retention: timedelta = Field(default=timedelta(days=7), ge=timedelta(0))
    """How long a finished job stays readable."""
    max_age: timedelta = Field(default=timedelta(days=7), gt=timedelta(0))
    """How long after it was due a job may still be started; then it fails as `expired`."""
    concurrency: int | None = Field(default=None, ge=1)
    """How many attempts of the type one function runs at once. None: of `async` handlers as many as its batch has, of
    plain ones as many as the function has CPUs (all types that say nothing share them)."""
    runner: RunnerName | None = None
    """The function that runs the jobs: `worker` (in its batches; cheapest, for short jobs), or one of template.yaml's
    runners, each with a queue of its own. None: the worker for timeouts of up to ten seconds, else `standard`."""
    lane: str | LaneKey | None = None
    """What limits the type's jobs together: a name, or a function of payload and owner's id that gives one. Types that
    give the same name share the lane. None: the type's own name, where it has a limit or a rate."""
    limit: int | None = Field(default=None, ge=1, le=MAX_LIMIT)
    """How many jobs of the lane run at once, in all functions."""
    rate: InstanceOf[Rate] | None = None
    """How many jobs of the lane start in a time."""
    priority: int = Field(default=5, ge=0, le=9)
    """Which jobs of a lane go first: those of the highest."""
    expose_errors: bool = True
    """Whether callers see the message and the frames of an exception. If not, they see its type alone; admins and logs
    always have all of it."""

    @model_validator(mode="after")
    def _lane_limits(self) -> "Policy":
        if self.lane is not None and self.limit is None and self.rate is None:
            raise ValueError("a lane needs a limit or a rate")
        return self

    @property
    def has_lane(self) -> bool:
        """Whether the type has lanes of its own; a submission names none then."""
        return self.limit is not None or self.rate is not None

    @property
    def runs_in(self) -> str:
        """The runner, said or not."""
        return self.runner or (WORKER if self.timeout <= LONGEST_IN_WORKER else STANDARD)


class JobType(Frozen, Generic[Payload_co, Result_co]):
    """The definition of a job type, known to the API (validation, JSON Schema) and to the worker."""

    name: Name
    summary: str
    payload: type[Payload_co]
    result: type[Result_co]
    policy: Policy = Policy()
    payload_version: int = Field(default=1, ge=1)
    """Raise it when payloads change so that older code cannot run them: a worker of an older version leaves such jobs
    to the newer one."""
    upcasts: Mapping[int, Upcast] = Field(default_factory=dict)
    """By version, the function from its payloads to those of the next version. Jobs of the oldest version here and of
    later ones are run."""
    aliases: tuple[Name, ...] = ()
    """Former names. Jobs of these names are run and accepted; each keeps the name that it was submitted with."""
    settings: tuple[str, ...] = ()
    """The environment variables that the handler may read, as `context.settings`."""

    @model_validator(mode="after")
    def _is_complete(self) -> "JobType[Payload_co, Result_co]":
        flaw = flaw_of_upcasts(self.payload_version, self.upcasts) or flaw_of_aliases(self.name, self.aliases)
        if flaw is not None:
            raise ValueError(f"{self.name} {flaw}")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """Its name and its former ones."""
        return (self.name, *self.aliases)

    @property
    def oldest_payload_version(self) -> int:
        """The oldest version of payloads that can be run."""
        return oldest_version(self.payload_version, self.upcasts)


if TYPE_CHECKING:
    AnyJobType = JobType[BaseModel, BaseModel]
else:
    # The same, as the type variables are bound. Naming the models would build one more class at every cold start.
    AnyJobType = JobType


class JobHandler(Protocol[Payload_contra]):
    """One job type's code, as an `async` method."""

    @property
    def definition(self) -> AnyJobType: ...

    async def run(self, payload: Payload_contra, context: JobContext, /) -> BaseModel:
        """Do the work of one attempt, on the event loop: the result, `Retry`, `Fail` or `Stopped`.

        An exception counts as `Retry` with its type and message.
        """


class SyncJobHandler(Protocol[Payload_contra]):
    """One job type's code as a plain method, which runs in a thread of its own."""

    @property
    def definition(self) -> AnyJobType: ...

    def run(self, payload: Payload_contra, context: SyncJobContext, /) -> BaseModel:
        """Do the work of one attempt; likewise. Something awaitable, as a wrapper may return it, is awaited too."""


def why_no_job_type(member: object) -> str | None:
    """What is wrong with a member of `JOB_TYPES`, or with what a test runs: the end of a sentence; None if nothing."""
    if isinstance(member, type):
        return f"is the class {member.__name__}, where an instance is needed: {member.__name__}()"
    if isinstance(getattr(member, "definition", None), JobType) and callable(getattr(member, "run", None)):
        return None
    if isinstance(member, FunctionType):
        return f"is the function {member.__name__}, which is no job type without @job_type(…)"
    return f"is no job type, but of type {type(member).__name__}: it needs a `definition` and a method `run`"


Handler = JobHandler[Never] | SyncJobHandler[Never]
"""The code of any job type, which is what `JOB_TYPES` holds. Each takes a payload model of its own, so that `Never` is
what all of them take."""
