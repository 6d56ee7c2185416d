"""What the execution of a job can come to, for the function that ran it."""

from datetime import timedelta
from typing import Literal

from domain.jobs.job import Job, Status
from domain.results import StorageUnavailable
from headrace.authoring.frozen import Frozen


class Executed(Frozen):
    """An attempt ran and its outcome is committed."""

    job: Job
    outcome: Status
    error_code: str | None
    waited: timedelta
    """To the claim, from the moment that the job was queued, or was due."""
    ran: timedelta


class NothingToDo(Frozen):
    """Somebody else has the job, or it is done, or gone, or a companion of its claim was refused."""

    job_id: str
    why: str


class UnknownJobType(Frozen):
    """A newer version accepted the job. It was left as it is, at no attempt's cost, for workers that know its type."""

    job_id: str
    type: str
    why: str


class LeaseLost(Frozen):
    """The attempt's outcome was refused: its lease had been taken over."""

    job_id: str
    attempt: int


class NotStarted(Frozen):
    """There is not enough time left to run the job; the record has to be delivered again."""

    job_id: str


class Dispatched(Frozen):
    """The job was sent to the queue of the function that runs its type."""

    job_id: str
    runner: str


class Interrupted(Frozen):
    """The store failed in the way of the attempt: before the claim, or after the work was done; or a queue, before."""

    job_id: str
    stage: Literal["dispatch", "claim", "record"]
    problem: StorageUnavailable


Execution = Executed | Dispatched | NothingToDo | UnknownJobType | LeaseLost | NotStarted | Interrupted
