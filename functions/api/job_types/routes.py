"""/v1/job-types: lists the job types that can be submitted."""

import json
from collections.abc import Iterable
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from domain.jobs.catalogue import Catalogue
from domain.jobs.listing import PAGE_BYTES
from domain.users.user import User
from functions.api.http.identity import Identify
from functions.api.http.json_body import StrictJsonRoute
from functions.api.http.openapi import problems
from functions.api.http.problems import Refused, problem
from functions.api.job_types.models import JobTypePage, JobTypeView, job_type_view


def job_type_routes(catalogue: Catalogue, identify: Identify) -> APIRouter:
    """The job type routes."""
    router = APIRouter(route_class=StrictJsonRoute, tags=["job types"])
    Caller = Annotated[User, Depends(identify)]  # noqa: N806 - an alias of a type

    @router.get("/v1/job-types", responses=problems(401, 403, 422, 503))
    async def list_job_types(
        _caller: Caller, cursor: Annotated[str | None, Query(max_length=64)] = None
    ) -> JobTypePage:
        """List the registered job types; large schemas are spread over several pages."""
        names = (name for name in catalogue.names() if cursor is None or name > cursor)
        definitions = (catalogue.definition(name) for name in names)
        return _page(job_type_view(definition) for definition in definitions if definition)

    @router.get("/v1/job-types/{name}", responses=problems(401, 403, 404, 503))
    async def get_job_type(name: str, _caller: Caller) -> JobTypeView:
        """Get a job type, with the JSON Schemas of its payload and result."""
        definition = catalogue.definition(name)
        if definition is None:
            raise Refused(problem(HTTPStatus.NOT_FOUND, "unknown_job_type", "There is no such job type."))
        return job_type_view(definition)

    return router


def _page(views: Iterable[JobTypeView]) -> JobTypePage:
    """A page of as many job types as fit into a response, at least one."""
    items: tuple[JobTypeView, ...] = ()
    size = 0
    for view in views:
        size += len(json.dumps(view.model_dump_json()))
        if items and size > PAGE_BYTES:
            return JobTypePage(items=list(items), next=items[-1].name)
        items = (*items, view)
    return JobTypePage(items=list(items), next=None)
