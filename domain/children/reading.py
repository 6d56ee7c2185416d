"""Reads children in batches, for their parent's attempt."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, TypeVar

from domain.children.repository import MAX_READ
from domain.patience import answered
from domain.ports import Clock
from domain.results import StorageUnavailable
from headrace.authoring.steps import StepUnavailable

CONCURRENCY: Final = 8
"""Batches that are read at once."""
QUICK: Final = CONCURRENCY * MAX_READ
"""Children that are read at once: how much time is left need not be asked for them."""
RESERVE = timedelta(milliseconds=500)
"""Before the attempt ends, reading does: so that it can say why."""

T = TypeVar("T")
Read = Callable[[tuple[str, ...]], Awaitable[Mapping[str, T] | StorageUnavailable]]


async def read_all(read: Read[T], ids: Sequence[str], clock: Clock, deadline: datetime) -> Mapping[str, T]:
    """What is read of these jobs, by id; raises `StepUnavailable` when not all of them can be read by `deadline`."""
    slots = asyncio.Semaphore(CONCURRENCY)

    async def batch(start: int) -> Mapping[str, T] | StorageUnavailable:
        async with slots:
            if start >= QUICK and clock() >= deadline - RESERVE:
                late = f"{len(ids)} take longer to read than the attempt has; its job type needs a longer timeout"
                return StorageUnavailable(reason="timeout", detail=late)
            return await answered(lambda: read(tuple(ids[start : start + MAX_READ])), clock, deadline)

    parts = await asyncio.gather(*(batch(start) for start in range(0, len(ids), MAX_READ)))
    read_by_id: dict[str, T] = {}
    for part in parts:
        if isinstance(part, StorageUnavailable):
            raise StepUnavailable(f"the job's children are out of reach: {part.reason}, {part.detail}")
        read_by_id |= part
    return read_by_id
