"""What the domain asks of the stores of endpoints and of signers.

One conformance suite (`tests/contract/test_webhook_repository.py`) holds every implementation to these docstrings.
"""

from typing import Protocol

from domain.results import StorageUnavailable
from domain.webhooks.endpoint import Endpoint
from domain.webhooks.signing import Signer
from headrace.authoring.frozen import Frozen


class EndpointNotFound(Frozen):
    """No endpoint has this id."""


class EndpointConflict(Frozen):
    """Somebody else changed the endpoint first, or it is gone."""

    endpoint_id: str


class SignerNotFound(Frozen):
    """Nobody has made a secret under this id."""


class SignerConflict(Frozen):
    """Somebody else made or rotated the secret first."""

    signer_id: str


class EndpointRepository(Protocol):
    """Endpoints, one item each, without secrets."""

    async def add(self, endpoint: Endpoint) -> Endpoint | StorageUnavailable:
        """Store a new endpoint; an id that is taken is `rejected`."""

    async def get(self, endpoint_id: str) -> Endpoint | EndpointNotFound | StorageUnavailable:
        """The stored endpoint (strongly consistent)."""

    async def all(self) -> tuple[Endpoint, ...] | StorageUnavailable:
        """Every endpoint (eventually consistent), the first made first; of more than 100, the first 100.

        An item that cannot be read is left out.
        """

    async def replace(
        self, endpoint: Endpoint, expected_version: int
    ) -> Endpoint | EndpointConflict | StorageUnavailable:
        """Store the endpoint's next version, if its version in the store is `expected_version`."""

    async def delete(self, endpoint_id: str) -> StorageUnavailable | None:
        """Delete the endpoint; one that is not there stays so."""


class SignerRepository(Protocol):
    """Signers, one item each."""

    async def get(self, signer_id: str) -> Signer | SignerNotFound | StorageUnavailable:
        """The stored signer (strongly consistent)."""

    async def put(self, signer: Signer, expected_version: int | None) -> Signer | SignerConflict | StorageUnavailable:
        """Store a signer's next version, if its version in the store is `expected_version`; None if there is none."""

    async def delete(self, signer_id: str) -> StorageUnavailable | None:
        """Delete the signer; one that is not there stays so."""
