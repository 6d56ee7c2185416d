"""/healthz: reports whether the API can reach its store, and nothing else. Needs no token."""

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
    """The health route."""
    router = APIRouter(tags=["health"])

    @router.get("/healthz", responses=problems(503))
    async def healthz() -> Health:
        """Check the store: 200 when it responds, 503 when it does not."""
        found = await jobs.get("healthz", clock())
        if isinstance(found, StorageUnavailable):
            raise refuse(found)
        return Health(status="ok")

    return router
