"""Request bodies: strict JSON, bounded in size and depth."""

import json
import re
from collections.abc import Callable, Coroutine
from http import HTTPStatus

from fastapi.routing import APIRoute
from pydantic import JsonValue
from pydantic_core import from_json
from starlette.requests import Request
from starlette.responses import Response

from functions.api.http.problems import Refused, problem

MAX_BODY_BYTES = 5 * 1024 * 1024 + 64 * 1024
"""A payload of the largest size, and what stands around it."""
_JSON = re.compile(r"application/(?:[a-z0-9!#$&^_.+-]+\+)?json")


class StrictJsonRequest(Request):
    """Parses JSON strictly (RFC 8259): no NaN, no lone surrogates, no nesting beyond 200 levels."""

    async def json(self) -> JsonValue:
        body = await self.body()
        try:
            value: JsonValue = from_json(body, allow_inf_nan=False)
        except ValueError as error:
            raise json.JSONDecodeError(str(error), "", 0) from error
        return value


class StrictJsonRoute(APIRoute):
    """A route that reads its body with `StrictJsonRequest`: FastAPI's documented way to replace the request class."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[None, None, Response]]:
        handle = super().get_route_handler()

        async def strict(request: Request) -> Response:
            strict_request = StrictJsonRequest(request.scope, request.receive)
            if self.body_field is not None:
                await _check(strict_request)
            return await handle(strict_request)

        return strict


async def _check(request: Request) -> None:
    body = await request.body()
    if len(body) > MAX_BODY_BYTES:
        detail = f"The body has {len(body)} bytes; the limit is {MAX_BODY_BYTES}."
        raise Refused(problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "payload_too_large", detail))
    if request.headers.get("content-encoding", "identity").strip().lower() not in {"", "identity"}:
        detail = "Send the body without a Content-Encoding."
        raise Refused(problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail))
    media_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if not _JSON.fullmatch(media_type):
        detail = "Send the body with Content-Type: application/json."
        raise Refused(problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail))
