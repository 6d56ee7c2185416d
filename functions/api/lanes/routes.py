"""/v1/lanes: lets admins list, read, limit, pause, resume and drain lanes; /v1/jobs/{id}/why."""

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Header, Query, Response
from pydantic import BaseModel, Field

from domain.flaws import Flaw
from domain.jobs.job import Job
from domain.jobs.repository import JobNotFound
from domain.jobs.service import JobService
from domain.jobs.why import Code, Reason, WhyService
from domain.lanes.lane import MAX_NAME
from domain.lanes.naming import is_name
from domain.lanes.service import LaneService, LaneStatus
from domain.results import StaleVersion, StorageUnavailable
from domain.users.user import User
from functions.api.http.conditional import expected_versions, versioned
from functions.api.http.identity import Identify, only_admins
from functions.api.http.ids import is_id
from functions.api.http.json_body import StrictJsonRoute
from functions.api.http.links import link
from functions.api.http.openapi import problems
from functions.api.http.problems import Refused, invalid, refuse
from functions.api.http.times import Moment
from functions.api.lanes.models import ChangeLane, LaneList, LaneView, lane_view

MAX_LANES = 20
"""Of a page; each costs two queries."""


class HolderView(BaseModel):
    """A place that is taken."""

    job_id: str | None = Field(description="Null for another owner's job, which only admins see")
    since: Moment
    until: Moment | None = Field(description="When its lease ends, so that its attempt is over by then")


class LaneReasonView(BaseModel):
    """The lane of a blocked job."""

    name: str
    limit: int
    taken: int
    ahead: int = Field(description="Jobs in line before it, counted up to 1,000")
    holders: list[HolderView] = Field(description="Of the places that are taken; at most 10")


class ReasonView(BaseModel):
    """Why a job is where it is."""

    code: Code
    text: str
    until: Moment | None = Field(description="The moment that it waits for, where that is known")
    lane: LaneReasonView | None


def why_routes(jobs: JobService, why: WhyService, identify: Identify) -> APIRouter:
    """The route that explains a job to its owner, and to admins."""
    router = APIRouter(route_class=StrictJsonRoute, tags=["jobs"])
    Caller = Annotated[User, Depends(identify)]  # noqa: N806 - an alias of a type

    @router.get("/v1/jobs/{job_id}/why", responses=problems(401, 403, 404, 503))
    async def explain_job(job_id: str, caller: Caller) -> ReasonView:
        """Say why a job is where it is: what it waits for, and until when."""
        if not is_id(job_id):
            raise refuse(JobNotFound(job_id=job_id))
        found = await jobs.get(job_id, caller)
        if not isinstance(found, Job):
            raise refuse(found)
        reason = await why.why(found, caller)
        if not isinstance(reason, Reason):
            raise refuse(reason)
        return ReasonView.model_validate(reason.model_dump())

    return router


def lane_routes(lanes: LaneService, identify: Identify) -> APIRouter:
    """The routes of lanes, for admins only."""
    router = APIRouter(route_class=StrictJsonRoute, tags=["lanes"])
    Caller = Annotated[User, Depends(identify)]  # noqa: N806 - an alias of a type

    @router.get("/v1/lanes", responses={200: {"model": LaneList}, **problems(401, 403, 422, 503)})
    async def list_lanes(
        caller: Caller,
        limit: Annotated[int, Query(ge=1, le=MAX_LANES)] = MAX_LANES,
        after: Annotated[str | None, Query(min_length=1, max_length=MAX_NAME)] = None,
    ) -> Response:
        """List the lanes that an admin has changed or in which jobs wait, by name."""
        only_admins(caller)
        names = await lanes.list(limit, after)
        if isinstance(names, StorageUnavailable):
            raise refuse(names)
        views = []
        for status in await asyncio.gather(*(lanes.read(name) for name in names)):
            if isinstance(status, StorageUnavailable):
                raise refuse(status)
            views.append(lane_view(status))
        following = names[-1] if len(names) == limit else None
        query = urlencode({"limit": limit, "after": following})
        next_page = {"link": f'<{link("/v1/lanes")}?{query}>; rel="next"'} if following else {}
        body = LaneList(items=views, next=following).model_dump_json()
        return Response(body, HTTPStatus.OK, {"cache-control": "no-store", **next_page}, "application/json")

    @router.get(
        "/v1/lanes/{lane:path}",
        responses={200: {"model": LaneView}, **problems(401, 403, 404, 422, 503)},
    )
    async def get_lane(lane: str, caller: Caller) -> Response:
        """Get a lane. Every name is one: a lane that nobody uses is empty."""
        only_admins(caller)
        return _answer(await lanes.read(_checked(lane)))

    @router.patch(
        "/v1/lanes/{lane:path}",
        responses={200: {"model": LaneView}, **problems(400, 401, 403, 404, 412, 413, 415, 422, 503)},
    )
    async def change_lane(
        lane: str, body: ChangeLane, caller: Caller, if_match: Annotated[str | None, Header()] = None
    ) -> Response:
        """Change the limit or the rate of a lane. A lowered limit lets finish what runs."""
        only_admins(caller)
        return _answer(await lanes.change(_checked(lane), body.settings, expected_versions(if_match)))

    def action(name: str, act: Callable[[str], Awaitable[LaneStatus | StaleVersion | StorageUnavailable]]) -> None:
        @router.post(
            f"/v1/lanes/{{lane:path}}/{name}",
            name=f"{name}_lane",
            responses={200: {"model": LaneView}, **problems(401, 403, 404, 412, 422, 503)},
            description=act.__doc__,
        )
        async def act_on_lane(lane: str, caller: Caller) -> Response:
            only_admins(caller)
            return _answer(await act(_checked(lane)))

    action("pause", lanes.pause)
    action("resume", lanes.resume)
    action("drain", lanes.drain)
    return router


def _checked(lane: str) -> str:
    if not is_name(lane):
        flaw = Flaw(path=("lane",), message=f"must be 1 to {MAX_NAME} printable characters")
        raise Refused(invalid("invalid_request", "There is no such lane", [flaw], 1))
    return lane


def _answer(status: LaneStatus | StaleVersion | StorageUnavailable) -> Response:
    if not isinstance(status, LaneStatus):
        raise refuse(status)
    view = lane_view(status)
    return Response(view.model_dump_json(), HTTPStatus.OK, versioned(view.version, {}), "application/json")
