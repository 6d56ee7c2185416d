"""Steps, sleeps and signals of an attempt that runs in this process: nothing is remembered, and nothing waits."""

import inspect
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from datetime import timedelta

from pydantic import JsonValue

from domain.children.call import GroupCall
from domain.durable.step import is_name
from domain.durable.values import adapter_of, decoded, encoded, model_adapter
from headrace.authoring.json_text import to_json_text
from headrace.authoring.steps import StepMisused

_STEP: ContextVar[str | None] = ContextVar("local_step", default=None)


class LocalDurable:
    """Steps are called unless their values are given; sleeps are shown and passed; signals come from `signals`."""

    size = 0

    def __init__(
        self, steps: Mapping[str, JsonValue], signals: Mapping[str, JsonValue], show: Callable[[str], None]
    ) -> None:
        self._steps = steps
        self._signals = signals
        self._show = show
        self._used: set[str] = set()
        self.flaw: str | None = None

    def current_step(self) -> str | None:
        """The name of the step that the calling code belongs to."""
        return _STEP.get()

    async def step(
        self, name: str, function: Callable[..., object], args: tuple[object, ...], returns: object
    ) -> object:
        """What is remembered, or else what the function returns."""
        self._use(name)
        adapter = adapter_of(name, function, returns)
        if name in self._steps:
            self._show(f"step {name}: remembered")
            return decoded(name, to_json_text(self._steps[name]), adapter)
        token = _STEP.set(name)
        try:
            made = function(*args)
            text = encoded(name, await made if inspect.isawaitable(made) else made, adapter)
        finally:
            _STEP.reset(token)
        self._show(f"step {name}: {text[:200]}")
        return decoded(name, text, adapter)

    async def sleep(self, name: str, duration: timedelta) -> None:
        """Return at once."""
        self._use(name)
        self._show(f"sleep {name}: {duration}, passed here")

    async def signal(self, name: str, model: object, timeout: timedelta | None) -> object:
        """The given signal; without one the time is over, if there is a time."""
        self._use(name)
        if name in self._signals:
            return decoded(f"the signal {name}", to_json_text(self._signals[name]), model_adapter(name, model))
        if timeout is None:
            raise StepMisused(f"the handler waits for the signal {name}: give it with --signal {name}=JSON")
        self._show(f"signal {name}: its time is over here; --signal {name}=JSON gives it")
        return None

    async def children(self, call: GroupCall) -> list[object]:
        """The given results: of a `map` a list; no job is submitted here."""
        self._use(call.name)
        if call.name not in self._steps:
            raise StepMisused(
                f"{call.name} asks for jobs of {call.type}, which do not run here: give its results as a step"
            )
        given = self._steps[call.name]
        members = given if isinstance(given, list) and not call.single else [given]
        self._show(f"{call.name}: {len(members)} results of {call.type}, as given")
        adapter = model_adapter(call.name, JsonValue if call.returns is None else call.returns)
        return [
            decoded(f"child {place} of {call.name}", to_json_text(member), adapter)
            for place, member in enumerate(members)
        ]

    async def close(self) -> None:
        """There is nothing to remember."""

    def _use(self, name: str) -> None:
        if not is_name(name) or name in self._used:
            raise StepMisused(f"{name!r:.120} cannot be a name, or is used twice")
        self._used.add(name)
