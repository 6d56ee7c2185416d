"""The durable calls of a handler's context."""

import asyncio
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime, timedelta
from typing import Final, NoReturn

from domain.children.call import GroupCall
from domain.children.calls import ChildCalls, Elsewhere, Later
from domain.durable.memory import Memory
from domain.durable.repository import LeaseEnded
from domain.durable.step import (
    CHILDREN,
    MAX_LIFE,
    MAX_STEPS,
    SIGNAL,
    STEP,
    TIME,
    TIMED_OUT,
    Step,
    is_name,
    signal_key,
    step_put,
)
from domain.durable.values import Adapter, adapter_of, decoded, encoded, model_adapter
from domain.durable.waits import Waits
from domain.jobs.change import Put
from domain.jobs.job import Job, WaitFor
from domain.jobs.outcomes import Outcome
from domain.ports import Clock
from headrace.authoring.children import ChildFailed
from headrace.authoring.json_text import JsonText
from headrace.authoring.steps import StepMisused, StepUnavailable

CALLS: Final = {STEP: "step", TIME: "sleep", SIGNAL: "signal", CHILDREN: "call or map"}
MAX_ITEMS: Final = 4 * MAX_STEPS
"""That a job remembers, beside what each round of its children leaves; a group has two."""
_STEP: "ContextVar[tuple[Durable, str] | None]" = ContextVar("step", default=None)
"""The step that the running code belongs to, and whose."""


class Durable:
    """Remembers for one attempt. `ended` is set when its invocation has to end."""

    def __init__(
        self,
        job: Job,
        memory: Memory,
        clock: Clock,
        ended: "asyncio.Future[Outcome]",
        children: ChildCalls | None = None,
    ) -> None:
        self._children = children
        self._job = job
        self._memory = memory
        self._clock = clock
        self._waits = Waits(ended)
        self._used: dict[str, str] = {}
        self._closed = False
        self.flaw: str | None = None
        """What the handler did wrong, even if it caught the exception."""

    def current_step(self) -> str | None:
        """The name of the step that the calling code belongs to."""
        step = _STEP.get()
        return step[1] if step is not None and step[0] is self else None

    @property
    def size(self) -> int:
        """How many items the job has, as far as the attempt knows."""
        return self._memory.size

    async def step(
        self, name: str, function: Callable[..., object], args: tuple[object, ...], returns: object
    ) -> object:
        """What the function returned when it was first called under this name; it is called if it never was."""
        with self._sound():
            self._use(name, STEP)
            adapter = adapter_of(name, function, returns)
            with self._waits.working():
                if (known := await self._recalled(name, STEP)) is not None:
                    return decoded(name, await self._memory.text_of(known), adapter)
            if self._memory.is_to_leave():
                await self._waits.leave()
        if self._closed:
            raise asyncio.CancelledError  # Of a task that outlives its attempt: the next one calls the function.
        with self._waits.working():
            began_at = self._clock()
            made = await self._called(name, function, args)
            # In a task, which goes on when the handler is cancelled: the effect is made, so it has to be remembered.
            kept = asyncio.create_task(self._remembered(name, made, adapter, began_at))
            kept.add_done_callback(_retrieved)
            await asyncio.wait({kept})
        if isinstance(text := kept.result(), LeaseEnded):
            await self._abandoned()
        with self._sound():
            return decoded(name, text, adapter)

    async def close(self) -> None:
        """Call no function of a step from here on; return when those that are under way are remembered."""
        self._closed = True
        await self._waits.idle()

    async def sleep(self, name: str, duration: timedelta) -> None:
        """Return when so much time has passed since the first call under this name."""
        with self._sound():
            self._use(name, TIME)
            with self._waits.working():
                known = await self._recalled(name, TIME)
            until = (known.until if known else None) or self._end(name, duration)
            if self._clock() < until:
                begun = None if known else self._begun(name, TIME, until)
                await self._waits.until_over(WaitFor(kind=TIME, name=name), until, begun)

    async def signal(self, name: str, model: object, timeout: timedelta | None) -> object:
        """The value of the signal, or None when `timeout` has passed without it."""
        with self._sound():
            self._use(name, SIGNAL)
            adapter = model_adapter(name, model)
            with self._waits.working():
                known = await self._recalled(name, SIGNAL)
                if (end := await self._memory.recall(signal_key(name))) is not None:
                    return await self._received(end, adapter)
            life_ends = self._job.created_at + MAX_LIFE
            until = known.until if known else None
            until = until or (life_ends if timeout is None else self._end(name, timeout))
            if self._clock() < until:
                begun = None if known else self._begun(name, SIGNAL, until)
                await self._waits.until_over(WaitFor(kind=SIGNAL, name=name), until, begun)
            if until >= life_ends:
                raise StepMisused(f"the signal {name} did not come in the {MAX_LIFE.days} days that a job may wait")
            with self._waits.working():
                stands = await self._timed_out(name, until)
                value = None if isinstance(stands, LeaseEnded) else await self._received(stands, adapter)
            if isinstance(stands, LeaseEnded):
                await self._abandoned()
            return value

    async def children(self, call: GroupCall) -> list[object]:
        """What the children came to; raises `ChildFailed`."""
        with self._sound():
            self._use(call.name, CHILDREN)
            if self._children is None:
                raise StepUnavailable("there are no children here")
            with self._waits.working():
                come = await self._children.advance(call, await self._recalled(call.name, CHILDREN))
            if isinstance(come, Later):
                await self._waits.until_over(come.wait, come.until, None)
            if isinstance(come, Elsewhere):
                await self._waits.leave()
            if isinstance(come, LeaseEnded):
                await self._abandoned()
            if isinstance(come, ChildFailed):
                raise come
            return come

    async def _called(self, name: str, function: Callable[..., object], args: tuple[object, ...]) -> object:
        token = _STEP.set((self, name))
        try:
            made = function(*args)
            return await made if inspect.isawaitable(made) else made
        finally:
            _STEP.reset(token)

    @contextmanager
    def _sound(self) -> Iterator[None]:
        try:
            yield
        except StepMisused as error:
            self.flaw = self.flaw or str(error)
            raise

    def _use(self, name: str, kind: str) -> None:
        if not is_name(name):
            rule = "a name has up to 100 letters, digits and _.:- and begins with a letter or digit"
            raise StepMisused(f"{name!r:.120} cannot be the name of a {CALLS[kind]}: {rule}")
        if (within := self.current_step()) is not None:
            raise StepMisused(
                f"the {CALLS[kind]} {name} is called within the step {within}, whose value holds all of it"
            )
        if (used := self._used.get(name)) is not None:
            raise StepMisused(
                f"the name {name} is used twice, for a {CALLS[used]} and a {CALLS[kind]}: each needs its own"
            )
        if len(self._used) >= MAX_STEPS or self._memory.has_more_than(MAX_ITEMS):
            raise StepMisused(f"a job remembers at most {MAX_STEPS} steps; give parts of it to jobs of their own")
        self._used[name] = kind

    async def _recalled(self, name: str, kind: str) -> Step | None:
        known = await self._memory.recall(name)
        if known is not None and known.kind != kind:
            before = CALLS.get(known.kind, known.kind)
            raise StepMisused(
                f"{name} was the name of a {before} when the job began, and is that of a {CALLS[kind]} now"
            )
        return known

    def _end(self, name: str, duration: timedelta) -> datetime:
        until = self._clock() + min(max(duration, timedelta(0)), 2 * MAX_LIFE)
        if until > self._job.created_at + MAX_LIFE:
            raise StepMisused(f"{name} would end more than {MAX_LIFE.days} days after its job was submitted")
        return until

    def _begun(self, name: str, kind: str, until: datetime) -> Put:
        step = self._new(name, kind, self._clock(), until=until)
        return step_put(step, self._memory.held.expires_at)

    async def _remembered(self, name: str, made: object, adapter: Adapter, began_at: datetime) -> JsonText | LeaseEnded:
        with self._waits.working(), self._sound():
            value = await self._memory.keep(encoded(name, made, adapter))
            step = self._new(name, STEP, began_at).model_copy(update={"ended_at": self._clock(), "value": value})
            stands = await self._memory.remember(step)
            return stands if isinstance(stands, LeaseEnded) else await self._memory.text_of(stands)

    async def _timed_out(self, name: str, until: datetime) -> Step | LeaseEnded:
        """How the wait for the signal has ended: the signal may have come at this very moment."""
        step = self._new(name, TIMED_OUT, self._clock(), until=until)
        return await self._memory.remember(step.model_copy(update={"ended_at": self._clock()}))

    async def _received(self, end: Step, adapter: Adapter) -> object:
        if end.kind == TIMED_OUT:
            return None
        return decoded(f"the signal {end.name}", await self._memory.text_of(end), adapter)

    async def _abandoned(self) -> NoReturn:
        """Another worker has the job: what this one does from here on would be done twice."""
        self._waits.abandon()
        while True:
            await asyncio.get_running_loop().create_future()

    def _new(self, name: str, kind: str, began_at: datetime, until: datetime | None = None) -> Step:
        held = self._memory.held
        return Step(job_id=held.life, name=name, kind=kind, attempt=held.attempt, began_at=began_at, until=until)


def _retrieved(kept: "asyncio.Task[JsonText | LeaseEnded]") -> None:
    """Take note of what was raised: perhaps nobody waits for it any more."""
    _ = kept.cancelled() or kept.exception()
