"""The event bus: tells the account's other programs of final states, at least once each."""

from collections.abc import Sequence
from typing import Protocol

from pydantic import JsonValue

from domain.jobs.job import Job, is_final
from domain.jobs.own_types import OWN_TYPES
from domain.results import StorageUnavailable
from domain.webhooks.event import body_of, job_event
from domain.webhooks.tell_of import TellOf
from headrace.authoring.frozen import Frozen
from headrace.authoring.json_text import JsonText


class BusEvent(Frozen):
    """An event as the bus takes it."""

    job_id: str
    type: str
    """The detail type, `job.succeeded` for one."""
    detail: JsonText
    """A `JobEvent`. Its `id` is the change's, so that an event that comes twice can be told."""


class Unpublished(Frozen):
    """An event that the bus did not take."""

    event: BusEvent
    problem: StorageUnavailable


class EventBus(Protocol):
    """Takes events; one that it takes may reach a target more than once."""

    async def publish(self, events: Sequence[BusEvent]) -> tuple[Unpublished, ...]:
        """Hand the events over; those that were not taken, in order."""


def bus_events(changes: Sequence[Job], tell_of: TellOf) -> tuple[BusEvent, ...]:
    """The events of these changes: one for each final state, none for deliveries."""
    return tuple(_event(job, tell_of) for job in changes if is_final(job) and job.type not in OWN_TYPES)


def _event(job: Job, tell_of: TellOf) -> BusEvent:
    event: dict[str, JsonValue] = job_event(tell_of.summary(job), ())
    return BusEvent(job_id=job.id, type=str(event["type"]), detail=body_of(event))
