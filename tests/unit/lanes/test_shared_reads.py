"""Reads of lanes that are shared in one process."""

import asyncio

from domain.lanes.lane import Lane
from domain.lanes.shared_reads import Seen, SharedReads
from domain.results import StorageUnavailable
from tests.fakes.faulty_job_repository import OUTAGE


class Store:
    """Counts reads; each takes a moment."""

    def __init__(self, *answers: StorageUnavailable) -> None:
        self.begun = 0
        self.begins = asyncio.Event()
        self.lines = 0
        self._answers = list(answers)

    async def read(self, name: str, _first: int = 0) -> Lane | StorageUnavailable:
        self.begun += 1
        self.begins.set()
        lane = Lane(name=f"{name} as of {self.begun}")
        await asyncio.sleep(0.001)
        return self._answers.pop() if self._answers else lane

    async def line(self, name: str, limit: int) -> tuple[str, ...]:
        self.lines += 1
        await asyncio.sleep(0.001)
        return (f"first of {limit} in {name}",)


def name_of(found: Seen | StorageUnavailable) -> str:
    assert isinstance(found, Seen)
    return found.lane.name


async def test_who_asks_while_one_is_read_shares_the_next_reading_and_what_it_learns() -> None:
    store = Store()
    reads = SharedReads(store.read, store.line)
    first = asyncio.ensure_future(reads.read("a"))
    await store.begins.wait()
    others = await asyncio.gather(*(reads.read("a") for _ in range(25)))
    assert name_of(await first) == "a as of 1"
    assert {name_of(each) for each in others} == {"a as of 2"}, "which began after they had asked"
    assert len({id(each) for each in others}) == 1
    assert name_of(await reads.read("a")) == "a as of 3", "nothing is kept"


async def test_all_who_ask_at_once_share_one_reading() -> None:
    store = Store()
    reads = SharedReads(store.read, store.line)
    found = await asyncio.gather(*(reads.read("a") for _ in range(10)))
    assert {name_of(each) for each in found} == {"a as of 1"}


async def test_the_line_is_read_once_for_all_who_share_a_reading() -> None:
    store = Store()
    reads = SharedReads(store.read, store.line)
    found = await asyncio.gather(*(reads.read("a") for _ in range(25)))
    lines = await asyncio.gather(*(each.first_in_line() for each in found if isinstance(each, Seen)))
    assert [line for line in lines if isinstance(line, tuple) and line] == lines
    assert store.lines == 1


async def test_lanes_do_not_wait_for_one_another() -> None:
    store = Store()
    reads = SharedReads(store.read, store.line)
    tasks = [asyncio.ensure_future(reads.read(name)) for name in ("a", "b")]
    await asyncio.sleep(0.0005)
    assert store.begun == 2
    await asyncio.gather(*tasks)


async def test_a_failure_is_shared_and_the_next_reads_again() -> None:
    store = Store(OUTAGE)
    reads = SharedReads(store.read, store.line)
    assert await reads.read("a") == OUTAGE
    assert name_of(await reads.read("a")) == "a as of 2"


async def test_when_the_one_that_reads_is_cancelled_another_reads_for_all() -> None:
    store = Store()
    reads = SharedReads(store.read, store.line)
    tasks = [asyncio.ensure_future(reads.read("a")) for _ in range(4)]
    await store.begins.wait()
    store.begins.clear()
    tasks[0].cancel()
    await store.begins.wait()
    tasks[1].cancel()
    assert [name_of(await task) for task in tasks[2:]] == ["a as of 3"] * 2
