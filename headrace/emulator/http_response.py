"""Builds HTTP responses from functions' return values, as API Gateway HTTP APIs do (payload format 2.0).

From the API Gateway Developer Guide ("Create AWS Lambda proxy integrations for HTTP APIs"): a payload without a
`statusCode` becomes the body of a 200. AWS's own test tool (aws/aws-lambda-dotnet, `InvokeResponseExtensions.cs`) adds
what was observed: a string is sent without its quotes, and a payload with a `statusCode` that is otherwise malformed
results in a 500.
"""

import base64
import json
import re
from typing import Annotated

from aiohttp import web
from multidict import CIMultiDict
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    ValidationError,
)  # fmt: skip

from headrace.authoring.frozen import Frozen

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)
_VALUE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*")
_HOP_BY_HOP = frozenset({
    "connection", "content-length", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
})  # fmt: skip
"""Headers that describe the connection or its framing (RFC 9110, 7.6.1); only the gateway may set them."""


class MalformedResponse(Frozen):
    """The function's payload is not an HTTP response; `reason` says why, without quoting it."""

    reason: str


def _digits(value: object) -> object:
    """Accept a status given as a string, as in AWS's own examples."""
    return int(value) if isinstance(value, str) and re.fullmatch(r"[0-9]{3}", value, re.ASCII) else value


class _ProxyResponse(BaseModel):
    """A response in payload format 2.0; unknown members are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    status: Annotated[StrictInt, BeforeValidator(_digits)] = Field(alias="statusCode", ge=200, le=599)
    headers: dict[StrictStr, StrictStr | StrictBool | StrictInt | StrictFloat] | None = None
    cookies: list[StrictStr] | None = None
    body: StrictStr | None = None
    is_base64: StrictBool | None = Field(alias="isBase64Encoded", default=None)


def http_response(payload: JsonValue) -> web.Response | MalformedResponse:
    """Convert the payload that a function returned to an HTTP response."""
    if not isinstance(payload, dict) or "statusCode" not in payload:
        return _inferred(payload)
    try:
        parsed = _ProxyResponse.model_validate(payload)
        body = _body(parsed)
    except ValidationError as error:
        return MalformedResponse(reason=f"{_place(error)}: {error.errors()[0]['msg']}")
    except ValueError as error:
        return MalformedResponse(reason=f"body: {type(error).__name__}")
    headers = CIMultiDict[str]({"content-type": "text/plain; charset=utf-8"})
    given = [(name, _header_text(value)) for name, value in (parsed.headers or {}).items()]
    cookies = [("set-cookie", cookie) for cookie in parsed.cookies or []]
    for name, value in (*given, *cookies):
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value) or not _is_encodable(value):
            return MalformedResponse(reason="headers: not a header")
        if name.lower() == "set-cookie":
            headers.add(name, value)
        elif name.lower() not in _HOP_BY_HOP:
            headers[name] = value
    return web.Response(status=parsed.status, headers=headers, body=body)


def _inferred(payload: JsonValue) -> web.Response | MalformedResponse:
    text = payload if isinstance(payload, str) else json.dumps(payload, ensure_ascii=False)
    if not _is_encodable(text):
        return MalformedResponse(reason="not UTF-8")
    return web.Response(body=text.encode(), headers={"content-type": "application/json"})


def _body(response: _ProxyResponse) -> bytes:
    text = (response.body or "").encode()
    return base64.b64decode(text, validate=True) if response.is_base64 else text


def _header_text(value: str | float) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _is_encodable(text: str) -> bool:
    """Whether UTF-8 can encode the text; JSON may hold lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _place(error: ValidationError) -> str:
    return ".".join(str(step) for step in error.errors()[0]["loc"][:1])
