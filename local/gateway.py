"""The HTTP gateway: turns requests into API Gateway HTTP API events (payload format 2.0), and back.

The shapes are those of the API Gateway Developer Guide, "Working with AWS Lambda proxy integrations for
HTTP APIs"; routes and authorizer are the template's.
"""

import base64
import json
import time
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime

from aiohttp import web
from multidict import CIMultiDict
from pydantic import JsonValue

from local.cloudformation import ACCOUNT
from local.execution_environment import MAX_PAYLOAD_BYTES, Answered, FunctionFailed
from local.function_pool import FunctionPool
from local.template import Route
from local.tokens import InvalidToken, TokenAuthority

MAX_BODY_BYTES = 10 * 1024 * 1024
"""API Gateway's limit."""
_GREEDY = "/{proxy+}"


class Gateway:
    """One HTTP API in front of its functions."""

    def __init__(
        self, routes: tuple[Route, ...], functions: Mapping[str, FunctionPool], authority: TokenAuthority
    ) -> None:
        self._routes = routes
        self._functions = functions
        self._authority = authority

    def application(self) -> web.Application:
        """The server application."""
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        app.router.add_get("/.well-known/jwks.json", self._jwks)
        app.router.add_route("*", "/{path:.*}", self._handle)
        return app

    async def _jwks(self, _request: web.Request) -> web.Response:
        return web.json_response(self._authority.jwks())

    async def _handle(self, request: web.Request) -> web.Response:
        route = next((route for route in self._routes if _fits(route, request.method, request.path)), None)
        if route is None:
            return _message(404, "Not Found")
        claims: Mapping[str, JsonValue] | None = None
        if route.needs_token:
            verified = self._verified(request.headers.get("Authorization", ""))
            if isinstance(verified, InvalidToken):
                return _message(401, "Unauthorized", {"www-authenticate": "Bearer"})
            claims = verified
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            return _message(413, "Request Entity Too Large")
        event = http_event(request, body, route, claims)
        if len(json.dumps(event)) > MAX_PAYLOAD_BYTES:
            return _message(413, "Request Entity Too Large")
        result = await self._functions[route.function].invoke(event)
        match result:
            case Answered(payload=dict(answer)) if "statusCode" in answer:
                return http_response(answer)
            case FunctionFailed(error_type="Sandbox.Timedout"):
                return _message(503, "Service Unavailable")
            case Answered() | FunctionFailed():
                return _message(500, "Internal Server Error")

    def _verified(self, authorization: str) -> Mapping[str, JsonValue] | InvalidToken:
        scheme, _, token = authorization.strip().partition(" ")
        if scheme.lower() != "bearer" or not token:
            return InvalidToken(reason="no bearer token")
        return self._authority.verify(token.strip())


def http_event(
    request: web.Request, body: bytes, route: Route, claims: Mapping[str, JsonValue] | None
) -> dict[str, JsonValue]:
    """The event of a request."""
    path, _, query = request.raw_path.partition("?")
    # As on AWS: names in lower case, repeated headers joined, cookies apart.
    headers: dict[str, JsonValue] = {
        name.lower(): ",".join(request.headers.getall(name)) for name in request.headers if name.lower() != "cookie"
    }
    text, is_base64 = _encoded(body)
    key = f"{next(iter(route.methods), 'ANY')} {route.path}"
    event: dict[str, JsonValue] = {
        "version": "2.0",
        "routeKey": key,
        "rawPath": path,
        "rawQueryString": query,
        "headers": headers,
        "requestContext": {
            "accountId": ACCOUNT,
            "apiId": "local",
            "domainName": request.host,
            "domainPrefix": "local",
            "http": {
                "method": request.method,
                "path": path,
                "protocol": f"HTTP/{request.version.major}.{request.version.minor}",
                "sourceIp": request.remote or "127.0.0.1",
                "userAgent": request.headers.get("User-Agent", ""),
            },
            "requestId": str(uuid.uuid4()),
            "routeKey": key,
            "stage": "$default",
            "time": datetime.now(UTC).strftime("%d/%b/%Y:%H:%M:%S +0000"),
            "timeEpoch": int(time.time() * 1000),
            **({"authorizer": {"jwt": {"claims": _claims(claims), "scopes": None}}} if claims is not None else {}),
        },
        "isBase64Encoded": is_base64,
    }
    optional: dict[str, JsonValue] = {
        "body": text or None,
        "cookies": [f"{name}={value}" for name, value in request.cookies.items()] or None,
        "queryStringParameters": {name: ",".join(request.query.getall(name)) for name in request.query} or None,
        "pathParameters": {"proxy": path.removeprefix(route.path.removesuffix("{proxy+}"))}
        if route.path.endswith(_GREEDY)
        else None,
    }
    return event | {name: value for name, value in optional.items() if value is not None}


def http_response(answer: Mapping[str, JsonValue]) -> web.Response:
    """The response that a function's answer stands for."""
    body = str(answer.get("body") or "")
    headers = CIMultiDict[str]()
    given = answer.get("headers")
    for name, value in (given if isinstance(given, dict) else {}).items():
        if name.lower() != "content-length":
            headers[name] = str(value)
    cookies = answer.get("cookies")
    for cookie in cookies if isinstance(cookies, list) else []:
        headers.add("set-cookie", str(cookie))
    return web.Response(
        status=int(str(answer["statusCode"])),
        headers=headers,
        body=base64.b64decode(body) if answer.get("isBase64Encoded") else body.encode(),
    )


def _fits(route: Route, method: str, path: str) -> bool:
    if route.methods and method not in route.methods:
        return False
    if route.path.endswith(_GREEDY):
        prefix = route.path.removesuffix("{proxy+}")
        return path.startswith(prefix) and path != prefix
    return path == route.path


def _claims(claims: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """API Gateway hands claims over as strings; a list becomes `[a b]`."""
    return {name: _as_text(value) for name, value in claims.items()}


def _as_text(value: JsonValue) -> str:
    match value:
        case str():
            return value
        case bool():
            return str(value).lower()
        case list():
            return f"[{' '.join(_as_text(member) for member in value)}]"
        case _:
            return json.dumps(value)


def _encoded(body: bytes) -> tuple[str, bool]:
    try:
        return body.decode(), False
    except UnicodeDecodeError:
        return base64.b64encode(body).decode(), True


def _message(status: int, text: str, headers: Mapping[str, str] | None = None) -> web.Response:
    """What API Gateway itself answers."""
    return web.json_response({"message": text}, status=status, headers=headers)
