"""Serves HEAD for every path that GET serves (RFC 9110, section 9.3.2), through the GET route."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class HeadAsGet:
    """ASGI middleware: responds to HEAD with the status and headers of GET, and no content."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def without_content(message: Message) -> None:
            await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

        # Changed in place, because the router stores the route in this scope for `RequestContext` to log.
        scope["method"] = "GET"
        await self._app(scope, receive, without_content)
