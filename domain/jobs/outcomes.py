"""What an attempt can come to."""

from domain.jobs.job import Frame, JobDocument
from headrace.authoring.frozen import Frozen
from headrace.authoring.outcomes import Fail, Retry, Stopped


class Done(Frozen):
    """The handler's result, as JSON or, once it is stored, as the reference to it."""

    result: JobDocument


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
