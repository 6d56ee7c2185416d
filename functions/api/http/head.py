"""HEAD for every path that GET serves (RFC 9110, section 9.3.2), without a second implementation of any."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class HeadAsGet:
    """ASGI middleware: answers HEAD as GET is answered, with the same status and headers and no content."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def without_content(message: Message) -> None:
            await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

        # In place, so that the route that serves the request is seen by who logs it.
        scope["method"] = "GET"
        await self._app(scope, receive, without_content)
