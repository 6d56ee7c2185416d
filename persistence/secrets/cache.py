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
        async with self._asking.setdefault(place, asyncio.Lock()) as _:
            known = self._known.get(place)
            if known is not None and self._monotonic() < known[1]:
                return known[0]
            found = await self._store.get(place)
            if isinstance(found, str):
                self._known[place] = (found, self._monotonic() + SECONDS)
                self._known.move_to_end(place)
        if len(self._known) > MOST:
            forgotten, _ = self._known.popitem(last=False)
            self._asking.pop(forgotten, None)
        return found
