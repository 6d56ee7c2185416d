"""What the client raises: `HeadraceError`, and one class for each thing that a caller may do about it."""

from dataclasses import dataclass, field

from headrace_client.json_values import JsonObject
from headrace_client.models import Job


@dataclass(frozen=True)
class Flaw:
    """One error in a request: a JSON pointer (RFC 6901) into its body, or a parameter's name, and a sentence."""

    pointer: str
    detail: str


@dataclass(frozen=True)
class Problem:
    """Why the API refused a request (RFC 9457). `code` is stable and meant for programs."""

    status: int
    code: str
    detail: str
    errors: tuple[Flaw, ...] = ()
    request_id: str = ""
    raw: JsonObject = field(default_factory=dict, repr=False, compare=False)
    """The whole problem document."""

    def __str__(self) -> str:
        flaws = "".join(f"\n  {each.pointer}: {each.detail}" for each in self.errors)
        return f"{self.code}: {self.detail}{flaws}"


class HeadraceError(Exception):
    """Whatever goes wrong with a request or a job."""


class Refused(HeadraceError):
    """The API answered with a problem."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


class InvalidRequest(Refused):
    """The request itself is wrong, and stays wrong: such as `invalid_payload`, `unknown_job_type` (400, 413, 422 …)."""


class NotAllowed(Refused):
    """The token is missing, expired or another's, or the user may not do it (401, 403)."""


class NotFound(Refused):
    """There is no such thing, or it is another user's (404, 410)."""


class Conflict(Refused):
    """Its present state does not allow it: such as the cancelling of a job that has ended (409, 412)."""


class Unavailable(Refused):
    """The service is busy, throttled or broken; trying again later may help (429, 5xx)."""


class Unreachable(HeadraceError):
    """No whole response came. A request that changes something may have been carried out all the same."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(f"nothing responds at {url} ({reason})")
        self.url = url
        self.reason = reason


class NotHeadrace(HeadraceError):
    """The response is not one of a Headrace API: a wrong address, or a proxy in between."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(f"{url} does not respond like Headrace: {reason}")
        self.url = url
        self.reason = reason


class JobFailed(HeadraceError):
    """The job whose result was asked for has failed, or was cancelled."""

    def __init__(self, job: Job) -> None:
        why = f": {job.error.code}: {job.error.message}" if job.error is not None else ""
        super().__init__(f"job {job.id} of type {job.type} has {_ended(job)}{why}")
        self.job = job


class WaitTimeout(HeadraceError, TimeoutError):
    """The job has not ended in time; it goes on. `job` is what was seen last."""

    def __init__(self, job: Job) -> None:
        super().__init__(f"job {job.id} of type {job.type} is still {job.status}")
        self.job = job


_CLASSES: dict[int, type[Refused]] = {
    401: NotAllowed, 403: NotAllowed, 404: NotFound, 409: Conflict, 410: NotFound, 412: Conflict, 429: Unavailable,
}  # fmt: skip
_SERVER_ERROR = 500


def refusal(problem: Problem) -> Refused:
    """The exception for a problem, by its status."""
    return _CLASSES.get(problem.status, Unavailable if problem.status >= _SERVER_ERROR else InvalidRequest)(problem)


def _ended(job: Job) -> str:
    return "been cancelled" if job.status == "cancelled" else "failed"
