"""Endpoints and signers in memory, held to the same conformance suite as the real repositories."""

from itertools import count

from domain.results import StorageUnavailable
from domain.webhooks.endpoint import Endpoint
from domain.webhooks.repository import EndpointConflict, EndpointNotFound, SignerConflict, SignerNotFound
from domain.webhooks.signing import NewSecret, Signer


class FakeEndpointRepository:
    """A dictionary with the table's conditions."""

    def __init__(self, *endpoints: Endpoint) -> None:
        self._endpoints = {each.id: each for each in endpoints}
        self.lists = 0
        """How often all were read."""

    async def add(self, endpoint: Endpoint) -> Endpoint | StorageUnavailable:
        if endpoint.id in self._endpoints:
            return StorageUnavailable(reason="rejected", detail="the new endpoint's id is not new")
        self._endpoints[endpoint.id] = endpoint
        return endpoint

    async def get(self, endpoint_id: str) -> Endpoint | EndpointNotFound | StorageUnavailable:
        return self._endpoints.get(endpoint_id) or EndpointNotFound()

    async def all(self) -> tuple[Endpoint, ...] | StorageUnavailable:
        self.lists += 1
        return tuple(sorted(self._endpoints.values(), key=lambda each: each.created_at)[:100])

    async def replace(
        self, endpoint: Endpoint, expected_version: int
    ) -> Endpoint | EndpointConflict | StorageUnavailable:
        current = self._endpoints.get(endpoint.id)
        if current is None or current.version != expected_version:
            return EndpointConflict(endpoint_id=endpoint.id)
        self._endpoints[endpoint.id] = endpoint
        return endpoint

    async def delete(self, endpoint_id: str) -> StorageUnavailable | None:
        self._endpoints.pop(endpoint_id, None)
        return None


class FakeSignerRepository:
    """Likewise."""

    def __init__(self, *signers: Signer) -> None:
        self._signers = {each.id: each for each in signers}

    async def get(self, signer_id: str) -> Signer | SignerNotFound | StorageUnavailable:
        return self._signers.get(signer_id) or SignerNotFound()

    async def put(self, signer: Signer, expected_version: int | None) -> Signer | SignerConflict | StorageUnavailable:
        current = self._signers.get(signer.id)
        if (current.version if current else None) != expected_version:
            return SignerConflict(signer_id=signer.id)
        self._signers[signer.id] = signer
        return signer

    async def delete(self, signer_id: str) -> StorageUnavailable | None:
        self._signers.pop(signer_id, None)
        return None


def fixed_secrets() -> NewSecret:
    """Secrets that are all different, and the same in each run."""
    numbers = count(1)
    return lambda: next(numbers).to_bytes(32, "big")
