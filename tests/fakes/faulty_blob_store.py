"""A store of blobs that fails where a test requires it."""

from collections.abc import AsyncIterable, Callable
from datetime import timedelta

from domain.blobs.store import BlobInfo, BlobMissing, BlobStore, BlobTooLarge, UploadLink
from domain.results import StorageUnavailable
from tests.fakes.faulty_job_repository import OUTAGE

__all__ = ["OUTAGE", "FaultyBlobStore"]


class FaultyBlobStore:
    """Forwards calls unless `fault` returns a result for the operation, which its name says."""

    def __init__(self, inner: BlobStore, fault: Callable[[str], StorageUnavailable | None]) -> None:
        self._inner = inner
        self._fault = fault

    async def put(self, key: str, content: bytes, content_type: str) -> StorageUnavailable | None:
        return self._fault("put") or await self._inner.put(key, content, content_type)

    async def get(self, key: str, limit: int) -> bytes | BlobMissing | BlobTooLarge | StorageUnavailable:
        return self._fault("get") or await self._inner.get(key, limit)

    async def describe(self, key: str) -> BlobInfo | BlobMissing | StorageUnavailable:
        return self._fault("describe") or await self._inner.describe(key)

    async def read(self, key: str, start: int, length: int, revision: str) -> bytes | BlobMissing | StorageUnavailable:
        return self._fault("read") or await self._inner.read(key, start, length, revision)

    async def save(
        self, key: str, chunks: AsyncIterable[bytes], content_type: str, limit: int
    ) -> int | BlobTooLarge | StorageUnavailable:
        return self._fault("save") or await self._inner.save(key, chunks, content_type, limit)

    async def delete(self, keys: tuple[str, ...]) -> StorageUnavailable | None:
        return self._fault("delete") or await self._inner.delete(keys)

    async def upload_link(self, key: str, size: int, content_type: str, lifetime: timedelta) -> UploadLink:
        return await self._inner.upload_link(key, size, content_type, lifetime)

    async def download_link(self, key: str, name: str | None, content_type: str, lifetime: timedelta) -> str:
        return await self._inner.download_link(key, name, content_type, lifetime)
