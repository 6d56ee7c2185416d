"""Moves the time of an event loop, so that its timers come due: `asyncio.sleep(60)` ends after a minute's travel."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta


class LoopTime:
    """Stops the time of the running loop, and adds to it. A loop without a Python clock (uvloop's) keeps its own."""

    def __init__(self) -> None:
        self._added = 0.0
        self._stopped_at: float | None = None
        self._replaced: list[tuple[asyncio.AbstractEventLoop, Callable[[], float]]] = []

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Within, time passes by `forward` alone, however long a busy machine takes; it goes on from there."""
        self._replace()
        self._stopped_at = time.monotonic()
        try:
            yield
        finally:
            self._added -= time.monotonic() - self._stopped_at
            self._stopped_at = None

    def forward(self, by: timedelta) -> None:
        """Let time pass for every timer of the running loop."""
        self._replace()
        self._added += by.total_seconds()

    def _replace(self) -> None:
        loop = asyncio.get_running_loop()
        if all(loop is not other for other, _ in self._replaced):
            self._replaced.append((loop, loop.time))
            loop.time = self._now  # type: ignore[method-assign]  # there is no other way to move it

    def _now(self) -> float:
        # Of asyncio's own loops, `time` is `time.monotonic`.
        return (time.monotonic() if self._stopped_at is None else self._stopped_at) + self._added

    def next_timer(self) -> timedelta | None:
        """How long until the next timer of the running loop."""
        loop = asyncio.get_running_loop()
        # asyncio has no public way to ask.
        timers: list[asyncio.TimerHandle] = getattr(loop, "_scheduled", [])
        left = min((timer.when() for timer in timers if not timer.cancelled()), default=None)
        # A little more: timers are compared with the loop's time as floats.
        return None if left is None else timedelta(seconds=max(0.0, left - loop.time()) + 0.001)

    def restore(self) -> None:
        """Give the loops their own time again."""
        for loop, real in self._replaced:
            loop.time = real  # type: ignore[method-assign]  # as above
        self._replaced.clear()
