"""/healthz: whether the API can reach its store. Open to anyone, and tells nothing else."""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from domain.jobs.repository import JobRepository
from domain.ports import Clock
from domain.results import StorageUnavailable
from functions.api.http.openapi import problems
from functions.api.http.problems import refuse


class Health(BaseModel):
    """Whether the API can reach its store."""

    status: Literal["ok"]


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
