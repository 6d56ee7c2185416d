"""What an admin can do with failed jobs: list them by type, and retry many at once."""

import asyncio

from pydantic import Field

from domain.frozen import Frozen
from domain.jobs import transitions
from domain.jobs.job import Failed, Job
from domain.jobs.job_type import Catalogue
from domain.jobs.repository import JobRepository
from domain.paging import MAX_PAGE, Page, PageRequest
from domain.ports import Clock
from domain.results import BadCursor, StorageUnavailable

CONCURRENCY = 16
MAX_PAGES = 20
"""Pages that one bulk retry looks through, so that it ends within a request."""


class BulkRetry(Frozen):
    """Which failed jobs to retry: always of one type, and of one error code where it is given."""

    type: str
    error_code: str | None = None
    limit: int = Field(default=100, ge=1, le=500)
    dry_run: bool = False


class BulkRetried(Frozen):
    """`matched` jobs fit the filter (counted up to its limit); `retried` of them were queued."""

    matched: int
    retried: int


class FailedJobService:
    """Safe when two admins do the same at once: each job is queued by one of them."""

    def __init__(self, jobs: JobRepository, catalogue: Catalogue, clock: Clock) -> None:
        self._jobs = jobs
        self._catalogue = catalogue
        self._clock = clock

    async def list(self, type: str, page: PageRequest) -> Page[Job] | BadCursor | StorageUnavailable:
        """The failed jobs of a type, of every owner, the last to fail first."""
        return await self._jobs.list_failed(type, page, self._clock())

    async def retry(self, wanted: BulkRetry) -> BulkRetried | StorageUnavailable:
        """Queue the matching jobs again, with all their attempts; a dry run only counts them."""
        matching = await self._matching(wanted)
        if isinstance(matching, StorageUnavailable):
            return matching
        if wanted.dry_run:
            return BulkRetried(matched=len(matching), retried=0)
        slots = asyncio.Semaphore(CONCURRENCY)
        retried = await asyncio.gather(*(self._retry(job, slots) for job in matching))
        return BulkRetried(matched=len(matching), retried=sum(retried))

    async def _matching(self, wanted: BulkRetry) -> tuple[Job, ...] | StorageUnavailable:
        found: tuple[Job, ...] = ()
        cursor: str | None = None
        for _ in range(MAX_PAGES):
            page = await self.list(wanted.type, PageRequest(limit=MAX_PAGE, cursor=cursor))
            match page:
                case StorageUnavailable():
                    return page
                case BadCursor():
                    raise AssertionError("a cursor that was just given is good")
                case Page():
                    pass
            found += tuple(job for job in page.items if _fits(job, wanted))
            cursor = page.next
            if cursor is None or len(found) >= wanted.limit:
                break
        return found[: wanted.limit]

    async def _retry(self, job: Job, slots: asyncio.Semaphore) -> bool:
        async with slots:
            queued = transitions.retry_by_hand(job, self._catalogue.policy(job.type), self._clock())
            return isinstance(queued, Job) and isinstance(await self._jobs.replace(queued, job.version), Job)


def _fits(job: Job, wanted: BulkRetry) -> bool:
    return isinstance(job.state, Failed) and wanted.error_code in {None, job.state.error.code}
