"""Reports."""

from datetime import datetime, timedelta

import pytest

from domain.jobs.change import Change
from domain.results import StorageUnavailable
from domain.stats.aggregate import Aggregate, Series
from domain.stats.buckets import LENGTHS, MINUTE, Leaf, Level, Mark, Span, part_number
from domain.stats.histogram import histogram_of
from domain.stats.report import WINDOWS, Report, WindowName, floor
from domain.stats.service import StatsService
from headrace.testing.clock import FakeClock
from headrace.testing.job_repository import FakeJobRepository
from tests.factories import NOW, queued
from tests.fakes.stats_repository import FakeStatsRepository
from tests.unit.stats.test_unfinished import Crowd


async def test_a_report_has_a_point_for_each_step_and_what_is_unfinished() -> None:
    jobs = FakeJobRepository()
    await jobs.add(Change(queued()), NOW)
    report = await StatsService(jobs, None, FakeClock()).report("1h")
    assert isinstance(report, Report)
    assert len(report.points) == 60
    assert report.unfinished is not None
    assert report.unfinished.by_status == {"queued": 1}


async def test_what_is_unfinished_can_be_left_out() -> None:
    report = await StatsService(Crowd(1, broken=True), None, FakeClock()).report("1h", with_unfinished=False)
    assert isinstance(report, Report)
    assert report.unfinished is None


async def test_an_outage_is_reported() -> None:
    assert isinstance(await StatsService(Crowd(1, broken=True), None, FakeClock()).report("1h"), StorageUnavailable)


JOBS, TYPES = 1_000_000, 5
END = NOW.replace(minute=59, second=59)


def some(number: int) -> Aggregate:
    """So many jobs of each of five types."""
    series = (
        Series(type=f"t{n}", outcome="succeeded", count=number, running=histogram_of([5.0])) for n in range(TYPES)
    )
    return Aggregate(series=tuple(series))


async def a_full_month(stats: FakeStatsRepository) -> int:
    """A million jobs and more in the 30 days to `END`, two minutes of them open; how many in each minute and type."""
    each = JOBS // (TYPES * 30 * 24 * 60) + 1
    await _filled(stats, "day", timedelta(hours=1), 40 * 24, each)
    await _filled(stats, "hour", MINUTE, 60 * 72, each)
    for minute in (floor(END, MINUTE), floor(END, MINUTE) - MINUTE):
        await stats.mark(Mark(minute=minute, token="t"))
        for number in range(6):
            await stats.put_leaf(Leaf(minute=minute, number=number, version=1, whole=some(each)))
    return each


async def _filled(stats: FakeStatsRepository, level: Level, part: timedelta, back: int, each: int) -> None:
    spans: dict[datetime, dict[int, Aggregate]] = {}
    for number in range(back):
        at = floor(END, part) - number * part
        spans.setdefault(floor(at, LENGTHS[level]), {})[part_number(level, at)] = some(each * (part // MINUTE))
    for begin, parts in spans.items():
        await stats.put_span(Span(level=level, begin=begin, version=1, parts=parts))


@pytest.mark.parametrize("window", list(WINDOWS))
async def test_a_report_on_a_million_jobs_reads_less_than_fifty_items(window: WindowName) -> None:
    stats = FakeStatsRepository()
    each = await a_full_month(stats)
    stats.items_read = 0
    report = await StatsService(FakeJobRepository(), stats, FakeClock(END)).report(window)
    assert isinstance(report, Report)
    assert stats.items_read < 50
    # Of each open minute the leaves hold six times what was summed up.
    minutes = (report.until - report.since).total_seconds() // 60 + 1
    assert report.whole.counted == (minutes + 2 * 5) * each * TYPES
    if window == "30d":
        assert report.whole.counted > JOBS


async def test_a_report_on_one_type_leaves_out_all_others() -> None:
    stats = FakeStatsRepository()
    await a_full_month(stats)
    report = await StatsService(FakeJobRepository(), stats, FakeClock(END)).report("24h", "t3")
    assert isinstance(report, Report)
    assert [series.type for series in report.whole.series] == ["t3"]
    assert sum(point.counts["succeeded"] for point in report.points) == report.whole.counted


async def test_an_outage_of_the_statistics_is_reported() -> None:
    class Broken(FakeStatsRepository):
        async def marks(self, limit: int, *, newest: bool) -> tuple[Mark, ...]:
            return StorageUnavailable(reason="timeout", detail="test")  # type: ignore[return-value]  # the fake never fails

    assert isinstance(await StatsService(FakeJobRepository(), Broken(), FakeClock()).report("1h"), StorageUnavailable)
