"""Tells attempts that compute from attempts that wait, so that a busy machine does not let their time run out."""

import asyncio
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")

SLICE = 0.01
"""Seconds after which an attempt that has not ended is looked at again."""

QUIET_SLICES = 25
"""Slices in a row without any work, after which all attempts under way are taken to wait."""

LONGEST = 10.0
"""Seconds of real time after which attempts that compute are not waited for any longer."""


class Patience:
    """How long a clock stands still for attempts under way: while they compute, in the running loop or in threads.

    Judged by the loop's queue and by the processor time of this process's other threads, both of which a busy machine
    only stretches. What computes elsewhere (a server, a child process) looks like waiting.
    """

    def __init__(self, longest: float = LONGEST) -> None:
        self._longest = longest
        self.renew()

    def renew(self) -> None:
        """Begin anew: an attempt has ended."""
        self._quiet = 0
        self._ends = time.monotonic() + self._longest
        self._used = _used_by_threads()

    def is_quiet(self) -> bool:
        """Whether nothing was computed in the last slice; to be asked after each in which no attempt has ended."""
        before, self._used = self._used, _used_by_threads()
        is_busy = _has_more_to_run() or self._used - before > SLICE / 10
        self._quiet = 0 if is_busy else self._quiet + 1
        return not is_busy

    @property
    def is_over(self) -> bool:
        """Whether the clock may move on."""
        return self._quiet >= QUIET_SLICES or time.monotonic() > self._ends


async def until_one_ends(tasks: Iterable[asyncio.Task[T]]) -> tuple[set[asyncio.Task[T]], set[asyncio.Task[T]]]:
    """Wait for the first of the tasks, at most a `SLICE` of real time; return those that have ended, and the others."""
    loop = asyncio.get_running_loop()
    tick = asyncio.Event()

    def wake() -> None:
        with suppress(RuntimeError):  # The loop was closed.
            loop.call_soon_threadsafe(tick.set)

    # Not by a timer of the loop, whose time stands still.
    timer, ticked = threading.Timer(SLICE, wake), asyncio.create_task(tick.wait())
    timer.start()
    try:
        waiting = set(tasks)
        await asyncio.wait({*waiting, ticked}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        timer.cancel()
        ticked.cancel()
    ended = {task for task in waiting if task.done()}
    return ended, waiting - ended


def _used_by_threads() -> float:
    """Seconds of processor time, of all threads but this one."""
    return time.process_time() - time.thread_time()


def _has_more_to_run() -> bool:
    # asyncio has no public way to ask; a loop without such a queue (uvloop's) is taken to have nothing.
    return bool(getattr(asyncio.get_running_loop(), "_ready", ()))
