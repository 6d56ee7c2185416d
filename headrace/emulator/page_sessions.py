"""`/ui/session`: signs people in to the page of the local stack, where no identity provider is.

The code of a link is exchanged for a token, which the page holds in memory, and for a proof, which its tab keeps. A
cookie that scripts cannot read lets a reloaded tab have another token with its proof, until the person signs out or the
stack ends; on AWS the identity provider does that. The cookie alone would not do: browsers send it to every port.
"""

import hashlib
import json
import re
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from http import HTTPStatus

from aiohttp import web

from headrace.emulator.gateway import read_body
from headrace.emulator.gateway_responses import message
from headrace.emulator.page_links import FORM, redeem
from headrace.emulator.state import Folder
from headrace.emulator.tokens import TokenAuthority

PATH = "/ui/session"
TOKEN_LIFETIME = timedelta(minutes=30)
MAX_SESSIONS = 1000
_PORT = re.compile(r":([0-9]{1,5})$", re.ASCII)
_NO_SESSION = "the link was used or is too old; `headrace ui` prints another"


class PageSessions:
    """Those who are signed in to the page of one running stack."""

    def __init__(self, folder: Folder, authority: TokenAuthority, now: Callable[[], datetime]) -> None:
        self._folder = folder
        self._authority = authority
        self._now = now
        self._people: dict[tuple[str, str], str] = {}
        """Addresses, by the browser's cookie and the hash of the tab's proof; the longest unused first."""

    def routes(self) -> list[web.RouteDef]:
        """What the gateway serves of it."""
        return [web.post(PATH, self._sign_in), web.delete(PATH, self._sign_out)]

    async def _sign_in(self, request: web.Request) -> web.Response:
        """Exchange the body's code, or the cookie with the body's proof, for a token; 401 for neither."""
        if not _is_of_the_page(request):
            return message(HTTPStatus.FORBIDDEN, "Forbidden")
        given = _fields(await read_body(request))
        cookie, proof = request.cookies.get(_cookie(request), ""), given.get("proof", "")
        email = self._people.get((cookie, _hash(proof)))
        if "code" in given:
            email = redeem(self._folder, given["code"], self._now())
            cookie, proof = self._known(cookie) or secrets.token_urlsafe(24), secrets.token_urlsafe(24)
        if email is None:
            return message(HTTPStatus.UNAUTHORIZED, _NO_SESSION)
        self._remember(cookie, _hash(proof), email)
        token = self._authority.mint(email, self._now(), TOKEN_LIFETIME)
        answer = {"token": token, "expires_in": int(TOKEN_LIFETIME.total_seconds()), "proof": proof}
        response = web.json_response(answer, headers={"cache-control": "no-store"})
        response.set_cookie(_cookie(request), cookie, path=PATH, httponly=True, samesite="Strict")
        return response

    async def _sign_out(self, request: web.Request) -> web.Response:
        """Forget all tabs of the browser."""
        if not _is_of_the_page(request):
            return message(HTTPStatus.FORBIDDEN, "Forbidden")
        cookie = request.cookies.get(_cookie(request), "")
        self._people = {key: email for key, email in self._people.items() if key[0] != cookie}
        response = web.Response(status=HTTPStatus.NO_CONTENT)
        response.del_cookie(_cookie(request), path=PATH)
        return response

    def _known(self, cookie: str) -> str | None:
        """The browser's cookie, if this stack gave it: another tab that is signed in stays so."""
        return cookie if any(of == cookie for of, _ in self._people) else None

    def _remember(self, cookie: str, proof_hash: str, email: str) -> None:
        """The longest unused is forgotten where there would be too many."""
        self._people.pop((cookie, proof_hash), None)
        while len(self._people) >= MAX_SESSIONS:
            self._people.pop(next(iter(self._people)))
        self._people[cookie, proof_hash] = email


def _is_of_the_page(request: web.Request) -> bool:
    """Whether a browser says that the stack's own page sends this; other programs say nothing, and have no cookie."""
    return request.headers.get("sec-fetch-site", "same-origin") == "same-origin"


def _cookie(request: web.Request) -> str:
    """The cookie's name; browsers keep the cookies of all ports of a host together."""
    port = _PORT.search(request.host)
    return f"headrace-page-{port[1] if port else 80}"


def _hash(proof: str) -> str:
    return hashlib.sha256(proof.encode()).hexdigest()


def _fields(body: bytes) -> dict[str, str]:
    """The fields of a JSON object; "" for what can be neither a code nor a proof."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    items = document.items() if isinstance(document, dict) else ()
    return {name: value if isinstance(value, str) and FORM.fullmatch(value) else "" for name, value in items}
