"""Who is asking: verified claims in, a user of ours out. Nothing a client writes is believed."""

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus

from starlette.requests import Request

from domain.results import StorageUnavailable
from domain.users.repository import UserNotFound
from domain.users.service import NotAllowed, UserService
from domain.users.user import InvalidEmail, User
from functions.api.http.problems import Refused, problem, refuse

Identify = Callable[[Request], Awaitable[User]]
"""A dependency: the user behind a request, or `Refused` with 401 or 403."""

_UNAUTHENTICATED = problem(HTTPStatus.UNAUTHORIZED, "unauthenticated", "A token with a verified email is needed.")
_UNKNOWN = problem(HTTPStatus.FORBIDDEN, "unknown_user", "The token is valid, but its address is no user's here.")
_CHALLENGE = {"www-authenticate": "Bearer"}


def sam_local_email(environment: Mapping[str, str]) -> str | None:
    """Whom to take every caller for under `sam local`, which has no authorizer; None anywhere else.

    The SAM CLI sets `AWS_SAM_LOCAL` in the containers that it starts; AWS never does.
    """
    return environment.get("SAM_LOCAL_EMAIL") or None if environment.get("AWS_SAM_LOCAL") == "true" else None


def identifier(users: UserService, local_email: str | None = None, trust_unverified: bool = False) -> Identify:
    """How requests are identified: by the claims that API Gateway's JWT authorizer verified.

    Each request looks its user up, so that a role counts from the moment it is given until it is taken away.
    `trust_unverified` admits tokens that do not say whether the address is verified.
    """

    async def identify(request: Request) -> User:
        return await _resolve(users, _verified_email(request, local_email, trust_unverified))

    return identify


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


def _verified_email(request: Request, local_email: str | None, trust_unverified: bool) -> str:
    claims = _claims(request.scope.get("aws.event"))
    if "email" not in claims and local_email is not None:
        return local_email
    email = claims.get("email")
    if not isinstance(email, str) or not _is_verified(claims, trust_unverified):
        raise Refused(_UNAUTHENTICATED, _CHALLENGE)
    return email


def _is_verified(claims: Mapping[str, object], trust_unverified: bool) -> bool:
    """Whether the issuer vouches for the address (OpenID Connect Core, section 5.1: `email_verified`).

    API Gateway hands every claim over as a string, whatever it was in the token.
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
