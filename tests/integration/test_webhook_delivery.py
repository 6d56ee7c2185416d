"""`webhook.deliver` against a real receiver: what it sends, and what each answer means for job and endpoint."""

import asyncio
import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import pytest
from aiohttp import web
from aws_lambda_powertools import Logger
from standardwebhooks import Webhook

from domain.webhooks.delivering import DeliveryService
from domain.webhooks.delivery import ALLOWED_HOSTS, Delivered, Delivery
from domain.webhooks.endpoint import FAILING_LIMIT, Disabled, Enabled, Endpoint, EndpointWishes, new_endpoint
from domain.webhooks.signing import new_signer
from functions.attempts.deliver_webhook import DeliverWebhook
from functions.runtime import new_id, now
from headrace.authoring.outcomes import Fail, Retry
from headrace.testing.clock import FakeClock
from tests.fakes.context import FakeContext
from tests.fakes.webhook_repository import FakeEndpointRepository, FakeSignerRepository
from tests.serving import serving

SIGNER = new_signer("endpoint-1", bytes(range(32)), now())
BODY = '{"type":"webhook.test","data":{"snow":"☃"}}'
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
DELIVERY = Delivery(message_id="message-1", endpoint_id="endpoint-1", signer_id="endpoint-1", body=BODY)


class Case:
    """One endpoint on a receiver that gives one answer."""

    def __init__(self, url: str, clock: Callable[[], datetime] = now) -> None:
        self.endpoints = FakeEndpointRepository(new_endpoint("endpoint-1", EndpointWishes(url=url), now()))
        self.log = io.StringIO()
        service = DeliveryService(self.endpoints, FakeSignerRepository(SIGNER), clock)
        self._handler = DeliverWebhook(lambda: service, Logger(f"deliver-{new_id()}", stream=self.log))

    async def deliver(
        self, *, allowed: str = "127.0.0.1", attempt: int = 1, traceparent: str | None = None
    ) -> Delivered | Retry | Fail:
        context = FakeContext({ALLOWED_HOSTS: allowed})
        context.traceparent = traceparent
        context.attempt = attempt
        return await self._handler.run(DELIVERY, context)

    async def state(self) -> Enabled | Disabled:
        found = await self.endpoints.get("endpoint-1")
        assert isinstance(found, Endpoint)
        return found.state


@contextmanager
def answering(status: int, **headers: str) -> Iterator[str]:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(status=status, headers=headers, text="x" * 5000)

    with serving(answer) as url:
        yield url


async def test_a_delivery_is_signed_as_the_specification_says() -> None:
    seen: list[tuple[dict[str, str], str]] = []

    async def record(request: web.Request) -> web.Response:
        seen.append(({name.lower(): value for name, value in request.headers.items()}, await request.text()))
        return web.Response(status=204)

    with serving(record) as url:
        case = Case(f"{url}/hooks?token=secret")
        assert await case.deliver() == Delivered(status=204)
        assert await case.deliver(attempt=2, traceparent=TRACEPARENT) == Delivered(status=204)
    for headers, body in seen:
        assert body == BODY
        assert Webhook(SIGNER.secret).verify(body, headers) == json.loads(BODY)
        assert (headers["webhook-id"], headers["content-type"]) == ("message-1", "application/json")
    assert ["traceparent" in headers for headers, _ in seen] == [False, True]
    trace, parent = TRACEPARENT[:36], TRACEPARENT[36:52]
    sent = seen[1][0]["traceparent"]
    assert (sent[:36], sent[52:], len(sent)) == (trace, "-01", 55)
    assert sent[36:52] != parent, "the attempt is the parent"
    assert await case.state() == Enabled()


@pytest.mark.parametrize("status", [301, 400, 401, 404, 429, 500, 503])
async def test_whatever_is_no_success_is_tried_again(status: int) -> None:
    with answering(status, **{"Location": "http://169.254.169.254/", "Retry-After": "7"}) as url:
        case = Case(url)
        outcome = await case.deliver()
    assert isinstance(outcome, Retry)
    assert (outcome.code, outcome.after) == (f"http_{status}", timedelta(seconds=7))
    state = await case.state()
    assert isinstance(state, Enabled)
    assert state.failing_since is not None


async def test_410_disables_the_endpoint_with_a_notice_that_names_no_url() -> None:
    with answering(410) as url:
        case = Case(f"{url}/token-in-path")
        first, second = await case.deliver(), await case.deliver()
    assert isinstance(first, Fail)
    assert isinstance(second, Fail)
    assert (first.code, second.code) == ("http_410", "endpoint_disabled")
    state = await case.state()
    assert isinstance(state, Disabled)
    assert state.reason == "gone"
    (notice,) = [json.loads(line) for line in case.log.getvalue().splitlines()]
    assert (notice["message"], notice["endpoint_id"], notice["reason"]) == ("webhook_disabled", "endpoint-1", "gone")
    assert "token-in-path" not in case.log.getvalue()


async def test_days_of_failures_disable_it_and_a_success_in_between_does_not() -> None:
    clock = FakeClock(now())
    with answering(500) as down, answering(200) as up:
        case = Case(down, clock)
        await case.deliver()
        clock.forward(FAILING_LIMIT)
        await case.deliver(attempt=9)
        healthy = Case(up, clock)
        await healthy.deliver(attempt=9)
    state = await case.state()
    assert isinstance(state, Disabled)
    assert state.reason == "failing"
    assert await healthy.state() == Enabled()


async def test_a_private_host_is_not_reached_unless_it_is_permitted() -> None:
    reached: list[str] = []

    async def record(request: web.Request) -> web.Response:
        reached.append(request.path)
        return web.Response()

    with serving(record) as url:
        outcome = await Case(url).deliver(allowed="")
    assert isinstance(outcome, Fail)
    assert (outcome.code, reached) == ("forbidden_address", [])


async def test_a_receiver_that_is_not_there_is_tried_again() -> None:
    refused = await Case("http://127.0.0.1:1/").deliver()
    assert isinstance(refused, Retry)
    assert refused.code == "connection"
    unresolved = await Case("http://nowhere.invalid/").deliver()
    assert isinstance(unresolved, Retry)
    assert unresolved.code == "dns"


async def test_a_receiver_that_is_slow_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("functions.attempts.deliver_webhook.EXCHANGE_LIMIT", timedelta(seconds=0.2))

    async def wait(_request: web.Request) -> web.Response:
        await asyncio.sleep(1)
        return web.Response()

    with serving(wait) as url:
        outcome = await Case(url).deliver()
    assert isinstance(outcome, Retry)
    assert outcome.code == "timeout"
