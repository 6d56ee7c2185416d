"""The conformance suite of `StatsRepository`, for the fake, moto's server and MiniStack."""

import random
from datetime import datetime, timedelta

import pytest

from domain.results import ItemTooLarge, StaleVersion, StorageUnavailable
from domain.stats.aggregate import Aggregate, FailureGroup, Series
from domain.stats.buckets import Leaf, LeafKey, Level, Mark, Span
from domain.stats.histogram import histogram_of
from domain.stats.repository import StatsRepository
from functions.runtime import LazyClient
from persistence.converters.stats import leaf_bucket
from persistence.dynamodb.repositories.stats_repository import DynamoStatsRepository
from tests.conftest import new_id
from tests.factories import NOW
from tests.fakes.stats_repository import FakeStatsRepository

TABLE = "StatsTable"
HOUR = timedelta(hours=1)
SOMETHING = Aggregate(
    series=(
        Series(type="a.b", outcome="failed", count=3, waiting=histogram_of([0.1, 30]), running=histogram_of([5e7])),
        Series(type="ü", outcome="retrying", count=1),
    ),
    failures=(FailureGroup(type="a.b", code="böse", count=3, last_job_id="j-1", last_at=NOW),),
)
SEEN = frozenset({b"123456", b"\x00\xff\x00\x00\x00\x00"})


@pytest.fixture(params=["fake", "moto", "ministack"])
def stats(request: pytest.FixtureRequest) -> StatsRepository:
    if request.param == "fake":
        return FakeStatsRepository()
    return DynamoStatsRepository(request.getfixturevalue(f"{request.param}_client"), TABLE)


def a_time() -> datetime:
    """An hour that no other test has: they share the databases' tables."""
    return datetime.fromisoformat("2001-01-01T00:00:00+00:00") + random.randrange(100_000) * HOUR


async def test_a_leaf_comes_back_as_it_was_stored(stats: StatsRepository) -> None:
    minute = a_time()
    empty = await stats.leaf(LeafKey(minute, 3))
    assert empty == Leaf(minute=minute, number=3, version=0)
    leaf = Leaf(minute=minute, number=3, version=1, seen=SEEN, whole=SOMETHING)
    assert await stats.put_leaf(leaf) is None
    assert await stats.leaf(LeafKey(minute, 3)) == leaf


async def test_only_the_next_version_of_a_leaf_is_stored(stats: StatsRepository) -> None:
    leaf = Leaf(minute=a_time(), number=0, version=1)
    key = LeafKey(leaf.minute, 0)
    assert isinstance(await stats.put_leaf(leaf.model_copy(update={"version": 2})), StaleVersion)
    assert await stats.put_leaf(leaf) is None
    assert isinstance(await stats.put_leaf(leaf), StaleVersion)
    assert isinstance(await stats.put_leaf(leaf.model_copy(update={"version": 3})), StaleVersion)
    second = Leaf(minute=leaf.minute, number=0, version=2, seen=SEEN)
    assert await stats.put_leaf(second) is None
    assert await stats.leaf(key) == second


async def test_the_leaves_of_a_minute_are_found(stats: StatsRepository) -> None:
    minute = a_time()
    for number in (4, 0):
        await stats.put_leaf(Leaf(minute=minute, number=number, version=1))
    await stats.put_leaf(Leaf(minute=minute + timedelta(minutes=1), number=1, version=1))
    found = await stats.leaves(minute)
    assert not isinstance(found, StorageUnavailable)
    assert [leaf.number for leaf in found] == [0, 4]


@pytest.mark.parametrize("level", ["hour", "day"])
async def test_spans_of_a_time_are_found_in_their_order(stats: StatsRepository, level: Level) -> None:
    begin = a_time()
    spans = [
        Span(level=level, begin=begin + number * HOUR, version=1, parts={0: SOMETHING, 59: Aggregate()})
        for number in (2, 0, 3, 1)
    ]
    for span in spans:
        assert await stats.put_span(span) is None
    found = await stats.spans(level, begin + HOUR, begin + 2 * HOUR)
    assert found == (spans[3], spans[0])
    assert await stats.spans("hour" if level == "day" else "day", begin, begin + 3 * HOUR) == ()


async def test_only_the_next_version_of_a_span_is_stored(stats: StatsRepository) -> None:
    span = Span(level="hour", begin=a_time(), version=1)
    assert await stats.put_span(span) is None
    assert isinstance(await stats.put_span(span), StaleVersion)
    assert await stats.put_span(span.model_copy(update={"version": 2})) is None


async def test_what_is_too_large_is_not_sent(stats: StatsRepository) -> None:
    seen = frozenset(number.to_bytes(6) for number in range(70_000))
    assert isinstance(await stats.put_leaf(Leaf(minute=a_time(), number=0, version=1, seen=seen)), ItemTooLarge)
    group = SOMETHING.failures[0]
    failures = tuple(group.model_copy(update={"code": new_id()}) for _ in range(20_000))
    span = Span(level="day", begin=a_time(), version=1, parts={0: Aggregate(failures=failures)})
    assert isinstance(await stats.put_span(span), ItemTooLarge)


async def test_marks_are_replaced_and_only_the_very_mark_is_removed(stats: StatsRepository) -> None:
    base = a_time()
    one, other = (Mark(minute=base + timedelta(minutes=number), token="first") for number in (1, 2))
    for mark in (other, one):
        assert await stats.mark(mark) is None
    newer = Mark(minute=one.minute, token="second")
    await stats.mark(newer)
    assert await stats.unmark(one) is None
    mine = await marks_since(stats, base)
    assert mine == (newer, other)
    await stats.unmark(newer)
    await stats.unmark(newer)
    assert await marks_since(stats, base) == (other,)
    await stats.unmark(other)


async def test_marks_are_read_from_either_end() -> None:
    stats = FakeStatsRepository()
    for number in (2, 1, 3):
        await stats.mark(Mark(minute=NOW + number * HOUR, token="t"))
    assert [mark.minute for mark in await stats.marks(2, newest=True)] == [NOW + 3 * HOUR, NOW + 2 * HOUR]
    assert [mark.minute for mark in await stats.marks(2, newest=False)] == [NOW + HOUR, NOW + 2 * HOUR]


async def marks_since(stats: StatsRepository, base: datetime) -> tuple[Mark, ...]:
    """The marks of the next minutes, oldest first, read from both ends."""
    found, back = await stats.marks(500, newest=False), await stats.marks(500, newest=True)
    assert not isinstance(found, StorageUnavailable)
    assert not isinstance(back, StorageUnavailable)
    assert found == back[::-1]
    return tuple(mark for mark in found if base <= mark.minute < base + HOUR)


async def test_rubbish_is_told(ministack_client: LazyClient) -> None:
    client, stats, minute = await ministack_client(), DynamoStatsRepository(ministack_client, TABLE), a_time()
    rubbish = {"version": {"N": "1"}, "whole": {"B": b"x"}, "seen": {"B": b""}, "parts": {"M": {"1": {"S": "x"}}}}
    for bucket, series in ((leaf_bucket(minute), "1"), ("hour", f"{minute:%Y-%m-%dT%H:%M}"), ("open", "1999")):
        await client.put_item(TableName=TABLE, Item={"bucket": {"S": bucket}, "series": {"S": series}, **rubbish})  # type: ignore[dict-item]
    assert isinstance(await stats.leaf(LeafKey(minute, 1)), StorageUnavailable)
    assert isinstance(await stats.leaves(minute), StorageUnavailable)
    assert isinstance(await stats.spans("hour", minute, minute), StorageUnavailable)
    assert not isinstance(await stats.marks(5, newest=False), StorageUnavailable)


async def test_a_table_that_is_not_there_is_told_as_a_result(ministack_client: LazyClient) -> None:
    stats, mark = DynamoStatsRepository(ministack_client, "NoSuchTable"), Mark(minute=NOW, token="t")
    results = (
        await stats.leaf(LeafKey(NOW, 0)), await stats.leaves(NOW), await stats.put_leaf(Leaf(minute=NOW, number=0)),
        await stats.spans("day", NOW, NOW), await stats.put_span(Span(level="day", begin=NOW, version=1)),
        await stats.marks(1, newest=True), await stats.mark(mark), await stats.unmark(mark),
    )  # fmt: skip
    assert all(isinstance(result, StorageUnavailable) for result in results)
