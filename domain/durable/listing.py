"""Lists of what jobs remember."""

from datetime import datetime
from typing import Final, Protocol

from domain.durable.step import OF_ROUNDS, RESULTS, Step
from domain.jobs.job import Job
from domain.jobs.repository import JobNotFound, JobUnreadable
from domain.jobs.service import JobService
from domain.paging import Page, PageRequest
from domain.ports import Clock
from domain.results import BadCursor, StorageUnavailable
from domain.users.user import User

_UNTOLD: Final = {"value": None}


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
        """A page of what a job remembers that the reader may see; it may be short and still have a cursor."""
        job = await self._service.get(job_id, reader)
        if not isinstance(job, Job):
            return job
        found = await self._listing.list_steps(job.life, page, self._clock())
        if not isinstance(found, Page):
            return found
        # How the rounds of a group ended is between Headrace and itself; the results are those of the children.
        shown = (step.model_copy(update=_UNTOLD) if step.kind == RESULTS else step for step in found.items)
        return found.model_copy(update={"items": tuple(step for step in shown if step.kind not in OF_ROUNDS)})
