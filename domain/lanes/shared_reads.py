"""Reads of lanes that are shared in one process: by a batch of submissions to one lane, or of claims in it."""

import asyncio
from collections.abc import Awaitable, Callable

from domain.lanes.lane import Lane
from domain.results import StorageUnavailable

Line = Callable[[str, int], Awaitable[tuple[str, ...] | StorageUnavailable]]
"""Reads the ids of the first so many in a lane's line."""


class Seen:
    """A lane as it was read, with what those who share the reading have planned since."""

    def __init__(self, lane: Lane, line: Line) -> None:
        self.lane = lane
        self._read_line = line
        self._asking = asyncio.Lock()
        self._first: tuple[str, ...] | StorageUnavailable | None = None

    async def first_in_line(self) -> tuple[str, ...] | StorageUnavailable:
        """The id of the first in line, if there is one: read once for all, after the lane was."""
        async with self._asking:
            if self._first is None:
                self._first = await self._read_line(self.lane.name, 1)
            return self._first


class SharedReads:
    """One reading serves all who ask before it begins; who asks later needs another, as a place may be free by then."""

    def __init__(self, read: Callable[[str], Awaitable[Lane | StorageUnavailable]], line: Line) -> None:
        self._read = read
        self._line = line
        self._lanes: dict[str, _Readings] = {}

    async def read(self, name: str) -> Seen | StorageUnavailable:
        """The lane as it is now, or what kept it from being read."""
        readings = self._lanes.setdefault(name, _Readings())
        readings.waiting += 1
        shared = readings.following
        try:
            async with readings.turn:
                if shared.found is None:
                    await asyncio.sleep(0)  # A batch asks at once, and so by one reading.
                    readings.following = _Reading()
                    lane = await self._read(name)
                    shared.found = Seen(lane, self._line) if isinstance(lane, Lane) else lane
                return shared.found
        finally:
            readings.waiting -= 1
            if readings.waiting == 0:
                del self._lanes[name]


class _Reading:
    """One that has not begun, or what it found."""

    found: Seen | StorageUnavailable | None = None


class _Readings:
    """Those of one lane, one after the other."""

    def __init__(self) -> None:
        self.turn = asyncio.Lock()
        self.following = _Reading()
        self.waiting = 0
