"""What an attempt does with files."""

from asyncio import AbstractEventLoop
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from datetime import timedelta
from typing import BinaryIO

from domain.blobs.store import MAX_BLOB_BYTES, BlobInfo, BlobMissing, BlobStreams, BlobTooLarge
from domain.files.file import MAX_NAME, blob_key
from domain.files.repository import FileRepository
from domain.files.service import new_file
from domain.files.streams import BlobStream, chunks_of, unavailable
from domain.files.threads import Call, as_binary_file, save_from_thread
from domain.ports import Clock, NewId
from domain.results import StorageUnavailable
from headrace.authoring.files import Chunks, File, FileMissing, FileTooLarge
from headrace.authoring.json_text import storable


class JobFiles:
    """The files that jobs read and write. Failures are raised, for the caller is a handler."""

    def __init__(
        self, files: FileRepository, blobs: BlobStreams, clock: Clock, new_id: NewId, lifetime: timedelta
    ) -> None:
        self._files = files
        self._blobs = blobs
        self._clock = clock
        self._new_id = new_id
        self._lifetime = lifetime

    async def open(self, owner_id: str, file: File) -> BlobStream:
        """The content of a file of the owner's. Raises `FileMissing` or `FileUnavailable`."""
        key = blob_key(owner_id, file.id)
        found = await self._blobs.describe(key)
        match found:
            case BlobInfo():
                return BlobStream(self._blobs, key, found, file.id)
            case BlobMissing():
                raise FileMissing(f"the file {file.id} is not there (any more)")
            case StorageUnavailable():
                raise unavailable()

    def as_binary_file(self, stream: BlobStream, call: Call) -> BinaryIO:
        """The stream for a thread: a file that can be read and sought."""
        return as_binary_file(stream, call)

    def save_from_thread(
        self,
        save: Callable[[AsyncIterator[bytes]], Coroutine[None, None, File]],
        content: bytes | Iterable[bytes],
        loop: AbstractEventLoop,
    ) -> File:
        """Have the event loop `save` what this thread takes from the content."""
        return save_from_thread(save, content, loop)

    async def save(self, owner_id: str, name: str, content: Chunks, content_type: str) -> File:
        """A new file of the owner's. Raises `FileTooLarge` or `FileUnavailable`, and whatever the content raises."""
        file_id = self._new_id()
        size = await self._blobs.save(blob_key(owner_id, file_id), chunks_of(content), content_type, MAX_BLOB_BYTES)
        match size:
            case BlobTooLarge(limit=limit):
                raise FileTooLarge(f"a file has at most {limit} bytes")
            case StorageUnavailable():
                raise unavailable()
            case int():
                kept = storable(name, MAX_NAME)
                file = new_file(file_id, owner_id, kept, content_type, size, self._clock(), self._lifetime)
        # After its content: a description never stands for what is not there.
        if isinstance(await self._files.add(file), StorageUnavailable):
            raise unavailable()
        return File(id=file_id, name=file.name, content_type=content_type, size=size)
