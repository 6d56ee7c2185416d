"""Jobs as responses: one with its ETag, or a page with the link to the next."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Query
from starlette.responses import Response

from domain.jobs.job import Job
from domain.jobs.listing import DOCUMENTS, Include, JobSummary
from domain.paging import Page
from functions.api.http.conditional import versioned
from functions.api.jobs.models import JobPage, job_view, listed_job_view

IncludeParameter = Annotated[
    str | None,
    Query(
        pattern="^(payload|result)(,(payload|result))?$",
        description="Documents to bring along: payload, result, or both with a comma; they make pages shorter",
    ),
]


def documents_of(include: str | None) -> Include:
    """The documents that an `include` parameter asks for, after its form was checked."""
    return frozenset(name for name in DOCUMENTS if name in (include or "").split(","))


def job_response(job: Job, status: HTTPStatus, headers: Mapping[str, str]) -> Response:
    """A job; where it was accepted, also its place."""
    view = job_view(job)
    location = {"location": view.links["self"]} if status == HTTPStatus.ACCEPTED else {}
    return Response(
        view.model_dump_json(),
        status,
        versioned(job.version, {**location, **headers}),
        "application/json",
    )


def page_response(
    page: Page[JobSummary], include: Include, path: str, query: Mapping[str, str | int | None]
) -> Response:
    """A page of jobs; `query` is what led to it, and the link repeats it with the next cursor."""
    body = JobPage(items=[listed_job_view(job, include) for job in page.items], next=page.next)
    following = urlencode({name: value for name, value in query.items() if value is not None} | {"cursor": page.next})
    link = {"link": f'<{path}?{following}>; rel="next"'} if page.next else {}
    text = body.model_dump_json(exclude_unset=True)
    return Response(text, 200, {"cache-control": "no-store", **link}, "application/json")
