"""/ui: the page, its assets, and how people sign in. Open to anyone: the data behind it takes a token.

A cold start imports this file alone: files are read, and what serves them is imported, at the first request.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from headrace.authoring.frozen import Frozen

if TYPE_CHECKING:
    from functions.api.ui.serving import Served


class SignIn(Frozen):
    """How people sign in to the page: the OpenID Connect issuer whose tokens API Gateway accepts."""

    issuer: str = ""
    client_id: str = ""
    """Of the page at the issuer, a public client; empty where there is none: the page can sign nobody in."""
    origins: tuple[str, ...] = ()
    """Further origins that the page calls to sign in, where the issuer has its token endpoint elsewhere."""


def ui_routes(sign_in: SignIn) -> APIRouter:
    """The routes of the page. They are Starlette's, as those of the documentation, and are in no OpenAPI document."""
    router = APIRouter()
    router.add_route("/ui", _answering("/ui", lambda headers, _name: _serving().page(sign_in, headers)))
    router.add_route(
        "/ui/config.json", _answering("/ui/config.json", lambda _headers, _name: _serving().configuration(sign_in))
    )
    router.add_route(
        "/ui/assets/{name}", _answering("/ui/assets/{name}", lambda headers, name: _serving().asset(name, headers))
    )
    return router


def _serving() -> "Served":
    from functions.api.ui.serving import Served  # noqa: PLC0415 - see the module's docstring

    return Served()


def _answering(
    path: str, respond: Callable[[Mapping[str, str], str], Response]
) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        request.scope["route"] = Route(path, answer)  # for the log, as FastAPI's routes do
        return respond(request.headers, request.path_params.get("name", ""))

    return answer
