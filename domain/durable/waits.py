"""Knows when a handler has nothing to do before something that it waits for: then its invocation ends."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NoReturn

from domain.jobs.change import Put
from domain.jobs.job import WaitFor
from domain.jobs.outcomes import Outcome, Pause
from headrace.authoring.steps import StepMisused

TURNS: Final = 5
"""Of the event loop, that tasks beside a wait have to begin a step of theirs."""
MAX_WAITS: Final = 80
"""At once: each is remembered in the transaction of the pause."""


@dataclass(frozen=True)
class _Pending:
    wait: WaitFor
    until: datetime


class Waits:
    """The waits of one attempt. `ended` is set with its pause, when no step is under way any more."""

    def __init__(self, ended: "asyncio.Future[Outcome]") -> None:
        self._ended = ended
        self._busy = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._pending: dict[str, _Pending] = {}
        self._begun: dict[str, Put] = {}
        self._leaving = False

    @contextmanager
    def working(self) -> Iterator[None]:
        """Within it the attempt does not pause: what it does would be lost."""
        self._busy += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._busy -= 1
            if not self._busy:
                self._idle.set()
            self._look(TURNS)

    async def idle(self) -> None:
        """Return when nothing is under way."""
        await self._idle.wait()

    async def until_over(self, wait: WaitFor, until: datetime, begun: Put | None) -> NoReturn:
        """Wait until the invocation ends; `begun` remembers a new wait."""
        self._pending[wait.name] = _Pending(wait, until)
        if begun is not None:
            self._begun[wait.name] = begun
        if len(self._pending) > MAX_WAITS or len(self._begun) > MAX_WAITS:
            raise StepMisused(f"a job waits for at most {MAX_WAITS} things at once")
        try:
            await self._forever()
        finally:
            # Its task may have been cancelled by the handler, which goes on.
            self._pending.pop(wait.name, None)

    async def leave(self) -> NoReturn:
        """End the invocation, to go on in another one."""
        self._leaving = True
        await self._forever()

    def abandon(self) -> None:
        """End the invocation at once, whatever else is under way: its lease is gone, so that nothing of it counts."""
        if not self._ended.done():
            self._ended.set_result(Pause())

    async def _forever(self) -> NoReturn:
        self._look(TURNS)
        while True:
            await asyncio.get_running_loop().create_future()

    def _look(self, turns: int) -> None:
        if self._busy or self._ended.done() or not (self._pending or self._leaving):
            return
        if turns:
            asyncio.get_running_loop().call_soon(self._look, turns - 1)
            return
        begun = tuple(self._begun.values())
        if self._leaving:
            self._ended.set_result(Pause(begun=begun))
            return
        pending = tuple(self._pending.values())
        waits = tuple(each.wait for each in pending)
        self._ended.set_result(Pause(waits_for=waits, until=min(each.until for each in pending), begun=begun))
