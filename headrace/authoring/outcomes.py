"""What a handler may return instead of its result."""

from datetime import timedelta

from headrace.authoring.frozen import Frozen


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
