"""/ui: the page, its assets, and where people sign in. Open to anyone: the data behind it takes a token."""

from collections.abc import Awaitable, Callable
from pathlib import Path

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from functions.api.ui.serving import BUILT, asset, configuration, page
from functions.settings import PageSettings


def page_routes(settings: PageSettings, built: Path = BUILT) -> APIRouter:
    """The routes of the page that is in the folder `built`.

    They are Starlette's, as those of the documentation, and in no OpenAPI document.
    """
    router = APIRouter()
    for path, respond in (
        ("/ui", lambda request: page(settings, built, request.headers)),
        ("/ui/config.json", lambda _request: configuration(settings)),
        ("/ui/assets/{name}", lambda request: asset(request.path_params["name"], built, request.headers)),
    ):
        router.add_route(path, _answering(path, respond))
    return router


def _answering(path: str, respond: Callable[[Request], Response]) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        request.scope["route"] = Route(path, answer)  # for the log, as FastAPI's routes do
        return respond(request)

    return answer
