"""RFC 9457 problem documents. The only place where a domain result is mapped to an HTTP status."""

from collections.abc import Sequence
from http import HTTPStatus

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from domain.durable.signalling import InvalidSignal, SignalRefused
from domain.files.repository import FileNotFound
from domain.files.service import FileNotUploaded, FileTooLarge
from domain.flaws import MAX_FLAWS, Flaw
from domain.jobs.documents import DocumentLost, NoSuchDocument
from domain.jobs.listing import NotListed
from domain.jobs.repository import JobNotFound, JobUnreadable
from domain.jobs.service import Contended
from domain.jobs.submitting import IdempotencyMismatch, InvalidPayload, PayloadTooLarge, UnknownJobType
from domain.jobs.transitions import IllegalTransition
from domain.lanes.lanes import LaneClosed
from domain.quotas.quotas import QuotaExceeded
from domain.results import BadCursor, StaleVersion, StorageUnavailable
from domain.schedules.repository import ScheduleNotFound
from domain.schedules.results import (
    InvalidSchedule,
    ScheduleMismatch,
    TooManySchedules,
)
from domain.users.repository import EmailTaken, UserNotFound
from domain.users.service import NotAllowed
from domain.users.user import InvalidEmail
from domain.webhooks.repository import EndpointNotFound
from domain.webhooks.service import TooManyEndpoints
from functions.api.http.identity_problems import IdentityFailure, identity_problem

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = "1"
MAX_ERRORS = MAX_FLAWS
"""The most errors that a document describes; `error_count` is the number of all."""
MAX_POINTER = 200
MAX_DETAIL = 500
"""Characters; text from a client or from a job type's validator is cut to this."""
_PHRASES = {
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "Content Too Large",
    HTTPStatus.UNPROCESSABLE_ENTITY: "Unprocessable Content",
}


class ProblemError(BaseModel):
    """One error in a request."""

    pointer: str = Field(description="JSON pointer (RFC 6901) into the body, or the name of a parameter")
    detail: str


class Problem(BaseModel):
    """An RFC 9457 problem document; `code` is stable and meant for programs."""

    model_config = ConfigDict(frozen=True)

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[ProblemError] = Field(
        default_factory=list, max_length=MAX_ERRORS, description="The first errors in the request"
    )
    error_count: int = Field(default=0, description="The number of all errors in the request")
    request_id: str = ""


class Refused(Exception):
    """Ends a request with a problem document; raised in the HTTP layer only."""

    def __init__(self, problem: Problem, headers: dict[str, str] | None = None) -> None:
        super().__init__(problem.code)
        self.problem = problem
        self.headers = headers or {}


Failure = (
    JobNotFound
    | JobUnreadable
    | UnknownJobType
    | InvalidPayload
    | PayloadTooLarge
    | IdempotencyMismatch
    | DocumentLost
    | NoSuchDocument
    | FileNotFound
    | FileNotUploaded
    | FileTooLarge
    | InvalidSignal
    | SignalRefused
    | Contended
    | IllegalTransition
    | LaneClosed
    | QuotaExceeded
    | BadCursor
    | NotListed
    | StorageUnavailable
    | UserNotFound
    | EmailTaken
    | InvalidEmail
    | NotAllowed
    | StaleVersion
    | IdentityFailure
    | ScheduleNotFound
    | InvalidSchedule
    | ScheduleMismatch
    | TooManySchedules
    | EndpointNotFound
    | TooManyEndpoints
)


def phrase(status: HTTPStatus) -> str:
    """The status's name in RFC 9110, which `HTTPStatus` has only since Python 3.13."""
    return _PHRASES.get(status, status.phrase)


def problem(status: HTTPStatus, code: str, detail: str, errors: Sequence[Flaw] = (), count: int = 0) -> Problem:
    """Create a problem document of bounded size; `count` is the number of all errors if `errors` has only the first.

    The request id is added when the document is sent.
    """
    return Problem(
        type=f"urn:headrace:problem:{code}",
        title=phrase(status),
        status=status.value,
        detail=_shortened(detail, MAX_DETAIL),
        code=code,
        errors=[_problem_error(flaw) for flaw in errors[:MAX_ERRORS]],
        error_count=max(count, len(errors)),
    )


def invalid(code: str, sentence: str, flaws: Sequence[Flaw], count: int) -> Problem:
    """A 422 problem document with the first flaws; its detail gives their total number."""
    shown = min(len(flaws), MAX_ERRORS)
    number = "1 error" if count == 1 else f"{count} errors"
    where = "see errors" if shown >= count else f"errors has the first {shown}"
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, code, f"{sentence}: {number}; {where}.", flaws, count)


def problem_of(failure: Failure) -> Problem:
    """The problem document for a failure; it reveals nothing that the client may not know."""
    match failure:
        case JobNotFound():
            return problem(HTTPStatus.NOT_FOUND, "job_not_found", "There is no such job.")
        case JobUnreadable(newer=True):
            detail = "A newer version of the service wrote this job; try again."
            return problem(HTTPStatus.SERVICE_UNAVAILABLE, "newer_version", detail)
        case JobUnreadable():
            return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "job_unreadable", "The stored job cannot be read.")
        case UnknownJobType(type=name, known=known):
            detail = f"There is no job type {name[:64]!r}. Known: {', '.join(known)}."
            return problem(HTTPStatus.UNPROCESSABLE_ENTITY, "unknown_job_type", detail)
        case InvalidPayload(flaws=flaws, count=count):
            return invalid("invalid_payload", "The job was not accepted", flaws, count)
        case PayloadTooLarge(size=size, limit=limit):
            detail = f"The payload has {size} bytes of JSON; the limit is {limit}."
            return problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "payload_too_large", detail)
        case ScheduleNotFound():
            return problem(HTTPStatus.NOT_FOUND, "schedule_not_found", "There is no such schedule.")
        case InvalidSchedule(flaws=flaws):
            return invalid("invalid_schedule", "The schedule was not accepted", flaws, len(flaws))
        case TooManySchedules(limit=limit):
            detail = f"You have as many schedules as one user may have: {limit}."
            return problem(HTTPStatus.CONFLICT, "too_many_schedules", detail)
        case IdempotencyMismatch() | ScheduleMismatch():
            detail = "This Idempotency-Key was used for another submission."
            return problem(HTTPStatus.UNPROCESSABLE_ENTITY, "idempotency_mismatch", detail)
        case NoSuchDocument():
            return problem(HTTPStatus.NOT_FOUND, "result_not_found", "The job has no result.")
        case DocumentLost(code=code, message=message):
            return problem(HTTPStatus.GONE, code, f"{message[0].upper()}{message[1:]}.")
        case FileNotFound():
            return problem(HTTPStatus.NOT_FOUND, "file_not_found", "There is no such file.")
        case FileNotUploaded(why=why):
            return problem(HTTPStatus.CONFLICT, "file_not_uploaded", f"The file {why}.")
        case FileTooLarge(size=size, limit=limit):
            detail = f"The file would have {size} bytes; the limit is {limit}."
            return problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "file_too_large", detail)
        case InvalidSignal() | SignalRefused():
            return _signal_problem(failure)
        case Contended():
            detail = "Other requests are changing the job; try again."
            return problem(HTTPStatus.SERVICE_UNAVAILABLE, "contended", detail)
        case IllegalTransition(status=status, action=action):
            return problem(HTTPStatus.CONFLICT, "illegal_transition", f"A job that is {status} allows no {action}.")
        case LaneClosed(lane=lane):
            detail = f"The lane {lane!r} takes no new jobs: it drains."
            return problem(HTTPStatus.CONFLICT, "lane_draining", detail)
        case QuotaExceeded(kind="unfinished", limit=limit, retry_after=seconds):
            detail = f"This owner has as many unfinished jobs as it may have: {limit}. Try again in {seconds} s."
            return problem(HTTPStatus.TOO_MANY_REQUESTS, "quota_exceeded", detail)
        case QuotaExceeded(limit=limit, retry_after=seconds):
            detail = f"This owner has submitted as many jobs as it may in a minute: {limit}. Try again in {seconds} s."
            return problem(HTTPStatus.TOO_MANY_REQUESTS, "quota_exceeded", detail)
        case BadCursor():
            return problem(HTTPStatus.BAD_REQUEST, "bad_cursor", "The cursor is not valid for this query.")
        case NotListed(status="failed"):
            detail = (
                "Failed jobs of all owners are listed alone and by type: status=failed, and one type=, with a name from"
                " GET /v1/job-types."
            )
            return problem(HTTPStatus.UNPROCESSABLE_ENTITY, "not_listed", detail)
        case NotListed(status=status):
            detail = f"Jobs that are {status} are listed by owner: name one instead of owner=*."
            return problem(HTTPStatus.UNPROCESSABLE_ENTITY, "not_listed", detail)
        case StorageUnavailable():
            detail = "The store did not respond; try again."
            return problem(HTTPStatus.SERVICE_UNAVAILABLE, "storage_unavailable", detail)
        case UserNotFound():
            return problem(HTTPStatus.NOT_FOUND, "user_not_found", "There is no such user.")
        case EmailTaken():
            return problem(HTTPStatus.CONFLICT, "email_taken", "Another user has this address.")
        case InvalidEmail(reason=reason):
            flaw = Flaw(path=("email",), message=reason)
            return problem(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_email", "The address is not valid.", [flaw])
        case NotAllowed(reason=reason):
            return problem(HTTPStatus.FORBIDDEN, "not_allowed", f"Not allowed: {reason}.")
        case EndpointNotFound():
            return problem(HTTPStatus.NOT_FOUND, "webhook_not_found", "There is no such webhook.")
        case TooManyEndpoints(limit=limit):
            return problem(HTTPStatus.CONFLICT, "too_many_webhooks", f"There are {limit} webhooks; delete one first.")
        case StaleVersion():
            detail = "The resource has changed since; read it again."
            return problem(HTTPStatus.PRECONDITION_FAILED, "stale_version", detail)
        case _:
            return problem(*identity_problem(failure))


def _signal_problem(failure: InvalidSignal | SignalRefused) -> Problem:
    if isinstance(failure, SignalRefused):
        return problem(HTTPStatus.CONFLICT, "signal_refused", f"{failure.reason[0].upper()}{failure.reason[1:]}.")
    flaw = Flaw(path=(), message=failure.reason)
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_signal", "The signal was not accepted.", [flaw])


def refuse(failure: Failure) -> Refused:
    """Create the exception that ends a request with `failure`."""
    document = problem_of(failure)
    match failure:
        case QuotaExceeded():
            return Refused(document, {"retry-after": str(failure.retry_after)})
        case _ if document.status == HTTPStatus.SERVICE_UNAVAILABLE:
            return Refused(document, {"retry-after": RETRY_AFTER_SECONDS})
        case _:
            return Refused(document)


def problem_response(request: Request, document: Problem, headers: dict[str, str] | None = None) -> Response:
    """Create the response with a problem document, and add the request's id to it."""
    body = document.model_copy(update={"request_id": request.scope.get("request_id", "")})
    return Response(body.model_dump_json(), document.status, headers, MEDIA_TYPE)


def json_pointer(path: Sequence[str | int]) -> str:
    """Format a path as a JSON pointer (RFC 6901)."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)


def encodable(text: str) -> str:
    """Replace the characters of a text that UTF-8 cannot encode (lone surrogates)."""
    return text.encode(errors="replace").decode()


def _problem_error(flaw: Flaw) -> ProblemError:
    # Cut each step of the path first: a single name may have a megabyte.
    path = [step[: MAX_POINTER + 1] if isinstance(step, str) else step for step in flaw.path[:MAX_POINTER]]
    return ProblemError(
        pointer=_shortened(json_pointer(path), MAX_POINTER), detail=_shortened(flaw.message, MAX_DETAIL)
    )


def _shortened(text: str, limit: int) -> str:
    return encodable(text if len(text) <= limit else f"{text[: limit - 1]}…")
