"""An event loop in virtual time: waiting an hour takes no time, and the same program always runs the same way."""

import asyncio
import selectors
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_POOL = "asyncio_"
"""How the names of the threads begin that `asyncio.to_thread` uses, and that wait for more work afterwards."""


class _JumpingSelector(selectors.DefaultSelector):
    """Advances the clock instead of waiting, unless the loop waits for a thread or a socket: then time is real."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.calls_of_pool = 0
        self._others = frozenset(threading.enumerate())

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout == 0:
            return super().select(0)
        if self._waits_for_others():
            begun = time.monotonic()
            ready = super().select(timeout)
            self.now += time.monotonic() - begun
            return ready
        ready = super().select(0)
        if not ready and timeout is None:
            raise RuntimeError("all tasks wait, and no timer is pending")
        self.now += 0.0 if ready or timeout is None else max(timeout, 0.0)
        return ready

    def _waits_for_others(self) -> bool:
        # One file is the loop's own, by which threads wake it.
        return self.calls_of_pool > 0 or len(self.get_map()) > 1 or any(map(self._is_working, threading.enumerate()))

    def _is_working(self, thread: threading.Thread) -> bool:
        return thread not in self._others and not thread.name.startswith(_POOL)


class VirtualLoop(asyncio.SelectorEventLoop):
    """Runs coroutines in virtual time, in one order."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        """Seconds since the loop began."""
        return self._jumping.now

    def run_in_executor(self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts) -> asyncio.Future[T]:
        """Run `func` in a thread; time is real until it has ended."""
        result = super().run_in_executor(executor, func, *args)
        self._jumping.calls_of_pool += 1
        result.add_done_callback(self._returned)
        return result

    def _returned(self, _result: "asyncio.Future[T]") -> None:
        self._jumping.calls_of_pool -= 1


def run_in_virtual_time(work: Coroutine[object, object, T]) -> T:
    """Run `work` to completion in virtual time."""
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(work)
    finally:
        loop.close()
