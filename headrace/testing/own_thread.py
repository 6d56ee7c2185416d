"""Runs what needs an event loop of its own, also where one runs already."""

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import copy_context
from functools import wraps
from threading import Thread
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def beside_the_loop(work: Callable[[], T]) -> T:
    """What `work` returns or raises: in a thread, which the caller waits for, if an event loop runs in this one."""
    if not _in_a_loop():  # Not within the `except`: what `work` raises would be told as a second error.
        return work()
    returned: list[T] = []
    raised: list[BaseException] = []

    def run() -> None:
        try:
            returned.append(work())
        except BaseException as error:  # noqa: BLE001 - raised again by the caller
            raised.append(error)

    thread = Thread(target=copy_context().run, args=(run,), name="beside the loop")
    thread.start()
    thread.join()
    if raised:
        raise raised[0]
    return returned[0]


def _in_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def blocking(function: Callable[P, Coroutine[object, object, T]], name: str) -> Callable[P, T]:
    """The function as one that is called without `await`, in plain and in `async` code."""

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        return beside_the_loop(lambda: asyncio.run(function(*args, **kwargs)))

    call.__name__ = call.__qualname__ = name
    return call
