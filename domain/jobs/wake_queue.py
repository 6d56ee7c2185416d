"""The wake queue: brings a job to a worker in the second in which it is due.

A message is a reminder, and no more than that. The recorder sends it when the job is written, the sweeper when the time
is still too far for that. One that is lost costs up to a minute, until the next sweep; one that comes twice, early, or
for a job that has moved on meets the claim's conditions and changes nothing.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from pydantic import AwareDatetime

from domain.jobs.job import Job, Retrying, Scheduled, Waiting
from domain.results import StorageUnavailable
from headrace.authoring.frozen import Frozen, Stored

LONGEST_DELAY = timedelta(minutes=15)
"""How long a queue can hold a message back (Amazon SQS Developer Guide, "Delay queues")."""


class Wake(Stored):
    """A job that has to be started, and when."""

    job_id: str
    due: AwareDatetime
    owner_id: str | None = None
    """Where it is known, a queue with a backlog takes turns between owners. No part of the message."""


class Unsent(Frozen):
    """A message that the queue did not take."""

    wake: Wake
    problem: StorageUnavailable


class WakeQueue(Protocol):
    """Delivers each message to a worker at least once, or, rarely, not at all."""

    async def send(self, wakes: Sequence[Wake], now: datetime) -> tuple[Unsent, ...]:
        """Have each job brought to a worker when it is due: at once, or in whole seconds after `now`, never before.

        What is due later than `LONGEST_DELAY` comes early. Returns the messages that were not taken, in order.
        """


def wake_of(job: Job) -> Wake | None:
    """The message for a job that waits for its time; None for one in another state."""
    match job.state:
        case Scheduled(run_at=due) | Retrying(retry_at=due) | Waiting(until=due):
            return Wake(job_id=job.id, due=due, owner_id=job.owner_id)
        case _:
            return None
