"""What a handler may return instead of its result."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Generic, TypeVar

from pydantic import BaseModel

from headrace.authoring.frozen import Frozen
from headrace.authoring.writes import Write

Result_co = TypeVar("Result_co", bound=BaseModel, covariant=True)


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


class Done(Frozen, Generic[Result_co]):
    """The result, and writes to DynamoDB that are committed with it in one transaction: all of it, or nothing.

    The tables are named as in AWS, and are your own; the function that runs the job type needs the rights. When the
    condition of a write does not hold, nothing is written, and the job comes to `otherwise`; by default it fails, with
    the code `write_refused`.
    """

    result: Result_co
    writes: tuple[Write, ...] = ()
    otherwise: Retry | Fail | None = None

    def __init__(
        self, result: BaseModel, /, *, writes: Sequence[Write] = (), otherwise: Retry | Fail | None = None
    ) -> None:
        BaseModel.__init__(self, result=result, writes=tuple(writes), otherwise=otherwise)
