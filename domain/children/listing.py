"""Pages of a job's children, by group and place: no index is needed, as their ids follow from them."""

from collections.abc import Iterable
from datetime import datetime
from typing import Protocol

from domain.durable.repository import StepRepository
from domain.durable.step import CHILDREN, Step
from domain.jobs.job import Job, Status
from domain.jobs.listing import JobSummary
from domain.jobs.repository import JobNotFound, JobUnreadable
from domain.jobs.service import JobService
from domain.paging import Page, PageRequest
from domain.ports import Clock
from domain.results import BadCursor, StorageUnavailable
from domain.users.user import User
from headrace.authoring.frozen import Frozen


class Begun(Frozen):
    """The places of a group that have been begun: from 0 to below `placed`."""

    group: str
    placed: int


class ChildListing(Protocol):
    """Pages of children; apart from `ChildReader`, because only the API has the key for page cursors."""

    async def list_children(
        self, life: str, groups: tuple[Begun, ...], status: Status | None, page: PageRequest, now: datetime
    ) -> Page[JobSummary] | BadCursor | StorageUnavailable:
        """The unexpired children of these groups, in the groups' order and by place, strongly consistent.

        A page may be short and still have a cursor: with a `status` it ends after a bounded amount of reading.
        """


class ChildListService:
    """The use case of the API's list of children."""

    def __init__(self, service: JobService, steps: StepRepository, listing: ChildListing, clock: Clock) -> None:
        self._service = service
        self._steps = steps
        self._listing = listing
        self._clock = clock

    async def list(
        self, job_id: str, reader: User, group: str | None, status: Status | None, page: PageRequest
    ) -> Page[JobSummary] | BadCursor | JobNotFound | JobUnreadable | StorageUnavailable:
        """A page of the children of a job that the reader may see; of one group, if it is named."""
        job = await self._service.get(job_id, reader)
        if not isinstance(job, Job):
            return job
        steps = await self._groups(job, group)
        if isinstance(steps, StorageUnavailable):
            return steps
        return await self._listing.list_children(job.life, begun(steps), status, page, self._clock())

    async def _groups(self, job: Job, name: str | None) -> tuple[Step, ...] | StorageUnavailable:
        if name is None:
            return await self._steps.groups(job.life)
        found = await self._steps.find(job.life, name) if name else None
        if isinstance(found, StorageUnavailable):
            return found
        return () if found is None or found.kind != CHILDREN else (found,)


def begun(steps: Iterable[Step]) -> tuple[Begun, ...]:
    """What these groups have begun, in the order in which the groups began: a cursor stays right when more follow."""
    ordered = sorted(steps, key=lambda step: (step.began_at, step.name))
    return tuple(Begun(group=step.name, placed=step.group.placed) for step in ordered if step.group)
