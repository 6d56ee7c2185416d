"""Errors as RFC 9457 problem documents. This is the one place where a result becomes a status."""

from collections.abc import Sequence
from http import HTTPStatus

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from domain.jobs.repository import JobNotFound, JobUnreadable
from domain.jobs.service import (
    Contended,
    Flaw,
    IdempotencyMismatch,
    InvalidPayload,
    PayloadTooLarge,
    UnknownJobType,
)
from domain.jobs.transitions import IllegalTransition
from domain.results import BadCursor, StaleVersion, StorageUnavailable
from domain.users.repository import EmailTaken, UserNotFound
from domain.users.service import NotAllowed
from domain.users.user import InvalidEmail

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = "1"
_PHRASES = {
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "Content Too Large",
    HTTPStatus.UNPROCESSABLE_ENTITY: "Unprocessable Content",
}


class ProblemError(BaseModel):
    """One thing that is wrong with a request."""

    pointer: str = Field(description="JSON pointer (RFC 6901) into the body, or the name of a parameter")
    detail: str


class Problem(BaseModel):
    """RFC 9457 problem document; `code` is stable and meant for programs."""

    model_config = ConfigDict(frozen=True)

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[ProblemError] = Field(default_factory=list)
    request_id: str = ""


class Refused(Exception):
    """Ends a request with a problem; raised in the HTTP layer only."""

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
    | Contended
    | IllegalTransition
    | BadCursor
    | StorageUnavailable
    | UserNotFound
    | EmailTaken
    | InvalidEmail
    | NotAllowed
    | StaleVersion
)


def phrase(status: HTTPStatus) -> str:
    """The status's name of RFC 9110, which Python knows since 3.13."""
    return _PHRASES.get(status, status.phrase)


def problem(status: HTTPStatus, code: str, detail: str, errors: Sequence[ProblemError] = ()) -> Problem:
    """A problem document; the request id is filled in when it is sent."""
    return Problem(
        type=f"urn:headrace:problem:{code}",
        title=phrase(status),
        status=status.value,
        detail=detail,
        code=code,
        errors=list(errors),
    )


def problem_of(failure: Failure) -> Problem:
    """What a client is told of a failure; never more than it already knows."""
    match failure:
        case JobNotFound():
            return problem(HTTPStatus.NOT_FOUND, "job_not_found", "There is no such job.")
        case JobUnreadable():
            return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "job_unreadable", "The stored job cannot be read.")
        case UnknownJobType(type=name, known=known):
            detail = f"There is no job type {name!r}. Known: {', '.join(known)}."
            return problem(HTTPStatus.UNPROCESSABLE_ENTITY, "unknown_job_type", detail)
        case InvalidPayload(flaws=flaws):
            detail = "The job was not accepted; see errors."
            return problem(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_payload", detail, _errors(flaws))
        case PayloadTooLarge(size=size, limit=limit):
            detail = f"The payload has {size} bytes of JSON; the limit is {limit}."
            return problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "payload_too_large", detail)
        case IdempotencyMismatch():
            detail = "This Idempotency-Key was used for another submission."
            return problem(HTTPStatus.UNPROCESSABLE_ENTITY, "idempotency_mismatch", detail)
        case Contended():
            detail = "The job is being changed by others; try again."
            return problem(HTTPStatus.SERVICE_UNAVAILABLE, "contended", detail)
        case IllegalTransition(status=status, action=action):
            return problem(HTTPStatus.CONFLICT, "illegal_transition", f"A job that is {status} allows no {action}.")
        case BadCursor():
            return problem(HTTPStatus.BAD_REQUEST, "bad_cursor", "The cursor is not valid for this query.")
        case StorageUnavailable():
            detail = "The store did not answer; try again."
            return problem(HTTPStatus.SERVICE_UNAVAILABLE, "storage_unavailable", detail)
        case UserNotFound():
            return problem(HTTPStatus.NOT_FOUND, "user_not_found", "There is no such user.")
        case EmailTaken():
            return problem(HTTPStatus.CONFLICT, "email_taken", "Another user has this address.")
        case InvalidEmail(reason=reason):
            error = ProblemError(pointer="/email", detail=reason)
            return problem(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_email", "The address is not valid.", [error])
        case NotAllowed(reason=reason):
            return problem(HTTPStatus.FORBIDDEN, "not_allowed", f"Not allowed: {reason}.")
        case StaleVersion():
            detail = "The resource has changed since; read it again."
            return problem(HTTPStatus.PRECONDITION_FAILED, "stale_version", detail)


def refuse(failure: Failure) -> Refused:
    """The exception that ends a request with `failure`."""
    headers = {"retry-after": RETRY_AFTER_SECONDS} if isinstance(failure, StorageUnavailable | Contended) else {}
    return Refused(problem_of(failure), headers)


def problem_response(request: Request, told: Problem, headers: dict[str, str] | None = None) -> Response:
    """The problem as a response, with the request's id."""
    body = told.model_copy(update={"request_id": request.scope.get("request_id", "")})
    return Response(body.model_dump_json(), told.status, headers, MEDIA_TYPE)


def json_pointer(path: Sequence[str | int]) -> str:
    """RFC 6901."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)


def _errors(flaws: Sequence[Flaw]) -> list[ProblemError]:
    return [ProblemError(pointer=json_pointer(flaw.path), detail=flaw.message) for flaw in flaws]
