"""Lists of a fake repository's jobs, held to the same conformance suite as the real ones."""

from datetime import datetime

from domain.jobs.filtering import EVERY_JOB, JobFilter, admits, scope_of
from domain.jobs.job import Cancelled, Failed, Job, is_expired
from domain.jobs.listing import PAGE_BYTES, SUMMARIES, Include, JobSummary, answer_bytes, summary_of
from domain.paging import Page, PageRequest
from domain.results import BadCursor
from headrace.testing.job_repository import FakeJobRepository
from persistence.converters.attributes import timestamp
from persistence.cursors import CursorCodec

CURSOR_KEY = b"0123456789abcdef0123456789abcdef"
Ordered = tuple[str, str, Job]
"""The sort key of a list (a time, then the id), and the job."""


class FakeJobListing:
    """Lists the jobs of a fake repository."""

    def __init__(self, jobs: FakeJobRepository) -> None:
        self._jobs = jobs
        self._cursors = CursorCodec(CURSOR_KEY)

    async def list_by_owner(
        self, owner_id: str, filter: JobFilter, page: PageRequest, now: datetime, include: Include = SUMMARIES
    ) -> Page[JobSummary] | BadCursor:
        mine = [
            _ended(job)
            if filter.statuses and {"failed", "cancelled"}.issuperset(filter.statuses)
            else (timestamp(job.created_at), job.id, job)
            for job in self._jobs.stored
            if job.owner_id == owner_id and _fits(job, filter)
        ]
        return self._page(("owner", owner_id, *scope_of(filter)), mine, page, now, include, ascending=filter.reverse)

    async def list_unfinished(
        self, filter: JobFilter, page: PageRequest, now: datetime, include: Include = SUMMARIES
    ) -> Page[JobSummary] | BadCursor:
        waiting = [
            (timestamp(job.wake_at), job.id, job)
            for job in self._jobs.stored
            if job.wake_at is not None and _fits(job, filter)
        ]
        scope = ("unfinished", *scope_of(filter))
        return self._page(scope, waiting, page, now, include, ascending=not filter.reverse)

    async def list_failed(
        self,
        type: str,
        page: PageRequest,
        now: datetime,
        include: Include = SUMMARIES,
        filter: JobFilter = EVERY_JOB,
    ) -> Page[JobSummary] | BadCursor:
        wanted = filter.model_copy(update={"statuses": ("failed",), "types": (type,)})
        failed = [_ended(job) for job in self._jobs.stored if _fits(job, wanted)]
        scope = ("failed", *scope_of(wanted))
        return self._page(scope, failed, page, now, include, ascending=filter.reverse)

    def _page(
        self,
        scope: tuple[str, ...],
        jobs: list[Ordered],
        page: PageRequest,
        now: datetime,
        include: Include,
        *,
        ascending: bool = False,
    ) -> Page[JobSummary] | BadCursor:
        start = self._cursors.open(scope, page.cursor, now) if page.cursor else None
        if isinstance(start, BadCursor):
            return start
        unexpired = [entry for entry in jobs if not is_expired(entry[2].expires_at, now)]
        ordered = sorted(unexpired, reverse=not ascending, key=_order)
        rest = [entry for entry in ordered if start is None or _follows(entry, start, ascending=ascending)]
        chosen = _within_the_budget([summary_of(job, include) for *_, job in rest[: page.limit]])
        last = rest[len(chosen) - 1] if chosen else None
        more = last is not None and len(rest) > len(chosen)
        following = self._cursors.seal(scope, {"order": last[0], "id": last[1]}, now) if last and more else None
        return Page(items=chosen, next=following)


def _fits(job: Job, filter: JobFilter) -> bool:
    return admits(filter, summary_of(job))


def _order(entry: Ordered) -> tuple[str, str]:
    return entry[0], entry[1]


def _follows(entry: Ordered, start: dict[str, str], *, ascending: bool) -> bool:
    place = (start["order"], start["id"])
    return place < _order(entry) if ascending else _order(entry) < place


def _ended(job: Job) -> Ordered:
    assert isinstance(job.state, Failed | Cancelled)
    return timestamp(job.state.finished_at), job.id, job


def _within_the_budget(jobs: list[JobSummary]) -> tuple[JobSummary, ...]:
    sizes = [sum(answer_bytes(job) for job in jobs[: end + 1]) for end in range(len(jobs))]
    return tuple(
        job for place, (job, size) in enumerate(zip(jobs, sizes, strict=True)) if not place or size <= PAGE_BYTES
    )
