"""What a test learns of one attempt."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Generic, Literal, TypeVar

from pydantic import BaseModel, JsonValue

from domain.jobs.job import JobError
from headrace.authoring.writes import Write
from headrace.testing.captured import LogLine

Result_co = TypeVar("Result_co", bound=BaseModel, covariant=True)


@dataclass(frozen=True)
class ProgressReport:
    """One call of `report_progress`."""

    fraction: float
    message: str


@dataclass(frozen=True)
class SubmittedJob:
    """A job that a handler submitted by `context.submit`."""

    id: str
    type: str
    payload: JsonValue


@dataclass(frozen=True)
class JobRun(Generic[Result_co]):
    """One attempt, and what became of its job."""

    status: Literal["succeeded", "retrying", "waiting", "queued", "failed", "cancelled"]
    """The job's status after the attempt; `retrying` when another attempt follows, `queued` when it goes on at once."""
    error: JobError | None
    """`code`, `message` and `frames` of a failure, as the job's owner sees them."""
    retry_after: timedelta | None
    """How long the job waits for its next attempt; where the backoff decides, the longest that it may be."""
    exception: BaseException | None
    """What the handler raised, if it did."""
    progress: tuple[ProgressReport, ...]
    """Every report, also those that a worker would not write because the last one is less than a second old."""
    logs: tuple[LogLine, ...]
    printed: str
    """What was written to stdout and stderr, in this order."""
    returned: Result_co | None
    waits_for: tuple[str, ...] = ()
    """The names of what the handler sleeps for or waits for."""
    remembered: Mapping[str, JsonValue] = field(default_factory=dict)
    """The values of the job's steps, and of the signals that it was sent, by name."""
    writes: tuple[Write, ...] = ()
    """What would be committed with the result, by `Done(…, writes=…)`."""
    submitted: tuple[SubmittedJob, ...] = ()
    """The jobs that would be submitted with the result, and the children that were submitted (`context.call`, `map`);
    their payloads are not validated here."""
    saved: Mapping[str, bytes] = field(default_factory=dict)
    """The content of the files that the handler saved, by name."""

    @property
    def succeeded(self) -> bool:
        """Whether the job has its result."""
        return self.status == "succeeded"

    @property
    def result(self) -> Result_co:
        """The result, read back from the JSON that is stored; fails the test with the error if there is none."""
        if self.returned is None:
            raise AssertionError(failure_text(self.status, self.error)) from self.exception
        return self.returned


def failure_text(status: str, error: JobError | None) -> str:
    """One line about a job that has no result, and one for each frame."""
    if error is None:
        return f"the job has no result: it is {status}"
    frames = "".join(f"\n  {frame.file}:{frame.line} in {frame.function}" for frame in error.frames)
    return f"the job has no result: it is {status} ({error.code}: {error.message}){frames}"
