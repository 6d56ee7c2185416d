"""A wake queue in memory, held to the same conformance suite as the real one."""

import math
from collections.abc import Sequence
from datetime import datetime, timedelta

from domain.jobs.wake_queue import LONGEST_DELAY, Unsent, Wake


class FakeWakeQueue:
    """A list of messages, and when each may be delivered."""

    def __init__(self) -> None:
        self._messages: list[tuple[datetime, Wake]] = []

    @property
    def waiting(self) -> tuple[Wake, ...]:
        """Every message that was not taken yet, in the order of sending."""
        return tuple(wake for _, wake in self._messages)

    async def send(self, wakes: Sequence[Wake], now: datetime) -> tuple[Unsent, ...]:
        delays = [min(max(wake.due - now, timedelta(0)), LONGEST_DELAY) for wake in wakes]
        whole = [timedelta(seconds=math.ceil(delay.total_seconds())) for delay in delays]
        self._messages += [(now + delay, wake) for delay, wake in zip(whole, wakes, strict=True)]
        return ()

    def take(self, now: datetime) -> tuple[Wake, ...]:
        """Receive, and delete, what may be delivered at `now`."""
        taken = tuple(wake for at, wake in self._messages if at <= now)
        self._messages = [(at, wake) for at, wake in self._messages if at > now]
        return taken
