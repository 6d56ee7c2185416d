"""/healthz: whether the API can reach its store. Open to anyone, and tells nothing else."""

from fastapi import APIRouter

from domain.jobs.repository import JobRepository
from domain.ports import Clock
from domain.results import StorageUnavailable
from functions.api.jobs.routes.models import Health
from functions.api.http.openapi import problems
from functions.api.http.problems import refuse


def health_routes(jobs: JobRepository, clock: Clock) -> APIRouter:
    """The route of health."""
    router = APIRouter(tags=["health"])

    @router.get("/healthz", responses=problems(503))
    async def healthz() -> Health:
        """200 when the store answers, 503 when it does not."""
        answer = await jobs.get("healthz", clock())
        if isinstance(answer, StorageUnavailable):
            raise refuse(answer)
        return Health(status="ok")

    return router
