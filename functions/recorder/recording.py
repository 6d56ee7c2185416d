"""Sends what a batch of changes asks for: a message of the wake queue for each job that soon falls due."""

from collections.abc import Sequence
from datetime import datetime

from domain.jobs.dispatch import Dispatcher
from domain.jobs.wake_queue import LONGEST_DELAY, Unsent, wake_of
from headrace.authoring.frozen import Frozen
from headrace.authoring.job_type import WORKER
from persistence.dynamodb.stream_records import JobChanged, JobQueued, Undecodable, decode


class Recorded(Frozen):
    """What became of a batch."""

    sent: int
    unsent: tuple[Unsent, ...]
    undecodable: tuple[Undecodable, ...]
    failures: tuple[str, ...]
    """Sequence numbers to hand back (`batchItemFailures`)."""


async def record_changes(records: Sequence[object], dispatcher: Dispatcher, now: datetime) -> Recorded:
    """Send a message for each job that waits and is due within `LONGEST_DELAY`; the sweeper sends those of later ones.

    It goes to the queue of the job's runner, or to the wake queue for the worker, also where the type is unknown.

    A record that cannot be decoded is reported and passed over: the sweeper finds its job in the wake index.
    """
    events = tuple(decode(record) for record in records)
    newest = {event.after.id: event for event in events if isinstance(event, JobChanged | JobQueued)}.values()
    waits = [(event, wake) for event in newest if (wake := wake_of(event.after)) and wake.due - now <= LONGEST_DELAY]
    numbers = {wake: event.sequence_number for event, wake in waits}
    unsent = await dispatcher.send([(dispatcher.runner_of(event.after) or WORKER, wake) for event, wake in waits], now)
    return Recorded(
        sent=len(numbers) - len(unsent),
        unsent=unsent,
        undecodable=tuple(event for event in events if isinstance(event, Undecodable)),
        failures=tuple(numbers[each.wake] for each in unsent),
    )
