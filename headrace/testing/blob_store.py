"""Blobs in memory, held to the same conformance suite as S3."""

import hashlib
from collections.abc import AsyncIterable
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import quote

from domain.blobs.store import MAX_DELETED, BlobInfo, BlobMissing, BlobTooLarge, UploadLink


@dataclass(frozen=True)
class StoredBlob:
    """A blob as it is kept."""

    content: bytes
    content_type: str

    @property
    def info(self) -> BlobInfo:
        """What `describe` tells of it."""
        digest = hashlib.sha256(self.content).hexdigest()
        return BlobInfo(size=len(self.content), content_type=self.content_type, revision=digest)


class FakeBlobStore:
    """A dictionary. Its links lead nowhere."""

    def __init__(self) -> None:
        self.stored: dict[str, StoredBlob] = {}

    async def put(self, key: str, content: bytes, content_type: str) -> None:
        self.stored[key] = StoredBlob(content, content_type)

    async def get(self, key: str, limit: int) -> bytes | BlobMissing | BlobTooLarge:
        blob = self.stored.get(key)
        if blob is None:
            return BlobMissing(key=key)
        return blob.content if len(blob.content) <= limit else BlobTooLarge(key=key, limit=limit)

    async def describe(self, key: str) -> BlobInfo | BlobMissing:
        blob = self.stored.get(key)
        return BlobMissing(key=key) if blob is None else blob.info

    async def read(self, key: str, start: int, length: int, revision: str) -> bytes | BlobMissing:
        blob = self.stored.get(key)
        if blob is None or blob.info.revision != revision:
            return BlobMissing(key=key)
        return blob.content[start : start + length]

    async def save(self, key: str, chunks: AsyncIterable[bytes], content_type: str, limit: int) -> int | BlobTooLarge:
        content = bytearray()
        async for chunk in chunks:
            content += chunk
            if len(content) > limit:
                return BlobTooLarge(key=key, limit=limit)
        self.stored[key] = StoredBlob(bytes(content), content_type)
        return len(content)

    async def delete(self, keys: tuple[str, ...]) -> None:
        assert len(keys) <= MAX_DELETED
        for key in keys:
            self.stored.pop(key, None)

    async def upload_link(self, key: str, size: int, content_type: str, lifetime: timedelta) -> UploadLink:
        headers = {"content-length": str(size), "content-type": content_type}
        return UploadLink(method="PUT", url=_link(key, lifetime), headers=headers)

    async def download_link(self, key: str, name: str | None, content_type: str, lifetime: timedelta) -> str:  # noqa: ARG002 - of the port
        return _link(key, lifetime)


def _link(key: str, lifetime: timedelta) -> str:
    return f"https://blobs.invalid/{quote(key)}?expires={int(lifetime.total_seconds())}"
