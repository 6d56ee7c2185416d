"""A worker's process, which ends or stands still at a chosen point of its handler."""

import asyncio
import threading
from collections.abc import Callable, Collection, Coroutine, Generator
from contextvars import ContextVar, copy_context
from dataclasses import dataclass
from functools import partial
from typing import Generic, Literal, TypeVar, cast

from headrace.testing.faults import Course, Kind
from headrace.testing.own_thread import beside_the_loop
from headrace.testing.places import Place, caller, suspended_at
from headrace.testing.virtual_loop import VirtualLoop

T = TypeVar("T")
_CLEAN_UP = 1.0
"""Seconds that the tasks and threads of a process have to end when a run is over."""


class Killed(BaseException):
    """The process has ended: nothing that its code still does counts."""


@dataclass(frozen=True, eq=False)
class Call:
    """An effect that was made."""

    effect: object
    text: str
    key: str | None
    attempt: int


class Process:
    """Runs one attempt on an event loop of its own, which no other process shares.

    Args:
        effects: Those that count.
        calls: What the processes of one run have done, to which this one adds.
        course: The points of the run, and what happens at one of them.
        meanwhile: What others do while it stands still.
        over: Set when the run is over.
    """

    def __init__(
        self,
        effects: Collection[object],
        calls: list[Call],
        course: Course,
        meanwhile: Callable[[], None],
        over: threading.Event,
    ) -> None:
        self.effects = effects
        self.calls = calls
        self.attempt = 0
        self._course = course
        self._meanwhile = meanwhile
        self._over = over
        self._awaits = 0
        self._dead = False
        self._standing: list[asyncio.Future[None]] = []
        self._threads: set[threading.Thread] = set()
        self._loop = VirtualLoop()
        self._loop_thread = threading.get_ident()

    def run(self, work: Coroutine[object, object, object]) -> None:
        """Run `work` to its end, or to this process's."""
        context = copy_context()
        context.run(_CURRENT.set, self)
        task = self._loop.create_task(work, context=context)
        task.add_done_callback(self._stop)
        self._loop.run_forever()
        task.remove_done_callback(self._stop)
        if not self._dead:
            task.result()

    def close(self) -> None:
        """Clean up what a dead process has left, when the run is over."""
        self._loop.set_exception_handler(lambda _loop, _context: None)
        left = asyncio.all_tasks(self._loop)
        for task in left:
            task.cancel()
        if left:
            self._loop.run_until_complete(asyncio.wait(left, timeout=_CLEAN_UP))
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        for thread in self._threads:
            thread.join(_CLEAN_UP)
        self._loop.close()

    async def passes(self, kind: Kind, place: Place | None, effect: str = "") -> bool:
        """Pass a point, unless the process ends there; says whether the answer of the effect is lost."""
        met = self._meets(kind, place, effect)
        if met == "end":
            await self._stand_still()
        return met == "loss"

    def passes_in_thread(self, kind: Kind, place: Place | None, effect: str = "") -> bool:
        """The same for plain code."""
        met = self._meets(kind, place, effect)
        if met == "end":
            if threading.get_ident() != self._loop_thread:
                self._over.wait()
            raise Killed
        return met == "loss"

    def place_of(self, coroutine: Coroutine[object, object, object] | None = None) -> Place | None:
        """Where the calling code is, or a suspended coroutine, if this run notes it."""
        if not self._course.notes:
            return None
        return caller() if coroutine is None else suspended_at(coroutine)

    def stepping(self, coroutine: Coroutine[object, object, T]) -> "Stepping[T]":
        """Runs the coroutine; each of its suspensions is a point."""
        return Stepping(self, coroutine)

    def begins(self, attempt: int, *, in_thread: bool) -> None:
        """The handler begins this attempt."""
        self.attempt = attempt
        if in_thread:
            self._threads.add(threading.current_thread())

    def _stop(self, _ended: "asyncio.Task[object]") -> None:
        self._loop.stop()

    async def _stand_still(self) -> None:
        """A dead process does nothing more, until the run is over and it is cleaned up."""
        if not self._over.is_set():
            # Held, for a task that nobody refers to is collected: its `finally` would run before the run is over.
            self._standing.append(self._loop.create_future())
            await self._standing[-1]
        raise Killed

    def _meets(self, kind: Kind, place: Place | None, effect: str) -> Literal["nothing", "end", "loss"]:
        if self._dead:
            return "end"
        self._awaits += kind == "await"
        match self._course.passes(kind, effect, self.attempt, self._awaits, place):
            case None | "delivered again":
                return "nothing"
            case "second worker":
                beside_the_loop(self._meanwhile)
                return "nothing"
            case "lost answer":
                return "loss"
            case "crash":
                self._dead = True
                self._loop.call_soon_threadsafe(self._loop.stop)
                return "end"


class Stepping(Generic[T]):
    """Awaits a coroutine step by step."""

    def __init__(self, process: Process, coroutine: Coroutine[object, object, T]) -> None:
        self._process = process
        self._coroutine = coroutine

    def __await__(self) -> Generator[object, object, T]:
        steps = self._coroutine.__await__()
        resume: Callable[[], object] = partial(next, steps)
        while True:
            try:
                awaited = resume()
            except StopIteration as returned:
                return cast("T", returned.value)
            try:
                # Not passed within the coroutine: its `finally` is not run by the end of a process.
                yield from self._process.passes("await", self._process.place_of(self._coroutine)).__await__()
                yield awaited
            except BaseException as error:  # noqa: BLE001 - whatever it is, it is for the coroutine
                resume = partial(steps.throw, error)
            else:
                resume = partial(next, steps)


def current_process() -> Process | None:
    """The process that the calling code runs in; None outside `survives_crashes`."""
    return _CURRENT.get()


_CURRENT: ContextVar[Process | None] = ContextVar("process", default=None)
