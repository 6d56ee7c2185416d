"""/v1/jobs/{id}/children: the jobs that a durable handler has submitted by `call` and `map`."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from domain.children.listing import ChildListService
from domain.jobs.disclosure import Disclosure
from domain.jobs.job import Status
from domain.jobs.listing import SUMMARIES
from domain.jobs.repository import JobNotFound
from domain.paging import MAX_PAGE, Page, PageRequest
from domain.users.user import User
from functions.api.http.identity import Identify
from functions.api.http.ids import is_id
from functions.api.http.json_body import StrictJsonRoute
from functions.api.http.openapi import problems
from functions.api.http.problems import refuse
from functions.api.jobs.models import JobPage
from functions.api.jobs.responses import page_response


def child_routes(children: ChildListService, disclosure: Disclosure, identify: Identify) -> APIRouter:
    """The route; it requires a user who may see the parent."""
    router = APIRouter(route_class=StrictJsonRoute, tags=["jobs"])
    Caller = Annotated[User, Depends(identify)]  # noqa: N806 - an alias of a type

    @router.get(
        "/v1/jobs/{job_id}/children",
        responses={200: {"model": JobPage}, **problems(400, 401, 403, 404, 422, 503)},
    )
    async def list_children(
        job_id: str,
        caller: Caller,
        group: Annotated[
            str | None, Query(max_length=100, description="The name of one `call` or `map`; by default of all")
        ] = None,
        status: Annotated[Status | None, Query()] = None,
        limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 20,
        cursor: Annotated[str | None, Query(max_length=2048)] = None,
    ) -> Response:
        """List a job's children, in the order in which their groups began and of their payloads.

        They come without payload and result. A page may be shorter than `limit` and still have a `next`. A group that
        the job does not have (yet) has no children.
        """
        if not is_id(job_id):
            raise refuse(JobNotFound(job_id=job_id))
        page = await children.list(job_id, caller, group, status, PageRequest(limit=limit, cursor=cursor))
        if not isinstance(page, Page):
            raise refuse(page)
        query = {"group": group, "status": status, "limit": limit}
        shown = partial(disclosure.to, caller)
        return page_response(page, shown, SUMMARIES, f"/v1/jobs/{job_id}/children", query)

    return router
