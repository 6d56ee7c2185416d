"""Proves that statistics count each change once, whatever dies; on any store of them."""

import asyncio
import random
from collections import Counter
from datetime import datetime, timedelta

from domain.stats.aggregate import Aggregate, summed
from domain.stats.buckets import LENGTHS, MINUTE, Mark
from domain.stats.fact import Fact
from domain.stats.recording import CLOSED, Counted, StatsRecorder
from domain.stats.report import WINDOWS, Report, WindowName, floor
from domain.stats.repository import StatsRepository
from domain.stats.service import StatsService
from headrace.testing.clock import FakeClock
from headrace.testing.job_repository import FakeJobRepository
from tests.unit.stats.shards import Unreliable, delivered, some_facts, truth

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)


async def proven(stats: StatsRepository, seed: int, begin: datetime, size: int = 150) -> None:
    """Several shards, one of which lags by minutes, bring their facts; then every window and every bucket is right."""
    rng, clock = random.Random(seed), FakeClock(begin)
    spread, shards = rng.choice([20, 90, 400, 7000]) * SECOND, rng.randint(1, 4)
    unreliable = Unreliable(stats, rng, faults=rng.choice([0.0, 0.1, 0.4]))
    facts = [some_facts(rng, shard, rng.randint(1, size), begin, spread) for shard in range(shards)]
    lags = [rng.choice([0.2, 3, 240]) * SECOND for _ in facts]
    async with asyncio.TaskGroup() as group:
        for some, lag in zip(facts, lags, strict=True):
            group.create_task(delivered(some, unreliable, clock, rng, delay=lag))
    await asyncio.gather(*unreliable.late)
    everything = [fact for some in facts for fact in some]
    for window in WINDOWS:
        await reported(stats, window, everything, clock)
    await summed_up(stats, everything, clock)
    for window in WINDOWS:
        assert (await reported(stats, window, everything, clock)).complete
    for mark in await marks_of(stats):
        await stats.unmark(mark)


async def reported(stats: StatsRepository, window: WindowName, facts: list[Fact], clock: FakeClock) -> Report:
    """The report says what is true of its window, as a whole and by steps; or that it does not know all."""
    report = await StatsService(FakeJobRepository(), stats, clock).report(window)
    assert isinstance(report, Report)
    within = [fact for fact in facts if fact.at >= report.since]
    if report.complete:
        assert same(report.whole, truth(within))
        for point in report.points:
            step = Counter(fact.outcome for fact in within if floor(fact.at, WINDOWS[window].step) == point.at)
            assert point.counts == step
    return report


async def summed_up(stats: StatsRepository, facts: list[Fact], clock: FakeClock) -> None:
    """As more ends, what is over is summed up: hours and days are right by themselves."""
    recorder = StatsRecorder(stats, clock, lambda: "extra")
    while any(mark.minute + MINUTE + CLOSED <= clock() for mark in await marks_of(stats)):
        clock.forward(65 * SECOND)
        extra = Fact(
            job_id=f"extra-{clock():%H%M%S}", version=1, type="a", outcome="succeeded", at=clock(),
            waited_ms=None, ran_ms=None, code=None,
        )  # fmt: skip
        assert await recorder.count([extra], clock() + SECOND) == Counted()
        facts.append(extra)
    over = min((mark.minute for mark in await marks_of(stats)), default=clock())
    first, last = min(fact.at for fact in facts), clock()
    hours = await stats.spans("hour", floor(first, HOUR), last)
    days = await stats.spans("day", floor(first, LENGTHS["day"]), last)
    assert isinstance(hours, tuple)
    assert isinstance(days, tuple)
    minutes = {hour.begin + number * MINUTE: part for hour in hours for number, part in hour.parts.items()}
    expected = {floor(fact.at, MINUTE) for fact in facts if fact.at < over}
    assert {minute for minute in minutes if minute < over} == expected
    for minute in expected:
        assert same(minutes[minute], truth([fact for fact in facts if floor(fact.at, MINUTE) == minute]))
    by_hour = {day.begin + number * HOUR: part for day in days for number, part in day.parts.items()}
    assert by_hour.keys() == {hour.begin for hour in hours}
    for hour in hours:
        assert same(by_hour[hour.begin], summed(hour.parts.values()))


async def marks_of(stats: StatsRepository) -> tuple[Mark, ...]:
    marks = await stats.marks(500, newest=False)
    assert isinstance(marks, tuple)
    return marks


def same(one: Aggregate, other: Aggregate) -> bool:
    return sorted(one.series, key=repr) == sorted(other.series, key=repr) and {
        (each.type, each.code, each.count, each.last_at) for each in one.failures
    } == {(each.type, each.code, each.count, each.last_at) for each in other.failures}
