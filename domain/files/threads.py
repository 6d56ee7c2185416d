"""Files for handlers that run in a thread: the event loop does the work, and the thread waits for it."""

import asyncio
import io
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import BinaryIO, Final, Protocol, TypeVar, cast

from domain.files.streams import BlobStream, plain_chunks_of
from headrace.authoring.files import CHUNK_BYTES, File

BUFFER_BYTES: Final = CHUNK_BYTES
"""What a thread reads at once: each time it waits for the loop."""

T = TypeVar("T")


class Call(Protocol):
    """Runs work on the event loop for a thread, which waits for it."""

    def __call__(self, work: Coroutine[None, None, T], /) -> T: ...


def as_binary_file(stream: BlobStream, call: Call) -> BinaryIO:
    """The stream as a file that can be read and sought."""
    return cast("BinaryIO", io.BufferedReader(_Raw(stream, call), BUFFER_BYTES))


class _Raw(io.RawIOBase):
    def __init__(self, stream: BlobStream, call: Call) -> None:
        super().__init__()
        self._stream = stream
        self._call = call
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._stream.size}[whence]
        if base + offset < 0:
            raise ValueError("a position before the start of the file")
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]  # typeshed: any buffer
        part = self._call(self._stream.read_at(self._at, len(buffer)))
        buffer[: len(part)] = part
        self._at += len(part)
        return len(part)


def save_from_thread(
    save: Callable[[AsyncIterator[bytes]], Coroutine[None, None, File]],
    content: bytes | Iterable[bytes],
    loop: asyncio.AbstractEventLoop,
) -> File:
    """Run `save` on the loop, on chunks that this thread takes from the content one after the other."""
    handed: asyncio.Queue[bytes | None] = asyncio.Queue(maxsize=1)

    async def chunks() -> AsyncIterator[bytes]:
        while (chunk := await handed.get()) is not None:
            yield chunk

    saving = asyncio.run_coroutine_threadsafe(save(chunks()), loop)

    def hand(chunk: bytes | None) -> bool:
        """Whether there is somebody to take more."""
        handing = asyncio.run_coroutine_threadsafe(handed.put(chunk), loop)
        wait(cast("tuple[Future[object], ...]", (handing, saving)), return_when=FIRST_COMPLETED)
        if saving.done():
            handing.cancel()
        return not saving.done()

    try:
        for chunk in plain_chunks_of(content):
            if not hand(chunk):
                break
        else:
            hand(None)
    except BaseException:
        saving.cancel()
        raise
    return saving.result()
