"""/v1/jobs/{id}/steps and /v1/jobs/{id}/signals: what a job remembers, and what it is sent."""

from functools import partial
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Body, Depends, Query, Response
from pydantic import JsonValue

from domain.durable.listing import StepListService
from domain.durable.signalling import Signalled, SignalService
from domain.jobs.disclosure import Disclosure
from domain.jobs.repository import JobNotFound
from domain.paging import MAX_PAGE, Page, PageRequest
from domain.users.user import User
from functions.api.http.identity import Identify
from functions.api.http.ids import is_id
from functions.api.http.json_body import StrictJsonRoute
from functions.api.http.openapi import problems
from functions.api.http.problems import refuse
from functions.api.jobs.models import JobView
from functions.api.jobs.responses import job_response
from functions.api.steps.models import StepPage, step_page


def step_routes(
    steps: StepListService, signals: SignalService, disclosure: Disclosure, identify: Identify
) -> APIRouter:
    """The routes; all require a user who may see the job."""
    router = APIRouter(route_class=StrictJsonRoute, tags=["jobs"])
    Caller = Annotated[User, Depends(identify)]  # noqa: N806 - an alias of a type

    @router.get("/v1/jobs/{job_id}/steps", responses=problems(400, 401, 403, 404, 422, 503))
    async def list_steps(
        job_id: str,
        caller: Caller,
        limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 20,
        cursor: Annotated[str | None, Query(max_length=2048)] = None,
    ) -> StepPage:
        """List what a job remembers: its steps with their values, what it waits for, the signals that it was sent."""
        page = await steps.list(_checked(job_id), caller, PageRequest(limit=limit, cursor=cursor))
        if not isinstance(page, Page):
            raise refuse(page)
        return step_page(page)

    @router.post(
        "/v1/jobs/{job_id}/signals/{name}",
        status_code=202,
        responses={202: {"model": JobView}, **problems(400, 401, 403, 404, 409, 413, 415, 422, 503)},
    )
    async def send_signal(
        job_id: str,
        name: str,
        body: Annotated[JsonValue, Body(description="The signal's value: any JSON of up to 256 KB")],
        caller: Caller,
    ) -> Response:
        """Send a job a signal, before its handler waits for it or while it does. The same again is accepted again."""
        sent = await signals.send(_checked(job_id), name, body, caller)
        if not isinstance(sent, Signalled):
            raise refuse(sent)
        headers = {"idempotency-replayed": "true"} if sent.replayed else {}
        return job_response(sent.job, partial(disclosure.to, caller), HTTPStatus.ACCEPTED, headers)

    return router


def _checked(job_id: str) -> str:
    if not is_id(job_id):
        raise refuse(JobNotFound(job_id=job_id))
    return job_id
