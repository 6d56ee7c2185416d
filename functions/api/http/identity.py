"""Identifies the user of a request from what API Gateway verified, or from an API key; nothing else is trusted.

The route that API Gateway chose says how a caller proves itself: below `/v1/` by a token, below `/iam/v1/` by a
signature of AWS, below `/key/v1/` by an API key, which is verified here.
"""

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Final

from starlette.requests import Request

from domain.users.identity import Identification, Identified, IdentityService
from domain.users.principal import InvalidSubject, iam_subject, is_submission, needed_scopes, parse_key, token_subject
from domain.users.repository import UserNotFound
from domain.users.service import NotAllowed
from domain.users.user import Email, InvalidEmail, User, normalise_email
from functions.api.http.ids import is_id
from functions.api.http.prefixes import prefix_of
from functions.api.http.problems import Refused, problem, refuse

Identify = Callable[[Request], Awaitable[User]]
"""A FastAPI dependency that returns the user of a request, or raises `Refused` with 401 or 403."""

OWNER_HEADER: Final = "headrace-owner"
"""The id of the user on whose behalf jobs are submitted."""
_UNAUTHENTICATED = problem(
    HTTPStatus.UNAUTHORIZED, "unauthenticated", "A token with a verified email, or with a bound subject, is needed."
)
_NO_KEY = problem(HTTPStatus.UNAUTHORIZED, "unauthenticated", "A valid API key is needed: Authorization: Bearer hr_…")
_CHALLENGE = {"www-authenticate": 'Bearer realm="headrace"'}


def sam_local_email(environment: Mapping[str, str]) -> str | None:
    """The address that identifies every caller under `sam local`, which has no authorizer; None anywhere else.

    The SAM CLI sets `AWS_SAM_LOCAL` in the containers that it starts; AWS never does.
    """
    return environment.get("SAM_LOCAL_EMAIL") or None if environment.get("AWS_SAM_LOCAL") == "true" else None


def identifier(identities: IdentityService, local_email: str | None = None, trust_unverified: bool = False) -> Identify:
    """Create the dependency that identifies users, and refuses what their principal's scopes do not permit.

    The user is read on every request, so that a change of role takes effect at once. `trust_unverified` accepts
    tokens that do not say whether the address is verified.
    """

    async def identify(request: Request) -> User:
        event = request.scope.get("aws.event")
        match prefix_of(event):
            case "/iam":
                identified = await _by_iam(identities, event)
            case "/key":
                identified = await _by_key(identities, request)
            case _:
                identified = await _by_token(
                    identities, _authorized(event, "jwt", "claims"), local_email, trust_unverified
                )
        missing = needed_scopes(request.method, request.scope["path"]) - identified.scopes
        if missing:
            detail = f"This takes the scope {min(missing)}, which the caller's principal does not have."
            raise Refused(problem(HTTPStatus.FORBIDDEN, "insufficient_scope", detail))
        owner = request.headers.get(OWNER_HEADER)
        return identified.user if owner is None else await _on_behalf(identities, request, identified, owner)

    return identify


def only_admins(caller: User) -> None:
    """Refuse a caller who is not an admin."""
    if caller.role != "admin":
        raise refuse(NotAllowed(reason="only admins may do this"))


def issuer_of(request: Request) -> str | None:
    """The issuer of the caller's own token; None for a caller without one."""
    issuer = _authorized(request.scope.get("aws.event"), "jwt", "claims").get("iss")
    return issuer if isinstance(issuer, str) else None


async def _by_token(
    identities: IdentityService, claims: Mapping[str, object], local_email: str | None, trust_unverified: bool
) -> Identified:
    if not claims and local_email is not None:
        local = normalise_email(local_email)
        if isinstance(local, InvalidEmail):
            raise Refused(_UNAUTHENTICATED, _CHALLENGE)
        return _admitted(await identities.by_address(local), f"There is no user with the address {local}.")
    issuer, subject = claims.get("iss"), claims.get("sub")
    if not isinstance(issuer, str) or not isinstance(subject, str):
        raise Refused(_UNAUTHENTICATED, _CHALLENGE)
    name = token_subject(issuer, subject)
    if isinstance(name, InvalidSubject):
        raise Refused(_UNAUTHENTICATED, _CHALLENGE)
    email = _verified_email(claims, trust_unverified)
    found = await identities.by_token(issuer, name, email)
    if isinstance(found, UserNotFound) and email is None and "email" in claims:
        raise Refused(_UNAUTHENTICATED, _CHALLENGE)
    unknown = "there is no user with its address" if email else f"its subject {name} is bound to no user"
    return _admitted(found, f"The token is valid, but {unknown}.")


async def _by_iam(identities: IdentityService, event: object) -> Identified:
    arn = _authorized(event, "iam").get("userArn")
    subject = iam_subject(arn) if isinstance(arn, str) else InvalidSubject(reason="no ARN")
    if isinstance(subject, InvalidSubject):
        return _admitted(UserNotFound(), "The signature is valid, but not of a role or an IAM user.")
    arn = subject.removeprefix("iam#")
    return _admitted(await identities.by_iam(subject), f"The signature is valid, but {arn} is bound to no user.")


async def _by_key(identities: IdentityService, request: Request) -> Identified:
    scheme, _, text = request.headers.get("authorization", "").partition(" ")
    key = parse_key(text.strip()) if scheme.lower() == "bearer" else None
    found = UserNotFound() if key is None else await identities.by_key(key)
    if isinstance(found, UserNotFound):
        raise Refused(_NO_KEY, _CHALLENGE)
    return _admitted(found, "")


async def _on_behalf(identities: IdentityService, request: Request, caller: Identified, owner: str) -> User:
    """The owner of what this request submits."""
    if not is_submission(request.method, request.scope["path"]):
        raise refuse(NotAllowed(reason=f"{OWNER_HEADER} is for the submission of jobs and of their files"))
    if "on-behalf" not in caller.scopes:
        raise refuse(NotAllowed(reason="submitting for another user takes a principal with the scope on-behalf"))
    found = await identities.other(owner) if is_id(owner) else UserNotFound()
    if not isinstance(found, Identified):
        raise refuse(found)
    return found.user


def _admitted(found: Identification, unknown: str) -> Identified:
    """The caller; raises `Refused`, with this detail for one that is no user."""
    if isinstance(found, UserNotFound):
        raise Refused(problem(HTTPStatus.FORBIDDEN, "unknown_user", unknown))
    if not isinstance(found, Identified):
        raise refuse(found)
    return found


def _verified_email(claims: Mapping[str, object], trust_unverified: bool) -> Email | None:
    """The address that the issuer has verified (OpenID Connect Core, section 5.1: `email_verified`).

    API Gateway passes every claim as a string, whatever its type in the token.
    """
    email, verified = claims.get("email"), claims.get("email_verified", trust_unverified)
    if not isinstance(email, str) or (verified is not True and verified != "true"):
        return None
    address = normalise_email(email)
    return None if isinstance(address, InvalidEmail) else address


def _authorized(event: object, *path: str) -> Mapping[str, object]:
    """What is at `path` below `requestContext.authorizer` of the event; empty when there was no such authorizer."""
    current = event
    for name in ("requestContext", "authorizer", *path):
        if not isinstance(current, Mapping):
            return {}
        current = current.get(name)
    return current if isinstance(current, Mapping) else {}
