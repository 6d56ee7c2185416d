"""Jobs as responses: one with its ETag, or a page with the link to the next."""

from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import urlencode

from starlette.responses import Response

from domain.jobs.job import Job
from domain.paging import Page
from functions.api.conditional import versioned
from functions.api.models import JobPage, job_view


def job_answer(job: Job, status: HTTPStatus, headers: Mapping[str, str]) -> Response:
    """A job; where it was accepted, also its place."""
    view = job_view(job)
    location = {"location": view.links["self"]} if status == HTTPStatus.ACCEPTED else {}
    return Response(
        view.model_dump_json(),
        status,
        versioned(job.version, {**location, **headers}),
        "application/json",
    )


def page_answer(page: Page[Job], path: str, query: Mapping[str, str | int | None]) -> Response:
    """A page of jobs; `query` is what led to it, and the link repeats it with the next cursor."""
    body = JobPage(items=[job_view(job) for job in page.items], next=page.next)
    following = urlencode({name: value for name, value in query.items() if value is not None} | {"cursor": page.next})
    link = {"link": f'<{path}?{following}>; rel="next"'} if page.next else {}
    return Response(body.model_dump_json(), 200, {"cache-control": "no-store", **link}, "application/json")
