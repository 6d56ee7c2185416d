"""Middleware around every request: sets its id, logs one line, and turns an unexpected exception into a 500."""

import re
import time
import traceback
import uuid
from collections.abc import Mapping
from http import HTTPStatus

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from functions.api.http.links import links_below
from functions.api.http.prefixes import prefix_of
from functions.api.http.problems import problem, problem_response

_BUG = problem(HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error", "An internal error occurred.")

_REQUEST_ID = re.compile(r"[\x21-\x7e]{1,128}")


class RequestContext:
    """ASGI middleware. It logs method, route, status and time; never a query, a body or a header."""

    def __init__(self, app: ASGIApp, logger: Logger) -> None:
        self._app = app
        self._logger = logger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = scope["request_id"] = _request_id(scope)
        method = scope["method"]
        began = time.perf_counter()
        sent: list[int] = []

        async def tagged(message: Message) -> None:
            if message["type"] == "http.response.start":
                sent.append(message["status"])
                MutableHeaders(scope=message)["x-request-id"] = request_id
            await send(message)

        self._logger.append_keys(request_id=request_id)
        try:
            with links_below(prefix_of(scope.get("aws.event"))):
                await self._app(scope, receive, tagged)
        except Exception as bug:  # noqa: BLE001 - the client gets a 500, and the log the stack trace
            # Without the exception's message, which may quote what the client sent.
            trace = traceback.extract_tb(bug.__traceback__)
            frames = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in trace]
            self._logger.error("request_crashed", error=type(bug).__name__, frames=frames)  # noqa: TRY400
            if not sent:
                await problem_response(Request(scope), _BUG)(scope, receive, tagged)
        finally:
            route = scope.get("route")
            status = sent[0] if sent else HTTPStatus.INTERNAL_SERVER_ERROR
            if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                _count_server_error()
            self._logger.info(
                "request_answered",
                method=method,
                route=getattr(route, "path", None),
                status=status,
                milliseconds=round((time.perf_counter() - began) * 1000, 1),
            )


def _count_server_error() -> None:
    """Emit the metric of `ApiServerErrorsAlarm`, which rolls a deployment back."""
    metrics = EphemeralMetrics()
    metrics.add_metric("ServerErrors", MetricUnit.Count, 1)
    metrics.flush_metrics()


def _request_id(scope: Scope) -> str:
    """API Gateway's id of the request, so that its access log and ours can be correlated; else a new id."""
    event = scope.get("aws.event")
    context = event.get("requestContext") if isinstance(event, Mapping) else None
    given = context.get("requestId") if isinstance(context, Mapping) else None
    return given if isinstance(given, str) and _REQUEST_ID.fullmatch(given) else str(uuid.uuid4())
