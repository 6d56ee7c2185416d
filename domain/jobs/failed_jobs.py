"""What an admin can do with failed jobs: list them by type, and retry many at once."""

import asyncio
from datetime import datetime, timedelta

from pydantic import Field

from domain.jobs import transitions
from domain.jobs.catalogue import Catalogue
from domain.jobs.change import Change
from domain.jobs.job import Job
from domain.jobs.listing import SUMMARIES, Include, JobListing, JobSummary, summary_of
from domain.jobs.repository import CompanionRefused, JobRepository
from domain.jobs.service import MAX_CONFLICTS, admitted_again
from domain.lanes.lanes import Lanes
from domain.paging import MAX_PAGE, Page, PageRequest
from domain.ports import Clock
from domain.results import BadCursor, StorageUnavailable
from headrace.authoring.frozen import Frozen

CONCURRENCY = 16
"""Jobs that a bulk retry holds in memory at once."""
MAX_PAGES = 50
"""Pages that one bulk retry reads, however many jobs of them its filter selects."""
RETRY_TIME = timedelta(seconds=15)
"""How long a bulk retry starts new writes; those in flight then end within the function's 29 s."""


class BulkRetry(Frozen):
    """Which failed jobs to retry: always of one type, and of one error code where it is given."""

    type: str
    error_code: str | None = None
    limit: int = Field(default=100, ge=1, le=500)
    dry_run: bool = False


class BulkRetried(Frozen):
    """`matched` jobs fit the filter (counted up to its limit); `retried` of them were queued.

    `incomplete` when time or the store ended it before the limit or the last failed job: the same call continues it.
    """

    matched: int = 0
    retried: int = 0
    incomplete: bool = False


class FailedJobService:
    """Lists and retries failed jobs. Two admins may retry at once: each job is queued by one of them."""

    def __init__(
        self,
        jobs: JobRepository,
        listing: JobListing,
        catalogue: Catalogue,
        clock: Clock,
        lanes: Lanes | None = None,
    ) -> None:
        self._jobs = jobs
        self._lanes = lanes
        self._listing = listing
        self._catalogue = catalogue
        self._clock = clock

    async def list(
        self, type: str, page: PageRequest, include: Include = SUMMARIES
    ) -> Page[JobSummary] | BadCursor | StorageUnavailable:
        """The failed jobs of a type, of every owner, the last to fail first."""
        return await self._listing.list_failed(type, page, self._clock(), include)

    async def retry(self, wanted: BulkRetry, within: timedelta = RETRY_TIME) -> BulkRetried | StorageUnavailable:
        """Queue the matching jobs again, with all their attempts; a dry run only counts them, by their summaries.

        Page by page: a whole job is read only to be retried. A store that fails before anything was done is the
        answer; one that fails later makes it incomplete.
        """
        ends = self._clock() + within
        done, cursor = BulkRetried(), None
        for _ in range(MAX_PAGES):
            page = await self.list(wanted.type, PageRequest(limit=MAX_PAGE, cursor=cursor))
            match page:
                case StorageUnavailable():
                    return _ended_early(done, page)
                case BadCursor():
                    raise AssertionError("a cursor that was just given is good")
                case Page():
                    matching = tuple(job.id for job in page.items if _fits(job, wanted))
            left = wanted.limit - done.matched
            done = await self._retry_page(done, matching[:left], wanted, ends)
            cursor = page.next
            if done.incomplete or cursor is None or done.matched == wanted.limit:
                return done
            if self._clock() >= ends:
                break
        return done.model_copy(update={"incomplete": True})

    async def _retry_page(
        self, done: BulkRetried, ids: tuple[str, ...], wanted: BulkRetry, ends: datetime
    ) -> BulkRetried:
        if wanted.dry_run:
            return done.model_copy(update={"matched": done.matched + len(ids)})
        for begin in range(0, len(ids), CONCURRENCY):
            if self._clock() >= ends:
                return done.model_copy(update={"incomplete": True})
            some = ids[begin : begin + CONCURRENCY]
            results = await asyncio.gather(*(self._retry(id, wanted) for id in some))
            done = BulkRetried(
                matched=done.matched + len(some),
                retried=done.retried + results.count(True),
                incomplete=any(isinstance(result, StorageUnavailable) for result in results),
            )
            if done.incomplete:
                return done
        return done

    async def _retry(self, job_id: str, wanted: BulkRetry) -> bool | StorageUnavailable:
        """Whether this call queued the job; the list may lag, so the job itself decides."""
        now = self._clock()
        job = await self._jobs.get(job_id, now)
        if isinstance(job, StorageUnavailable):
            return job
        if not isinstance(job, Job) or not _fits(summary_of(job), wanted):
            return False
        policy = self._catalogue.policy(job.type)
        for tried in range(MAX_CONFLICTS):
            admitted = await admitted_again(job, policy, self._lanes, tried)
            if isinstance(admitted, StorageUnavailable):
                return admitted
            queued = transitions.retry_manually(job, policy, now, admitted)
            written = await self._jobs.replace(queued, job.version) if isinstance(queued, Change) else queued
            if isinstance(written, Job) and self._lanes is not None:
                await self._lanes.look_again(written)
            if not isinstance(written, CompanionRefused):
                return written if isinstance(written, StorageUnavailable) else isinstance(written, Job)
        return False


def _fits(job: JobSummary, wanted: BulkRetry) -> bool:
    return job.status == "failed" and job.error is not None and wanted.error_code in {None, job.error.code}


def _ended_early(done: BulkRetried, failure: StorageUnavailable) -> BulkRetried | StorageUnavailable:
    return done.model_copy(update={"incomplete": True}) if done.matched else failure
