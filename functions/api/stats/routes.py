"""/v1/stats: what ended in a window and what is unfinished, for admins; /v1/jobs/{id}/cost: what a job cost."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from domain.costs.cost import cost_of
from domain.jobs.job import Job
from domain.jobs.repository import JobNotFound
from domain.jobs.service import JobService
from domain.ports import Clock
from domain.results import StorageUnavailable
from domain.stats.report import WindowName
from domain.stats.service import StatsService
from domain.users.user import User
from functions.api.http.identity import Identify, only_admins
from functions.api.http.ids import is_id
from functions.api.http.json_body import StrictJsonRoute
from functions.api.http.openapi import problems
from functions.api.http.problems import refuse
from functions.api.stats.models import CostView, StatsView, cost_view, stats_view


def stats_routes(stats: StatsService, jobs: JobService, clock: Clock, identify: Identify) -> APIRouter:
    """The routes of statistics (for admins) and of a job's cost (for its owner too)."""
    router = APIRouter(route_class=StrictJsonRoute, tags=["statistics"])
    Caller = Annotated[User, Depends(identify)]  # noqa: N806 - an alias of a type

    @router.get("/v1/stats", responses=problems(401, 403, 422, 503))
    async def get_stats(
        caller: Caller,
        response: Response,
        window: Annotated[WindowName, Query(description="The time that ends now")] = "1h",
        type: Annotated[str | None, Query(min_length=1, max_length=64, description="Only of this job type")] = None,
        unfinished: Annotated[bool, Query(description="Whether to count what is unfinished")] = True,
    ) -> StatsView:
        """Report what ended in a window, of all owners, and what is unfinished now. Admins only.

        A window is made of whole steps in UTC, of which the last is not over. What ended is counted once it has passed
        the stream, within a second or two.
        """
        only_admins(caller)
        report = await stats.report(window, type, unfinished)
        if isinstance(report, StorageUnavailable):
            raise refuse(report)
        response.headers["cache-control"] = "no-store"
        return stats_view(report, type)

    @router.get("/v1/jobs/{job_id}/cost", responses=problems(401, 403, 404, 503))
    async def get_job_cost(job_id: str, caller: Caller) -> CostView:
        """Say what a job has cost so far in dollars, by AWS's list prices, and how each part was counted."""
        if not is_id(job_id):
            raise refuse(JobNotFound(job_id=job_id))
        found = await jobs.get(job_id, caller)
        if not isinstance(found, Job):
            raise refuse(found)
        return cost_view(cost_of(found, clock()))

    return router
