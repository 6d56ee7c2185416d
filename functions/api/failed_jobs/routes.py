"""/v1/failed-jobs: lets admins list failed jobs and retry many at once."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from domain.jobs.disclosure import Disclosure
from domain.jobs.failed_jobs import BulkRetried, BulkRetry, FailedJobService
from domain.paging import MAX_PAGE, Page, PageRequest
from domain.users.user import User
from functions.api.http.identity import Identify, only_admins
from functions.api.http.json_body import StrictJsonRoute
from functions.api.http.openapi import problems
from functions.api.http.problems import refuse
from functions.api.jobs.models import JobPage
from functions.api.jobs.responses import IncludeParameter, documents_of, page_response


class RetryFailed(BaseModel):
    """Which failed jobs to queue again. `type` is required, so that not everything is retried by accident."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Annotated[str, Field(strict=True, min_length=1, max_length=64)]
    error_code: Annotated[str, Field(strict=True, min_length=1, max_length=200)] | None = None
    limit: Annotated[int, Field(strict=True, ge=1, le=500)] = 100
    dry_run: Annotated[bool, Field(strict=True)] = False


class Retried(BaseModel):
    """How many jobs matched (up to the limit), and how many of them were queued again."""

    matched: int
    retried: int
    incomplete: bool = Field(description="Ended early, by time or by the store; repeat the request to continue")


def failed_job_routes(failed_jobs: FailedJobService, disclosure: Disclosure, identify: Identify) -> APIRouter:
    """The routes of failed jobs, for admins only."""
    router = APIRouter(route_class=StrictJsonRoute, tags=["failed jobs"])
    Caller = Annotated[User, Depends(identify)]  # noqa: N806 - an alias of a type

    @router.get("/v1/failed-jobs", responses={200: {"model": JobPage}, **problems(400, 401, 403, 422, 503)})
    async def list_failed_jobs(
        caller: Caller,
        type: Annotated[str, Query(min_length=1, max_length=64)],
        limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 20,
        cursor: Annotated[str | None, Query(max_length=2048)] = None,
        include: IncludeParameter = None,
    ) -> Response:
        """List the failed jobs of a type, of all owners, latest failure first; `include` adds payloads."""
        only_admins(caller)
        documents = documents_of(include)
        page = await failed_jobs.list(type, PageRequest(limit=limit, cursor=cursor), documents)
        if not isinstance(page, Page):
            raise refuse(page)
        return page_response(
            page,
            partial(disclosure.to, caller),
            documents,
            "/v1/failed-jobs",
            {"type": type, "limit": limit, "include": include},
        )

    @router.post("/v1/failed-jobs/retry", responses=problems(400, 401, 403, 413, 415, 422, 503))
    async def retry_failed_jobs(body: RetryFailed, caller: Caller) -> Retried:
        """Queue failed jobs again, with their full number of attempts, for up to 15 s; `dry_run` only counts them."""
        only_admins(caller)
        retried = await failed_jobs.retry(BulkRetry.model_validate(dict(body)))
        if not isinstance(retried, BulkRetried):
            raise refuse(retried)
        return Retried.model_validate(dict(retried))

    return router
