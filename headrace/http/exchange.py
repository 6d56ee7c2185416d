"""Sends one HTTP/1.1 request exactly as given, and reads as much of the response as arrives.

An HTTP library refuses a whole response for one flaw, repeats a request when a connection breaks, and rewrites the URL.
A delivery needs the opposite: the URL's bytes are the caller's, the request is sent once, and the status line decides.
After the status line nothing here raises: malformed headers are left out, and the body ends where the rules of
RFC 9112, the limit, the time or the server end it.
"""

import asyncio
import re
import ssl
from collections.abc import Sequence
from datetime import timedelta
from functools import cache
from typing import NamedTuple

from headrace.http.body import More, read_body
from headrace.http.url import HttpUrl

MAX_HEAD_BYTES = 256 * 1024
"""Limit of the status line and headers together; the body of a response that exceeds it is not read."""
_MAX_LINES = 2000
"""Limit of their lines; further lines are left out."""
_READ_BYTES = 16 * 1024
_SWITCHING_PROTOCOLS = 101
_OK, _NO_CONTENT, _NOT_MODIFIED = 200, 204, 304
_BODY_METHODS = frozenset({"POST", "PUT", "PATCH"})

_HEAD_END = re.compile(rb"\r?\n\r?\n")
_STATUS_LINE = re.compile(rb"HTTP/[0-9]\.[0-9] +([0-9]{3})(?:[ \r\n]|$)")
_FOLD = re.compile(rb"\r?\n[ \t]+")

Headers = tuple[tuple[bytes, bytes], ...]


class Outgoing(NamedTuple):
    """A request to send."""

    method: str
    url: HttpUrl
    headers: tuple[tuple[str, str], ...]
    body: bytes | None


class Incoming(NamedTuple):
    """A response, as far as it arrived."""

    status: int
    headers: Headers
    """In the order received; names in lower case."""
    headers_complete: bool
    body: bytes
    body_complete: bool
    """False when the body is longer than the limit, or broke off."""


class NoResponse(NamedTuple):
    """No status line was received."""

    timed_out: bool
    reason: str


async def exchange(
    request: Outgoing, addresses: Sequence[str], limit: timedelta, max_body: int
) -> Incoming | NoResponse:
    """Deliver `request` to the first of `addresses` that accepts the connection; all of it takes at most `limit`."""
    ends = asyncio.get_running_loop().time() + limit.total_seconds()
    connection = await _connect(request.url, addresses, ends)
    if isinstance(connection, NoResponse):
        return connection
    reader, writer = connection
    try:
        # Written without waiting for it to be sent: a server may respond before it has read the request, or unread.
        writer.write(_request_bytes(request))
        return await _receive(request.method, _reading(reader, ends), ends, max_body)
    finally:
        writer.transport.abort()


async def _connect(
    url: HttpUrl, addresses: Sequence[str], ends: float
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | NoResponse:
    """Connect to the first address that accepts; each gets an equal share of the time that is left."""
    loop = asyncio.get_running_loop()
    failure = NoResponse(timed_out=False, reason="no address")
    for place, address in enumerate(addresses):
        try:
            async with asyncio.timeout_at(loop.time() + (ends - loop.time()) / (len(addresses) - place)):
                return await asyncio.open_connection(
                    address,
                    url.port,
                    limit=_READ_BYTES,
                    ssl=_tls() if url.tls else None,
                    server_hostname=url.host.host.removesuffix(".") if url.tls else None,
                )
        except (OSError, ValueError) as error:
            failure = NoResponse(timed_out=type(error) is TimeoutError, reason=type(error).__name__)
    return failure


@cache
def _tls() -> ssl.SSLContext:
    """The TLS context, created once: loading the CA certificates takes longer than a delivery."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


def _request_bytes(request: Outgoing) -> bytes:
    """Serialize the request: the caller's headers as UTF-8, and only those of ours that the message needs."""
    length = len(request.body or b"")
    needed = [("Content-Length", str(length))] if request.body is not None or request.method in _BODY_METHODS else []
    headers = [("Host", request.url.netloc), *request.headers, *needed, ("Connection", "close")]
    lines = [f"{request.method} {request.url.target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
    return "\r\n".join([*lines, "", ""]).encode() + (request.body or b"")


def _reading(reader: asyncio.StreamReader, ends: float) -> More:
    async def more() -> bytes | None:
        try:
            async with asyncio.timeout_at(ends):
                return await reader.read(_READ_BYTES)
        except OSError:
            return None

    return more


async def _receive(method: str, more: More, ends: float, max_body: int) -> Incoming | NoResponse:
    raw = bytearray()
    while True:
        head, has_end = await _read_head(more, raw)
        status_line = _STATUS_LINE.match(head)
        if status_line is None:
            late = asyncio.get_running_loop().time() >= ends
            return NoResponse(
                timed_out=late and not head, reason="not an HTTP response" if head else "the connection ended"
            )
        status, headers = int(status_line[1]), _headers(head)
        if status >= _OK or status == _SWITCHING_PROTOCOLS:
            break
        await asyncio.sleep(0)
    if not has_end:
        return Incoming(status=status, headers=headers, headers_complete=False, body=b"", body_complete=False)
    if method == "HEAD" or status < _OK or status in {_NO_CONTENT, _NOT_MODIFIED}:
        body, complete = b"", True
    else:
        body, complete = await read_body(headers, more, raw, max_body)
    return Incoming(status=status, headers=headers, headers_complete=True, body=body, body_complete=complete)


async def _read_head(more: More, raw: bytearray) -> tuple[bytes, bool]:
    """Remove the status line and headers from `raw`, reading as needed; False when they are incomplete."""
    searched = 0
    while (end := _HEAD_END.search(raw, searched)) is None:
        searched = max(0, len(raw) - 3)
        piece = await more() if len(raw) < MAX_HEAD_BYTES else None
        if not piece:
            head = bytes(raw)
            raw.clear()
            return head, False
        raw += piece
    head = bytes(raw[: end.start()])
    del raw[: end.end()]
    return head, True


def _headers(head: bytes) -> Headers:
    lines = _FOLD.sub(b" ", head).split(b"\n", _MAX_LINES)[1:_MAX_LINES]
    fields = (line.partition(b":") for line in lines)
    return tuple((name.strip().lower(), value.strip()) for name, colon, value in fields if colon and name.strip())
