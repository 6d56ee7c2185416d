"""/v1/schedules: create, preview, list, read, change, delete; what else can be done is in `actions.py`."""

from functools import partial
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Response

from domain.flaws import Flaw
from domain.jobs.catalogue import Catalogue
from domain.jobs.disclosure import Disclosure
from domain.jobs.submitting import InvalidPayload
from domain.paging import MAX_PAGE, Page, PageRequest
from domain.schedules.results import (
    Created,
    InvalidSchedule,
)
from domain.schedules.schedule import Schedule, ScheduleSpec
from domain.schedules.service import (
    ScheduleService,
)
from domain.users.service import NotAllowed
from domain.users.user import User
from functions.api.http.conditional import (
    expected_versions,
    is_unchanged,
    not_modified,
    required_versions,
)
from functions.api.http.identity import Identify
from functions.api.http.json_body import StrictJsonRoute
from functions.api.http.links import link
from functions.api.http.openapi import SCHEDULE_LINKS, problems
from functions.api.http.problems import refuse
from functions.api.jobs.responses import linked_page
from functions.api.jobs.submission import check_key
from functions.api.schedules.actions import add_actions
from functions.api.schedules.models import (
    ChangeSchedule,
    CreateSchedule,
    PreviewSchedule,
    PreviewView,
    SchedulePage,
    ScheduleView,
    listed_view,
    merged,
    spec_of,
    timing_of,
)
from functions.api.schedules.responses import checked_id, is_known, schedule_response
from headrace.authoring.json_text import NotJson, to_json_text


def schedule_routes(
    schedules: ScheduleService, catalogue: Catalogue, disclosure: Disclosure, identify: Identify
) -> APIRouter:
    """The schedule routes."""
    router = APIRouter(route_class=StrictJsonRoute, tags=["schedules"])
    Caller = Annotated[User, Depends(identify)]  # noqa: N806 - an alias of a type

    @router.post(
        "/v1/schedules",
        status_code=201,
        responses={
            201: {"model": ScheduleView, "links": SCHEDULE_LINKS},
            **problems(400, 401, 403, 409, 413, 415, 422, 503),
        },
    )
    async def create_schedule(
        body: CreateSchedule, caller: Caller, idempotency_key: Annotated[str | None, Header()] = None
    ) -> Response:
        """Create a schedule. Its first tick is the next time that fits; for an interval, one interval from now."""
        check_key(idempotency_key)
        created = await schedules.create(_spec(body), caller, idempotency_key, is_paused=body.paused)
        if not isinstance(created, Created):
            raise refuse(created)
        replayed = {"idempotency-replayed": "true"} if created.replayed else {}
        location = {"location": link(f"/v1/schedules/{created.schedule.id}")}
        return schedule_response(created.schedule, schedules, catalogue, HTTPStatus.CREATED, location | replayed)

    @router.post("/v1/schedules/preview", responses=problems(400, 401, 403, 413, 415, 422, 503))
    async def preview_schedule(body: PreviewSchedule, caller: Caller) -> PreviewView:  # noqa: ARG001 - for users only
        """Show the ticks that a schedule would have if it were created now, without creating it."""
        ticks = schedules.preview(timing_of(body), body.count)
        if isinstance(ticks, InvalidSchedule):
            raise refuse(ticks)
        return PreviewView(next=list(ticks))

    @router.get("/v1/schedules", responses={200: {"model": SchedulePage}, **problems(400, 401, 403, 422, 503)})
    async def list_schedules(
        caller: Caller,
        owner: Annotated[str | None, Query(min_length=1, max_length=64, description="Admins only")] = None,
        limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 20,
        cursor: Annotated[str | None, Query(max_length=2048)] = None,
    ) -> Response:
        """List the caller's schedules, the last created first, without payloads; an admin may list another owner's."""
        if owner is not None and owner != caller.id and caller.role != "admin":
            raise refuse(NotAllowed(reason="only an admin may list another owner's schedules"))
        page = await schedules.list(owner or caller.id, PageRequest(limit=limit, cursor=cursor))
        if not isinstance(page, Page):
            raise refuse(page)
        views = [listed_view(each, schedules.upcoming(each), known=is_known(each, catalogue)) for each in page.items]
        answer = SchedulePage(items=views, next=page.next)
        return linked_page(answer.model_dump_json(), page.next, "/v1/schedules", {"owner": owner, "limit": limit})

    @router.get(
        "/v1/schedules/{schedule_id}",
        responses={200: {"model": ScheduleView}, 304: {"description": "Not changed"}, **problems(401, 403, 404, 503)},
    )
    async def get_schedule(
        schedule_id: str, caller: Caller, if_none_match: Annotated[str | None, Header()] = None
    ) -> Response:
        """Get a schedule, with its next five ticks."""
        found = await schedules.get(checked_id(schedule_id), caller)
        if not isinstance(found, Schedule):
            raise refuse(found)
        if is_unchanged(if_none_match, found.version):
            return not_modified(found.version, {})
        return schedule_response(found, schedules, catalogue, HTTPStatus.OK, {})

    @router.patch(
        "/v1/schedules/{schedule_id}",
        responses={200: {"model": ScheduleView}, **problems(400, 401, 403, 404, 412, 413, 415, 422, 428, 503)},
    )
    async def change_schedule(
        schedule_id: str, body: ChangeSchedule, caller: Caller, if_match: Annotated[str | None, Header()] = None
    ) -> Response:
        """Change a schedule; another timing begins now. Needs If-Match: every tick makes a new version, `*` is any."""
        versions = required_versions(if_match)
        _checked_payload(body)
        changed = await schedules.change(checked_id(schedule_id), partial(_merged, body), versions, caller)
        if not isinstance(changed, Schedule):
            raise refuse(changed)
        return schedule_response(changed, schedules, catalogue, HTTPStatus.OK, {})

    @router.delete(
        "/v1/schedules/{schedule_id}",
        status_code=204,
        responses={204: {"description": "Deleted"}, **problems(401, 403, 404, 412, 503)},
    )
    async def delete_schedule(
        schedule_id: str, caller: Caller, if_match: Annotated[str | None, Header()] = None
    ) -> Response:
        """Delete a schedule; the jobs that it has made stay."""
        failure = await schedules.delete(checked_id(schedule_id), expected_versions(if_match), caller)
        if failure is not None:
            raise refuse(failure)
        return Response(status_code=HTTPStatus.NO_CONTENT)

    add_actions(router, schedules, catalogue, disclosure, identify)
    return router


def _spec(body: CreateSchedule) -> ScheduleSpec:
    try:
        return spec_of(body)
    except NotJson as error:
        raise refuse(_not_json(error)) from None


def _checked_payload(body: ChangeSchedule) -> None:
    try:
        to_json_text(body.payload)
    except NotJson as error:
        raise refuse(_not_json(error)) from None


def _merged(body: ChangeSchedule, spec: ScheduleSpec) -> ScheduleSpec:
    return merged(spec, body)


def _not_json(error: NotJson) -> InvalidPayload:
    return InvalidPayload(flaws=(Flaw(path=("payload",), message=str(error)),))
