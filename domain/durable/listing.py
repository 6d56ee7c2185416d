"""Lists of what jobs remember."""

from datetime import datetime
from typing import Protocol

from domain.durable.step import Step
from domain.jobs.job import Job
from domain.jobs.repository import JobNotFound, JobUnreadable
from domain.jobs.service import JobService
from domain.paging import Page, PageRequest
from domain.ports import Clock
from domain.results import BadCursor, StorageUnavailable
from domain.users.user import User


class StepListing(Protocol):
    """Pages of steps; apart from `StepRepository`, because only the API has the key for page cursors."""

    async def list_steps(
        self, life: str, page: PageRequest, now: datetime
    ) -> Page[Step] | BadCursor | StorageUnavailable:
        """What a job remembers, by sort key."""


class StepListService:
    """The use case of the API's list of steps."""

    def __init__(self, service: JobService, listing: StepListing, clock: Clock) -> None:
        self._service = service
        self._listing = listing
        self._clock = clock

    async def list(
        self, job_id: str, reader: User, page: PageRequest
    ) -> Page[Step] | BadCursor | JobNotFound | JobUnreadable | StorageUnavailable:
        """A page of what a job remembers that the reader may see."""
        job = await self._service.get(job_id, reader)
        return await self._listing.list_steps(job.life, page, self._clock()) if isinstance(job, Job) else job
