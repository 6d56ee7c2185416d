"""What an attempt can come to. A handler returns its result model or one of these."""

from datetime import timedelta

from headrace.authoring.frozen import Frozen
from headrace.authoring.json_text import JsonText


class Retry(Frozen):
    """This attempt failed; another may succeed. `after` overrides the policy's backoff."""

    reason: str
    after: timedelta | None = None
    code: str = "retry"


class Fail(Frozen):
    """No attempt can succeed: the job ends `failed` at once."""

    reason: str
    code: str = "failed"


class Stopped(Frozen):
    """The handler saw that a person asked to cancel, and stopped."""


class Done(Frozen):
    """The handler's result, as JSON."""

    result: JsonText


class TimedOut(Frozen):
    """The attempt passed its job type's timeout."""

    reason: str


Outcome = Done | Retry | Fail | Stopped | TimedOut
