"""The HTTP gateway: emulates an API Gateway HTTP API with the routes and the authorizer of the template.

Bodies, headers and paths are passed on unchanged: `http_event.py` builds the event, `http_response.py` the response.
Responses that API Gateway gives itself have its form, `{"message": …}`.
"""

import asyncio
import json
import logging
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Protocol

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from pydantic import JsonValue

from headrace.emulator.cors import Cors, is_preflight, preflight_response, set_headers
from headrace.emulator.execution_environment import CANNOT_START, MAX_PAYLOAD_BYTES, FunctionFailed, Result, Returned
from headrace.emulator.gateway_responses import cannot_start, disk_full, last_message, message, unauthorized
from headrace.emulator.http_event import (
    GREEDY,
    RefusedRequest,
    RequestHead,
    http_event,
    jwt_authorizer,
    request_head,
)
from headrace.emulator.http_response import MalformedResponse, http_response
from headrace.emulator.observer import OnStderr, Weight
from headrace.emulator.signatures import InvalidSignature, RoleAuthority, SignedRequest, iam_authorizer
from headrace.emulator.template import Route
from headrace.emulator.tokens import InvalidToken, TokenAuthority, token_of

MAX_BODY_BYTES = 10 * 1024 * 1024
"""API Gateway's limit."""
INTEGRATION_SECONDS = 30.0
"""API Gateway's limit for a function's response; the function itself keeps running."""
TOO_LARGE = "Request Entity Too Large"
BODY_SECONDS = 30.0
"""How long a body may take to arrive."""
_BODY_POLL_SECONDS = 0.2
_LINGER_SECONDS = 2.0
"""How long the rest of a refused body is read, so that the client receives the response."""
_PARSER_BYTES = 2**20
"""The server's own limit for a request line or header: above API Gateway's, so that the gateway refuses it."""
_PARSER_HEADERS = 4096

Report = Callable[[str, Weight], None]
"""Tells the person who started the stack one sentence."""
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Function(Protocol):
    """The function that a route invokes."""

    @property
    def is_held(self) -> bool:
        """Whether invocations wait, because the function is being reloaded or cannot start."""
        ...

    def invoke(self, event: JsonValue, *, for_mending: bool = True) -> Coroutine[None, None, Result]:
        """Run one event; without `for_mending`, fail as `CANNOT_START` rather than wait for the function's mending."""
        ...


class Gateway:
    """An HTTP API: authorizes requests, invokes the functions of its routes and returns their responses."""

    def __init__(
        self,
        routes: tuple[Route, ...],
        functions: Mapping[str, Function],
        authority: TokenAuthority,
        roles: RoleAuthority,
        integration_seconds: float = INTEGRATION_SECONDS,
        report: Report | None = None,
        cors: Cors | None = None,
        own: Sequence[web.AbstractRouteDef] = (),
        is_full: Callable[[], bool] = lambda: False,
    ) -> None:
        """`own` are the routes that the stack serves itself, before those of the template.

        While the disk `is_full`, nothing is accepted: every POST is answered with 503.
        """
        self._routes = tuple(sorted(routes, key=_specificity, reverse=True))
        self._functions = functions
        self._authority = authority
        self._roles = roles
        self._integration_seconds = integration_seconds
        self._overdue: set[asyncio.Future[Result]] = set()
        self._report = report or OnStderr().report
        self._cors = cors
        self._own = own
        self._is_full = is_full

    def runner(self) -> web.AppRunner:
        """Create the server, not yet set up. It refuses malformed requests with 400 and does not log them."""
        app = web.Application(client_max_size=MAX_BODY_BYTES, middlewares=[_report_as_api_gateway])
        app.router.add_routes((web.get("/.well-known/jwks.json", self._jwks), *self._own))
        app.router.add_route("*", "/{path:(?s:.*)}", self._handle)
        return web.AppRunner(
            app,
            access_log=None,
            logger=_logger(),
            shutdown_timeout=5,
            max_line_size=_PARSER_BYTES,
            max_field_size=_PARSER_BYTES,
            max_headers=_PARSER_HEADERS,
            lingering_time=_LINGER_SECONDS,
            auto_decompress=False,
        )

    async def _jwks(self, _request: web.Request) -> web.Response:
        return web.json_response(self._authority.jwks())

    async def _handle(self, request: web.Request) -> web.Response:
        began = time.monotonic()
        response = await self._answer(request)
        took = (time.monotonic() - began) * 1000
        self._report(f"{response.status} {request.method} {request.raw_path!a} ({took:.0f} ms)", "detail")
        return response

    async def _answer(self, request: web.Request) -> web.Response:
        head = request_head(request)
        if isinstance(head, RefusedRequest):
            return message(head.status, head.message)
        route = next((route for route in self._routes if _fits(route, head.method, head.path)), None)
        if route is None:
            if self._cors and is_preflight(head.method, head.headers):
                return preflight_response(self._cors, head.headers)
            return message(HTTPStatus.NOT_FOUND, "Not Found")
        if head.method == "POST" and self._is_full():
            return disk_full()
        authorizer: Mapping[str, JsonValue] | None = None
        if route.authorizer == "jwt":
            verified = self._verified(head)
            if isinstance(verified, InvalidToken):
                self._report(f"401 {head.method} {head.path!a}: {verified.reason}", "problem")
                return unauthorized(verified)
            authorizer = jwt_authorizer(verified)
        body = await read_body(request)
        if route.authorizer == "iam":
            role = self._signed(head, body)
            if isinstance(role, InvalidSignature):
                self._report(f"403 {head.method} {head.path!a}: {role.reason}", "problem")
                return message(HTTPStatus.FORBIDDEN, "Forbidden")
            authorizer = iam_authorizer(role, self._roles.credentials(role).access_key_id)
        event = http_event(request, head, body, route, authorizer)
        if len(json.dumps(event, ensure_ascii=False).encode()) > MAX_PAYLOAD_BYTES:
            return message(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, TOO_LARGE)
        return self._response(route, head, await self._invoke(route, event))

    async def _invoke(self, route: Route, event: JsonValue) -> Result | None:
        """Return the function's result; None when it takes longer than API Gateway waits."""
        invocation = asyncio.ensure_future(self._functions[route.function].invoke(event, for_mending=False))
        self._overdue.add(invocation)
        invocation.add_done_callback(self._overdue.discard)
        done, _ = await asyncio.wait({invocation}, timeout=self._integration_seconds)
        if not done and self._functions[route.function].is_held:
            # It has not begun. Run later, it would be done for a caller who was told 503, and has called again.
            invocation.cancel()
            why = f"it is being reloaded, and the request waited {self._integration_seconds:g} s in vain"
            self._report(f"503 from {route.function}: {why}", "problem")
        return invocation.result() if done else None

    def _response(self, route: Route, head: RequestHead, result: Result | None) -> web.Response:
        match result:
            case None:
                return message(HTTPStatus.SERVICE_UNAVAILABLE, "Service Unavailable")
            case FunctionFailed(error_type=error_type, message=reason) if error_type == CANNOT_START:
                return cannot_start(route.function, reason)
            case FunctionFailed():
                return message(HTTPStatus.INTERNAL_SERVER_ERROR, "Internal Server Error")
            case Returned(payload=payload):
                response = http_response(payload)
        if isinstance(response, MalformedResponse):
            self._report(f"{route.function} did not return an HTTP response: {response.reason}", "problem")
            return message(HTTPStatus.INTERNAL_SERVER_ERROR, "Internal Server Error")
        if self._cors:
            set_headers(response, self._cors, head.method, head.headers)
        return response

    def _verified(self, head: RequestHead) -> Mapping[str, JsonValue] | InvalidToken:
        """Verify the token, given alone or after `Bearer`, and return its claims."""
        token = token_of(head.headers.get("authorization", ""))
        return token if isinstance(token, InvalidToken) else self._authority.verify(token)

    def _signed(self, head: RequestHead, body: bytes) -> str | InvalidSignature:
        """Verify the signature, and return the role that made it."""
        covered = SignedRequest(
            method=head.method, path=head.raw_path, query=head.query, headers=head.headers, body=body
        )
        return self._roles.verify(covered, datetime.now(UTC))


async def read_body(request: web.Request) -> bytes:
    """Read the body; raises `web.HTTPBadRequest` when it is malformed, `HTTPRequestTimeout` when it is late.

    aiohttp (3.14) queues an error within a body as the next request and leaves this read waiting, so the queue is
    checked for it.
    """
    reading = asyncio.ensure_future(request.read())
    try:
        ends = time.monotonic() + BODY_SECONDS
        while not reading.done() and time.monotonic() < ends:
            await asyncio.wait({reading}, timeout=_BODY_POLL_SECONDS)
            if not reading.done() and request.protocol._messages:  # noqa: SLF001 - aiohttp has no public access to it
                raise web.HTTPBadRequest
        if not reading.done():
            raise web.HTTPRequestTimeout
        return reading.result()
    finally:
        reading.cancel()


@web.middleware
async def _report_as_api_gateway(request: web.Request, handler: _Handler) -> web.StreamResponse:
    """Report refusals of the server and unexpected errors as API Gateway does; never with a traceback."""
    try:
        return await handler(request)
    except web.HTTPRequestEntityTooLarge as refused:
        return message(refused.status, TOO_LARGE)
    except (web.HTTPBadRequest, web.HTTPRequestTimeout) as broken:
        return last_message(broken.status)
    except web.HTTPException as refused:
        return message(refused.status, HTTPStatus(refused.status).phrase)
    except (HttpProcessingError, web.RequestPayloadError, ConnectionError):
        return last_message(HTTPStatus.BAD_REQUEST)
    except Exception as bug:  # noqa: BLE001 - the client gets a response, the terminal a line
        print(f"the gateway failed: {type(bug).__name__}: {str(bug)!a}", file=sys.stderr)
        return message(HTTPStatus.INTERNAL_SERVER_ERROR, "Internal Server Error")


class _WithoutClientErrors(logging.Filter):
    """Drops log records of client errors, which are reported to the client instead."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        return not isinstance(error, HttpProcessingError | ConnectionError)


def _logger() -> logging.Logger:
    logger = logging.getLogger("headrace.gateway")
    logger.addFilter(_WithoutClientErrors())
    return logger


def _specificity(route: Route) -> tuple[bool, int, bool]:
    """Sort key, highest first: a full path before a greedy one, a longer prefix, a method before ANY."""
    return not route.path.endswith(GREEDY), len(route.path), bool(route.methods)


def _fits(route: Route, method: str, path: str) -> bool:
    if route.methods and method not in route.methods:
        return False
    if route.path.endswith(GREEDY):
        prefix = route.path.removesuffix(GREEDY)
        return path.startswith(prefix) and path != prefix
    return path == route.path
