"""Cancelling and retrying many jobs at once."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from domain.jobs.bulk import CONCURRENCY, EVERYONE, BulkChanged, BulkService, BulkWish
from domain.jobs.catalogue import Catalogue
from domain.jobs.change import Change
from domain.jobs.filtering import JobFilter
from domain.jobs.job import Job
from domain.jobs.listing import JobListing, JobListService, NotListed, summary_of
from domain.jobs.repository import JobRepository
from domain.jobs.service import JobService
from domain.paging import Page, PageRequest
from domain.ports import Clock
from domain.results import BadCursor
from headrace.testing.clock import FakeClock
from headrace.testing.job_repository import FakeJobRepository
from tests.conftest import new_id
from tests.factories import NOW, UserFactory, cancelled, failed, queued, running, scheduled, succeeded
from tests.fakes.faulty_job_listing import Answer, FaultyJobListing
from tests.fakes.faulty_job_repository import OUTAGE, FaultyJobRepository
from tests.fakes.handlers import a_handler
from tests.fakes.job_listing import FakeJobListing

KIND = "text.word_count"
OWNER = UserFactory.build(id="owner-1")
ADMIN = UserFactory.build(id="admin-1", role="admin")


def a_service(
    jobs: JobRepository,
    listing: JobListing | None = None,
    clock: Clock | None = None,
    stored: FakeJobRepository | None = None,
) -> BulkService:
    held = stored or jobs
    assert isinstance(held, FakeJobRepository)
    clock = clock or FakeClock()
    service = JobService(jobs, Catalogue([a_handler()]), FakeClock())
    return BulkService(JobListService(listing or FakeJobListing(held), FakeClock()), service, clock)


async def with_jobs(*jobs: Job) -> FakeJobRepository:
    stored = FakeJobRepository()
    for job in jobs:
        await stored.add(Change(job), NOW)
    return stored


def cancel(owner: str = OWNER.id, *, limit: int = 100, dry_run: bool = False, **fields: object) -> BulkWish:
    return BulkWish(
        action="cancel", owner_id=owner, filter=JobFilter.model_validate(fields), limit=limit, dry_run=dry_run
    )


def retry(owner: str = OWNER.id, **fields: object) -> BulkWish:
    return BulkWish(action="retry", owner_id=owner, filter=JobFilter.model_validate(fields))


def statuses(jobs: FakeJobRepository) -> list[str]:
    return sorted(job.status for job in jobs.stored)


async def test_what_can_be_cancelled_is_and_the_rest_is_left() -> None:
    jobs = await with_jobs(queued(type=KIND), running(type=KIND), succeeded(type=KIND), scheduled(type="other"))
    assert await a_service(jobs).change(cancel(types=(KIND,)), OWNER) == BulkChanged(matched=2, changed=2)
    assert statuses(jobs) == ["cancelled", "running", "scheduled", "succeeded"]
    assert await a_service(jobs).change(cancel(types=(KIND,)), OWNER) == BulkChanged(), (
        "a running one was asked already"
    )


async def test_a_dry_run_counts_and_changes_nothing() -> None:
    jobs = await with_jobs(*(queued(type=KIND, id=new_id()) for _ in range(150)))
    assert await a_service(jobs).change(cancel(types=(KIND,), dry_run=True, limit=500), OWNER) == BulkChanged(
        matched=150
    )
    assert statuses(jobs) == ["queued"] * 150


async def test_the_limit_ends_it() -> None:
    jobs = await with_jobs(*(queued(type=KIND, id=new_id()) for _ in range(40)))
    assert await a_service(jobs).change(cancel(types=(KIND,), limit=30), OWNER) == BulkChanged(matched=30, changed=30)
    assert statuses(jobs).count("cancelled") == 30


async def test_failed_jobs_are_queued_again_by_error_and_cancelled_ones_if_asked() -> None:
    jobs = await with_jobs(failed(type=KIND), cancelled(type=KIND), succeeded(type=KIND))
    service = a_service(jobs)
    assert await service.change(retry(error_code="boom"), OWNER) == BulkChanged()
    assert await service.change(retry(error_code="failed"), OWNER) == BulkChanged(matched=1, changed=1)
    assert await service.change(retry(statuses=("cancelled",)), OWNER) == BulkChanged(matched=1, changed=1)
    assert statuses(jobs) == ["queued", "queued", "succeeded"]


async def test_tags_must_all_be_there() -> None:
    jobs = await with_jobs(queued(tags={"a": "1", "b": "2"}), queued(tags={"a": "2"}), queued(tags={}))
    assert await a_service(jobs).change(cancel(tags={"a": "1"}), OWNER) == BulkChanged(matched=1, changed=1)


async def test_an_admin_changes_jobs_of_all_owners_as_far_as_an_index_finds_them() -> None:
    jobs = await with_jobs(queued(owner_id="x"), queued(owner_id="y"), failed(owner_id="z", type=KIND))
    service = a_service(jobs)
    assert await service.change(cancel(EVERYONE, statuses=("queued",)), ADMIN) == BulkChanged(matched=2, changed=2)
    assert await service.change(retry(EVERYONE, types=(KIND,)), ADMIN) == BulkChanged(matched=1, changed=1)
    assert await service.change(retry(EVERYONE), ADMIN) == NotListed(status="failed")


async def test_a_job_that_changed_since_it_was_listed_is_left() -> None:
    old = queued(type=KIND)
    jobs = await with_jobs(old.model_copy(update={"version": 7}))
    listing = FaultyJobListing(lambda _page: Page(items=(summary_of(old),)))
    assert await a_service(jobs, listing).change(cancel(types=(KIND,)), OWNER) == BulkChanged(matched=1, changed=0)


def pages_then_outage(jobs: tuple[Job, ...]) -> Iterator[Answer]:
    yield Page(items=tuple(summary_of(job) for job in jobs), next="more")
    while True:
        yield OUTAGE


async def test_an_outage_before_anything_was_done_is_the_answer_and_later_it_is_incomplete() -> None:
    job = queued(type=KIND)
    jobs = await with_jobs(job)
    assert await a_service(jobs, FaultyJobListing(lambda _page: OUTAGE)).change(cancel(), OWNER) == OUTAGE
    answers = pages_then_outage((job,))
    service = a_service(jobs, FaultyJobListing(lambda _page: next(answers)))
    assert await service.change(cancel(), OWNER) == BulkChanged(matched=1, changed=1, incomplete=True)


async def test_an_outage_of_a_write_makes_it_incomplete() -> None:
    stored = await with_jobs(*(queued(type=KIND, id=new_id()) for _ in range(CONCURRENCY + 1)))
    broken = FaultyJobRepository(stored, on_read=lambda: OUTAGE)
    found = await a_service(broken, stored=stored).change(cancel(types=(KIND,)), OWNER)
    assert found == BulkChanged(matched=CONCURRENCY, changed=0, incomplete=True)


@pytest.mark.parametrize("calls", [2, 3])
async def test_time_ends_it(calls: int) -> None:
    """Before its first write, or before its second page."""
    job, times = queued(type=KIND), iter([NOW] * (calls - 1) + [NOW + timedelta(minutes=1)] * 9)

    def clock() -> datetime:
        return next(times)

    jobs = await with_jobs(job)
    listing = FaultyJobListing(lambda _page: Page(items=(summary_of(job),), next="more"))
    found = await a_service(jobs, listing, clock).change(cancel(types=(KIND,)), OWNER)
    assert found == BulkChanged(matched=calls - 2, changed=calls - 2, incomplete=True)


async def test_after_many_pages_without_a_match_it_is_incomplete() -> None:
    seen: list[PageRequest] = []

    def nothing(page: PageRequest) -> Answer:
        seen.append(page)
        return Page(items=(), next="more")

    found = await a_service(FakeJobRepository(), FaultyJobListing(nothing)).change(cancel(), OWNER)
    assert (found, len(seen)) == (BulkChanged(incomplete=True), 50)


async def test_a_cursor_of_its_own_is_never_bad() -> None:
    with pytest.raises(AssertionError):
        await a_service(FakeJobRepository(), FaultyJobListing(lambda _page: BadCursor())).change(cancel(), OWNER)
