"""How a call of the command line can fail."""

from headrace.authoring.frozen import Frozen


class Refusal(Frozen):
    """The API refused the request with a problem document."""

    status: int
    code: str
    detail: str
    errors: tuple[str, ...] = ()


class Unreachable(Frozen):
    """No response was received."""

    url: str
    reason: str


class Foreign(Frozen):
    """The response did not come from a Headrace API."""

    url: str
    reason: str


Failure = Refusal | Unreachable | Foreign
