"""Who is asking: verified claims in, a user of ours out. Nothing a client writes is believed."""

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

_UNAUTHENTICATED = problem(HTTPStatus.UNAUTHORIZED, "unauthenticated", "A verified token with an email is needed.")
_UNKNOWN = problem(HTTPStatus.FORBIDDEN, "unknown_user", "The token is valid, but its address is no user's here.")
_CHALLENGE = {"www-authenticate": "Bearer"}


def identifier(users: UserService) -> Identify:
    """How requests are identified: by the claims that API Gateway's JWT authorizer verified."""

    async def identify(request: Request) -> User:
        claims = _claims(request.scope.get("aws.event"))
        email = claims.get("email")
        # API Gateway hands every claim over as a string, whatever it was in the token.
        if not isinstance(email, str) or str(claims.get("email_verified", "true")).lower() != "true":
            raise Refused(_UNAUTHENTICATED, _CHALLENGE)
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

    return identify


def only_admins(caller: User) -> None:
    """Refuse a caller who is not an admin."""
    if caller.role != "admin":
        raise refuse(NotAllowed(reason="this is for admins"))


def _claims(event: object) -> Mapping[str, object]:
    """`requestContext.authorizer.jwt.claims` of the event; empty when there was no authorizer."""
    current = event
    for name in ("requestContext", "authorizer", "jwt", "claims"):
        if not isinstance(current, Mapping):
            return {}
        current = current.get(name)
    return current if isinstance(current, Mapping) else {}
