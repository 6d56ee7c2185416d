"""What an admin can do with failed jobs."""

import asyncio
from datetime import datetime, timedelta

import pytest

from domain.jobs.failed_jobs import BulkRetried, BulkRetry, FailedJobService
from domain.jobs.job import Job
from domain.jobs.job_type import Catalogue
from domain.jobs.outcomes import Fail
from domain.jobs.repository import VersionConflict
from domain.paging import Page, PageRequest
from domain.results import BadCursor, StorageUnavailable
from tests.conftest import new_id
from tests.factories import NOW, failed, finished, queued, running
from tests.fakes.clock import FakeClock
from tests.fakes.faulty_job_repository import OUTAGE, FaultyJobRepository
from tests.fakes.handlers import a_handler
from tests.fakes.job_repository import FakeJobRepository

KIND = "text.word_count"
CATALOGUE = Catalogue([a_handler()])


def a_service(jobs: FakeJobRepository | FaultyJobRepository) -> FailedJobService:
    return FailedJobService(jobs, CATALOGUE, FakeClock())


async def with_failed(count: int, code: str = "failed") -> FakeJobRepository:
    jobs = FakeJobRepository()
    for n in range(count):
        moment = NOW + timedelta(milliseconds=n)
        await jobs.add(finished(running(moment, id=new_id(), type=KIND), Fail(reason="x", code=code), moment), NOW)
    return jobs


async def left(jobs: FakeJobRepository) -> int:
    page = await jobs.list_failed(KIND, PageRequest(limit=100), NOW)
    assert isinstance(page, Page)
    return len(page.items)


async def test_all_failed_jobs_of_a_type_are_queued_again() -> None:
    jobs = await with_failed(250)
    other = failed(id=new_id(), type="other.type")
    await jobs.add(other, NOW)
    assert await a_service(jobs).retry(BulkRetry(type=KIND, limit=500)) == BulkRetried(matched=250, retried=250)
    assert await left(jobs) == 0
    assert await jobs.get(other.id, NOW) == other


async def test_a_dry_run_changes_nothing() -> None:
    jobs = await with_failed(3)
    assert await a_service(jobs).retry(BulkRetry(type=KIND, dry_run=True)) == BulkRetried(matched=3, retried=0)
    assert await left(jobs) == 3


async def test_no_more_are_retried_than_the_limit() -> None:
    jobs = await with_failed(10)
    assert await a_service(jobs).retry(BulkRetry(type=KIND, limit=4)) == BulkRetried(matched=4, retried=4)
    assert await left(jobs) == 6


async def test_an_error_code_narrows() -> None:
    jobs = await with_failed(3, code="malformed_csv")
    assert await a_service(jobs).retry(BulkRetry(type=KIND, error_code="other")) == BulkRetried(matched=0, retried=0)
    wanted = BulkRetry(type=KIND, error_code="malformed_csv")
    assert await a_service(jobs).retry(wanted) == BulkRetried(matched=3, retried=3)


async def test_two_at_once_retry_each_job_once() -> None:
    jobs = await with_failed(50)
    wanted = BulkRetry(type=KIND)
    reports = await asyncio.gather(*(a_service(jobs).retry(wanted) for _ in range(2)))
    assert sum(report.retried for report in reports if isinstance(report, BulkRetried)) == 50


async def test_what_somebody_else_changed_first_is_not_counted() -> None:
    inner = await with_failed(2)
    jobs = FaultyJobRepository(inner, on_replace=lambda job: VersionConflict(job_id=job.id, current=None))
    assert await a_service(jobs).retry(BulkRetry(type=KIND)) == BulkRetried(matched=2, retried=0)


class SilentIndex(FakeJobRepository):
    async def list_failed(  # type: ignore[override]  # a fake of an outage
        self, type: str, page: PageRequest, now: datetime
    ) -> StorageUnavailable:
        return OUTAGE


class ForgetfulIndex(FakeJobRepository):
    async def list_failed(self, type: str, page: PageRequest, now: datetime) -> Page[Job] | BadCursor:
        if page.cursor is not None:
            return BadCursor()
        return Page(items=(), next="a cursor that it does not know again")


class LaggingIndex(FakeJobRepository):
    """Its index still shows a job that was queued meanwhile."""

    async def list_failed(self, type: str, page: PageRequest, now: datetime) -> Page[Job]:
        stale = failed(id=new_id(), type=KIND)
        return Page(items=(stale, queued(id=new_id(), type=KIND)))


async def test_an_outage_is_told() -> None:
    assert await a_service(SilentIndex()).retry(BulkRetry(type=KIND)) == OUTAGE
    with pytest.raises(AssertionError):
        await a_service(ForgetfulIndex()).retry(BulkRetry(type=KIND))


async def test_an_index_that_lags_behind_does_no_harm() -> None:
    assert await a_service(LaggingIndex()).retry(BulkRetry(type=KIND)) == BulkRetried(matched=1, retried=0)


class EndlessIndex(FakeJobRepository):
    """Always has one more page, and nothing on it."""

    async def list_failed(self, type: str, page: PageRequest, now: datetime) -> Page[Job]:
        return Page(items=(), next="more")


async def test_a_bulk_retry_ends_however_long_the_index_is() -> None:
    assert await a_service(EndlessIndex()).retry(BulkRetry(type=KIND)) == BulkRetried(matched=0, retried=0)
