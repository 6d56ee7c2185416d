"""/v1/users/{user_id}/principals: bind subjects and roles, make and rotate API keys, disable and remove them."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from domain.flaws import Flaw
from domain.ports import Clock
from domain.users.principal import InvalidSubject, iam_subject, token_subject
from domain.users.principals import (
    NewPrincipal,
    PrincipalChange,
    PrincipalNotFound,
    PrincipalService,
    Refusal,
    Stored,
)
from domain.users.repository import UserNotFound
from domain.users.user import User
from functions.api.http.identity import Identify, issuer_of
from functions.api.http.ids import is_id
from functions.api.http.json_body import StrictJsonRoute
from functions.api.http.openapi import problems
from functions.api.http.problems import Refused, problem, refuse
from functions.api.users.principal_models import (
    AddPrincipal,
    ChangePrincipal,
    PrincipalList,
    PrincipalView,
    RotateKey,
    principal_view,
)


def principal_routes(principals: PrincipalService, clock: Clock, identify: Identify) -> APIRouter:
    """The routes of principals."""
    router = APIRouter(route_class=StrictJsonRoute, tags=["principals"])
    Caller = Annotated[User, Depends(identify)]  # noqa: N806 - an alias of a type

    @router.get("/v1/users/{user_id}/principals", responses=problems(401, 403, 404, 503))
    async def list_principals(user_id: str, caller: Caller) -> PrincipalList:
        """List a user's principals: the caller's, or for admins any user's."""
        found = await principals.list(_checked_user(user_id), caller)
        if not isinstance(found, tuple):
            raise refuse(found)
        return PrincipalList(items=[principal_view(each) for each in found])

    @router.post(
        "/v1/users/{user_id}/principals",
        status_code=201,
        responses={201: {"model": PrincipalView}, **problems(400, 401, 403, 404, 409, 413, 415, 422, 503)},
    )
    async def add_principal(user_id: str, body: AddPrincipal, caller: Caller, request: Request) -> Response:
        """Bind a token's subject or an IAM role to a user (admins only), or make an API key, which is shown once."""
        if body.expires_at is not None and body.expires_at <= clock():
            raise _flawed("expires_at", "is in the past")
        subject = _subject(body, request)
        if isinstance(subject, InvalidSubject):
            raise refuse(subject)
        new = NewPrincipal(
            kind=body.kind, subject=subject, name=body.name, scopes=body.scopes, expires_at=body.expires_at
        )
        return _response(await principals.add(_checked_user(user_id), new, caller), HTTPStatus.CREATED)

    @router.patch(
        "/v1/users/{user_id}/principals/{principal_id}",
        responses={200: {"model": PrincipalView}, **problems(400, 401, 403, 404, 413, 415, 422, 503)},
    )
    async def change_principal(user_id: str, principal_id: str, body: ChangePrincipal, caller: Caller) -> Response:
        """Rename, restrict, disable or enable a principal; a member its own keys, an admin every one."""
        never = body.expires_at is None and "expires_at" in body.model_fields_set
        change = PrincipalChange(
            name=body.name, scopes=body.scopes, expires_at=body.expires_at, never_expires=never, disabled=body.disabled
        )
        changed = await principals.change(_checked_user(user_id), _checked(principal_id), change, caller)
        return _response(changed, HTTPStatus.OK)

    @router.post(
        "/v1/users/{user_id}/principals/{principal_id}/rotate",
        responses={200: {"model": PrincipalView}, **problems(400, 401, 403, 404, 413, 415, 422, 503)},
    )
    async def rotate_key(user_id: str, principal_id: str, body: RotateKey, caller: Caller) -> Response:
        """Give an API key a new secret. The one before stays valid until the next rotation, if it is kept."""
        user_id, principal_id = _checked_user(user_id), _checked(principal_id)
        return _response(
            await principals.rotate(user_id, principal_id, caller, keep_previous=body.keep_previous), HTTPStatus.OK
        )

    @router.delete(
        "/v1/users/{user_id}/principals/{principal_id}", status_code=204, responses=problems(401, 403, 404, 503)
    )
    async def remove_principal(user_id: str, principal_id: str, caller: Caller) -> Response:
        """Remove a principal; what it proved is no identity from then on."""
        removed = await principals.remove(_checked_user(user_id), _checked(principal_id), caller)
        if not isinstance(removed, Stored):
            raise refuse(removed)
        return Response(status_code=HTTPStatus.NO_CONTENT)

    return router


def _subject(body: AddPrincipal, request: Request) -> str | InvalidSubject | None:
    if body.role_arn is not None:
        return iam_subject(body.role_arn)
    if body.subject is None:
        return None
    issuer = body.issuer or issuer_of(request)
    if issuer is None:
        raise _flawed("issuer", "is needed: the caller has no token whose issuer it could be")
    return token_subject(issuer, body.subject)


def _flawed(name: str, message: str) -> Refused:
    flaw = Flaw(path=(name,), message=message)
    return Refused(problem(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_request", "The principal is not valid.", [flaw]))


def _checked_user(user_id: str) -> str:
    if not is_id(user_id):
        raise refuse(UserNotFound())
    return user_id


def _checked(principal_id: str) -> str:
    if not is_id(principal_id):
        raise refuse(PrincipalNotFound())
    return principal_id


def _response(stored: Stored | Refusal, status: HTTPStatus) -> Response:
    if not isinstance(stored, Stored):
        raise refuse(stored)
    view = principal_view(stored.principal, stored.key)
    return Response(view.model_dump_json(), status, {"cache-control": "no-store"}, "application/json")
