"""Sends what a batch of changes asks for: a message of the wake queue for each job that soon falls due."""

from collections.abc import Sequence
from datetime import datetime

from domain.jobs.wake_queue import LONGEST_DELAY, Unsent, Wake, WakeQueue, wake_of
from headrace.authoring.frozen import Frozen
from persistence.dynamodb.stream_records import JobChanged, JobQueued, StreamEvent, Undecodable, decode


class Recorded(Frozen):
    """What became of a batch."""

    sent: int
    unsent: tuple[Unsent, ...]
    undecodable: tuple[Undecodable, ...]
    failures: tuple[str, ...]
    """Sequence numbers to hand back (`batchItemFailures`)."""


async def record_changes(records: Sequence[object], wakes: WakeQueue, now: datetime) -> Recorded:
    """Send a message for each job that waits and is due within `LONGEST_DELAY`; the sweeper sends those of later ones.

    A record that cannot be decoded is reported and passed over: the sweeper finds its job in the wake index.
    """
    events = tuple(decode(record) for record in records)
    numbers = {wake: number for wake, number in _wakes(events) if wake.due - now <= LONGEST_DELAY}
    unsent = await wakes.send(tuple(numbers), now)
    return Recorded(
        sent=len(numbers) - len(unsent),
        unsent=unsent,
        undecodable=tuple(event for event in events if isinstance(event, Undecodable)),
        failures=tuple(numbers[each.wake] for each in unsent),
    )


def _wakes(events: Sequence[StreamEvent]) -> tuple[tuple[Wake, str], ...]:
    """Of the newest image of each job, the message that it needs, and the number of its record."""
    newest = {event.after.id: event for event in events if isinstance(event, JobChanged | JobQueued)}
    found = ((wake_of(event.after), event.sequence_number) for event in newest.values())
    return tuple((wake, number) for wake, number in found if wake is not None)
