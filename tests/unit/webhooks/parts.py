"""What the tests of webhooks share."""

from collections.abc import Callable

from domain.jobs.catalogue import Catalogue
from domain.jobs.job import Job, Notify
from domain.jobs.repository import JobRepository
from domain.results import StorageUnavailable
from domain.webhooks.delivery import UnrunDelivery
from domain.webhooks.endpoint import Endpoint, EndpointWishes, Include, ToldStatus, new_endpoint
from domain.webhooks.repository import EndpointConflict, EndpointNotFound, SignerConflict, SignerNotFound
from domain.webhooks.signing import Signer, new_signer
from domain.webhooks.tell_of import TellOf
from domain.webhooks.telling import Teller
from headrace.testing.clock import FakeClock
from tests.factories import NOW
from tests.fakes.faulty_job_repository import OUTAGE
from tests.fakes.webhook_repository import FakeEndpointRepository, FakeSignerRepository

URL = "https://example.com/hooks"
SECRET = bytes(range(32))
CATALOGUE = Catalogue((), (UnrunDelivery(),))
TELL_OF = TellOf(CATALOGUE)


def an_endpoint(
    id: str = "endpoint-1",
    *,
    statuses: tuple[ToldStatus, ...] = ("succeeded", "failed", "cancelled"),
    types: tuple[str, ...] = (),
    include: tuple[Include, ...] = (),
) -> Endpoint:
    return new_endpoint(id, EndpointWishes(url=URL, statuses=statuses, types=types, include=include), NOW)


def a_signer(id: str = "endpoint-1") -> Signer:
    return new_signer(id, SECRET, NOW)


def notifying(job: Job, *, statuses: tuple[str, ...] = ("succeeded",), include: tuple[str, ...] = ()) -> Job:
    """The job, submitted with `notify`."""
    return job.model_copy(update={"notify": Notify(url="https://me.test/n", statuses=statuses, include=include)})


class Known:
    """The endpoints that a recorder knows."""

    def __init__(self, *endpoints: Endpoint) -> None:
        self._endpoints = endpoints

    async def current(self, _now: object) -> tuple[Endpoint, ...] | StorageUnavailable:
        return self._endpoints


class Unreachable:
    """They cannot be read."""

    async def current(self, _now: object) -> tuple[Endpoint, ...] | StorageUnavailable:
        return OUTAGE


def a_teller(jobs: JobRepository, *endpoints: Endpoint) -> Teller:
    return Teller(jobs, Known(*endpoints), TELL_OF, FakeClock())


EndpointFault = EndpointConflict | StorageUnavailable


class FaultyEndpoints(FakeEndpointRepository):
    """Fails where a test requires it."""

    def __init__(
        self,
        *endpoints: Endpoint,
        on_get: Callable[[], EndpointNotFound | StorageUnavailable | None] = lambda: None,
        on_replace: Callable[[], EndpointFault | None] = lambda: None,
        on_write: Callable[[], StorageUnavailable | None] = lambda: None,
        on_all: Callable[[], StorageUnavailable | None] = lambda: None,
    ) -> None:
        super().__init__(*endpoints)
        self._on_get = on_get
        self._on_replace = on_replace
        self._on_write = on_write
        self._on_all = on_all

    async def add(self, endpoint: Endpoint) -> Endpoint | StorageUnavailable:
        return self._on_write() or await super().add(endpoint)

    async def get(self, endpoint_id: str) -> Endpoint | EndpointNotFound | StorageUnavailable:
        return self._on_get() or await super().get(endpoint_id)

    async def all(self) -> tuple[Endpoint, ...] | StorageUnavailable:
        return self._on_all() or await super().all()

    async def replace(
        self, endpoint: Endpoint, expected_version: int
    ) -> Endpoint | EndpointConflict | StorageUnavailable:
        return self._on_replace() or await super().replace(endpoint, expected_version)

    async def delete(self, endpoint_id: str) -> StorageUnavailable | None:
        return self._on_write() or await super().delete(endpoint_id)


class FaultySigners(FakeSignerRepository):
    """Likewise."""

    def __init__(
        self,
        *signers: Signer,
        on_get: Callable[[], SignerNotFound | StorageUnavailable | None] = lambda: None,
        on_put: Callable[[], SignerConflict | StorageUnavailable | None] = lambda: None,
    ) -> None:
        super().__init__(*signers)
        self._on_get = on_get
        self._on_put = on_put

    async def get(self, signer_id: str) -> Signer | SignerNotFound | StorageUnavailable:
        return self._on_get() or await super().get(signer_id)

    async def put(self, signer: Signer, expected_version: int | None) -> Signer | SignerConflict | StorageUnavailable:
        return self._on_put() or await super().put(signer, expected_version)
