"""Builds the responses of job routes: one job with its ETag, or a page of jobs with a link to the next."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from types import MappingProxyType
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Query
from starlette.responses import Response

from domain.jobs.documents import DocumentLink
from domain.jobs.job import Job
from domain.jobs.listing import INCLUDED, Document, Include, JobSummary
from domain.paging import Page
from functions.api.children.views import GroupView
from functions.api.http.conditional import versioned
from functions.api.http.links import link
from functions.api.jobs.models import JobPage, Shown, job_view, listed_job_view
from headrace.authoring.json_text import JsonText

IncludeParameter = Annotated[
    str | None,
    Query(
        pattern="^(payload|result|preview)(,(payload|result|preview)){0,2}$",
        description="What to include, separated by commas: payload and result, which make pages shorter, or preview,"
        " how the payload begins",
    ),
]


NextQuery = Mapping[str, str | int | list[str] | None]
"""The parameters of a request, as far as it had them."""

_UNCACHED = {"cache-control": "no-store"}


def documents_of(include: str | None) -> Include:
    """What an `include` parameter names that has passed validation."""
    return frozenset(name for name in INCLUDED if name in (include or "").split(","))


def job_response(
    job: Job,
    shown: Shown,
    status: HTTPStatus,
    headers: Mapping[str, str],
    loaded: Mapping[Document, JsonText] = MappingProxyType({}),
    children: Sequence[GroupView] = (),
) -> Response:
    """A job with its ETag, and with those large documents that were `loaded`; with status 202, also its `Location`."""
    view = job_view(job, shown, loaded, children)
    location = {"location": view.links["self"]} if status == HTTPStatus.ACCEPTED else {}
    return Response(
        view.model_dump_json(),
        status,
        versioned(job.version, {**location, **headers}),
        "application/json",
    )


def document_response(document: DocumentLink | JsonText) -> Response:
    """A document, or a redirect to it. The link is for whoever has it, so that nobody may keep the response."""
    if isinstance(document, DocumentLink):
        return Response(status_code=HTTPStatus.TEMPORARY_REDIRECT, headers={"location": document.url, **_UNCACHED})
    return Response(document, HTTPStatus.OK, _UNCACHED, "application/json")


def page_response(page: Page[JobSummary], shown: Shown, include: Include, path: str, query: NextQuery) -> Response:
    """A page of jobs; the link to the next page repeats the request's `query` with the next cursor."""
    body = JobPage(items=[listed_job_view(shown(job), include) for job in page.items], next=page.next)
    return linked_page(body.model_dump_json(exclude_unset=True), page.next, path, query)


def linked_page(text: str, cursor: str | None, path: str, query: NextQuery) -> Response:
    """A page as JSON, with the link to the next one if there is a cursor for it."""
    given = {name: value for name, value in query.items() if value is not None}
    next_query = urlencode({**given, "cursor": cursor}, doseq=True)
    following = {"link": f'<{link(path)}?{next_query}>; rel="next"'} if cursor else {}
    return Response(text, 200, {"cache-control": "no-store", **following}, "application/json")
