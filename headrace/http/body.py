"""Reads the body of an HTTP/1.1 response, up to a limit, by the framing rules of RFC 9112, section 6."""

import asyncio
import re
import zlib
from collections.abc import Awaitable, Callable, Sequence
from itertools import count

More = Callable[[], Awaitable[bytes | None]]
"""Reads the next bytes of the connection: empty when the server closed it, None when it broke or timed out."""
Body = tuple[bytes, bool]
"""The bytes read of a body, and whether they are all of it."""

_CHUNK_SIZE = re.compile(rb"[ \t]*([0-9A-Fa-f]{1,16})[ \t]*(?:;.*)?", re.DOTALL)
_MAX_CHUNK_LINE = 4096
_CHUNKS_A_TURN = 500
"""Tiny chunks may come in tens of thousands; after this many, other tasks of the event loop run."""
_MAX_LENGTH_DIGITS = 18
_GZIP, _ZLIB, _RAW_DEFLATE = 16 + zlib.MAX_WBITS, zlib.MAX_WBITS, -zlib.MAX_WBITS
_WINDOWS = {
    b"gzip": ((_GZIP, True),),
    b"x-gzip": ((_GZIP, True),),
    b"deflate": ((_ZLIB, True), (_RAW_DEFLATE, False)),
}
"""The window bits to try for each coding, and whether a successful start proves that the body has this coding."""


async def read_body(headers: Sequence[tuple[bytes, bytes]], more: More, raw: bytearray, limit: int) -> Body:
    """Read at most `limit` bytes of the body, decompressing gzip and deflate; `raw` holds the bytes already read."""
    coding = b",".join(value for name, value in headers if name == b"transfer-encoding").lower()
    lengths = {value for name, value in headers if name == b"content-length"}
    if coding:
        is_chunked = coding.rpartition(b",")[2].strip() == b"chunked"
        body = await (_read_chunks(more, raw, limit) if is_chunked else _read_to_end(more, raw, limit))
    elif len(lengths) == 1 and (length := lengths.pop()).isdigit() and len(length) <= _MAX_LENGTH_DIGITS:
        body = await _read_length(more, raw, int(length), limit)
    else:
        body = await _read_to_end(more, raw, limit)
    return _decompressed(body, headers, limit)


async def _read_to_end(more: More, raw: bytearray, limit: int) -> Body:
    while len(raw) <= limit:
        piece = await more()
        if not piece:
            return bytes(raw), piece is not None
        raw += piece
    return bytes(raw[:limit]), False


async def _read_length(more: More, raw: bytearray, length: int, limit: int) -> Body:
    wanted = min(length, limit)
    while len(raw) < wanted and (piece := await more()):
        raw += piece
    body = bytes(raw[:wanted])
    return body, len(body) == length


async def _read_chunks(more: More, raw: bytearray, limit: int) -> Body:
    """Read the data of the chunks, not the trailers. A malformed chunk ends the body."""
    body = bytearray()
    for number in count(1):
        if number % _CHUNKS_A_TURN == 0:
            await asyncio.sleep(0)
        line = await _take_line(more, raw)
        size = _CHUNK_SIZE.fullmatch(line) if line is not None else None
        if size is None:
            return bytes(body), False
        left = int(size[1], 16)
        if left == 0:
            return bytes(body), True
        while left and len(body) <= limit:
            if not raw and not await _fill(more, raw):
                return bytes(body), False
            body += raw[:left]
            taken = min(left, len(raw))
            left -= taken
            del raw[:taken]
        if len(body) > limit or await _take_line(more, raw) != b"":
            break
    return bytes(body[:limit]), False


async def _take_line(more: More, raw: bytearray) -> bytes | None:
    """Remove a line from `raw` and return it without its ending; None when it is incomplete or too long."""
    while (end := raw.find(b"\n", 0, _MAX_CHUNK_LINE)) < 0:
        if len(raw) >= _MAX_CHUNK_LINE or not await _fill(more, raw):
            return None
    line = bytes(raw[:end]).removesuffix(b"\r")
    del raw[: end + 1]
    return line


async def _fill(more: More, raw: bytearray) -> bool:
    piece = await more()
    raw += piece or b""
    return bool(piece)


def _decompressed(body: Body, headers: Sequence[tuple[bytes, bytes]], limit: int) -> Body:
    """The decompressed body; unchanged if the header names another coding, several, or one that the body lacks."""
    codings = [value.lower() for name, value in headers if name == b"content-encoding"]
    for window, is_sure in _WINDOWS.get(codings[0] if len(codings) == 1 else b"", ()):
        inflater = zlib.decompressobj(window)
        try:
            plain = inflater.decompress(body[0], limit + 1)
        except zlib.error:
            continue
        if inflater.eof or (plain and is_sure):
            return plain[:limit], body[1] and inflater.eof and len(plain) <= limit
    return body
