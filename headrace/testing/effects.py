"""Records effects on the outside world, which a crash must not make happen twice."""

import inspect
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from typing import Generic, ParamSpec, TypeVar, cast

from headrace.testing.places import Place
from headrace.testing.process import Call, Process, current_process

P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)
_MAX_VALUE = 80


class Effect(Generic[P, R_co]):
    """A function of a test's fake that stands for an effect on the outside world: a charge, a mail, a row.

    Give it to the handler in the place of the function, and to `survives_crashes`. It is called as the function is,
    `async` or plain. An effect that is made again under the same key counts once; a call that raises has no effect.

    Args:
        function: What the handler would call: usually a method of a fake.
        key: The parameter that carries the idempotency key, or a function from a call's arguments to its key. A key
            that is None or empty is none.
        name: What reports call it; by default the function's name.
        error: Makes the exception that the handler gets when an answer is lost, of a sentence.
    """

    def __init__(
        self,
        function: Callable[P, R_co],
        *,
        key: str | Callable[P, object] = "idempotency_key",
        name: str | None = None,
        error: Callable[[str], Exception] = TimeoutError,
    ) -> None:
        self.name = name or str(getattr(function, "__name__", type(function).__name__))
        self._function = function
        self._key = key
        self._error = error

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Call the function; within `survives_crashes`, record the call and let faults happen before and after it."""
        process = current_process()
        if process is None or self not in process.effects:
            return self._function(*args, **kwargs)
        # Here is where the handler makes the call; a task of its own may run it.
        place = process.place_of()
        if _is_async(self._function):
            return cast("R_co", self._awaited(process, place, *args, **kwargs))
        process.passes_in_thread("before", place, self.name)
        with self._recorded(process, *args, **kwargs):
            returned = self._function(*args, **kwargs)
        if process.passes_in_thread("after", place, self.name):
            raise self._error("the answer was lost, the effect was made")
        return returned

    async def _awaited(self, process: Process, place: Place | None, *args: P.args, **kwargs: P.kwargs) -> object:
        await process.passes("before", place, self.name)
        with self._recorded(process, *args, **kwargs):
            returned = await cast("Callable[P, Coroutine[None, None, object]]", self._function)(*args, **kwargs)
        if await process.passes("after", place, self.name):
            raise self._error("the answer was lost, the effect was made")
        return returned

    @contextmanager
    def _recorded(self, process: Process, *args: P.args, **kwargs: P.kwargs) -> Iterator[None]:
        """It counts as made from when it is called, for its process may die before it returns."""
        call = self._described(process.attempt, *args, **kwargs)
        process.calls.append(call)
        try:
            yield
        except Exception:
            process.calls.remove(call)
            raise

    def _described(self, attempt: int, *args: P.args, **kwargs: P.kwargs) -> Call:
        arguments = _arguments(self._function, args, kwargs)
        key = arguments.pop(self._key, None) if isinstance(self._key, str) else self._key(*args, **kwargs)
        shown = ", ".join(f"{name}={repr(value)[:_MAX_VALUE]}" for name, value in arguments.items())
        return Call(self, f"{self.name}({shown})", str(key) if key else None, attempt)

    @property
    def remedy(self) -> str:
        """What to do about an effect that was made twice."""
        if isinstance(self._key, str) and self._key not in _parameters(self._function):
            return (
                f"{self.name} has no parameter `{self._key}` to carry an idempotency key: let it take one,"
                " or name what carries it with Effect(…, key=…)"
            )
        passed = f"{self._key}=context.idempotency_key" if isinstance(self._key, str) else "context.idempotency_key"
        return (
            f"give {self.name} the same key in every attempt: {passed}; with a suffix of its own for each call"
            " if there are several"
        )


def _is_async(function: Callable[..., object]) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None))  # noqa: B004 - it is not called


def _parameters(function: Callable[..., object]) -> Mapping[str, object]:
    try:
        return inspect.signature(function).parameters
    except (TypeError, ValueError):  # Written in C, without a signature.
        return {}


def _arguments(
    function: Callable[..., object], args: tuple[object, ...], kwargs: Mapping[str, object]
) -> dict[str, object]:
    """The arguments of a call by name, as far as they have one; the function itself refuses wrong ones."""
    try:
        bound = inspect.signature(function).bind(*args, **kwargs)
    except (TypeError, ValueError):
        return {**{str(position): value for position, value in enumerate(args)}, **kwargs}
    return {**bound.arguments, **bound.kwargs}
