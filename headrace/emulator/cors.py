"""Cross-origin requests, as an HTTP API with a CORS configuration handles them.

From the API Gateway Developer Guide ("Configure CORS for HTTP APIs in API Gateway"): the configured headers are added
to responses of functions, whose own CORS headers are ignored; a preflight request that no route matches is answered by
the gateway. The guide says nothing of other responses that the gateway gives by itself (401, 429): here they get no
headers, so that nobody comes to rely on them.
"""

from collections.abc import Mapping
from http import HTTPStatus

from aiohttp import web
from pydantic import AliasGenerator, ConfigDict, JsonValue
from pydantic.alias_generators import to_camel

from headrace.authoring.frozen import Frozen


class Cors(Frozen):
    """What pages of which origins may do; the names are those of `x-amazon-apigateway-cors`."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=AliasGenerator(validation_alias=to_camel))

    allow_origins: tuple[str, ...]
    allow_methods: tuple[str, ...] = ()
    allow_headers: tuple[str, ...] = ()
    expose_headers: tuple[str, ...] = ()
    allow_credentials: bool = False
    max_age: int = 0
    """Seconds that a browser may remember a preflight's answer."""


def cors_of(body: Mapping[str, JsonValue]) -> Cors | None:
    """The configuration in an API's OpenAPI body; None if pages of other origins may not call it."""
    declared = body.get("x-amazon-apigateway-cors")
    return Cors.model_validate(declared) if declared else None


def is_preflight(method: str, headers: Mapping[str, str]) -> bool:
    """Whether a browser asks what it may send (Fetch standard, "CORS protocol"); names of headers are in lower case."""
    return method == "OPTIONS" and "origin" in headers and "access-control-request-method" in headers


def preflight_response(cors: Cors, headers: Mapping[str, str]) -> web.Response:
    """The gateway's own answer to a preflight request."""
    response = web.Response(status=HTTPStatus.NO_CONTENT)
    set_headers(response, cors, "OPTIONS", headers)
    return response


def set_headers(response: web.Response, cors: Cors, method: str, headers: Mapping[str, str]) -> None:
    """Replace a response's CORS headers by those that the configuration has for the request with these headers."""
    for name in [name for name in response.headers if name.lower().startswith("access-control-")]:
        response.headers.popall(name, None)
    origin = headers.get("origin", "")
    if origin not in cors.allow_origins:
        return
    response.headers["access-control-allow-origin"] = origin
    if cors.expose_headers:
        response.headers["access-control-expose-headers"] = ",".join(cors.expose_headers)
    if is_preflight(method, headers):
        response.headers["access-control-allow-methods"] = ",".join(cors.allow_methods)
        response.headers["access-control-allow-headers"] = ",".join(cors.allow_headers)
        response.headers["access-control-max-age"] = str(cors.max_age)
