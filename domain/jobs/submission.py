"""What a client asks for when it submits a job."""

from typing import Literal

from pydantic import AwareDatetime, Field, JsonValue

from domain.jobs.job import Notify
from headrace.authoring.frozen import Frozen


class Submission(Frozen):
    """A validated submission."""

    type: str
    payload: JsonValue
    run_at: AwareDatetime | None = None
    delay_seconds: float | None = None
    max_attempts: int | None = None
    tags: dict[str, str] = Field(default_factory=dict)
    lane: str | None = None
    """A lane of the owner's own, for a type that has none."""
    priority: int | None = None
    """In its lane, from 0 to 9; None for the job type's."""
    unique: Literal["while-unfinished"] | None = None
    """How long the idempotency key is the job's: until it has ended, or else as long as the job is kept."""
    notify: Notify | None = None
    traceparent: str | None = None
    """The trace that it is submitted in: valid, or None. Two submissions are the same whatever their traces."""
