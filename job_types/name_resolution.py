"""Resolves host names apart from everything else that the process resolves."""

import asyncio
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

LOOKUP_LIMIT = timedelta(seconds=4)
"""How long a lookup may take, the wait for a thread included."""
MAX_LOOKUPS = 32
"""At once, each in a thread: three batches' worth, since one that hangs keeps its thread until the system gives up."""

Lookup = Callable[[str, int], tuple[str, ...]]


@dataclass(frozen=True)
class Unresolved:
    """The name led to no address in time."""

    reason: str


class Resolver(Protocol):
    """Finds the addresses of a host."""

    async def resolve(self, host: str, port: int) -> tuple[str, ...] | Unresolved:
        """The addresses in the order in which to try them. Literal addresses are resolved like names."""


def system_lookup(host: str, port: int) -> tuple[str, ...]:
    """The system's answer; an IPv6 address keeps its zone. Raises OSError, or ValueError for what is no name."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))


class SystemResolver:
    """Looks names up in threads of its own.

    The event loop's default executor resolves for the database as well, and nine names that hang would fill it. Here
    they fill at most `threads`; while all are taken, a lookup waits for one, and is given up after `limit` like any
    other.
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
            # A lookup that still waited for its thread is cancelled with the wait, and never runs.
            return Unresolved(reason=f"the host name was not resolved within {self._limit.total_seconds():g} s")
        except (OSError, ValueError):
            return Unresolved(reason="the host name could not be resolved")
