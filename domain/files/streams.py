"""Streams of bytes: a blob that is read in parts, and what a handler gives to be saved."""

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from typing import Protocol, runtime_checkable

from domain.blobs.store import BlobInfo, BlobMissing, BlobStreams
from domain.results import StorageUnavailable
from headrace.authoring.files import CHUNK_BYTES, Chunks, FileMissing, FileUnavailable


class BlobStream:
    """A `FileStream`: reads a blob from its start, a part at a time, each with a request of its own.

    A connection that breaks therefore costs a part, and none is held while the handler works.
    """

    def __init__(self, blobs: BlobStreams, key: str, info: BlobInfo, file_id: str) -> None:
        self._blobs = blobs
        self._key = key
        self._info = info
        self._file_id = file_id
        self._read = 0
        self._held = memoryview(b"")

    @property
    def size(self) -> int:
        return self._info.size

    @property
    def content_type(self) -> str:
        return self._info.content_type

    async def read(self, size: int = -1) -> bytes:
        wanted = self.size if size < 0 else size
        found = bytearray()
        while len(found) < wanted:
            if not self._held:
                part = await self.read_at(self._read, CHUNK_BYTES)
                if not part:
                    break
                self._held, self._read = memoryview(part), self._read + len(part)
            taken = self._held[: wanted - len(found)]
            self._held = self._held[len(taken) :]
            found += taken
        return bytes(found)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while chunk := await self.read(CHUNK_BYTES):
            yield chunk

    async def read_at(self, start: int, size: int) -> bytes:
        """At most `size` bytes from a position on; none at the end."""
        length = min(size, self.size - start)
        if length <= 0:
            return b""
        part = await self._blobs.read(self._key, start, length, self._info.revision)
        match part:
            case bytes():
                return part
            case StorageUnavailable():
                raise unavailable()
            case BlobMissing():
                raise FileMissing(f"the file {self._file_id} was deleted, or written again, while it was read")


@runtime_checkable
class Readable(Protocol):
    """A file that is open for reading."""

    def read(self, size: int, /) -> bytes: ...


async def chunks_of(given: Chunks) -> AsyncIterator[bytes]:
    """The bytes of whatever a handler may give."""
    if isinstance(given, AsyncIterable):
        async for chunk in given:
            yield chunk
    else:
        for chunk in plain_chunks_of(given):
            yield chunk


def plain_chunks_of(given: bytes | Iterable[bytes]) -> Iterator[bytes]:
    """Likewise, of what need not be awaited; small chunks are put together, for each is a step of the event loop."""
    if isinstance(given, bytes | bytearray | memoryview):
        yield bytes(given)
    elif isinstance(given, Readable):
        while chunk := given.read(CHUNK_BYTES):
            yield chunk
    else:
        held = bytearray()
        for chunk in given:
            held += chunk
            if len(held) >= CHUNK_BYTES:
                yield bytes(held)
                held = bytearray()
        if held:
            yield bytes(held)


def unavailable() -> FileUnavailable:
    """What a handler gets while the store does not answer."""
    return FileUnavailable("the files cannot be reached now")
