"""Does what a batch of changes asks for: messages for jobs that soon fall due, children, webhooks and more."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from domain.children.counting import NotCounted
from domain.children.recording import ChildRecorder
from domain.jobs.dispatch import Dispatcher
from domain.jobs.job import Job, has_moved
from domain.jobs.own_types import OWN_TYPES
from domain.jobs.wake_queue import LONGEST_DELAY, Unsent, wake_of
from domain.stats.fact import fact_of
from domain.stats.recording import Counted, StatsRecorder
from domain.webhooks.event_bus import EventBus, Unpublished, bus_events
from domain.webhooks.tell_of import TellOf
from domain.webhooks.telling import Teller, Told
from headrace.authoring.frozen import Frozen
from headrace.authoring.job_type import WORKER
from persistence.dynamodb.stream_records import JobChanged, JobOfNewerVersion, JobQueued, Undecodable, decode

Changed = JobChanged | JobQueued


@dataclass(frozen=True)
class Telling:
    """What tells others of changes."""

    teller: Teller
    tell_of: TellOf
    bus: EventBus | None = None
    """None where there is no event bus."""


class Recorded(Frozen):
    """What became of a batch."""

    sent: int
    unsent: tuple[Unsent, ...]
    undecodable: tuple[Undecodable, ...]
    failures: tuple[str, ...]
    """Sequence numbers to hand back (`batchItemFailures`)."""
    told: Told = Told(made=0)
    unpublished: tuple[Unpublished, ...] = ()
    newer: tuple[JobOfNewerVersion, ...] = ()
    """Changes that only a newer version can read, and of which nobody is told by this one."""
    counted: Counted = Counted()
    children: tuple[NotCounted, ...] = ()
    """Ends of children that were not counted, and cancelled parents whose children nobody cancels (yet)."""


async def record_changes(
    records: Sequence[object],
    dispatcher: Dispatcher,
    now: datetime,
    telling: Telling | None = None,
    deadline: datetime | None = None,
    stats: StatsRecorder | None = None,
    children: ChildRecorder | None = None,
) -> Recorded:
    """Send a message for each job that waits and is due within `LONGEST_DELAY`; the sweeper sends those of later ones.

    It goes to the queue of the job's runner, or to the wake queue for the worker, also where the type is unknown. Of
    several changes of a job, the last counts for that; of each, `telling` tells.

    A record that cannot be decoded is reported and passed over: the sweeper finds its job in the wake index.
    """
    events = tuple(decode(record) for record in records)
    changed = [event for event in events if isinstance(event, Changed)]
    newest = {event.after.id: event for event in changed}.values()
    waits = [(event, wake) for event in newest if (wake := wake_of(event.after)) and wake.due - now <= LONGEST_DELAY]
    numbers = {wake: event.sequence_number for event, wake in waits}
    unsent = await dispatcher.send([(dispatcher.runner_of(event.after) or WORKER, wake) for event, wake in waits], now)
    uncounted = await _children(changed, children, deadline or now)
    told, unpublished = await _notify(changed, telling, deadline or now)
    counted = await _count(changed, stats, deadline or now)
    return Recorded(
        sent=len(numbers) - len(unsent),
        unsent=unsent,
        undecodable=tuple(event for event in events if isinstance(event, Undecodable)),
        failures=_failures([numbers[each.wake] for each in unsent], changed, told, unpublished, counted, uncounted),
        told=told,
        unpublished=unpublished,
        newer=tuple(event for event in events if isinstance(event, JobOfNewerVersion)),
        counted=counted,
        children=uncounted,
    )


async def _notify(
    changed: Sequence[Changed], telling: Telling | None, deadline: datetime
) -> tuple[Told, tuple[Unpublished, ...]]:
    jobs = [event.after for event in changed if isinstance(event, JobChanged) and _is_told_of(event.after)]
    if telling is None or not jobs:
        return Told(made=0), ()
    told = await telling.teller.tell(jobs, deadline)
    events = bus_events(jobs, telling.tell_of) if telling.bus else ()
    return told, await telling.bus.publish(events) if telling.bus and events else ()


async def _children(
    changed: Sequence[Changed], children: ChildRecorder | None, deadline: datetime
) -> tuple[NotCounted, ...]:
    if children is None:
        return ()
    return await children.record([event.after for event in changed if isinstance(event, JobChanged)], deadline)


async def _count(changed: Sequence[Changed], stats: StatsRecorder | None, deadline: datetime) -> Counted:
    if stats is None:
        return Counted()
    facts = [fact for event in changed if (fact := fact_of(event.after, event.before))]
    return await stats.count(facts, deadline) if facts else Counted()


def _is_told_of(job: Job) -> bool:
    return job.type not in OWN_TYPES and has_moved(job)


def _failures(
    unsent: Sequence[str],
    changed: Sequence[Changed],
    told: Told,
    unpublished: Sequence[Unpublished],
    counted: Counted,
    uncounted: Sequence[NotCounted],
) -> tuple[str, ...]:
    """The records to hand back, each once, in their order; Lambda begins again with the first of them."""
    not_counted = {(fact.job_id, fact.version) for each in counted.not_counted for fact in each.facts}
    of_children = {job for each in uncounted if not each.is_lost for job in each.jobs}
    versions = {(each.job_id, each.version) for each in told.not_made} | not_counted | of_children
    jobs = {each.event.job_id for each in unpublished}
    failed = {
        event.sequence_number
        for event in changed
        if (event.after.id, event.after.version) in versions or event.after.id in jobs
    }
    again = failed | set(unsent)
    return tuple(dict.fromkeys(event.sequence_number for event in changed if event.sequence_number in again))
