"""What a client asks for when it submits a job."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, JsonValue

from domain.jobs.job import Notify
from headrace.authoring.frozen import Frozen

TypeName = Annotated[str, Field(strict=True, min_length=1, max_length=64)]
DelaySeconds = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)]
MaxAttempts = Annotated[int, Field(strict=True, ge=1, le=100)]
TagName = Annotated[str, Field(min_length=1, max_length=64)]
TagValue = Annotated[str, Field(max_length=256)]
Tags = Annotated[dict[TagName, TagValue], Field(max_length=20)]
LaneName = Annotated[str, Field(strict=True, min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f-\x9f]+$")]
Priority = Annotated[int, Field(strict=True, ge=0, le=9)]


class Submission(Frozen):
    """A validated submission."""

    type: TypeName
    payload: JsonValue
    run_at: AwareDatetime | None = None
    delay_seconds: DelaySeconds | None = None
    max_attempts: MaxAttempts | None = None
    tags: Tags = Field(default_factory=dict)
    lane: LaneName | None = None
    """A lane of the owner's own, for a type that has none."""
    priority: Priority | None = None
    """In its lane, from 0 to 9; None for the job type's."""
    unique: Literal["while-unfinished"] | None = None
    """How long the idempotency key is the job's: until it has ended, or else as long as the job is kept."""
    notify: Notify | None = None
    traceparent: str | None = None
    """The trace that it is submitted in: valid, or None. Two submissions are the same whatever their traces."""
    on_behalf: bool = False
    """Whether somebody submits it for its owner, whose own secrets are not theirs. Two are the same whoever submits."""
