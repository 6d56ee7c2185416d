"""Page cursors: opaque to clients, signed, and bound to one tenant's one query."""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import datetime, timedelta

from domain.results import BadCursor

LIFETIME = timedelta(hours=24)
MIN_KEY_BYTES = 32
_MAC_BYTES = 32
_MAX_CURSOR = 2048


class CursorCodec:
    """Seals a position in an index, and opens it again only for the scope that it was sealed for."""

    def __init__(self, key: bytes) -> None:
        if len(key) < MIN_KEY_BYTES:
            raise ValueError(f"the cursor key needs at least {MIN_KEY_BYTES} bytes")
        self._key = key

    def seal(self, scope: tuple[str, ...], position: Mapping[str, str], now: datetime) -> str:
        """A cursor for `position`; `scope` names the tenant and everything that the query is about."""
        body = json.dumps([int(now.timestamp()), dict(position)], separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(self._mac(scope, body) + body).decode().rstrip("=")

    def open(self, scope: tuple[str, ...], cursor: str, now: datetime) -> dict[str, str] | BadCursor:
        """The position, if this very scope was sealed with this key less than 24 hours ago."""
        if len(cursor) > _MAX_CURSOR or not cursor.isascii():
            return BadCursor()
        try:
            sealed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True)
        except (binascii.Error, ValueError):
            return BadCursor()
        mac, body = sealed[:_MAC_BYTES], sealed[_MAC_BYTES:]
        canonical = base64.urlsafe_b64encode(sealed).decode().rstrip("=") == cursor
        if not canonical or not hmac.compare_digest(mac, self._mac(scope, body)):
            return BadCursor()
        issued, position = json.loads(body)
        if now.timestamp() - issued > LIFETIME.total_seconds():
            return BadCursor()
        return {str(name): str(value) for name, value in position.items()}

    def _mac(self, scope: tuple[str, ...], body: bytes) -> bytes:
        message = json.dumps(scope).encode() + b"\n" + body
        return hmac.new(self._key, message, hashlib.sha256).digest()
