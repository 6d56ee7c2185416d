"""/v1/jobs/cancel and /v1/jobs/retry: change many jobs at once."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from domain.jobs.bulk import BulkChanged, BulkService, BulkWish
from domain.users.service import NotAllowed
from domain.users.user import User
from functions.api.http.forms import Form
from functions.api.http.identity import Identify
from functions.api.http.json_body import StrictJsonRoute
from functions.api.http.openapi import problems
from functions.api.http.problems import refuse
from functions.api.jobs.filters import BulkFilter


class ChangeJobs(Form):
    """Which jobs to change, and how many at most."""

    filter: BulkFilter
    limit: Annotated[int, Field(strict=True, ge=1, le=500)] = 100
    dry_run: Annotated[bool, Field(strict=True)] = False


class JobsChanged(BaseModel):
    """How many jobs matched (up to the limit), and how many of them were changed; a dry run changes none."""

    matched: int
    changed: int
    incomplete: bool = Field(description="Ended early, by time or by the store; repeat the request to continue")


def bulk_routes(bulk: BulkService, identify: Identify) -> APIRouter:
    """The routes that change many jobs: a user's own, or for admins anybody's."""
    router = APIRouter(route_class=StrictJsonRoute, tags=["jobs"])
    Caller = Annotated[User, Depends(identify)]  # noqa: N806 - an alias of a type

    @router.post("/v1/jobs/cancel", responses=problems(400, 401, 403, 413, 415, 422, 503))
    async def cancel_jobs(body: ChangeJobs, caller: Caller) -> JobsChanged:
        """Cancel the jobs that fit, for up to 15 s; those that run are asked to stop. `dry_run` only counts them."""
        return await _change(bulk, "cancel", body, caller)

    @router.post("/v1/jobs/retry", responses=problems(400, 401, 403, 413, 415, 422, 503))
    async def retry_jobs(body: ChangeJobs, caller: Caller) -> JobsChanged:
        """Queue failed jobs again (or cancelled ones, if `status` says so), for up to 15 s; `dry_run` only counts them.

        Those of all users are found by their `type`.
        """
        return await _change(bulk, "retry", body, caller)

    return router


async def _change(bulk: BulkService, action: Literal["cancel", "retry"], body: ChangeJobs, caller: User) -> JobsChanged:
    wanted = body.filter
    owner = wanted.owner or caller.id
    if owner != caller.id and caller.role != "admin":
        raise refuse(NotAllowed(reason="only an admin may change another owner's jobs"))
    wish = BulkWish(action=action, owner_id=owner, filter=wanted.as_filter(), limit=body.limit, dry_run=body.dry_run)
    changed = await bulk.change(wish, caller)
    if not isinstance(changed, BulkChanged):
        raise refuse(changed)
    return JobsChanged.model_validate(changed.model_dump())
