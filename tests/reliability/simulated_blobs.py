"""The blobs of `simulation.py`: they fail, lose responses and kill processes as the store of jobs does."""

from domain.blobs.store import BlobMissing, BlobTooLarge
from domain.jobs.documents import Documents
from domain.jobs.job import Job, documents_of
from domain.results import StorageUnavailable
from headrace.testing.blob_store import FakeBlobStore
from tests.reliability.history import Violation
from tests.reliability.simulated_world import SimulatedRepository


class SimulatedBlobs(FakeBlobStore):
    """The blobs as one process sees them, with faults."""

    def __init__(self, blobs: FakeBlobStore, jobs: SimulatedRepository) -> None:
        super().__init__()
        self.stored = blobs.stored
        self._jobs = jobs

    async def put(self, key: str, content: bytes, content_type: str) -> StorageUnavailable | None:  # type: ignore[override]
        if (fault := await self._jobs._before()) is not None:
            return fault
        await super().put(key, content, content_type)
        return await self._jobs._after()

    async def get(self, key: str, limit: int) -> bytes | BlobMissing | BlobTooLarge | StorageUnavailable:  # type: ignore[override]
        return await self._jobs._before() or await super().get(key, limit)

    async def delete(self, keys: tuple[str, ...]) -> StorageUnavailable | None:  # type: ignore[override]
        if (fault := await self._jobs._before()) is not None:
            return fault
        await super().delete(keys)
        return await self._jobs._after()


async def check_blobs(blobs: FakeBlobStore, job: Job) -> None:
    """A job never refers to a blob that is not there, or that is not what was stored (I15)."""
    for name, document in documents_of(job).items():
        found = await Documents(blobs).load(name, document)
        if not isinstance(found, str):
            raise Violation(f"{job.id} refers to a {name} that is lost: {found}")
