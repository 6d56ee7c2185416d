"""The job, of Headrace's own type `children.cancel`, that brings a parent's cancellation to its children.

Its id comes from the parent's change, so that however often that is seen, there is one. Every function knows the type,
so that this module imports little; `cancelling.py` does the work.
"""

from datetime import timedelta
from typing import Final

from domain.jobs.checking import keyed_id
from domain.jobs.job import Cancelled, Job
from domain.jobs.own_types import CHILDREN_CANCEL, OWN_TYPES
from domain.jobs.transitions import NewJob
from headrace.authoring.context import JobContext
from headrace.authoring.frozen import Frozen
from headrace.authoring.job_type import STANDARD, JobType, Policy
from headrace.authoring.json_text import JsonText
from headrace.authoring.outcomes import Retry
from headrace.authoring.retry import Backoff

JOB_TAG: Final = "job_id"
"""The tag that names the parent."""


class Cancellation(Frozen):
    """Whose children are cancelled."""

    life: str
    generation: int
    """Of the parent, when it was cancelled: one that was retried since wants its children."""


class ChildrenCancelled(Frozen):
    """No child is left that could begin, and those that run are asked to stop."""

    cancelled: int
    """How many were reached the last time."""


CANCELLATION = JobType[Cancellation, ChildrenCancelled](
    name=CHILDREN_CANCEL,
    summary="Cancel the children of a cancelled job; made by Headrace itself",
    payload=Cancellation,
    result=ChildrenCancelled,
    policy=Policy(
        runner=STANDARD,
        max_attempts=20,
        timeout=timedelta(minutes=1),
        backoff=Backoff(base=timedelta(seconds=5), factor=2, cap=timedelta(hours=1)),
    ),
)


class UnrunCancellation:
    """The type where it is known and not run."""

    definition = CANCELLATION

    async def run(self, _cancellation: Cancellation, _context: JobContext, /) -> Retry:
        """Never called; if it were, another attempt would find a function that can."""
        return Retry(code="not_here", reason="this function cancels no children")


def may_have_children(job: Job) -> bool:
    """Whether a change asks to look for children to cancel: a job was cancelled that had run."""
    return isinstance(job.state, Cancelled) and job.started_at is not None and job.type not in OWN_TYPES


def cancellation_of(parent: Job) -> NewJob:
    """The job that cancels the children of a cancelled one."""
    return NewJob(
        id=keyed_id(parent.life, f"cancel:{parent.version}"),
        owner_id=parent.owner_id,
        type=CHILDREN_CANCEL,
        payload=JsonText(Cancellation(life=parent.life, generation=parent.generation).model_dump_json()),
        tags={JOB_TAG: parent.id},
        max_attempts=CANCELLATION.policy.max_attempts,
        traceparent=parent.traceparent,
    )
