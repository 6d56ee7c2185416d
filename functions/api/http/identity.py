"""Identifies the user of a request from the token's verified claims; nothing else that a client sends is trusted."""

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus

from starlette.requests import Request

from domain.results import StorageUnavailable
from domain.users.repository import UserNotFound
from domain.users.service import NotAllowed, UserService
from domain.users.user import InvalidEmail, User
from functions.api.http.problems import Refused, problem, refuse

Identify = Callable[[Request], Awaitable[User]]
"""A FastAPI dependency that returns the user of a request, or raises `Refused` with 401 or 403."""

_UNAUTHENTICATED = problem(HTTPStatus.UNAUTHORIZED, "unauthenticated", "A token with a verified email is needed.")
_UNKNOWN = problem(HTTPStatus.FORBIDDEN, "unknown_user", "The token is valid, but there is no user with its address.")
_CHALLENGE = {"www-authenticate": 'Bearer realm="headrace"'}


def sam_local_email(environment: Mapping[str, str]) -> str | None:
    """The address that identifies every caller under `sam local`, which has no authorizer; None anywhere else.

    The SAM CLI sets `AWS_SAM_LOCAL` in the containers that it starts; AWS never does.
    """
    return environment.get("SAM_LOCAL_EMAIL") or None if environment.get("AWS_SAM_LOCAL") == "true" else None


def identifier(users: UserService, local_email: str | None = None, trust_unverified: bool = False) -> Identify:
    """Create the dependency that identifies users by the claims that API Gateway's JWT authorizer verified.

    The user is read on every request, so that a change of role takes effect at once. `trust_unverified` accepts
    tokens that do not say whether the address is verified.
    """

    async def identify(request: Request) -> User:
        return await _resolve(users, _verified_email(request, local_email, trust_unverified))

    return identify


def only_admins(caller: User) -> None:
    """Refuse a caller who is not an admin."""
    if caller.role != "admin":
        raise refuse(NotAllowed(reason="only admins may do this"))


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


def _verified_email(request: Request, local_email: str | None, trust_unverified: bool) -> str:
    claims = _claims(request.scope.get("aws.event"))
    if "email" not in claims and local_email is not None:
        return local_email
    email = claims.get("email")
    if not isinstance(email, str) or not _is_verified(claims, trust_unverified):
        raise Refused(_UNAUTHENTICATED, _CHALLENGE)
    return email


def _is_verified(claims: Mapping[str, object], trust_unverified: bool) -> bool:
    """Whether the issuer has verified the address (OpenID Connect Core, section 5.1: `email_verified`).

    API Gateway passes every claim as a string, whatever its type in the token.
    """
    if "email_verified" not in claims:
        return trust_unverified
    verified = claims["email_verified"]
    return verified is True or verified == "true"


def _claims(event: object) -> Mapping[str, object]:
    """`requestContext.authorizer.jwt.claims` of the event; empty when there was no authorizer."""
    current = event
    for name in ("requestContext", "authorizer", "jwt", "claims"):
        if not isinstance(current, Mapping):
            return {}
        current = current.get(name)
    return current if isinstance(current, Mapping) else {}
