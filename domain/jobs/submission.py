"""What a client asks for when it submits a job."""

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
    notify: Notify | None = None
