"""What an attempt can come to."""

from headrace.authoring.frozen import Frozen
from headrace.authoring.json_text import JsonText
from headrace.authoring.outcomes import Fail, Retry, Stopped


class Done(Frozen):
    """The handler's result, as JSON."""

    result: JsonText


class TimedOut(Frozen):
    """The attempt passed its job type's timeout."""

    reason: str


Outcome = Done | Retry | Fail | Stopped | TimedOut
