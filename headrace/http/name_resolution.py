"""Resolves host names in separate threads, so that slow lookups cannot block the database's own."""

import asyncio
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

LOOKUP_LIMIT = timedelta(seconds=4)
"""How long a lookup may take, including the wait for a thread."""
MAX_LOOKUPS = 32
"""Concurrent lookups, one thread each: enough for three batches, as a hanging one keeps its thread until it fails."""

Lookup = Callable[[str, int], tuple[str, ...]]


@dataclass(frozen=True)
class Unresolved:
    """The name could not be resolved in time."""

    reason: str


class Resolver(Protocol):
    """Finds the addresses of a host."""

    async def resolve(self, host: str, port: int) -> tuple[str, ...] | Unresolved:
        """Return the addresses in the order in which to try them. Literal addresses are resolved like names."""


def system_lookup(host: str, port: int) -> tuple[str, ...]:
    """Ask the system's resolver; an IPv6 address keeps its zone. Raises OSError, or ValueError for an invalid name."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))


class SystemResolver:
    """Looks names up in its own threads.

    The event loop's default executor also resolves for the database, and nine hanging lookups would fill it. Here they
    fill at most `threads`; while all are busy, a lookup waits for one, and fails after `limit` like any other.
    """

    def __init__(
        self, lookup: Lookup = system_lookup, limit: timedelta = LOOKUP_LIMIT, threads: int = MAX_LOOKUPS
    ) -> None:
        self._lookup = lookup
        self._limit = limit
        self._threads = ThreadPoolExecutor(threads, "dns")

    async def resolve(self, host: str, port: int) -> tuple[str, ...] | Unresolved:
        lookup = self._threads.submit(self._lookup, host, port)
        try:
            async with asyncio.timeout(self._limit.total_seconds()):
                return await asyncio.wrap_future(lookup)
        except TimeoutError:
            # A lookup that is still waiting for a thread is cancelled here, and never runs.
            return Unresolved(reason=f"the host name was not resolved within {self._limit.total_seconds():g} s")
        except (OSError, ValueError):
            return Unresolved(reason="the host name could not be resolved")
