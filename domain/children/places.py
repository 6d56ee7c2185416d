"""Sets of places as short text: up to 100,000 of them in some 17 KB at the worst, and in some bytes usually."""

import base64
import zlib
from collections.abc import Iterable


def packed(places: Iterable[int]) -> str:
    """The set as text; empty for none."""
    members = set(places)
    if not members:
        return ""
    content = bytearray(max(members) // 8 + 1)
    for place in members:
        content[place // 8] |= 1 << place % 8
    return base64.b64encode(zlib.compress(bytes(content), 9)).decode()


def unpacked(text: str) -> frozenset[int]:
    """The set that `packed` wrote; raises `ValueError` for what it did not write."""
    if not text:
        return frozenset()
    try:
        content = zlib.decompress(base64.b64decode(text, validate=True))
    except zlib.error as error:
        raise ValueError(f"no set of places: {error}") from None
    return frozenset(
        8 * offset + bit for offset, byte in enumerate(content) if byte for bit in range(8) if byte >> bit & 1
    )
