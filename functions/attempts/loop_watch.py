"""Sees handlers that block the event loop: `time.sleep` or a long computation in an `async` handler.

Such a handler holds up every other job of its batch, and no timeout can stop it. A thread beside the loop notices when
the loop does not respond, and finds the frame that blocks it.
"""

import asyncio
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from typing import TypeVar

from domain.jobs.source_files import is_library
from headrace.authoring.frozen import Frozen

LIMIT_SECONDS = 1.0
"""How long the loop may not answer before it counts as blocked."""
_INTERVAL_SECONDS = 0.25

T = TypeVar("T")


class Blocked(Frozen):
    """The loop does not answer: it has stood still for `LIMIT_SECONDS`, and still does."""

    job_id: str | None
    """Whose attempt it is, unless it runs in a task of the handler's own."""
    frame: str
    """The blocking frame: file, line and function."""


async def watched(work: Coroutine[None, None, T], report: Callable[[Blocked, float | None], None]) -> T:
    """The result of `work`. What blocks the loop meanwhile is reported, from another thread.

    At once, because the loop may stay blocked, and again with the seconds that it took.
    """
    watch = _Watch(asyncio.get_running_loop(), threading.get_ident(), report)
    thread = threading.Thread(target=watch.run, name="loop-watch", daemon=True)
    thread.start()
    try:
        return await work
    finally:
        watch.stop.set()
        # What blocked the loop to the last moment is answered now, and reported.
        await asyncio.sleep(0)
        thread.join(_INTERVAL_SECONDS)


class _Watch:
    """One watch over one loop, until `stop` is set."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, thread_id: int, report: Callable[[Blocked, float | None], None]
    ) -> None:
        self._loop = loop
        self._thread_id = thread_id
        self._report = report
        self.stop = threading.Event()

    def run(self) -> None:
        while not self.stop.wait(_INTERVAL_SECONDS):
            answered = threading.Event()
            asked = time.monotonic()
            try:
                self._loop.call_soon_threadsafe(answered.set)
            except RuntimeError:  # The loop was closed.
                return
            if answered.wait(LIMIT_SECONDS):
                continue
            blocked = Blocked(job_id=self._job_id(), frame=self._place())
            self._report(blocked, None)
            answered.wait()
            self._report(blocked, round(time.monotonic() - asked, 3))

    def _place(self) -> str:
        """The innermost frame that is neither Python's own nor an installed package's."""
        innermost = frame = sys._current_frames().get(self._thread_id)  # noqa: SLF001 - Python's way to look at a thread
        while frame is not None and is_library(frame.f_code.co_filename):
            frame = frame.f_back
        shown = frame or innermost
        if shown is None:
            return "unknown"
        return f"{shown.f_code.co_filename}:{shown.f_lineno} in {shown.f_code.co_name}"

    def _job_id(self) -> str | None:
        task = asyncio.current_task(self._loop)
        name = task.get_name() if task is not None else ""
        return name.removeprefix("job ") if name.startswith("job ") else None
