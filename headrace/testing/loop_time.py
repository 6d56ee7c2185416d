"""Moves the time of an event loop, so that its timers come due: `asyncio.sleep(60)` ends after a minute's travel."""

import asyncio
from collections.abc import Callable
from datetime import timedelta


class LoopTime:
    """Adds to the time of the running loop. A loop whose clock cannot be replaced (uvloop's) keeps its own."""

    def __init__(self) -> None:
        self._added = 0.0
        self._replaced: list[tuple[asyncio.AbstractEventLoop, Callable[[], float]]] = []

    def forward(self, by: timedelta) -> None:
        """Let time pass for every timer of the running loop."""
        self._added += by.total_seconds()
        loop = asyncio.get_running_loop()
        if all(loop is not other for other, _ in self._replaced):
            real = loop.time
            loop.time = lambda: real() + self._added  # type: ignore[method-assign]  # there is no other way to move it
            self._replaced.append((loop, real))

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
