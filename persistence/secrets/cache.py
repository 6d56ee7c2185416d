"""Remembers the values of secrets for some seconds, so that a batch of jobs asks once."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from domain.secrets.store import SecretFound, SecretStore

SECONDS: Final = 30.0
"""How old a value may be that a handler is given."""
MOST: Final = 256
"""Values that are remembered at once."""


class CachedSecrets:
    """A `SecretStore` before another; only what was found is remembered. Concurrent calls for one secret are one."""

    def __init__(self, store: SecretStore, monotonic: Callable[[], float]) -> None:
        self._store = store
        self._monotonic = monotonic
        self._known: OrderedDict[str, tuple[str, float]] = OrderedDict()
        self._asking: dict[str, asyncio.Lock] = {}

    async def get(self, place: str) -> SecretFound:
        turn = self._asking.setdefault(place, asyncio.Lock())
        try:
            async with turn:
                known = self._known.get(place)
                return known[0] if known and self._monotonic() < known[1] else await self._ask(place)
        finally:
            if not turn.locked():
                self._asking.pop(place, None)

    async def _ask(self, place: str) -> SecretFound:
        found = await self._store.get(place)
        self._known.pop(place, None)
        if isinstance(found, str):
            self._known[place] = (found, self._monotonic() + SECONDS)
        if len(self._known) > MOST:
            self._known.popitem(last=False)
        return found
