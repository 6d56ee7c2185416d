"""`http.request`: deliver an HTTP request, with retries; guarded against server-side request forgery."""

import asyncio
import codecs
import ipaddress
import re
import socket
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Annotated, Literal
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from domain.jobs.job_type import JobContext, JobType, Policy
from domain.jobs.outcomes import Fail, Retry
from domain.jobs.retry import Backoff

MAX_BODY_BYTES = 64 * 1024
"""Of a response; the rest is not read."""
MAX_HEADERS = 50
MAX_TIMEOUT_SECONDS = 20
ALLOWED_HOSTS = "HTTP_REQUEST_ALLOWED_HOSTS"
"""The setting that permits private hosts by name: `host` or `host:port`, separated by commas."""

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_OURS = frozenset({
    "connection", "content-length", "expect", "host", "idempotency-key", "keep-alive", "proxy-authorization",
    "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
})  # fmt: skip
_RETRYABLE = frozenset({408, 425, 429})
_SERVER_ERROR = 500
# RFC 6052 section 2.1, RFC 3056: IPv6 prefixes that lead to an IPv4 address inside them.
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_SIX_TO_FOUR = ipaddress.IPv6Network("2002::/16")


def _http_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError("not a URL") from error
    if parts.scheme not in {"http", "https"} or not host:
        raise ValueError("only http:// and https:// URLs with a host are delivered to")
    if parts.username is not None or parts.password is not None:
        raise ValueError("credentials belong into a header, not into the URL")
    if not url.isascii() or any(character <= " " for character in url):
        raise ValueError("a URL is ASCII without spaces; encode the rest as %XX")
    return url


def _headers(headers: dict[str, str]) -> dict[str, str]:
    for name, value in headers.items():
        if not _TOKEN.fullmatch(name) or not _VALUE.fullmatch(value):
            raise ValueError(f"not a header: {name[:50]!r}")
        if name.lower() in _OURS:
            raise ValueError(f"{name} is set by the delivery itself")
    return headers


Status = Annotated[int, Field(ge=100, le=599)]


class HttpRequest(BaseModel):
    """The request to deliver. Its body is sent as UTF-8."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] = "POST"
    url: Annotated[str, Field(max_length=2048), AfterValidator(_http_url)]
    headers: Annotated[dict[str, str], Field(max_length=MAX_HEADERS), AfterValidator(_headers)] = Field(
        default_factory=dict
    )
    body: str | None = None
    expect_status: list[Status] | None = Field(
        default=None, min_length=1, description="What counts as delivered; any 2xx unless given"
    )
    timeout_seconds: float = Field(default=10, gt=0, le=MAX_TIMEOUT_SECONDS)


class HttpResponse(BaseModel):
    """The response that counted as delivered. Bytes of the body that are not text are replaced."""

    status: int
    headers: dict[str, str]
    body: str
    truncated: bool = Field(description=f"Whether the body was longer than {MAX_BODY_BYTES} bytes")


HTTP_REQUEST = JobType[HttpRequest, HttpResponse](
    name="http.request",
    summary="Deliver an HTTP request, retried on 429, 5xx and time-outs",
    payload=HttpRequest,
    result=HttpResponse,
    policy=Policy(max_attempts=5, timeout=timedelta(seconds=25), backoff=Backoff(base=timedelta(seconds=2))),
)


class DeliverHttpRequest:
    """The handler. Redirects are not followed: they are answers like any other."""

    definition = HTTP_REQUEST

    async def run(self, request: HttpRequest, context: JobContext) -> HttpResponse | Retry | Fail:
        """The response, `Retry` when another attempt may succeed, `Fail` when none can."""
        allowed = _allowed_hosts(context.settings)
        addresses = await _resolve(request.url, allowed)
        if not isinstance(addresses, tuple):
            return addresses
        connector = aiohttp.TCPConnector(resolver=_Pinned(addresses), force_close=True, use_dns_cache=False)
        timeout = aiohttp.ClientTimeout(total=request.timeout_seconds)
        try:
            async with (
                aiohttp.ClientSession(connector=connector, timeout=timeout, trust_env=False) as session,
                session.request(
                    request.method,
                    request.url,
                    headers={**request.headers, "Idempotency-Key": context.idempotency_key},
                    data=None if request.body is None else request.body.encode(),
                    allow_redirects=False,
                ) as response,
            ):
                return await _answer(request, response)
        except TimeoutError:
            return Retry(code="timeout", reason=f"no answer within {request.timeout_seconds:g} s")
        except aiohttp.ClientError as error:
            return Retry(code="connection", reason=type(error).__name__)


async def _answer(request: HttpRequest, response: aiohttp.ClientResponse) -> HttpResponse | Retry | Fail:
    status = response.status
    wanted = request.expect_status
    if status in wanted if wanted is not None else 200 <= status < 300:  # noqa: PLR2004 - RFC 9110: 2xx
        raw = await response.content.read(MAX_BODY_BYTES + 1) if request.method != "HEAD" else b""
        while len(raw) <= MAX_BODY_BYTES and not response.content.at_eof():
            raw += await response.content.read(MAX_BODY_BYTES + 1 - len(raw))
        return HttpResponse(
            status=status,
            headers={
                name.lower(): ", ".join(response.headers.getall(name))
                for name in list(dict.fromkeys(response.headers))[:MAX_HEADERS]
            },
            body=raw[:MAX_BODY_BYTES].decode(_charset(response), errors="replace"),
            truncated=len(raw) > MAX_BODY_BYTES,
        )
    if status in _RETRYABLE or status >= _SERVER_ERROR:
        after = _retry_after(response.headers.get("Retry-After"), datetime.now(UTC))
        return Retry(code=f"http_{status}", reason=f"the server answered {status}", after=after)
    return Fail(code=f"http_{status}", reason=f"the server answered {status}, which is not expected")


def _charset(response: aiohttp.ClientResponse) -> str:
    try:
        return codecs.lookup(response.charset or "utf-8").name
    except LookupError:
        return "utf-8"


def _retry_after(value: str | None, now: datetime) -> timedelta | None:
    """RFC 9110, section 10.2.3: seconds, or a date; anything else is ignored."""
    if value is None:
        return None
    if value.strip().isdecimal() and value.isascii():
        return timedelta(seconds=min(int(value[:12]), 10**9))
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(aware - now, timedelta(0))


def _allowed_hosts(settings: Mapping[str, str]) -> frozenset[str]:
    return frozenset(host.strip().lower() for host in settings.get(ALLOWED_HOSTS, "").split(",") if host.strip())


async def _resolve(url: str, allowed: frozenset[str]) -> tuple[str, ...] | Retry | Fail:
    """The addresses that the delivery may connect to; all of them public, unless the host is permitted."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    try:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return Retry(code="dns", reason="the host name could not be resolved")
    addresses = tuple(dict.fromkeys(str(entry[4][0]).split("%")[0] for entry in found))
    if host in allowed or f"{host}:{port}" in allowed:
        return addresses
    if not addresses or not all(is_public(address) for address in addresses):
        return Fail(code="forbidden_address", reason="the host is not at a public address")
    return addresses


def is_public(address: str) -> bool:
    """Whether an address is of the public internet, also when an IPv6 form hides an IPv4 address."""
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address):
        inner = _inner(ip)
        if inner is not None:
            return is_public(str(inner))
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified or ip.is_loopback)


class _Pinned(AbstractResolver):
    """Resolves every name to addresses that were checked, so that a second answer of DNS changes nothing."""

    def __init__(self, addresses: tuple[str, ...]) -> None:
        self._addresses = addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in self._addresses
            if family in {socket.AF_UNSPEC, socket.AF_INET6 if ":" in address else socket.AF_INET}
        ]

    async def close(self) -> None:
        """Nothing to close."""


def _inner(ip: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if ip in _NAT64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    if ip in _SIX_TO_FOUR:
        return ip.sixtofour
    return ip.ipv4_mapped
