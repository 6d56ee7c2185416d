"""What admins do with endpoints, and users with the secret that signs what their jobs' `notify` asks for."""

from collections.abc import Callable
from datetime import timedelta

from domain.jobs import transitions
from domain.jobs.job import Job, loaded
from domain.jobs.own_types import WEBHOOK_DELIVER
from domain.jobs.repository import CompanionRefused, JobExists, JobNotFound, JobRepository, JobUnreadable
from domain.jobs.transitions import IllegalTransition, NewJob
from domain.ports import Clock, NewId
from domain.results import ItemTooLarge, StaleVersion, StorageUnavailable
from domain.webhooks.delivery import DELIVERY, EVENT_TAG, Delivery, new_delivery
from domain.webhooks.endpoint import MAX_ENDPOINTS, Endpoint, EndpointWishes, changed_endpoint, new_endpoint
from domain.webhooks.event import body_of, trial_event
from domain.webhooks.repository import (
    EndpointConflict,
    EndpointNotFound,
    EndpointRepository,
    SignerConflict,
    SignerNotFound,
    SignerRepository,
)
from domain.webhooks.signing import NewSecret, Signer, new_signer, rotated
from headrace.authoring.frozen import Frozen

MAX_CONFLICTS = 5

Wished = Callable[[EndpointWishes], EndpointWishes]


class TooManyEndpoints(Frozen):
    """The deployment has as many endpoints as it may."""

    limit: int


class Created(Frozen):
    """A new endpoint, and its secret: the one time that it is shown."""

    endpoint: Endpoint
    signer: Signer


class WebhookService:
    """The use cases; who may do what is decided by the caller."""

    def __init__(
        self,
        endpoints: EndpointRepository,
        signers: SignerRepository,
        jobs: JobRepository,
        clock: Clock,
        new_id: NewId,
        new_secret: NewSecret,
    ) -> None:
        self._endpoints = endpoints
        self._signers = signers
        self._jobs = jobs
        self._clock = clock
        self._new_id = new_id
        self._new_secret = new_secret

    async def create(self, wishes: EndpointWishes) -> Created | TooManyEndpoints | StorageUnavailable:
        """Add an endpoint, with a secret of its own."""
        known = await self._endpoints.all()
        if isinstance(known, StorageUnavailable):
            return known
        if len(known) >= MAX_ENDPOINTS:
            return TooManyEndpoints(limit=MAX_ENDPOINTS)
        # The secret first: an endpoint is never without one.
        now, id = self._clock(), self._new_id()
        signer = await self._signers.put(new_signer(id, self._new_secret(), now), None)
        if isinstance(signer, SignerConflict):
            return _contended()
        if isinstance(signer, StorageUnavailable):
            return signer
        added = await self._endpoints.add(new_endpoint(id, wishes, now))
        return added if isinstance(added, StorageUnavailable) else Created(endpoint=added, signer=signer)

    async def get(self, endpoint_id: str) -> Endpoint | EndpointNotFound | StorageUnavailable:
        """An endpoint, without its secret."""
        return await self._endpoints.get(endpoint_id)

    async def all(self) -> tuple[Endpoint, ...] | StorageUnavailable:
        """Every endpoint, the oldest first."""
        return await self._endpoints.all()

    async def change(
        self, endpoint_id: str, wished: Wished, enabled: bool | None, expected: frozenset[int] | None
    ) -> Endpoint | EndpointNotFound | StaleVersion | StorageUnavailable:
        """Change an endpoint whose version is in `expected` (None: any); `enabled` as of `changed_endpoint`."""
        for _ in range(MAX_CONFLICTS):
            current = await self._endpoints.get(endpoint_id)
            if not isinstance(current, Endpoint):
                return current
            if expected is not None and current.version not in expected:
                return StaleVersion(current_version=current.version)
            changed = changed_endpoint(current, wished(_wishes_of(current)), enabled, self._clock())
            written = await self._endpoints.replace(changed, current.version)
            if not isinstance(written, EndpointConflict):
                return written
        return _contended()

    async def delete(self, endpoint_id: str) -> EndpointNotFound | StorageUnavailable | None:
        """Delete an endpoint and its secret; deliveries that are still to come fail, and say why."""
        found = await self._endpoints.get(endpoint_id)
        if not isinstance(found, Endpoint):
            return found
        return await self._endpoints.delete(endpoint_id) or await self._signers.delete(endpoint_id)

    async def rotate(self, endpoint_id: str, overlap: timedelta) -> Signer | EndpointNotFound | StorageUnavailable:
        """A new secret for an endpoint; the previous one stays valid for `overlap`."""
        found = await self._endpoints.get(endpoint_id)
        return await self.rotate_own(endpoint_id, overlap) if isinstance(found, Endpoint) else found

    async def rotate_own(self, signer_id: str, overlap: timedelta) -> Signer | StorageUnavailable:
        """A new secret under this id, the first one too."""
        for _ in range(MAX_CONFLICTS):
            current, now, fresh = await self._signers.get(signer_id), self._clock(), self._new_secret()
            match current:
                case StorageUnavailable():
                    return current
                case SignerNotFound():
                    written = await self._signers.put(new_signer(signer_id, fresh, now), None)
                case Signer():
                    written = await self._signers.put(rotated(current, fresh, overlap, now), current.version)
            if not isinstance(written, SignerConflict):
                return written
        return _contended()

    async def test(self, endpoint_id: str) -> Job | EndpointNotFound | StorageUnavailable:
        """Send an endpoint an event that tells of nothing; its delivery."""
        found = await self._endpoints.get(endpoint_id)
        if not isinstance(found, Endpoint):
            return found
        id = self._new_id()
        body = body_of(trial_event(endpoint_id, id, self._clock()))
        delivery = Delivery(message_id=id, endpoint_id=endpoint_id, signer_id=endpoint_id, body=body)
        return await self._submitted(new_delivery(id, endpoint_id, delivery, {EVENT_TAG: "webhook.test"}))

    async def replay(
        self, endpoint_id: str, delivery_id: str
    ) -> Job | EndpointNotFound | JobNotFound | JobUnreadable | IllegalTransition | StorageUnavailable:
        """Deliver once more what has ended, with the same `webhook-id`: a new job, for the old one is its record."""
        found = await self._endpoints.get(endpoint_id)
        if not isinstance(found, Endpoint):
            return found
        earlier = await self._jobs.get(delivery_id, self._clock())
        if not isinstance(earlier, Job):
            return earlier
        if earlier.owner_id != endpoint_id or earlier.type != WEBHOOK_DELIVER:
            return JobNotFound(job_id=delivery_id)
        if earlier.wake_at is not None:
            return IllegalTransition(job_id=delivery_id, status=earlier.status, action="replay")
        delivery = Delivery.model_validate_json(loaded(earlier.payload))
        return await self._submitted(
            new_delivery(self._new_id(), endpoint_id, delivery, earlier.tags, earlier.traceparent)
        )

    async def _submitted(self, new: NewJob) -> Job | StorageUnavailable:
        now = self._clock()
        added = await self._jobs.add(transitions.submit(new, DELIVERY.policy, now), now)
        match added:
            case Job() | StorageUnavailable():
                return added
            case JobExists() | JobUnreadable() | CompanionRefused() | ItemTooLarge():
                return StorageUnavailable(reason="rejected", detail="the delivery was not accepted")


def _wishes_of(endpoint: Endpoint) -> EndpointWishes:
    return EndpointWishes(**{name: getattr(endpoint, name) for name in EndpointWishes.model_fields})


def _contended() -> StorageUnavailable:
    return StorageUnavailable(reason="throttled", detail="contended")
