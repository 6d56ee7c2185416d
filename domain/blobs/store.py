"""What the domain asks of the store of blobs: bytes under a key, without transactions.

A blob is written whole, and never changed. One conformance suite (`tests/contract/test_blob_store.py`) holds every
implementation to these docstrings.
"""

from collections.abc import AsyncIterable
from datetime import timedelta
from typing import Protocol

from domain.results import StorageUnavailable
from headrace.authoring.frozen import Frozen

MAX_BLOB_BYTES = 5 * 1000**3
"""The most that one upload by link may hold: S3 takes up to 5 GB in one request (User Guide, "Uploading objects")."""

MAX_DELETED = 1000
"""Keys that one call deletes."""


class BlobMissing(Frozen):
    """There is nothing under the key: it was never written, or has been deleted."""

    key: str


class BlobTooLarge(Frozen):
    """The blob has more bytes than the caller takes."""

    key: str
    limit: int


class BlobInfo(Frozen):
    """What is known of a blob without reading it."""

    size: int
    """Bytes."""
    content_type: str
    revision: str
    """Changes when the key is written again."""


class UploadLink(Frozen):
    """A request with which anybody may write one blob, until it expires: send the bytes with these headers."""

    method: str
    url: str
    headers: dict[str, str]


class BlobStreams(Protocol):
    """The part of `BlobStore` that files of jobs need."""

    async def describe(self, key: str) -> BlobInfo | BlobMissing | StorageUnavailable:
        """The size and type of a blob."""

    async def read(self, key: str, start: int, length: int, revision: str) -> bytes | BlobMissing | StorageUnavailable:
        """Bytes of a blob from `start` on (counted from 0, below its size), at most `length`.

        A blob that is not of this revision any more is missing.
        """

    async def save(
        self, key: str, chunks: AsyncIterable[bytes], content_type: str, limit: int
    ) -> int | BlobTooLarge | StorageUnavailable:
        """Write a blob from chunks of any size, holding a few megabytes at a time; returns its size in bytes.

        Nothing is stored when there are more than `limit` bytes, or when the chunks end with an exception, which is
        raised.
        """


class BlobStore(BlobStreams, Protocol):
    """Blobs by key. No method raises for what can be expected of a network."""

    async def put(self, key: str, content: bytes, content_type: str) -> StorageUnavailable | None:
        """Write a blob; None when it is stored. One that stands under the key is replaced."""

    async def get(self, key: str, limit: int) -> bytes | BlobMissing | BlobTooLarge | StorageUnavailable:
        """A whole blob of at most `limit` bytes."""

    async def delete(self, keys: tuple[str, ...]) -> StorageUnavailable | None:
        """Delete at most `MAX_DELETED` blobs; those that are gone already are no failure."""

    async def upload_link(self, key: str, size: int, content_type: str, lifetime: timedelta) -> UploadLink:
        """A link that writes `size` bytes of this type under the key. No call is made."""

    async def download_link(self, key: str, name: str | None, content_type: str, lifetime: timedelta) -> str:
        """A URL from which anybody can read the blob, until it expires, to save it as `name`. No call is made."""
