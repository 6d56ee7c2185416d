"""Tries again while a store does not answer."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final, TypeVar

from domain.ports import Clock
from domain.results import StorageUnavailable

T = TypeVar("T")

PAUSE: Final = timedelta(milliseconds=200)
"""Between tries."""


async def answered(
    ask: Callable[[], Awaitable[T | StorageUnavailable]], clock: Clock, deadline: datetime
) -> T | StorageUnavailable:
    """What the store answers, asked until `deadline`; the last problem, when it does not, or refuses what is asked."""
    while True:
        answer = await ask()
        if not isinstance(answer, StorageUnavailable):
            return answer
        if answer.reason == "rejected" or clock() + PAUSE >= deadline:
            return answer
        await asyncio.sleep(PAUSE.total_seconds())
