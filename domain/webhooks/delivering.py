"""What an attempt of a delivery needs to know, and what its end means for the endpoint."""

from collections.abc import Callable
from datetime import datetime

from domain.ports import Clock
from domain.results import StorageUnavailable
from domain.webhooks.delivery import Delivery
from domain.webhooks.endpoint import Disabled, Endpoint, after_failure, after_gone, after_success
from domain.webhooks.repository import (
    EndpointConflict,
    EndpointNotFound,
    EndpointRepository,
    SignerNotFound,
    SignerRepository,
)
from domain.webhooks.signing import signed_headers
from headrace.authoring.frozen import Frozen
from headrace.authoring.outcomes import Fail, Retry

MAX_CONFLICTS = 5


class Outbound(Frozen):
    """A signed message, and where to send it."""

    url: str
    headers: tuple[tuple[str, str], ...]
    body: str
    endpoint: Endpoint | None


class DeliveryService:
    """Prepares attempts, and keeps what they say of endpoints."""

    def __init__(self, endpoints: EndpointRepository, signers: SignerRepository, clock: Clock) -> None:
        self._endpoints = endpoints
        self._signers = signers
        self._clock = clock

    async def prepare(self, delivery: Delivery) -> Outbound | Retry | Fail:
        """Sign the message with the secrets that are valid now; `Fail` if its endpoint wants nothing any more."""
        endpoint = await self._endpoint(delivery.endpoint_id)
        if isinstance(endpoint, Retry | Fail):
            return endpoint
        signer = await self._signers.get(delivery.signer_id)
        match signer:
            case StorageUnavailable():
                return _unavailable()
            case SignerNotFound():
                return Fail(code="no_secret", reason="there is no secret to sign with: make one, then retry this job")
            case _:
                headers = signed_headers(signer, delivery.message_id, delivery.body, self._clock())
                url = endpoint.url if endpoint else delivery.url or ""
                return Outbound(url=url, headers=headers, body=delivery.body, endpoint=endpoint)

    async def succeeded(self, endpoint: Endpoint) -> None:
        """Note a success; nothing is written if the endpoint has not failed before. Best effort."""
        await self._note(endpoint, after_success)

    async def failed(self, endpoint: Endpoint, attempt: int) -> Endpoint | None:
        """Note a failure; returns the endpoint if this one disabled it. Best effort: the next failure notes it too."""
        return await self._note(endpoint, lambda current, now: after_failure(current, attempt, now))

    async def gone(self, endpoint: Endpoint) -> Endpoint | None:
        """Disable the endpoint; returns it if this call did."""
        return await self._note(endpoint, after_gone)

    async def _endpoint(self, endpoint_id: str | None) -> Endpoint | Retry | Fail | None:
        if endpoint_id is None:
            return None
        found = await self._endpoints.get(endpoint_id)
        match found:
            case StorageUnavailable():
                return _unavailable()
            case EndpointNotFound():
                return Fail(code="endpoint_deleted", reason="the endpoint has been deleted")
            case Endpoint(state=Disabled(reason=reason)):
                why = f"the endpoint is disabled ({reason}): enable it, then retry this job"
                return Fail(code="endpoint_disabled", reason=why)
            case Endpoint():
                return found

    async def _note(self, endpoint: Endpoint, move: Callable[[Endpoint, datetime], Endpoint]) -> Endpoint | None:
        """Write what `move` makes of the endpoint; returns it if that disabled it."""
        current = endpoint
        for _ in range(MAX_CONFLICTS):
            moved = move(current, self._clock())
            if moved == current:
                return None
            written = await self._endpoints.replace(moved, current.version)
            match written:
                case Endpoint():
                    return written if isinstance(written.state, Disabled) else None
                case StorageUnavailable():
                    return None
                case EndpointConflict():
                    again = await self._endpoints.get(endpoint.id)
                    if not isinstance(again, Endpoint):
                        return None
                    current = again
        return None


def _unavailable() -> Retry:
    return Retry(code="storage_unavailable", reason="the endpoint could not be read")
