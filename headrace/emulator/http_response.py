"""HTTP responses of functions' answers, as API Gateway HTTP APIs make them (payload format 2.0).

From the API Gateway Developer Guide ("Create AWS Lambda proxy integrations for HTTP APIs"): an answer without a
`statusCode` is itself the body of a 200. AWS's own test tool (aws/aws-lambda-dotnet, `InvokeResponseExtensions.cs`)
adds what it observed: a text is sent without its quotes, and an answer with a `statusCode` that is otherwise malformed
is a 500.
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
"""What describes the connection or its framing (RFC 9110, 7.6.1) is the gateway's to say."""


class MalformedAnswer(Frozen):
    """The function's answer is no HTTP response; `reason` says why, without quoting it."""

    reason: str


def _digits(value: object) -> object:
    """A status written as text counts, as in AWS's own examples."""
    return int(value) if isinstance(value, str) and re.fullmatch(r"[0-9]{3}", value, re.ASCII) else value


class _ProxyAnswer(BaseModel):
    """The answer that a function gives, under API Gateway's names; others are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    status: Annotated[StrictInt, BeforeValidator(_digits)] = Field(alias="statusCode", ge=200, le=599)
    headers: dict[StrictStr, StrictStr | StrictBool | StrictInt | StrictFloat] | None = None
    cookies: list[StrictStr] | None = None
    body: StrictStr | None = None
    is_base64: StrictBool | None = Field(alias="isBase64Encoded", default=None)


def http_response(answer: JsonValue) -> web.Response | MalformedAnswer:
    """The response that a function's answer stands for."""
    if not isinstance(answer, dict) or "statusCode" not in answer:
        return _inferred(answer)
    try:
        parsed = _ProxyAnswer.model_validate(answer)
        body = _body(parsed)
    except ValidationError as error:
        return MalformedAnswer(reason=f"{_place(error)}: {error.errors()[0]['msg']}")
    except ValueError as error:
        return MalformedAnswer(reason=f"body: {type(error).__name__}")
    headers = CIMultiDict[str]({"content-type": "text/plain; charset=utf-8"})
    given = [(name, _header_text(value)) for name, value in (parsed.headers or {}).items()]
    cookies = [("set-cookie", cookie) for cookie in parsed.cookies or []]
    for name, value in (*given, *cookies):
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value) or not _is_encodable(value):
            return MalformedAnswer(reason="headers: not a header")
        if name.lower() == "set-cookie":
            headers.add(name, value)
        elif name.lower() not in _HOP_BY_HOP:
            headers[name] = value
    return web.Response(status=parsed.status, headers=headers, body=body)


def _inferred(answer: JsonValue) -> web.Response | MalformedAnswer:
    text = answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False)
    if not _is_encodable(text):
        return MalformedAnswer(reason="not UTF-8")
    return web.Response(body=text.encode(), headers={"content-type": "application/json"})


def _body(answer: _ProxyAnswer) -> bytes:
    text = (answer.body or "").encode()
    return base64.b64decode(text, validate=True) if answer.is_base64 else text


def _header_text(value: str | float) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _is_encodable(text: str) -> bool:
    """Whether UTF-8 can write it: JSON may hold lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _place(error: ValidationError) -> str:
    return ".".join(str(step) for step in error.errors()[0]["loc"][:1])
