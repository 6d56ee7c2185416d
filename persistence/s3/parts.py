"""Cuts a stream into the parts of a multipart upload."""

from collections.abc import AsyncIterable, AsyncIterator
from typing import Final

PART_BYTES: Final = 8 * 1024 * 1024
"""S3 takes at most 10,000 parts, of at least 5 MB but for the last (User Guide, "Multipart upload limits")."""


async def in_parts(chunks: AsyncIterable[bytes], size: int = PART_BYTES) -> AsyncIterator[bytes]:
    """The same bytes in parts of `size`, the last one shorter; at most a part and a chunk are held."""
    held = bytearray()
    async for chunk in chunks:
        view = memoryview(chunk)
        while view:
            room = size - len(held)
            held += view[:room]
            view = view[room:]
            if len(held) == size:
                part, held = bytes(held), bytearray()
                yield part
    if held:
        yield bytes(held)
