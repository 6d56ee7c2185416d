"""/v1/users: create, read, find by email, list, change, delete."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Response

from domain.paging import MAX_PAGE, Page, PageRequest
from domain.ports import Clock
from domain.results import StorageUnavailable
from domain.users.quota import Quota
from domain.users.repository import UserListing, UserNotFound
from domain.users.service import UserChange, UserService
from domain.users.user import MAX_EMAIL, InvalidEmail, Role, User
from functions.api.http.conditional import (
    expected_versions,
    is_unchanged,
    not_modified,
    required_versions,
    versioned,
)
from functions.api.http.identity import Identify, only_admins
from functions.api.http.ids import is_id
from functions.api.http.json_body import StrictJsonRoute
from functions.api.http.links import link
from functions.api.http.openapi import problems
from functions.api.http.problems import refuse
from functions.api.users.models import ChangeUser, CreateUser, UserList, UserView, user_view


def user_routes(users: UserService, lists: UserListing | None, clock: Clock, identify: Identify) -> APIRouter:
    """The user routes; without `lists`, users are found by email alone."""
    router = APIRouter(route_class=StrictJsonRoute, tags=["users"])
    Caller = Annotated[User, Depends(identify)]  # noqa: N806 - an alias of a type

    @router.post(
        "/v1/users",
        status_code=201,
        responses={201: {"model": UserView}, **problems(400, 401, 403, 409, 413, 415, 422, 503)},
    )
    async def create_user(body: CreateUser, caller: Caller) -> Response:
        """Add a user (admins only)."""
        only_admins(caller)
        created = await users.create(body.email, body.name, body.role)
        if not isinstance(created, User):
            raise refuse(created)
        return _user_response(created, HTTPStatus.CREATED, {"location": link(f"/v1/users/{created.id}")})

    @router.get("/v1/users", responses=problems(400, 401, 403, 422, 503))
    async def find_users(
        caller: Caller,
        email: Annotated[str | None, Query(max_length=2 * MAX_EMAIL)] = None,
        role: Annotated[Role | None, Query()] = None,
        limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 20,
        cursor: Annotated[str | None, Query(max_length=2048)] = None,
    ) -> UserList:
        """Find the user with this address, or list users: admins first, by address (admins only)."""
        only_admins(caller)
        if email is not None or lists is None:
            return await _found(email or "")
        page = await lists.page(role, PageRequest(limit=limit, cursor=cursor), clock())
        if not isinstance(page, Page):
            raise refuse(page)
        return UserList(items=[user_view(user) for user in page.items], next=page.next)

    @router.get(
        "/v1/users/me",
        responses={200: {"model": UserView}, 304: {"description": "Not changed"}, **problems(401, 403, 503)},
    )
    async def get_me(caller: Caller, if_none_match: Annotated[str | None, Header()] = None) -> Response:
        """Get the calling user."""
        return await _read(caller.id, caller, if_none_match)

    @router.get(
        "/v1/users/{user_id}",
        responses={200: {"model": UserView}, 304: {"description": "Not changed"}, **problems(401, 403, 404, 503)},
    )
    async def get_user(user_id: str, caller: Caller, if_none_match: Annotated[str | None, Header()] = None) -> Response:
        """Get a user: the caller, or for admins any user."""
        return await _read(_checked(user_id), caller, if_none_match)

    @router.patch(
        "/v1/users/{user_id}",
        responses={200: {"model": UserView}, **problems(400, 401, 403, 404, 409, 412, 413, 415, 422, 428, 503)},
    )
    async def change_user(
        user_id: str, body: ChangeUser, caller: Caller, if_match: Annotated[str | None, Header()] = None
    ) -> Response:
        """Change a user's name; an admin may change email, role and quota, and disable it. Needs If-Match."""
        versions = required_versions(if_match)
        change = UserChange(
            email=body.email, name=body.name, role=body.role, disabled=body.disabled, quota=_quota_of(body)
        )
        changed = await users.change(_checked(user_id), change, versions, caller)
        if not isinstance(changed, User):
            raise refuse(changed)
        return _user_response(changed, HTTPStatus.OK, {})

    @router.delete("/v1/users/{user_id}", status_code=204, responses=problems(401, 403, 404, 412, 503))
    async def delete_user(user_id: str, caller: Caller, if_match: Annotated[str | None, Header()] = None) -> Response:
        """Delete a user with its address and principals (admins only). Its jobs run on, and are kept."""
        deleted = await users.delete(_checked(user_id), expected_versions(if_match), caller)
        if not isinstance(deleted, User):
            raise refuse(deleted)
        return Response(status_code=HTTPStatus.NO_CONTENT)

    async def _found(email: str) -> UserList:
        found = await users.find(email)
        match found:
            case User():
                return UserList(items=[user_view(found)])
            case UserNotFound():
                return UserList(items=[])
            case InvalidEmail() | StorageUnavailable():
                raise refuse(found)

    async def _read(user_id: str, caller: User, if_none_match: str | None) -> Response:
        found = await users.get(user_id, caller)
        if not isinstance(found, User):
            raise refuse(found)
        if is_unchanged(if_none_match, found.version):
            return not_modified(found.version, {})
        return _user_response(found, HTTPStatus.OK, {})

    return router


def _quota_of(body: ChangeUser) -> Quota | None:
    return None if body.quota is None else Quota.model_validate(body.quota.model_dump())


def _checked(user_id: str) -> str:
    if not is_id(user_id):
        raise refuse(UserNotFound())
    return user_id


def _user_response(user: User, status: HTTPStatus, headers: dict[str, str]) -> Response:
    return Response(user_view(user).model_dump_json(), status, versioned(user.version, headers), "application/json")
