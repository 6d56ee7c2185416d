"""Records how far a worker has read the stream, as long as it lags (`domain/jobs/stream_position.py`)."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime

from domain.jobs.job import Job
from domain.jobs.stream_position import BETWEEN_BATCHES, LAG, StreamPosition, StreamPositions
from domain.ports import Clock, NewId

NOTE_SECONDS = 1.0
"""What a mark may take of its invocation's time."""


class PositionKeeper:
    """Keeps the mark of one execution environment. `environment` gives its name, the same at each call."""

    def __init__(self, positions: StreamPositions, environment: NewId, clock: Clock) -> None:
        self._positions = positions
        self._environment = environment
        self._clock = clock

    async def keep(
        self, jobs: Sequence[Job], deadline: datetime, handed_back: "asyncio.Future[tuple[Job, ...]]"
    ) -> None:
        """Follow a batch that triggers `jobs` and ends when `handed_back` says which of them are delivered again.

        Writes nothing for a batch that ends before its oldest trigger is `LAG` old, else twice: where it is, until its
        function's `deadline`, and then that it is done.
        """
        if not jobs:
            return
        triggers = [job.updated_at for job in jobs]
        young = min(triggers) + LAG - self._clock()
        await asyncio.wait({handed_back}, timeout=max(0.0, young.total_seconds()))
        if handed_back.done():
            return
        await self._note(min(triggers), deadline)
        again = await handed_back
        at = min((job.updated_at for job in again), default=max(triggers))
        await self._note(at, self._clock() + BETWEEN_BATCHES)

    async def _note(self, at: datetime, until: datetime) -> None:
        """Best effort, and never for long: the jobs of the batch do not depend on it."""
        mark = StreamPosition(environment=self._environment(), at=at, until=until)
        with suppress(Exception):
            async with asyncio.timeout(NOTE_SECONDS):
                await self._positions.note(mark)
