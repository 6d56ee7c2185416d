"""Sends requests, and repeats those that may be repeated."""

from collections.abc import AsyncIterator, Callable
from typing import BinaryIO

import httpx

from headrace_client.errors import NotHeadrace, Unreachable
from headrace_client.messages import MAX_RESPONSE_BYTES, Reply, Request
from headrace_client.models import UploadLink
from headrace_client.retry import Retry, is_unsettled, retry_after
from headrace_client.seams import AsyncAttempt, AsyncSeams, Broken, async_call

CHUNK_BYTES = 1024 * 1024


class AsyncSender:
    """Speaks HTTP: to one API, and to the store that its links lead to."""

    def __init__(
        self,
        base: str,
        auth: httpx.Auth | None,
        timeout: float,
        retry: Retry,
        transport: httpx.AsyncBaseTransport | None,
        seams: AsyncSeams,
    ) -> None:
        self._base, self._timeout, self._retry, self._seams = base, timeout, retry, seams
        # Loading the CA certificates takes longer than most requests, and plain HTTP needs none.
        is_plain = base.lower().startswith("http:")
        self._http = httpx.AsyncClient(auth=auth, timeout=timeout, verify=not is_plain, transport=transport)
        self._checks_certificates = not is_plain or transport is not None
        self._checking: httpx.AsyncClient | None = None

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()
        if self._checking is not None:
            await self._checking.aclose()

    async def send(self, request: Request, unsettled: Callable[[Reply], bool] = is_unsettled) -> Reply:
        """The response to a request; raises `Unreachable`. A repeatable one is repeated while it is `unsettled`."""
        target, fields = request.target(self._base), request.fields()
        body = None if request.body is None else request.body.encode()
        limit = self._timeout + request.held

        async def once() -> Reply | Broken:
            try:
                made = self._http.build_request(
                    request.method, target, content=body, headers=fields, timeout=httpx.Timeout(limit)
                )
                return await self._received(await self._http.send(made, stream=True), limit)
            except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
                return _broken(target, error)

        return await self._repeated(once, unsettled, may_repeat=request.repeatable)

    async def put(self, link: UploadLink, content: BinaryIO) -> Reply:
        """The store's response to an upload, which is read a chunk at a time; raises `Unreachable`."""
        start = content.tell()

        async def once() -> Reply | Broken:
            content.seek(start)

            async def chunks() -> AsyncIterator[bytes]:
                while chunk := await async_call(content.read, CHUNK_BYTES):
                    yield chunk

            try:
                http = self._for_link(link.url)
                made = http.build_request(link.method, link.url, content=chunks(), headers=link.headers)
                return await self._received(await http.send(made, stream=True, auth=None), self._timeout)
            except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
                return _broken(link.url, error)

        return await self._repeated(once, is_unsettled, may_repeat=True)

    async def fetch(self, url: str, sink: BinaryIO) -> Reply:
        """Download into `sink`, a chunk at a time; raises `Unreachable`. The reply has no body if it is a success."""
        seekable = sink.seekable()
        start = sink.tell() if seekable else 0

        async def once() -> Reply | Broken:
            if seekable:
                sink.seek(start)
                sink.truncate()
            try:
                async with self._for_link(url).stream("GET", url, auth=None) as response:
                    if not response.is_success:
                        return await self._received(response, self._timeout)
                    size = 0
                    async for chunk in response.aiter_bytes(CHUNK_BYTES):
                        size += await async_call(sink.write, chunk)
                    return Reply(_place(url), response.status_code, _fields(response), b"", size)
            except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
                return _broken(url, error)

        return await self._repeated(once, is_unsettled, may_repeat=seekable)

    def _for_link(self, url: str) -> httpx.AsyncClient:
        """What follows a link: it may be HTTPS where the API, on this machine, is not."""
        if self._checks_certificates or url.lower().startswith("http:"):
            return self._http
        self._checking = self._checking or httpx.AsyncClient(timeout=self._timeout)
        return self._checking

    async def _repeated(self, once: AsyncAttempt, unsettled: Callable[[Reply], bool], *, may_repeat: bool) -> Reply:
        began, tries = self._seams.clock(), 0
        while True:
            found = await once()
            again = found.passing if isinstance(found, Broken) else unsettled(found)
            asked = None if isinstance(found, Broken) else retry_after(found)
            passed = self._seams.clock() - began
            pause = self._retry.pause(tries, passed, asked, self._seams.random) if again and may_repeat else None
            if pause is None:
                return _whole(found)
            await self._seams.sleep(pause)
            tries += 1

    async def _received(self, response: httpx.Response, seconds: float) -> Reply | Broken:
        """Read a response to its end, unless it is too large or too slow."""
        place, ends, body = _place(str(response.url)), self._seams.clock() + seconds, bytearray()
        try:
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > MAX_RESPONSE_BYTES:
                    return Broken(NotHeadrace(place, f"more than {MAX_RESPONSE_BYTES} bytes"), passing=False)
                if self._seams.clock() > ends:
                    return Broken(Unreachable(place, f"the response took longer than {seconds:g} s"), passing=True)
        finally:
            await response.aclose()
        return Reply(place, response.status_code, _fields(response), bytes(body))


def _whole(found: Reply | Broken) -> Reply:
    if isinstance(found, Broken):
        raise found.error
    return found


def _broken(url: str, error: Exception) -> Broken:
    """A failure of the transport passes, unless the request itself cannot be sent."""
    # The resolver raises UnicodeError for an impossible host name.
    passing = isinstance(error, httpx.TransportError) and not isinstance(
        error, httpx.UnsupportedProtocol | httpx.LocalProtocolError
    )
    return Broken(Unreachable(_place(url), str(error) or type(error).__name__), passing)


def _fields(response: httpx.Response) -> dict[str, str]:
    return {name.lower(): value for name, value in response.headers.items()}


def _place(url: str) -> str:
    """Without the signature, which is a secret."""
    return url.partition("?")[0]
