"""A proxy in front of a database that forwards a request and then drops the response."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

import aiohttp
from aiohttp import web

_HOP = frozenset({"content-length", "transfer-encoding", "connection", "content-encoding", "host"})


class Call(NamedTuple):
    """A call that went through the proxy."""

    operation: str
    body: str


class LossyProxy:
    """Records every call, and drops the responses to the first `losses` calls of `operation`."""

    def __init__(self, target: str, operation: str, losses: int, *, before: bool = False) -> None:
        self._target = target
        self._operation = operation
        self.left = losses
        self._before = before
        self.calls: list[Call] = []

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        operation = request.headers.get("X-Amz-Target", "").rpartition(".")[2]
        self.calls.append(Call(operation, body.decode()))
        if self._before and self.left > 0 and operation == self._operation:
            self.left -= 1
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP}
        async with (
            aiohttp.ClientSession(auto_decompress=False) as session,
            session.request(request.method, self._target + request.path_qs, data=body, headers=headers) as answer,
        ):
            content = await answer.read()
            if self.left > 0 and operation == self._operation:
                self.left -= 1
                assert request.transport is not None
                request.transport.abort()
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in _HOP}
            return web.Response(status=answer.status, body=content, headers=kept)


@asynccontextmanager
async def lossy(
    target: str, operation: str, losses: int = 1, *, before: bool = False
) -> AsyncIterator[tuple[str, LossyProxy]]:
    """Yield the proxy's URL and the proxy; `before` drops the request instead of the response."""
    proxy = LossyProxy(target, operation, losses, before=before)
    app = web.Application(client_max_size=2**21)
    app.router.add_route("*", "/{path:.*}", proxy.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", proxy
    finally:
        await runner.cleanup()
