"""Builds API Gateway HTTP API events (payload format 2.0) from HTTP requests.

Shapes and limits are those of the API Gateway Developer Guide ("Create AWS Lambda proxy integrations for HTTP APIs",
"Quotas for configuring and running an HTTP API"). Where the guide is silent, this follows what others measured on AWS:
the path is decoded and the query string is not (aws/aws-lambda-dotnet#1901), and only some media types count as text
(ministackorg/ministack#766). Requests that cannot be written as JSON in UTF-8 are refused and never reach a function.
"""

import base64
import json
import time
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import parse_qsl, unquote

from aiohttp import HttpVersion10, HttpVersion11, web
from pydantic import JsonValue

from headrace.authoring.frozen import Frozen
from headrace.emulator.cloudformation import ACCOUNT
from headrace.emulator.template import Route

MAX_HEADER_BYTES = 10_240
"""API Gateway's limit for the request line and headers together."""
GREEDY = "{proxy+}"
_TEXT_TYPES = frozenset({"application/json", "application/javascript", "application/xml"})
_SEPARATOR_BYTES = 4
"""The colon, space and line ending of a header line."""


class RefusedRequest(Frozen):
    """A request that API Gateway refuses itself, without invoking a function."""

    status: int
    message: str


class RequestHead(Frozen):
    """A request's line and headers, decoded."""

    method: str
    path: str
    """Decoded; bytes that are not UTF-8 are replaced."""
    raw_path: str
    """As sent."""
    query: str
    """As sent, not decoded."""
    headers: dict[str, str]
    """Names in lower case, repeated ones joined by commas, without cookies."""
    cookies: tuple[str, ...]


def request_head(request: web.Request) -> RequestHead | RefusedRequest:
    """Read the head of `request`; refuse it if it is too long, its target not ASCII, or its headers not UTF-8."""
    if request.version not in {HttpVersion10, HttpVersion11}:
        return RefusedRequest(status=400, message="Bad Request")
    target = request.raw_path
    line_bytes = len(f"{request.method} {target} HTTP/1.1\r\n".encode(errors="surrogateescape"))
    if line_bytes > MAX_HEADER_BYTES:
        return RefusedRequest(status=414, message="URI Too Long")
    lines = sum(len(name) + len(value) + _SEPARATOR_BYTES for name, value in request.raw_headers)
    if line_bytes + lines > MAX_HEADER_BYTES:
        return RefusedRequest(status=431, message="Request Header Fields Too Large")
    try:
        pairs = [(name.decode("ascii").lower(), value.decode()) for name, value in request.raw_headers]
    except UnicodeDecodeError:
        return RefusedRequest(status=400, message="Bad Request")
    if not target.isascii():
        return RefusedRequest(status=400, message="Bad Request")
    path, _, query = _origin_form(target).partition("?")
    return RequestHead(
        method=request.method,
        path=unquote(path, errors="replace"),
        raw_path=path,
        query=query,
        headers=_joined([pair for pair in pairs if pair[0] != "cookie"]),
        cookies=tuple(
            cookie.strip() for name, value in pairs if name == "cookie" for cookie in value.split(";") if cookie.strip()
        ),
    )


def http_event(
    request: web.Request,
    head: RequestHead,
    body: bytes,
    route: Route,
    authorizer: Mapping[str, JsonValue] | None,
) -> dict[str, JsonValue]:
    """Build the event for a request; `authorizer` is what was verified, if the route has an authorizer."""
    text, is_base64 = _encoded(body, head.headers)
    key = f"{next(iter(route.methods), 'ANY')} {route.path}"
    event: dict[str, JsonValue] = {
        "version": "2.0",
        "routeKey": key,
        "rawPath": head.path,
        "rawQueryString": head.query,
        "headers": {**head.headers, **_forwarded(request, head.headers)},
        "requestContext": {
            "accountId": ACCOUNT,
            "apiId": "local",
            "domainName": head.headers.get("host", "localhost"),
            "domainPrefix": "local",
            "http": {
                "method": head.method,
                "path": head.path,
                "protocol": f"HTTP/{request.version.major}.{request.version.minor}",
                "sourceIp": _source_ip(request),
                "userAgent": head.headers.get("user-agent", ""),
            },
            "requestId": str(uuid.uuid4()),
            "routeKey": key,
            "stage": "$default",
            "time": datetime.now(UTC).strftime("%d/%b/%Y:%H:%M:%S +0000"),
            "timeEpoch": int(time.time() * 1000),
            **({"authorizer": dict(authorizer)} if authorizer is not None else {}),
        },
        "isBase64Encoded": is_base64,
    }
    optional: dict[str, JsonValue] = {
        "body": text or None,
        "cookies": list(head.cookies) or None,
        "queryStringParameters": _query_parameters(head.query) or None,
        "pathParameters": {"proxy": head.path.removeprefix(route.path.removesuffix(GREEDY))}
        if route.path.endswith(GREEDY)
        else None,
    }
    return event | {name: value for name, value in optional.items() if value is not None}


def _origin_form(target: str) -> str:
    """Strip the scheme and authority that a client may send in the target (RFC 9112, 3.2.2)."""
    if not target.lower().startswith(("http://", "https://")):
        return target
    rest = target.split("://", 1)[1]
    at = min((rest.index(sign) for sign in "/?" if sign in rest), default=len(rest))
    return rest[at:] if rest[at:].startswith("/") else f"/{rest[at:]}"


def _joined(pairs: list[tuple[str, str]]) -> dict[str, str]:
    return {name: ",".join(value for other, value in pairs if other == name) for name, _ in pairs}


def _forwarded(request: web.Request, headers: Mapping[str, str]) -> dict[str, str]:
    """The headers that API Gateway sets, overriding the client's; the client's `x-forwarded-for` is extended."""
    before = headers.get("x-forwarded-for")
    port = request.transport.get_extra_info("sockname")[1] if request.transport is not None else 0
    return {
        "x-forwarded-for": f"{before}, {_source_ip(request)}" if before else _source_ip(request),
        "x-forwarded-port": str(port),
        "x-forwarded-proto": "http",
    }


def _source_ip(request: web.Request) -> str:
    return request.remote or "127.0.0.1"


def _query_parameters(query: str) -> dict[str, JsonValue]:
    """Decode the query; the values of a repeated name are joined by commas."""
    pairs = parse_qsl(query, keep_blank_values=True, errors="replace")
    return {name: ",".join(value for other, value in pairs if other == name) for name, _ in pairs}


def _encoded(body: bytes, headers: Mapping[str, str]) -> tuple[str, bool]:
    """The event's `body` and `isBase64Encoded`; a body that is not text, or is compressed, becomes base64."""
    media_type = headers.get("content-type", "").split(";")[0].strip().lower()
    is_text = media_type.startswith("text/") or media_type in _TEXT_TYPES
    if is_text and headers.get("content-encoding", "identity").strip().lower() == "identity":
        try:
            return body.decode(), False
        except UnicodeDecodeError:
            pass
    return base64.b64encode(body).decode(), bool(body)


def jwt_authorizer(claims: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """`requestContext.authorizer` of a verified token: claims are strings, and a list becomes `[a b]`."""
    return {"jwt": {"claims": {name: _as_text(value) for name, value in claims.items()}, "scopes": None}}


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
