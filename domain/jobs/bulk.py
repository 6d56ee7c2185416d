"""Cancels or retries many jobs at once: those of a list that fit a filter."""

import asyncio
from datetime import datetime, timedelta
from typing import Final, Literal

from pydantic import Field

from domain.jobs.filtering import EVERY_JOB, JobFilter
from domain.jobs.job import Job
from domain.jobs.listing import JobListService, JobSummary, NotListed
from domain.jobs.service import JobService
from domain.paging import MAX_PAGE, Page, PageRequest
from domain.ports import Clock
from domain.results import BadCursor, StorageUnavailable
from domain.users.user import User
from headrace.authoring.frozen import Frozen

EVERYONE: Final = "*"
CONCURRENCY: Final = 16
"""Jobs that are changed at once."""
MAX_PAGES: Final = 50
"""Pages that one call reads, however few of their jobs fit."""
CHANGE_TIME: Final = timedelta(seconds=15)
"""How long a call begins new writes; those under way then end within the function's 29 s."""


class BulkWish(Frozen):
    """Which jobs to change, and how."""

    action: Literal["cancel", "retry"]
    owner_id: str
    """A user's, or `EVERYONE`; who may ask for which is decided by the caller."""
    filter: JobFilter = EVERY_JOB
    """Without statuses: what can be cancelled, or failed jobs."""
    limit: int = Field(default=100, ge=1, le=500)
    dry_run: bool = False


class BulkChanged(Frozen):
    """`matched` jobs fit (counted up to the limit); `changed` of them were cancelled, asked to stop, or queued again.

    `incomplete` when time, the store or the number of pages ended it before the limit or the last job of the list:
    the same call continues it.
    """

    matched: int = 0
    changed: int = 0
    incomplete: bool = False


class BulkService:
    """Changes many jobs, each as a person would change it alone. Two calls at once change each job once."""

    def __init__(self, lists: JobListService, jobs: JobService, clock: Clock) -> None:
        self._lists = lists
        self._jobs = jobs
        self._clock = clock

    async def change(self, wish: BulkWish, actor: User) -> BulkChanged | NotListed | StorageUnavailable:
        """Change what fits; a dry run only counts it, by the summaries of the list."""
        ends = self._clock() + CHANGE_TIME
        done, cursor = BulkChanged(), None
        for _ in range(MAX_PAGES):
            page = await self._page(wish, cursor)
            if isinstance(page, StorageUnavailable) and done.matched:
                break
            if not isinstance(page, Page):
                return page
            fitting = [job for job in page.items if _fits(job, wish)][: wish.limit - done.matched]
            done = await self._changed(done, fitting, wish, actor, ends)
            cursor = page.next
            if done.incomplete or cursor is None or done.matched == wish.limit:
                return done
            if self._clock() >= ends:
                break
        return done.model_copy(update={"incomplete": True})

    async def _page(self, wish: BulkWish, cursor: str | None) -> Page[JobSummary] | NotListed | StorageUnavailable:
        criteria, request = wish.filter, PageRequest(limit=MAX_PAGE, cursor=cursor)
        if wish.action == "retry" and not criteria.statuses:
            criteria = criteria.model_copy(update={"statuses": ("failed",)})
        if wish.owner_id == EVERYONE:
            page = await self._lists.list_all(criteria, request)
        else:
            page = await self._lists.list(wish.owner_id, criteria, request)
        if isinstance(page, BadCursor):
            raise AssertionError("a cursor that was just given is good")  # noqa: TRY004 - it is no matter of types
        return page

    async def _changed(
        self, done: BulkChanged, jobs: list[JobSummary], wish: BulkWish, actor: User, ends: datetime
    ) -> BulkChanged:
        if wish.dry_run:
            return done.model_copy(update={"matched": done.matched + len(jobs)})
        change = self._jobs.cancel if wish.action == "cancel" else self._jobs.retry
        for begin in range(0, len(jobs), CONCURRENCY):
            if self._clock() >= ends:
                return done.model_copy(update={"incomplete": True})
            some = jobs[begin : begin + CONCURRENCY]
            # The list may lag: a job that has changed since it was read is left as it is.
            results = await asyncio.gather(*(change(job.id, actor, frozenset({job.version})) for job in some))
            done = BulkChanged(
                matched=done.matched + len(some),
                changed=done.changed + sum(isinstance(result, Job) for result in results),
                incomplete=any(isinstance(result, StorageUnavailable) for result in results),
            )
            if done.incomplete:
                return done
        return done


def _fits(job: JobSummary, wish: BulkWish) -> bool:
    asked = wish.action == "cancel" and job.cancel_requested
    return wish.action in job.actions and not asked
