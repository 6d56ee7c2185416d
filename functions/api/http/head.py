"""Serves HEAD for every path that GET serves (RFC 9110, section 9.3.2), through the GET route."""

from starlette.types import ASGIApp, Receive, Scope, Send


class HeadAsGet:
    """ASGI middleware: responds to HEAD as to GET.

    The content stays in the function's answer. Who sends the answer leaves it out, as HTTP demands, and derives
    Content-Length from it; an answer without it would say that GET's content has 0 bytes.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "HEAD":
            # Changed in place, because the router stores the route in this scope for `RequestContext` to log.
            scope["method"] = "GET"
        await self._app(scope, receive, send)
