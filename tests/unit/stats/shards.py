"""Shards of a stream that bring facts to recorders which die, fail and are overtaken, as Lambda's mapping does it."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from domain.results import StorageUnavailable
from domain.stats.aggregate import OUTCOMES, Aggregate, summed
from domain.stats.buckets import Leaf, LeafKey, Level, Mark, Span
from domain.stats.fact import Fact, aggregate_of
from domain.stats.recording import StatsRecorder
from domain.stats.repository import PutResult, StatsRepository
from headrace.testing.clock import FakeClock

SECOND = timedelta(seconds=1)
OUTAGE = StorageUnavailable(reason="timeout", detail="test")
T = TypeVar("T")


class Died(Exception):
    """The process of the recorder is gone."""


class Unreliable:
    """A `StatsRepository` on another one: at each call its caller may die, or not hear of its success."""

    def __init__(self, stats: StatsRepository, rng: random.Random, faults: float) -> None:
        self._stats = stats
        self._rng = rng
        self._faults = faults
        self.late: list[asyncio.Task[object]] = []
        """Writes of dead processes that are under way."""

    async def leaf(self, key: LeafKey) -> Leaf | StorageUnavailable:
        return await self._called(lambda: self._stats.leaf(key))

    async def leaves(self, minute: datetime) -> tuple[Leaf, ...] | StorageUnavailable:
        return await self._called(lambda: self._stats.leaves(minute))

    async def put_leaf(self, leaf: Leaf) -> PutResult:
        return await self._called(lambda: self._stats.put_leaf(leaf))

    async def spans(self, level: Level, first: datetime, last: datetime) -> tuple[Span, ...] | StorageUnavailable:
        return await self._called(lambda: self._stats.spans(level, first, last))

    async def put_span(self, span: Span) -> PutResult:
        return await self._called(lambda: self._stats.put_span(span))

    async def marks(self, limit: int, *, newest: bool) -> tuple[Mark, ...] | StorageUnavailable:
        return await self._called(lambda: self._stats.marks(limit, newest=newest))

    async def mark(self, mark: Mark) -> StorageUnavailable | None:
        return await self._called(lambda: self._stats.mark(mark))

    async def unmark(self, mark: Mark) -> StorageUnavailable | None:
        return await self._called(lambda: self._stats.unmark(mark))

    async def _called(self, call: Callable[[], Awaitable[T]]) -> T | StorageUnavailable:
        for _ in range(self._rng.randrange(3)):
            await asyncio.sleep(0)
        dice = self._rng.random() / self._faults if self._faults else 9.0
        if dice < 0.2:  # before it
            raise Died
        if dice < 0.3:  # while it is under way: it happens later
            self.late.append(asyncio.create_task(self._later(call)))
            raise Died
        if dice < 0.5:
            return OUTAGE
        done = await call()
        if dice < 0.7:
            raise Died
        return OUTAGE if dice < 1 else done

    async def _later(self, call: Callable[[], Awaitable[T]]) -> T:
        for _ in range(self._rng.randrange(20)):
            await asyncio.sleep(0)
        return await call()


def some_facts(rng: random.Random, shard: int, number: int, begin: datetime, spread: timedelta) -> tuple[Fact, ...]:
    """The facts of one shard, in their order; jobs end more than once."""
    offsets = sorted(rng.uniform(0, spread.total_seconds()) for _ in range(number))
    return tuple(
        Fact(
            job_id=f"{shard}-{index % max(1, number - 5)}",
            version=index,
            type=rng.choice("abc"),
            outcome=outcome,
            at=begin + timedelta(seconds=offset),
            waited_ms=rng.choice([None, rng.uniform(0, 1e5)]),
            ran_ms=rng.choice([None, rng.uniform(0, 1e5)]),
            code=rng.choice(["boom", "bang"]) if outcome == "failed" else None,
        )
        for index, offset in enumerate(offsets)
        for outcome in [rng.choice(OUTCOMES)]
    )


def truth(facts: Sequence[Fact]) -> Aggregate:
    """What statistics of these facts must say."""
    return summed(aggregate_of(fact) for fact in facts)


async def delivered(
    facts: tuple[Fact, ...], stats: Unreliable, clock: FakeClock, rng: random.Random, *, delay: timedelta
) -> None:
    """Bring a shard's facts to recorders until all are counted: in order, and after a failure in other batches."""
    recorder = StatsRecorder(stats, clock, _tokens(rng))
    done = 0
    most = 100
    while done < len(facts):
        if facts[done].at + delay > clock():
            clock.forward(rng.uniform(0, 3) * SECOND)
            await asyncio.sleep(0)
            continue
        ready = [fact for fact in facts[done : done + rng.randint(1, most)] if fact.at + delay <= clock()]
        try:
            counted = await recorder.count(ready, clock() + 14 * SECOND)
        except Died:
            most = max(1, most // 2)
            continue
        failed = {(fact.job_id, fact.version) for each in counted.not_counted for fact in each.facts}
        assert not counted.lost
        first = next((n for n, fact in enumerate(ready) if (fact.job_id, fact.version) in failed), len(ready))
        if rng.random() > 0.1:  # else the acknowledgement is lost, and the batch comes again
            done += first
            most = 100


def _tokens(rng: random.Random) -> Callable[[], str]:
    return lambda: f"{rng.getrandbits(64):x}"
