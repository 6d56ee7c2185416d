"""Tokens: a text, or a callable that gives the present one before each request."""

import inspect
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator

import httpx

Token = str | Callable[[], str]
AsyncToken = str | Callable[[], str | Awaitable[str]]

_TOKEN = re.compile(r"[\x21-\x7e]+")
"""The form of a token in an Authorization header."""


class Bearer(httpx.Auth):
    """Sends a bearer token."""

    def __init__(self, token: Token) -> None:
        self._token = token

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Give the request the present token."""
        request.headers["authorization"] = _field(self._token if isinstance(self._token, str) else self._token())
        yield request


class AsyncBearer(httpx.Auth):
    """Sends a bearer token, which may have to be awaited."""

    def __init__(self, token: AsyncToken) -> None:
        self._token = token

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Give the request the present token."""
        token = self._token if isinstance(self._token, str) else self._token()
        request.headers["authorization"] = _field(await token if inspect.isawaitable(token) else token)
        yield request


def _field(token: str) -> str:
    if not _TOKEN.fullmatch(token):
        raise ValueError("the token is not one: it must be printable ASCII without spaces")  # It is a secret.
    return f"Bearer {token}"
