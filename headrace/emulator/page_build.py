"""`/ui/build`: which build of the page is served, so that an open page loads itself again when it was built anew."""

import hashlib
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from pathlib import Path

from aiohttp import web

from headrace.emulator.cloudformation import ROOT

PATH = "/ui/build"
SOURCES = ROOT / "ui" / "src"
DOCUMENT = ROOT / "functions" / "api" / "ui" / "built" / "index.html.gz"


def build_routes(*, watched: bool, sources: Path = SOURCES, document: Path = DOCUMENT) -> list[web.RouteDef]:
    """What the gateway serves of it: the build's digest, or 204 where nobody changes the page, and so need not ask.

    The digest is that of the document, which names its files by their content; it is empty while there is none.
    """
    return [web.get(PATH, _told(document) if watched and sources.is_dir() else _nothing)]


def _told(document: Path) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def tell(_request: web.Request) -> web.Response:
        return web.Response(text=_digest(document), headers={"cache-control": "no-store"})

    return tell


async def _nothing(_request: web.Request) -> web.Response:
    return web.Response(status=HTTPStatus.NO_CONTENT)


def _digest(document: Path) -> str:
    try:
        return hashlib.sha256(document.read_bytes()).hexdigest()
    except OSError:
        return ""
