"""The recorder of statistics, call by call; tests/contract/test_statistics_are_exact.py tries it with random faults."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from domain.results import ItemTooLarge, StaleVersion, StorageUnavailable
from domain.stats.aggregate import Aggregate, Series
from domain.stats.buckets import Leaf, LeafKey, Level, Mark, Span, counted, leaf_key, with_part
from domain.stats.fact import Fact, fact_of
from domain.stats.reading import MAX_OPEN, Ended, StatsReader
from domain.stats.recording import MAX_CONFLICTS, Counted, StatsRecorder
from headrace.testing.clock import FakeClock
from tests.factories import NOW, retrying
from tests.fakes.stats_repository import FakeStatsRepository

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
OUTAGE = StorageUnavailable(reason="timeout", detail="test")
TOO_LARGE = ItemTooLarge(size=500_000, limit=409_600)


class Faulty(FakeStatsRepository):
    """Fails in the calls that are named."""

    def __init__(self, *calls: str, fault: StorageUnavailable = OUTAGE) -> None:
        super().__init__()
        self.calls = set(calls)
        self._fault = fault

    async def leaf(self, key: LeafKey) -> Leaf:
        return self._fault if "leaf" in self.calls else await super().leaf(key)  # type: ignore[return-value]  # the fake never fails

    async def leaves(self, minute: datetime) -> tuple[Leaf, ...]:
        return OUTAGE if "leaves" in self.calls else await super().leaves(minute)  # type: ignore[return-value]

    async def put_leaf(self, leaf: Leaf) -> StaleVersion | ItemTooLarge | None:
        if "large leaf" in self.calls:
            return TOO_LARGE
        if "contended leaf" in self.calls:
            return StaleVersion(current_version=None)
        return self._fault if "put_leaf" in self.calls else await super().put_leaf(leaf)  # type: ignore[return-value]

    async def spans(self, level: Level, first: datetime, last: datetime) -> tuple[Span, ...]:
        return OUTAGE if f"{level}s" in self.calls else await super().spans(level, first, last)  # type: ignore[return-value]

    async def put_span(self, span: Span) -> StaleVersion | ItemTooLarge | None:
        detailed = any(each.running.count for part in span.parts.values() for each in part.series)
        if "large" in self.calls or ("large details" in self.calls and detailed):
            return TOO_LARGE
        if f"contended {span.level}" in self.calls:
            return StaleVersion(current_version=None)
        return OUTAGE if f"put {span.level}" in self.calls else await super().put_span(span)  # type: ignore[return-value]

    async def marks(self, limit: int, *, newest: bool) -> tuple[Mark, ...]:
        return OUTAGE if "marks" in self.calls else await super().marks(limit, newest=newest)  # type: ignore[return-value]

    async def mark(self, mark: Mark) -> None:
        return self._fault if "mark" in self.calls else await super().mark(mark)  # type: ignore[return-value]


def a_fact(id: str = "1", at: datetime = NOW) -> Fact:
    return Fact(job_id=id, version=3, type="t", outcome="succeeded", at=at, waited_ms=1, ran_ms=20, code=None)


async def count(stats: FakeStatsRepository, facts: Sequence[Fact], at: datetime = NOW) -> Counted:
    return await StatsRecorder(stats, FakeClock(at), lambda: "token").count(facts, at + 10 * SECOND)


async def ended(stats: FakeStatsRepository, at: datetime) -> int:
    found = await StatsReader(stats).ended("day", NOW - timedelta(days=1), at)
    assert isinstance(found, Ended)
    return sum(part.counted for part in found.parts.values())


async def test_a_batch_costs_two_calls_for_each_leaf_and_a_repetition_changes_nothing() -> None:
    stats, facts = FakeStatsRepository(), [a_fact(str(number)) for number in range(50)]
    assert await count(stats, facts) == Counted()
    (leaf,) = stats.stored_leaves.values()
    for again in (facts, facts[:7], facts[30:]):
        assert await count(stats, again) == Counted()
    assert stats.stored_leaves[leaf_key(facts[0])] == leaf
    assert (leaf.version, leaf.whole.counted, await ended(stats, NOW)) == (1, 50, 50)


async def test_a_change_twice_in_one_batch_counts_once() -> None:
    stats = FakeStatsRepository()
    await count(stats, [a_fact(), a_fact()])
    assert await ended(stats, NOW) == 1


async def test_a_minute_that_is_over_is_summed_up_by_the_next_batch_and_not_before() -> None:
    stats = FakeStatsRepository()
    await count(stats, [a_fact()])
    for seconds in (61, 80):
        await count(stats, [a_fact(str(seconds), NOW + seconds * SECOND)], NOW + seconds * SECOND)
    assert stats.stored_spans == {}
    later = NOW + 95 * SECOND
    await count(stats, [a_fact("9", later)], later)
    assert {level for level, _ in stats.stored_spans} == {"hour", "day"}
    assert list(stats.marked) == [NOW.replace(minute=1, second=0, microsecond=0)]
    assert await ended(stats, later) == 4


async def test_what_comes_late_is_summed_up_too() -> None:
    stats, later = FakeStatsRepository(), NOW + timedelta(hours=3)
    await count(stats, [a_fact()])
    await count(stats, [a_fact("2", later)], later)
    await count(stats, [a_fact("3")], later)
    hours = [span for (level, _), span in stats.stored_spans.items() if level == "hour"]
    assert [part.counted for span in hours for part in span.parts.values()] == [2]


async def test_a_batch_that_comes_when_its_minute_is_over_sums_it_up_itself() -> None:
    stats, later = FakeStatsRepository(), NOW + 95 * SECOND
    assert await count(stats, [a_fact()], later) == Counted()
    assert ({level for level, _ in stats.stored_spans}, stats.marked) == ({"hour", "day"}, {})
    assert await ended(stats, later) == 1


@pytest.mark.parametrize("call", ["leaf", "put_leaf", "contended leaf", "mark"])
async def test_what_was_not_counted_is_named_and_counts_once_when_it_comes_again(call: str) -> None:
    stats, fact = Faulty(call), a_fact()
    found = await count(stats, [fact])
    assert [each.facts for each in found.not_counted] == [(fact,)]
    stats.calls.clear()
    assert await count(stats, [fact]) == Counted()
    assert (await ended(stats, NOW), list(stats.marked)) == (1, [NOW.replace(second=0, microsecond=0)])


async def test_a_leaf_that_others_write_too_is_tried_a_few_times() -> None:
    stats = Faulty("contended leaf")
    await count(stats, [a_fact()])
    assert stats.items_read == MAX_CONFLICTS


async def test_nothing_is_begun_after_the_deadline() -> None:
    stats, fact = FakeStatsRepository(), a_fact()
    recorder = StatsRecorder(stats, FakeClock(), lambda: "token")
    assert [each.facts for each in (await recorder.count([fact], NOW)).not_counted] == [(fact,)]
    assert stats.stored_leaves == {}


async def test_what_never_fits_is_named_as_lost() -> None:
    assert [each.facts for each in (await count(Faulty("large leaf"), [a_fact()])).lost] == [(a_fact(),)]


@pytest.mark.parametrize("call", ["marks", "leaves", "hours", "days", "put hour", "put day"])
async def test_minutes_that_were_not_summed_up_are_by_a_later_batch(call: str) -> None:
    stats, later = Faulty(call), NOW + 95 * SECOND
    stats.calls.clear()
    await count(stats, [a_fact()])
    stats.calls.add(call)
    assert await count(stats, [a_fact("2", later)], later) == Counted(not_summed=OUTAGE)
    stats.calls.clear()
    later += 10 * SECOND
    assert await count(stats, [a_fact("3", later)], later) == Counted()
    assert len(stats.marked) == 1
    assert await ended(stats, later) == 3


@pytest.mark.parametrize("call", ["contended hour", "contended day"])
async def test_another_recorder_that_sums_up_at_the_same_time_is_no_failure(call: str) -> None:
    stats, later = Faulty(call), NOW + 95 * SECOND
    await count(stats, [a_fact()])
    assert await count(stats, [a_fact("2", later)], later) == Counted()
    assert len(stats.marked) == 2
    assert await ended(stats, later) == 2


async def test_a_minute_without_room_keeps_its_numbers() -> None:
    stats, later = Faulty("large details"), NOW + 95 * SECOND
    await count(stats, [a_fact()])
    assert await count(stats, [a_fact("2", later)], later) == Counted()
    assert await ended(stats, later) == 2
    assert {part.series[0].running.count for span in stats.stored_spans.values() for part in span.parts.values()} == {0}


async def test_a_minute_that_never_fits_is_reported() -> None:
    stats, later = Faulty("large"), NOW + 95 * SECOND
    await count(stats, [a_fact()])
    found = await count(stats, [a_fact("2", later)], later)
    assert found.not_summed is not None
    assert found.not_summed.reason == "rejected"


async def test_summing_up_ends_at_the_deadline() -> None:
    stats, clock = FakeStatsRepository(), FakeClock()
    await count(stats, [a_fact()])

    def hurried() -> datetime:
        clock.forward(4 * SECOND)
        return clock.now

    clock.forward(95 * SECOND)
    fact = a_fact("2", clock.now)
    await StatsRecorder(stats, hurried, lambda: "token").count([fact], clock.now + 9 * SECOND)
    assert (len(stats.marked), stats.stored_spans) == (2, {})


def test_of_two_states_of_a_part_the_one_that_counts_more_stays() -> None:
    small, large = (Aggregate(series=(Series(type="t", outcome="failed", count=number),)) for number in (1, 2))
    span = with_part(Span(level="hour", begin=NOW), 5, large)
    assert with_part(span, 5, small) is span
    assert with_part(span, 5, large) is span
    assert with_part(span, 4, small).parts == {5: large, 4: small}
    assert with_part(Span(level="hour", begin=NOW), 5, Aggregate()).parts == {}


def test_a_leaf_that_has_counted_all_stays_the_same() -> None:
    leaf = counted(Leaf(minute=NOW, number=0), [a_fact()])
    assert counted(leaf, [a_fact()]) is leaf
    assert counted(leaf, [a_fact(), a_fact("2")]).whole.counted == 2


@pytest.mark.parametrize("call", ["marks", "leaves", "hours", "days"])
async def test_an_outage_of_a_reading_is_reported(call: str) -> None:
    stats = Faulty()
    await count(stats, [a_fact()])
    stats.calls.add(call)
    assert await StatsReader(stats).ended("day", NOW - MINUTE, NOW) == OUTAGE


async def test_a_report_that_cannot_read_every_open_minute_says_so() -> None:
    stats = FakeStatsRepository()
    for number in range(MAX_OPEN + 1):
        await stats.mark(Mark(minute=NOW + number * MINUTE, token="t"))
    found = await StatsReader(stats).ended("hour", NOW, NOW + timedelta(hours=1))
    assert isinstance(found, Ended)
    assert not found.complete


@pytest.mark.parametrize("call", ["leaf", "put_leaf", "mark"])
async def test_what_the_store_refuses_is_given_up_so_that_the_stream_goes_on(call: str) -> None:
    stats = Faulty(call, fault=StorageUnavailable(reason="rejected", detail="no such table"))
    found = await count(stats, [a_fact()])
    assert found.not_counted == ()
    assert [lost.facts for lost in found.lost] == [(a_fact(),)]


async def test_a_signal_to_a_job_that_waits_for_its_retry_is_no_second_outcome() -> None:
    job = retrying()
    assert fact_of(job, None) is not None
    noted = job.model_copy(update={"version": job.version + 1, "updated_at": job.updated_at + SECOND})
    assert fact_of(noted, job) is None
