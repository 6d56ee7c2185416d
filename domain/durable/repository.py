"""What the domain asks of the store of steps.

One conformance suite (`tests/contract/test_step_repository.py`) holds every implementation to these docstrings. What
is remembered together with a change of its job is written as a companion, by `JobRepository`.
"""

from datetime import datetime
from typing import Protocol

from domain.durable.step import Step
from domain.results import StorageUnavailable
from headrace.authoring.frozen import Frozen


class StepTaken(Frozen):
    """Something stands in the step's place already, and nothing was written."""

    standing: Step


class LeaseEnded(Frozen):
    """The job is not running under this lease (any more), and nothing was written."""

    job_id: str


RememberResult = Step | StepTaken | LeaseEnded | StorageUnavailable


class StepPage(Frozen):
    """Some steps of a job by name, those of signals last."""

    steps: tuple[Step, ...]
    next: str | None = None
    """The sort key of the last one, where more may follow."""


class StepRepository(Protocol):
    """What jobs remember, by their `life`. No method raises for what can be expected of a network or a race."""

    async def remember(self, step: Step, token: str, expires_at: datetime) -> RememberResult:
        """Write a step, if its job runs under the lease `token` and nothing stands in its place.

        The lease is named before what stands there. A step that stands there with the same `write_id` is this very
        write, whose acknowledgement was lost: success.
        """

    async def rewrite(self, step: Step, token: str, expires_at: datetime) -> Step | LeaseEnded | StorageUnavailable:
        """Write a step over what stands in its place, if its job runs under the lease `token`. Again is no failure."""

    async def groups(self, life: str) -> tuple[Step, ...] | StorageUnavailable:
        """The groups of children that a job has begun (strongly consistent)."""

    async def remembered(self, life: str) -> tuple[Step, ...] | StorageUnavailable:
        """All that a job remembers (strongly consistent)."""

    async def find(self, life: str, key: str) -> Step | StorageUnavailable | None:
        """One step by its sort key (strongly consistent)."""

    async def page(self, life: str, limit: int, after: str | None) -> StepPage | StorageUnavailable:
        """Some steps of a job, by their sort keys; `after` is a page's `next`."""

    async def forget(self, life: str) -> StorageUnavailable | None:
        """Delete all that a job remembers; none is left if this returns None."""
