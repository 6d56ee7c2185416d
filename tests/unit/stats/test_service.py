"""Reports."""

from domain.jobs.change import Change
from domain.results import StorageUnavailable
from domain.stats.report import Report
from domain.stats.service import StatsService
from headrace.testing.clock import FakeClock
from headrace.testing.job_repository import FakeJobRepository
from tests.factories import NOW, queued
from tests.unit.stats.test_unfinished import Crowd


async def test_a_report_has_a_point_for_each_step_and_what_is_unfinished() -> None:
    jobs = FakeJobRepository()
    await jobs.add(Change(queued()), NOW)
    report = await StatsService(jobs, FakeClock()).report("1h")
    assert isinstance(report, Report)
    assert len(report.points) == 60
    assert report.unfinished is not None
    assert report.unfinished.by_status == {"queued": 1}


async def test_what_is_unfinished_can_be_left_out() -> None:
    report = await StatsService(Crowd(1, broken=True), FakeClock()).report("1h", with_unfinished=False)
    assert isinstance(report, Report)
    assert report.unfinished is None


async def test_an_outage_is_reported() -> None:
    assert isinstance(await StatsService(Crowd(1, broken=True), FakeClock()).report("1h"), StorageUnavailable)
