"""Runs `webhook.deliver`: sends a signed message, and says what the answer means for the endpoint."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from domain.webhooks.delivering import DeliveryService, Outbound
from domain.webhooks.delivery import ALLOWED_HOSTS, DELIVERY, Delivered, Delivery
from domain.webhooks.endpoint import Disabled, Endpoint
from headrace.authoring.outcomes import Fail, Retry
from headrace.authoring.trace import trace_headers

if TYPE_CHECKING:
    from collections.abc import Callable

    from headrace.authoring.context import JobContext
    from headrace.http.exchange import Incoming
    from headrace.http.name_resolution import Resolver

EXCHANGE_LIMIT = timedelta(seconds=15)
"""Standard Webhooks asks senders to wait for 15 to 30 s."""
MAX_RESPONSE = 1024
"""Bytes of the response's body that are read; nothing is kept of them."""
_GONE = 410
_OURS = (("Content-Type", "application/json"), ("User-Agent", "Headrace-Webhooks/1"))


class DeliverWebhook:
    """The handler. Any 2xx is taken as received; redirects are not followed."""

    definition = DELIVERY

    def __init__(
        self, service: Callable[[], DeliveryService], logger: Logger, resolver: Callable[[], Resolver] | None = None
    ) -> None:
        self._service = service
        self._logger = logger
        self._resolver = resolver or _system_resolver()

    async def run(self, delivery: Delivery, context: JobContext, /) -> Delivered | Retry | Fail:
        """Deliver the message; every failure is worth another attempt, but for 410 and a forbidden host."""
        service = self._service()
        outbound = await service.prepare(delivery)
        if not isinstance(outbound, Outbound):
            return outbound
        outcome = await self._sent(outbound, trace_headers(context), context.settings.get(ALLOWED_HOSTS, ""))
        if outbound.endpoint is not None:
            await self._note(service, outbound.endpoint, outcome, context.attempt)
        return outcome

    async def _sent(
        self, outbound: Outbound, trace: tuple[tuple[str, str], ...], allowed: str
    ) -> Delivered | Retry | Fail:
        # Imported here: the cold start of a function that delivers nothing does not pay for it.
        from headrace.http.exchange import NoResponse, Outgoing, exchange
        from headrace.http.guard import Forbidden, reachable
        from headrace.http.name_resolution import Unresolved
        from headrace.http.url import split_url

        url = split_url(outbound.url)
        addresses = await reachable(url, allowed, self._resolver())
        match addresses:
            case Unresolved(reason=reason):
                return Retry(code="dns", reason=reason)
            case Forbidden():
                return Fail(code="forbidden_address", reason="the host is not at a public address")
            case tuple():
                pass
        outgoing = Outgoing("POST", url, (*_OURS, *trace, *outbound.headers), outbound.body.encode())
        response = await exchange(outgoing, addresses, EXCHANGE_LIMIT, MAX_RESPONSE)
        match response:
            case NoResponse(timed_out=True):
                return Retry(code="timeout", reason=f"no response within {EXCHANGE_LIMIT.total_seconds():g} s")
            case NoResponse(reason=reason):
                return Retry(code="connection", reason=reason)
            case _:
                return _judged(response)

    async def _note(
        self, service: DeliveryService, endpoint: Endpoint, outcome: Delivered | Retry | Fail, attempt: int
    ) -> None:
        match outcome:
            case Delivered():
                await service.succeeded(endpoint)
            case Fail(code=code) if code == f"http_{_GONE}":
                self._report(await service.gone(endpoint))
            case Retry() | Fail():
                self._report(await service.failed(endpoint, attempt))

    def _report(self, disabled: Endpoint | None) -> None:
        """Log that an endpoint was disabled, and count it: the notice for those who run the deployment."""
        if disabled is None or not isinstance(disabled.state, Disabled):
            return
        # Without the URL, which may hold a token.
        self._logger.error("webhook_disabled", endpoint_id=disabled.id, reason=disabled.state.reason)
        metrics = EphemeralMetrics()
        metrics.add_metric("WebhooksDisabled", MetricUnit.Count, 1)
        metrics.flush_metrics()


def _judged(response: Incoming) -> Delivered | Retry | Fail:
    from headrace.http.answer import first_header, retry_after

    status = response.status
    if 200 <= status < 300:  # noqa: PLR2004 - RFC 9110: 2xx
        return Delivered(status=status)
    if status == _GONE:
        return Fail(code=f"http_{_GONE}", reason="the receiver responded with 410: it wants no more webhooks")
    after = retry_after(first_header(response.headers, b"retry-after"), datetime.now(UTC))
    return Retry(code=f"http_{status}", reason=f"the receiver responded with {status}", after=after)


def _system_resolver() -> Callable[[], Resolver]:
    """The system's resolver, with threads of its own, made when the first delivery needs it."""
    made: list[Resolver] = []

    def resolver() -> Resolver:
        if not made:
            from headrace.http.name_resolution import SystemResolver

            made.append(SystemResolver())
        return made[0]

    return resolver
