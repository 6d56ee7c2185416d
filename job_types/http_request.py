"""`http.request`: deliver an HTTP request, with retries; guarded against server-side request forgery."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from headrace import Backoff, Fail, JobContext, JobType, Policy, Retry, Secret
from headrace.authoring.trace import trace_headers
from headrace.http.answer import MAX_BODY_BYTES, first_header, retry_after, text_headers, text_of
from headrace.http.exchange import Incoming, NoResponse, Outgoing, exchange
from headrace.http.guard import Forbidden, reachable
from headrace.http.name_resolution import Resolver, SystemResolver, Unresolved
from headrace.http.url import HttpUrl, split_url

MAX_HEADERS = 50
MAX_TIMEOUT_SECONDS = 20
ALLOWED_HOSTS = "HTTP_REQUEST_ALLOWED_HOSTS"
"""The setting that permits private hosts by name: `host` or `host:port`, separated by commas; IPv6 as `[::1]`."""

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_OURS = frozenset({
    "connection", "content-length", "expect", "host", "idempotency-key", "keep-alive", "proxy-authorization",
    "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
})  # fmt: skip
_RETRYABLE = frozenset({408, 425, 429})
_SERVER_ERROR = 500


def _http_url(url: str) -> str:
    split_url(url)
    return url


class SecretHeader(Secret):
    """A header's value that the payload does not hold: the secret's, after `prefix`."""

    prefix: Annotated[str, Field(strict=True, max_length=100, examples=["Bearer "])] = ""

    @property
    def text(self) -> str:
        """What is sent."""
        return self.prefix + self.value


def _headers(headers: "dict[str, str | SecretHeader]") -> "dict[str, str | SecretHeader]":
    for name, value in headers.items():
        given = value.prefix if isinstance(value, SecretHeader) else value
        if not _TOKEN.fullmatch(name) or not _VALUE.fullmatch(given):
            raise ValueError(f"not a header: {name[:50]!r}")
        if name.lower() in _OURS:
            raise ValueError(f"{name} is set by the delivery itself")
    return headers


Status = Annotated[int, Field(ge=100, le=599)]
HeaderName = Annotated[str, StringConstraints(max_length=256)]
HeaderValue = Annotated[str, StringConstraints(max_length=8192)]


class HttpRequest(BaseModel):
    """The request to deliver.

    The URL is sent exactly as given, without its fragment; the body and the values of headers are sent as UTF-8. The
    delivery adds `Host`, `Idempotency-Key`, `Connection: close`, with a body or a method that has one
    `Content-Length`, and for a job that was submitted in a trace `traceparent`; it adds no `User-Agent`, `Accept` or
    `Content-Type`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] = "POST"
    url: Annotated[str, Field(max_length=2048, examples=["https://example.com/orders"]), AfterValidator(_http_url)]
    headers: Annotated[
        dict[HeaderName, HeaderValue | SecretHeader], Field(max_length=MAX_HEADERS), AfterValidator(_headers)
    ] = Field(default_factory=dict)
    body: str | None = None
    expect_status: list[Status] | None = Field(
        default=None,
        min_length=1,
        max_length=100,
        description="The statuses that count as delivered; by default any 2xx",
    )
    timeout_seconds: float = Field(
        default=10,
        gt=0,
        le=MAX_TIMEOUT_SECONDS,
        description="Limit of the exchange, without the resolution of the host name",
    )


class HttpResponse(BaseModel):
    """The response of a successful delivery. The status alone decides success, even if headers or body broke off.

    Bytes that are not text are replaced by U+FFFD. A gzip or deflate body is shown decompressed.
    """

    status: int
    headers: dict[str, str] = Field(description="Names in lower case; the first 50, in 16 KiB of JSON, 4 KiB each")
    body: str
    truncated: bool = Field(
        description=f"Whether the body is incomplete: over {MAX_BODY_BYTES} bytes, as sent or as stored in JSON"
        " (where a control character takes six), or broken off"
    )
    headers_truncated: bool = Field(default=False, description="Whether headers are left out or cut")


HTTP_REQUEST = JobType[HttpRequest, HttpResponse](
    name="http.request",
    summary="Deliver an HTTP request, retried on 429, 5xx and time-outs",
    payload=HttpRequest,
    result=HttpResponse,
    policy=Policy(max_attempts=5, timeout=timedelta(seconds=25), backoff=Backoff(base=timedelta(seconds=2))),
    settings=(ALLOWED_HOSTS,),
)


class DeliverHttpRequest:
    """The handler. Redirects are not followed, but treated like any other response."""

    definition = HTTP_REQUEST

    def __init__(self, resolver: Resolver | None = None) -> None:
        self._resolver = resolver or SystemResolver()

    async def run(self, request: HttpRequest, context: JobContext) -> HttpResponse | Retry | Fail:
        """Deliver the request; returns `Retry` when another attempt may succeed, `Fail` when none can."""
        headers = {name: _sent(value) for name, value in request.headers.items()}
        for name, value in headers.items():
            if not _VALUE.fullmatch(value):
                return Fail(code="invalid_secret", reason=f"the secret for {name} holds what no header can")
        url = split_url(request.url)
        addresses = await self._addresses(url, context.settings.get(ALLOWED_HOSTS, ""))
        if not isinstance(addresses, tuple):
            return addresses
        own = {name.lower() for name in request.headers}
        trace = () if "traceparent" in own else trace_headers(context)
        outgoing = Outgoing(
            method=request.method,
            url=url,
            headers=(*headers.items(), *trace, ("Idempotency-Key", context.idempotency_key)),
            body=None if request.body is None else request.body.encode(),
        )
        response = await exchange(outgoing, addresses, timedelta(seconds=request.timeout_seconds), MAX_BODY_BYTES)
        match response:
            case NoResponse(timed_out=True):
                return Retry(code="timeout", reason=f"no response within {request.timeout_seconds:g} s")
            case NoResponse(reason=reason):
                return Retry(code="connection", reason=reason)
            case Incoming():
                return _judged(request, response)

    async def _addresses(self, url: HttpUrl, allowed: str) -> tuple[str, ...] | Retry | Fail:
        """The addresses to connect to, or why there are none."""
        found = await reachable(url, allowed, self._resolver)
        match found:
            case Unresolved(reason=reason):
                return Retry(code="dns", reason=reason)
            case Forbidden():
                return Fail(code="forbidden_address", reason="the host is not at a public address")
            case tuple():
                return found


def _sent(value: str | SecretHeader) -> str:
    return value if isinstance(value, str) else value.text


def _judged(request: HttpRequest, response: Incoming) -> HttpResponse | Retry | Fail:
    """Decide by the response's status: success, retry or failure."""
    status, expected = response.status, request.expect_status
    if status in expected if expected is not None else 200 <= status < 300:  # noqa: PLR2004 - RFC 9110: 2xx
        body, whole = text_of(response.body, response.headers, complete=response.body_complete)
        headers, all_headers = text_headers(response.headers)
        return HttpResponse(
            status=status,
            headers=headers,
            body=body,
            truncated=not whole,
            headers_truncated=not (all_headers and response.headers_complete),
        )
    if status in _RETRYABLE or status >= _SERVER_ERROR:
        after = retry_after(first_header(response.headers, b"retry-after"), datetime.now(UTC))
        return Retry(code=f"http_{status}", reason=f"the server responded with {status}", after=after)
    return Fail(code=f"http_{status}", reason=f"the server responded with {status}, which is not expected")
