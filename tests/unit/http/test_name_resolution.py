"""Host names are resolved in separate threads."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest

from headrace.http.name_resolution import SystemResolver, Unresolved


class Hanging:
    """A lookup that hangs on `hang*` until it is released, and resolves every other name."""

    def __init__(self) -> None:
        self.released = threading.Event()
        self.started = 0

    def __call__(self, host: str, port: int) -> tuple[str, ...]:
        self.started += 1
        if host.startswith("hang"):
            self.released.wait(10)
        return ("192.0.2.1",)


@pytest.fixture
def lookup() -> Iterator[Hanging]:
    hanging = Hanging()
    yield hanging
    hanging.released.set()


async def test_a_hanging_name_resolution_stalls_neither_the_loops_own_nor_another_delivery(lookup: Hanging) -> None:
    resolver = SystemResolver(lookup, timedelta(seconds=1))
    started = time.monotonic()
    async with asyncio.TaskGroup() as group:
        hung = [group.create_task(resolver.resolve(f"hang{number}", 80)) for number in range(12)]
        await asyncio.sleep(0.05)
        assert await resolver.resolve("known", 80) == ("192.0.2.1",)
        await asyncio.get_running_loop().getaddrinfo("127.0.0.1", 80)
        await asyncio.to_thread(lambda: None)
        assert time.monotonic() - started < 0.8
    assert {type(task.result()) for task in hung} == {Unresolved}
    assert time.monotonic() - started < 5


async def test_threads_are_bounded_and_a_lookup_without_a_thread_fails(lookup: Hanging) -> None:
    resolver = SystemResolver(lookup, timedelta(seconds=0.1), threads=2)
    answers = await asyncio.gather(*(resolver.resolve(f"hang{number}", 80) for number in range(2)))
    answers += await asyncio.gather(*(resolver.resolve(f"known{number}", 80) for number in range(5)))
    assert all(isinstance(answer, Unresolved) for answer in answers)
    assert lookup.started == 2
    lookup.released.set()
    answer: object = None
    for _ in range(50):
        answer = await resolver.resolve("known", 80)
        if answer == ("192.0.2.1",):
            break
    assert answer == ("192.0.2.1",), "the threads that hung are free again"


@pytest.mark.parametrize("error", [socket.gaierror(-2), OSError(), UnicodeError("label too long"), ValueError("NUL")])
async def test_a_name_that_cannot_be_resolved_is_reported(error: Exception) -> None:
    def refuse(_host: str, _port: int) -> tuple[str, ...]:
        raise error

    assert await SystemResolver(refuse).resolve("nobody", 80) == Unresolved(
        reason="the host name could not be resolved"
    )
