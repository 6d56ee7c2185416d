"""/ and /docs: pages for people that load nothing from anywhere else. Open to anyone, like the OpenAPI document.

A cold start imports this file alone: what renders a page is imported, and its parts are read, at the first request.
"""

from collections.abc import Awaitable, Callable
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING

from fastapi import APIRouter
from pydantic import JsonValue
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from functions.api.http.header_fields import entity_tags

if TYPE_CHECKING:
    from functions.api.documentation.page import Page


def documentation_routes(document: Callable[[], dict[str, JsonValue]]) -> APIRouter:
    """The routes of the pages about `document`; each page is rendered once in the life of an environment.

    They are Starlette's routes: FastAPI would spend two milliseconds of every cold start on what they may take.
    """
    router = APIRouter()
    router.add_route("/", _answering("/", cache(lambda: _index(document()))))
    router.add_route("/docs", _answering("/docs", cache(lambda: _reference(document()))))
    return router


def _answering(path: str, page: Callable[[], "Page"]) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        request.scope["route"] = Route(path, answer)  # for the log, as FastAPI's routes do
        return _response(page(), request.headers.get("if-none-match"))

    return answer


def _reference(document: dict[str, JsonValue]) -> "Page":
    from functions.api.documentation.reference import reference_page  # noqa: PLC0415 - see the module's docstring

    return reference_page(document)


def _index(document: dict[str, JsonValue]) -> "Page":
    from functions.api.documentation.index import index_page  # noqa: PLC0415 - see the module's docstring

    return index_page(document)


def _response(page: "Page", if_none_match: str | None) -> Response:
    """The page, or 304 with the same headers for a client that has it already."""
    tags = entity_tags(if_none_match) if if_none_match is not None else None
    if tags == "*" or any(f'"{tag.opaque}"' == page.headers["etag"] for tag in tags or ()):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=dict(page.headers))
    return Response(page.html, headers=dict(page.headers))
