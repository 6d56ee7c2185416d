"""A listing that returns what a test requires."""

from collections.abc import Callable
from datetime import datetime

from domain.jobs.filtering import EVERY_JOB, JobFilter
from domain.jobs.listing import SUMMARIES, Include, JobSummary
from domain.paging import Page, PageRequest
from domain.results import BadCursor, StorageUnavailable

Answer = Page[JobSummary] | BadCursor | StorageUnavailable


class FaultyJobListing:
    """Returns the result of `answer` for every list."""

    def __init__(self, answer: Callable[[PageRequest], Answer]) -> None:
        self._answer = answer

    async def list_by_owner(
        self, owner_id: str, filter: JobFilter, page: PageRequest, now: datetime, include: Include = SUMMARIES
    ) -> Answer:
        return self._answer(page)

    async def list_unfinished(
        self, filter: JobFilter, page: PageRequest, now: datetime, include: Include = SUMMARIES
    ) -> Answer:
        return self._answer(page)

    async def list_failed(
        self,
        type: str,
        page: PageRequest,
        now: datetime,
        include: Include = SUMMARIES,
        filter: JobFilter = EVERY_JOB,
    ) -> Answer:
        return self._answer(page)
