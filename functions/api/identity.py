"""Who is asking: verified claims in, a user of ours out. Nothing a client writes is believed."""

import time
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus

from starlette.requests import Request

from domain.results import StorageUnavailable
from domain.users.repository import UserNotFound
from domain.users.service import NotAllowed, UserService
from domain.users.user import InvalidEmail, User
from functions.api.problems import Refused, problem, refuse

Identify = Callable[[Request], Awaitable[User]]
"""A dependency: the user behind a request, or `Refused` with 401 or 403."""

REMEMBERED_SECONDS = 5.0
MAX_REMEMBERED = 1000

_UNAUTHENTICATED = problem(HTTPStatus.UNAUTHORIZED, "unauthenticated", "A verified token with an email is needed.")
_UNKNOWN = problem(HTTPStatus.FORBIDDEN, "unknown_user", "The token is valid, but its address is no user's here.")
_CHALLENGE = {"www-authenticate": "Bearer"}
_AFRESH = "headrace.identify_afresh"
_REMEMBERED = "headrace.identity_remembered"


def sam_local_email(environment: Mapping[str, str]) -> str | None:
    """Whom to take every caller for under `sam local`, which has no authorizer; None anywhere else.

    The SAM CLI sets `AWS_SAM_LOCAL` in the containers that it starts; AWS never does.
    """
    return environment.get("SAM_LOCAL_EMAIL") or None if environment.get("AWS_SAM_LOCAL") == "true" else None


def identifier(
    users: UserService, local_email: str | None = None, seconds: Callable[[], float] = time.monotonic
) -> Identify:
    """How requests are identified: by the claims that API Gateway's JWT authorizer verified.

    A member is remembered for a few seconds in a warm function, an admin never, so that a role that was
    taken away is gone at once. A role that was given counts at once too: what is refused to a remembered
    member is tried again with the user as it stands (`try_afresh`).
    """
    remembered: dict[str, tuple[float, User]] = {}

    async def identify(request: Request) -> User:
        email = _verified_email(request, local_email)
        known = remembered.get(email)
        if known is not None and known[0] > seconds() and not request.scope.get(_AFRESH):
            request.scope[_REMEMBERED] = True
            return known[1]
        remembered.pop(email, None)
        user = await _resolve(users, email)
        if user.role == "member":
            if len(remembered) >= MAX_REMEMBERED:
                remembered.clear()
            remembered[email] = (seconds() + REMEMBERED_SECONDS, user)
        return user

    return identify


def try_afresh(request: Request, refused: Refused) -> bool:
    """Whether a refusal may be due to a remembered user; marks the request so that the next try is not.

    A refused request has changed nothing, so it can be tried again.
    """
    may_be_stale = refused.problem.status in {HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}
    if not may_be_stale or not request.scope.pop(_REMEMBERED, False):
        return False
    request.scope[_AFRESH] = True
    return True


def only_admins(caller: User) -> None:
    """Refuse a caller who is not an admin."""
    if caller.role != "admin":
        raise refuse(NotAllowed(reason="this is for admins"))


async def _resolve(users: UserService, email: str) -> User:
    found = await users.find(email)
    match found:
        case User():
            return found
        case UserNotFound():
            raise Refused(_UNKNOWN)
        case InvalidEmail():
            raise Refused(_UNAUTHENTICATED, _CHALLENGE)
        case StorageUnavailable():
            raise refuse(found)


def _verified_email(request: Request, local_email: str | None) -> str:
    claims = _claims(request.scope.get("aws.event"))
    email = claims.get("email", local_email)
    # API Gateway hands every claim over as a string, whatever it was in the token.
    if not isinstance(email, str) or str(claims.get("email_verified", "true")).lower() != "true":
        raise Refused(_UNAUTHENTICATED, _CHALLENGE)
    return email


def _claims(event: object) -> Mapping[str, object]:
    """`requestContext.authorizer.jwt.claims` of the event; empty when there was no authorizer."""
    current = event
    for name in ("requestContext", "authorizer", "jwt", "claims"):
        if not isinstance(current, Mapping):
            return {}
        current = current.get(name)
    return current if isinstance(current, Mapping) else {}
