"""What an attempt can come to."""

from domain.jobs.job import Frame
from headrace.authoring.frozen import Frozen
from headrace.authoring.json_text import JsonText
from headrace.authoring.outcomes import Fail, Retry, Stopped


class Done(Frozen):
    """The handler's result, as JSON."""

    result: JsonText


class Raised(Frozen):
    """User code raised an exception: a failure that may be retried, unless it is permanent."""

    code: str
    """The exception's type, or what it made impossible."""
    message: str
    frames: tuple[Frame, ...]
    permanent: bool = False


class TimedOut(Frozen):
    """The attempt passed its job type's timeout."""

    reason: str


Outcome = Done | Retry | Fail | Raised | Stopped | TimedOut
