"""What an attempt can come to."""

from pydantic import AwareDatetime

from domain.jobs.change import Companion
from domain.jobs.job import Frame, JobDocument, WaitFor
from headrace.authoring.frozen import Frozen
from headrace.authoring.outcomes import Fail, Retry, Stopped


class Done(Frozen):
    """The handler's result, as JSON or, once it is stored, as the reference to it."""

    result: JobDocument
    writes: tuple[Companion, ...] = ()
    """Of the handler's own, which are committed with it."""
    otherwise: Retry | Fail | None = None
    """What the job comes to when the condition of one of them does not hold; None fails it."""


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


class Pause(Frozen):
    """The handler has nothing to do before something that it waits for; its invocation ends, and uses up no attempt.

    Without `waits_for` there is no time left in this invocation, and it goes on in another one at once.
    """

    waits_for: tuple[WaitFor, ...] = ()
    until: AwareDatetime | None = None
    """When the first of the waits ends."""
    begun: tuple[Companion, ...] = ()
    """Writes that remember the waits that have begun."""


Outcome = Done | Retry | Fail | Raised | Stopped | TimedOut | Pause
