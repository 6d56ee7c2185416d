"""Positions in memory, held to the same conformance suite as the real table."""

from datetime import datetime

from domain.jobs.stream_position import StreamPosition


class FakeStreamPositions:
    """A dictionary by environment."""

    def __init__(self, *positions: StreamPosition) -> None:
        self._marks = {position.environment: position for position in positions}

    async def note(self, position: StreamPosition) -> None:
        self._marks[position.environment] = position

    async def current(self, now: datetime) -> tuple[StreamPosition, ...]:
        return tuple(mark for mark in self._marks.values() if mark.until > now)
