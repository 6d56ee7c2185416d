"""`/ui/session`: signs people in to the page of the local stack, where no identity provider is.

The code of a link is exchanged for a token, which the page holds in memory. A cookie that scripts cannot read lets a
reloaded page have another token, until the person signs out or the stack ends; on AWS the identity provider does that.
"""

import json
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from http import HTTPStatus

from aiohttp import web

from headrace.emulator.gateway_responses import message
from headrace.emulator.page_links import redeem
from headrace.emulator.state import Folder
from headrace.emulator.tokens import TokenAuthority

PATH = "/ui/session"
TOKEN_LIFETIME = timedelta(minutes=30)
MAX_SESSIONS = 1000
_COOKIE = "headrace-page"
_NO_SESSION = "the link was used or is too old; `headrace ui` prints another"


class PageSessions:
    """Those who are signed in to the page of one running stack."""

    def __init__(self, folder: Folder, authority: TokenAuthority, now: Callable[[], datetime]) -> None:
        self._folder = folder
        self._authority = authority
        self._now = now
        self._people: dict[str, str] = {}

    def routes(self) -> list[web.RouteDef]:
        """What the gateway serves of it."""
        return [web.post(PATH, self._sign_in), web.delete(PATH, self._sign_out)]

    async def _sign_in(self, request: web.Request) -> web.Response:
        """Exchange the body's code, or the cookie, for a token; 401 for neither."""
        if not _is_of_the_page(request):
            return message(HTTPStatus.FORBIDDEN, "Forbidden")
        code, known = _code(await request.text()), request.cookies.get(_COOKIE, "")
        session, email = known, self._people.get(known)
        if code:
            session, email = secrets.token_urlsafe(24), redeem(self._folder, code, self._now())
        if email is None:
            return message(HTTPStatus.UNAUTHORIZED, _NO_SESSION)
        self._remember(session, email)
        token = self._authority.mint(email, self._now(), TOKEN_LIFETIME)
        answer = {"token": token, "expires_in": int(TOKEN_LIFETIME.total_seconds())}
        response = web.json_response(answer, headers={"cache-control": "no-store"})
        response.set_cookie(_COOKIE, session, path=PATH, httponly=True, samesite="Strict")
        return response

    async def _sign_out(self, request: web.Request) -> web.Response:
        if not _is_of_the_page(request):
            return message(HTTPStatus.FORBIDDEN, "Forbidden")
        self._people.pop(request.cookies.get(_COOKIE, ""), None)
        response = web.Response(status=HTTPStatus.NO_CONTENT)
        response.del_cookie(_COOKIE, path=PATH)
        return response

    def _remember(self, session: str, email: str) -> None:
        """The oldest is forgotten where there would be too many."""
        while len(self._people) >= MAX_SESSIONS:
            self._people.pop(next(iter(self._people)))
        self._people[session] = email


def _is_of_the_page(request: web.Request) -> bool:
    """Whether a browser says that the stack's own page sends this; other programs say nothing, and have no cookie."""
    return request.headers.get("sec-fetch-site", "same-origin") == "same-origin"


def _code(body: str) -> str:
    try:
        document = json.loads(body or "{}")
    except (ValueError, RecursionError):
        return ""
    code = document.get("code") if isinstance(document, dict) else None
    return code if isinstance(code, str) else ""
