"""The counts of a job's children, for the response that shows the job."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from domain.jobs.job import Job
from domain.results import StorageUnavailable
from functions.api.children.views import GroupView

if TYPE_CHECKING:  # few jobs have children
    from domain.children.overview import GroupCounts

CountsOf = Callable[[Job], Awaitable["tuple[GroupCounts, ...] | StorageUnavailable"]]


async def groups_of(job: Job, counts: CountsOf) -> list[GroupView] | StorageUnavailable:
    """The job's groups of children; nothing is read for a job that remembers nothing."""
    counted = await counts(job) if job.steps else ()
    if isinstance(counted, StorageUnavailable):
        return counted
    return [GroupView.model_validate(dict(each)) for each in counted]
