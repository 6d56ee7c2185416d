"""What a test replaces: sleeping, randomness, time and keys. Each class has an asynchronous twin."""

import asyncio
import random
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

from headrace_client.errors import HeadraceError
from headrace_client.messages import Reply

P = ParamSpec("P")
T = TypeVar("T")

Attempt = Callable[[], "Reply | Broken"]
AsyncAttempt = Callable[[], Awaitable["Reply | Broken"]]


@dataclass(frozen=True)
class Broken:
    """A request without a whole response; `passing` if another may have one."""

    error: HeadraceError
    passing: bool


def new_key() -> str:
    """An idempotency key that no other submission has."""
    return uuid.uuid4().hex


@dataclass(frozen=True)
class Seams:
    """What the client takes from outside."""

    sleep: Callable[[float], None] = time.sleep
    random: Callable[[], float] = random.random
    """From 0 to 1."""
    clock: Callable[[], float] = time.monotonic
    """Seconds."""
    new_key: Callable[[], str] = new_key


@dataclass(frozen=True)
class AsyncSeams:
    """What the client takes from outside."""

    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    random: Callable[[], float] = random.random
    """From 0 to 1."""
    clock: Callable[[], float] = time.monotonic
    """Seconds."""
    new_key: Callable[[], str] = new_key


def call(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call what blocks."""
    return function(*args, **kwargs)


async def async_call(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call what blocks, in a thread."""
    return await asyncio.to_thread(function, *args, **kwargs)
