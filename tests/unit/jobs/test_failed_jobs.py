"""Listing and retrying failed jobs, as an admin."""

import asyncio
from datetime import datetime, timedelta
from itertools import count

import pytest

from domain.jobs.catalogue import Catalogue
from domain.jobs.change import Change
from domain.jobs.failed_jobs import CONCURRENCY, BulkRetried, BulkRetry, FailedJobService
from domain.jobs.job import Job
from domain.jobs.listing import JobListing, JobSummary, summary_of
from domain.jobs.repository import JobNotFound, JobUnreadable, ReplaceResult, VersionConflict
from domain.paging import Page, PageRequest
from domain.ports import Clock
from domain.results import BadCursor, StorageUnavailable
from headrace.authoring.outcomes import Fail
from headrace.testing.clock import FakeClock
from headrace.testing.job_repository import FakeJobRepository
from tests.conftest import new_id
from tests.factories import NOW, failed, finished, queued, running
from tests.fakes.faulty_job_listing import Answer, FaultyJobListing
from tests.fakes.faulty_job_repository import OUTAGE, FaultyJobRepository
from tests.fakes.handlers import a_handler
from tests.fakes.job_listing import FakeJobListing

KIND = "text.word_count"
CATALOGUE = Catalogue([a_handler()])


def a_service(
    jobs: FakeJobRepository | FaultyJobRepository, listing: JobListing | None = None, clock: Clock | None = None
) -> FailedJobService:
    held = jobs.inner if isinstance(jobs, FaultyJobRepository) else jobs
    assert isinstance(held, FakeJobRepository)
    return FailedJobService(jobs, listing or FakeJobListing(held), CATALOGUE, clock or FakeClock())


async def with_failed(count: int, code: str = "failed") -> FakeJobRepository:
    jobs = FakeJobRepository()
    for n in range(count):
        moment = NOW + timedelta(milliseconds=n)
        job = finished(running(moment, id=new_id(), type=KIND), Fail(reason="x", code=code), moment)
        await jobs.add(Change(job), NOW)
    return jobs


async def left(jobs: FakeJobRepository) -> int:
    return sum(job.status == "failed" and job.type == KIND for job in jobs.stored)


async def test_all_failed_jobs_of_a_type_are_queued_again() -> None:
    jobs = await with_failed(250)
    other = failed(id=new_id(), type="other.type")
    await jobs.add(Change(other), NOW)
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


async def test_jobs_that_another_writer_changed_first_are_not_counted() -> None:
    inner = await with_failed(2)
    jobs = FaultyJobRepository(inner, on_replace=lambda job: VersionConflict(job_id=job.id, current=None))
    assert await a_service(jobs).retry(BulkRetry(type=KIND)) == BulkRetried(matched=2, retried=0)


def entries(count: int, code: str = "failed") -> tuple[JobSummary, ...]:
    """Failed jobs that are only in the list, not in the repository."""
    return tuple(
        summary_of(finished(running(id=new_id(), type=KIND), Fail(reason="x", code=code))) for _ in range(count)
    )


async def test_a_store_that_fails_before_anything_was_done_is_the_result() -> None:
    jobs = FakeJobRepository()
    assert await a_service(jobs, FaultyJobListing(lambda _: OUTAGE)).retry(BulkRetry(type=KIND)) == OUTAGE
    with pytest.raises(AssertionError):
        await a_service(jobs, FaultyJobListing(lambda _: BadCursor())).retry(BulkRetry(type=KIND))


async def test_a_list_that_fails_later_makes_it_incomplete() -> None:
    jobs = await with_failed(3)
    first = tuple(summary_of(job) for job in jobs.stored)

    def one_page(page: PageRequest) -> Answer:
        return Page(items=first, next="more") if page.cursor is None else OUTAGE

    report = await a_service(jobs, FaultyJobListing(one_page)).retry(BulkRetry(type=KIND))
    assert report == BulkRetried(matched=3, retried=3, incomplete=True)


@pytest.mark.parametrize("reads", [True, False])
async def test_a_store_that_fails_on_a_job_ends_the_bulk_retry_and_its_progress_is_reported(reads: bool) -> None:
    inner, calls = await with_failed(40), count()

    def after_twenty() -> StorageUnavailable | None:
        return OUTAGE if next(calls) >= 20 else None

    jobs = FaultyJobRepository(
        inner,
        on_read=after_twenty if reads else lambda: None,
        on_replace=(lambda _: None) if reads else lambda _: after_twenty(),
    )
    report = await a_service(jobs).retry(BulkRetry(type=KIND))
    assert report == BulkRetried(matched=32, retried=20, incomplete=True)
    assert await left(inner) == 20


async def test_an_unreadable_job_does_not_end_it() -> None:
    inner, calls = await with_failed(5), count()
    unreadable = JobUnreadable(job_id="x", detail="version")
    jobs = FaultyJobRepository(inner, on_read=lambda: unreadable if next(calls) == 2 else None)
    assert await a_service(jobs).retry(BulkRetry(type=KIND)) == BulkRetried(matched=5, retried=4)


async def test_an_index_that_lags_behind_does_no_harm() -> None:
    """The index still lists a job that was queued meanwhile, a deleted one, and one that failed again otherwise."""
    jobs = FakeJobRepository()
    again = queued(id=new_id(), type=KIND)
    otherwise = finished(running(id=new_id(), type=KIND), Fail(reason="x", code="other"))
    for job in (again, otherwise):
        await jobs.add(Change(job), NOW)
    stale = tuple(entry.model_copy(update={"id": job.id}) for entry, job in zip(entries(2), jobs.stored, strict=True))
    lagging = FaultyJobListing(lambda _: Page(items=(*stale, *entries(1), summary_of(again))))
    report = await a_service(jobs, lagging).retry(BulkRetry(type=KIND, error_code="failed"))
    assert report == BulkRetried(matched=3, retried=0)
    assert jobs.stored == (again, otherwise)


async def test_a_bulk_retry_ends_in_time_however_long_the_index_is() -> None:
    endless = FaultyJobListing(lambda _: Page(items=(), next="more"))
    report = await a_service(FakeJobRepository(), endless).retry(BulkRetry(type=KIND))
    assert report == BulkRetried(matched=0, retried=0, incomplete=True)


async def test_time_ends_a_bulk_retry_between_a_few_jobs() -> None:
    clock = FakeClock()
    inner = await with_failed(150)
    jobs = FaultyJobRepository(inner, on_replace=lambda _: clock.forward(timedelta(seconds=0.5)))
    report = await a_service(jobs, clock=clock).retry(BulkRetry(type=KIND, limit=500), timedelta(seconds=15))
    assert report == BulkRetried(matched=32, retried=32, incomplete=True)
    assert await left(inner) == 118
    assert await a_service(inner).retry(BulkRetry(type=KIND, limit=500)) == BulkRetried(matched=118, retried=118)


async def test_time_ends_a_dry_run_between_pages() -> None:
    clock = FakeClock()

    def slow(_page: PageRequest) -> Answer:
        clock.forward(timedelta(seconds=4))
        return Page(items=entries(2), next="more")

    service = a_service(FakeJobRepository(), FaultyJobListing(slow), clock)
    report = await service.retry(BulkRetry(type=KIND, dry_run=True), timedelta(seconds=10))
    assert report == BulkRetried(matched=6, retried=0, incomplete=True)


async def test_no_more_whole_jobs_are_in_memory_at_once_than_are_being_retried() -> None:
    inner = await with_failed(200)
    held = Held(inner)
    service = FailedJobService(held, FakeJobListing(inner), CATALOGUE, FakeClock())
    assert await service.retry(BulkRetry(type=KIND, limit=500)) == BulkRetried(matched=200, retried=200)
    assert held.most <= CONCURRENCY
    held.reads = 0
    await service.retry(BulkRetry(type=KIND, dry_run=True))
    assert held.reads == 0


class Held(FaultyJobRepository):
    """Counts the jobs that have been read and not yet written."""

    def __init__(self, inner: FakeJobRepository) -> None:
        super().__init__(inner)
        self.now = self.most = self.reads = 0

    async def get(self, job_id: str, now: datetime) -> Job | JobNotFound | JobUnreadable | StorageUnavailable:
        self.now, self.reads = self.now + 1, self.reads + 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0)
        return await super().get(job_id, now)

    async def replace(self, change: Change, expected_version: int) -> ReplaceResult:
        self.now -= 1
        return await super().replace(change, expected_version)
