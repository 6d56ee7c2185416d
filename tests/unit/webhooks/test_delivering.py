"""What an attempt needs, and what its end means for the endpoint."""

from datetime import timedelta

from domain.results import StorageUnavailable
from domain.webhooks.delivering import DeliveryService, Outbound
from domain.webhooks.delivery import Delivery
from domain.webhooks.endpoint import FAILING_LIMIT, PATIENCE, Disabled, Enabled, Endpoint, after_failure, after_gone
from domain.webhooks.repository import EndpointConflict, EndpointNotFound, EndpointRepository, SignerRepository
from domain.webhooks.signing import signed_headers
from headrace.authoring.outcomes import Fail, Retry
from headrace.testing.clock import FakeClock
from tests.factories import NOW
from tests.fakes.faulty_job_repository import OUTAGE
from tests.fakes.webhook_repository import FakeEndpointRepository, FakeSignerRepository
from tests.unit.webhooks.parts import URL, FaultyEndpoints, FaultySigners, a_signer, an_endpoint

TO_ENDPOINT = Delivery(message_id="m", endpoint_id="endpoint-1", signer_id="endpoint-1", body="{}")
TO_URL = Delivery(message_id="m", url="https://me.test/n", signer_id="ada", body="{}")


def a_service(
    endpoints: EndpointRepository | None = None,
    signers: SignerRepository | None = None,
    clock: FakeClock | None = None,
) -> DeliveryService:
    signers = signers or FakeSignerRepository(a_signer(), a_signer("ada"))
    return DeliveryService(endpoints or FakeEndpointRepository(an_endpoint()), signers, clock or FakeClock())


async def test_a_message_is_signed_when_it_is_sent_and_goes_where_the_endpoint_is_now() -> None:
    headers = signed_headers(a_signer(), "m", "{}", NOW)
    assert await a_service().prepare(TO_ENDPOINT) == Outbound(
        url=URL, headers=headers, body="{}", endpoint=an_endpoint()
    )
    own = await a_service().prepare(TO_URL)
    assert isinstance(own, Outbound)
    assert (own.url, own.endpoint) == ("https://me.test/n", None)


async def test_a_delivery_that_nobody_wants_or_can_sign_fails_and_says_why() -> None:
    gone = a_service(FakeEndpointRepository(after_gone(an_endpoint(), NOW)))
    deleted, unsigned = a_service(FakeEndpointRepository()), a_service(signers=FakeSignerRepository())
    codes = {}
    for name, service in {"gone": gone, "deleted": deleted, "unsigned": unsigned}.items():
        failed = await service.prepare(TO_ENDPOINT)
        assert isinstance(failed, Fail)
        codes[name] = failed.code
    assert codes == {"gone": "endpoint_disabled", "deleted": "endpoint_deleted", "unsigned": "no_secret"}


async def test_a_store_that_does_not_answer_costs_an_attempt() -> None:
    for service in (
        a_service(FaultyEndpoints(on_get=lambda: OUTAGE)),
        a_service(signers=FaultySigners(on_get=lambda: OUTAGE)),
    ):
        assert isinstance(await service.prepare(TO_ENDPOINT), Retry)


async def state_of(endpoints: FakeEndpointRepository) -> Enabled | Disabled:
    found = await endpoints.get("endpoint-1")
    assert isinstance(found, Endpoint)
    return found.state


async def test_failures_are_noted_until_they_disable_and_a_success_forgets_them() -> None:
    endpoints, clock = FakeEndpointRepository(an_endpoint()), FakeClock()
    service = a_service(endpoints, clock=clock)
    assert await service.failed(an_endpoint(), 1) is None
    assert await state_of(endpoints) == Enabled(failing_since=NOW)
    failing = after_failure(an_endpoint(), 1, NOW)
    await service.succeeded(failing)
    assert await state_of(endpoints) == Enabled()
    current = await endpoints.get("endpoint-1")
    assert isinstance(current, Endpoint)
    await service.failed(current, 1)
    clock.forward(FAILING_LIMIT)
    # An attempt that read the endpoint before the last change sees that change first.
    disabled = await service.failed(failing, PATIENCE)
    assert disabled is not None
    assert await state_of(endpoints) == Disabled(since=clock.now, reason="failing")


async def test_an_endpoint_that_is_gone_is_disabled_and_told_once() -> None:
    endpoints = FakeEndpointRepository(an_endpoint())
    service = a_service(endpoints)
    first = await service.gone(an_endpoint())
    assert first is not None
    assert isinstance(first.state, Disabled)
    assert await service.gone(an_endpoint()) is None


async def test_what_cannot_be_noted_is_left_to_the_next_failure() -> None:
    conflict = EndpointConflict(endpoint_id="endpoint-1")
    faults: tuple[EndpointConflict | StorageUnavailable, ...] = (OUTAGE, conflict)
    for fault in faults:
        endpoints = FaultyEndpoints(an_endpoint(), on_replace=lambda fault=fault: fault)  # type: ignore[misc]
        assert await a_service(endpoints).gone(an_endpoint()) is None
    deleted = FaultyEndpoints(on_get=EndpointNotFound)
    assert await a_service(deleted).gone(an_endpoint()) is None


async def test_a_long_wait_between_failures_is_no_failing_for_days() -> None:
    endpoints, clock = FakeEndpointRepository(an_endpoint()), FakeClock()
    service = a_service(endpoints, clock=clock)
    await service.failed(an_endpoint(), 1)
    clock.forward(timedelta(days=30))
    found = await endpoints.get("endpoint-1")
    assert isinstance(found, Endpoint)
    assert await service.failed(found, 1) is None
