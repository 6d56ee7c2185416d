"""Answers why a job is where it is, in words for its owner and with a code for programs."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final, Literal

from pydantic import AwareDatetime

from domain.jobs import transitions
from domain.jobs.catalogue import Catalogue
from domain.jobs.job import (
    Blocked,
    Cancelled,
    Failed,
    Job,
    Queued,
    Retrying,
    Running,
    Scheduled,
    Succeeded,
    WaitFor,
    Waiting,
)
from domain.jobs.repository import JobRepository
from domain.lanes.lane import Lane, Place, Terms, free_numbers, terms_of
from domain.lanes.service import MAX_COUNTED, LaneService
from domain.ports import Clock
from domain.results import StorageUnavailable
from domain.users.user import User
from headrace.authoring.frozen import Frozen

if TYPE_CHECKING:  # few jobs have children
    from domain.children.overview import GroupCounts

CountsOf = Callable[[Job], Awaitable["tuple[GroupCounts, ...] | StorageUnavailable"]]

MAX_HOLDERS: Final = 10
"""Jobs in the places of a lane that are looked at: each costs a read."""

MAX_NAMED: Final = 5
"""Of the things that a job waits for, those that the sentence names."""

BY_SWEEP: Final = "by the next sweep at the latest"

Code = Literal[
    "due_later", "due", "triggered", "unknown_type", "unknown_payload_version",
    "lane_paused", "lane_full", "lane_rate", "lane_free", "running", "waiting", "ended",
]  # fmt: skip


class Holder(Frozen):
    """A place that is taken."""

    since: AwareDatetime
    job_id: str | None
    """None for another owner's job, which only admins see."""
    until: AwareDatetime | None
    """When the job's lease ends: its attempt is over by then. None if it has ended meanwhile, or was not looked at."""


class LaneReason(Frozen):
    """The lane of a blocked job."""

    name: str
    limit: int
    taken: int
    ahead: int
    """Jobs in line before it, counted up to 1,000."""
    holders: tuple[Holder, ...]
    """At most 10."""


class Reason(Frozen):
    """Why a job is where it is."""

    code: Code
    text: str
    until: AwareDatetime | None = None
    """The moment that it waits for, where that is known."""
    lane: LaneReason | None = None


class WhyService:
    """Explains jobs to those who may see them; the caller has read the job for its reader."""

    def __init__(
        self,
        jobs: JobRepository,
        lanes: LaneService | None,
        catalogue: Catalogue,
        clock: Clock,
        owner_limit: int = 0,
        counts: CountsOf | None = None,
    ) -> None:
        self._jobs = jobs
        self._lanes = lanes
        self._catalogue = catalogue
        self._clock = clock
        self._owner_limit = owner_limit
        self._counts = counts

    async def why(self, job: Job, reader: User) -> Reason | StorageUnavailable:
        """One sentence, and what it is made of. Reads the lane of a blocked job, and the counts of awaited children."""
        if isinstance(job.state, Blocked):
            return await self._blocked(job, reader)
        counts = await self._counts(job) if self._counts and _waits_for_children(job) else ()
        if isinstance(counts, StorageUnavailable):
            return counts
        return self._unknown(job) or _reason(job, self._clock(), {each.name: each for each in counts})

    def _unknown(self, job: Job) -> Reason | None:
        """A job that workers of this version leave alone."""
        if isinstance(job.state, Running | Succeeded | Failed | Cancelled):
            return None
        known = self._catalogue.definition(job.type)
        if known is None:
            text = f"its type {job.type} is not known to this version, which leaves it to one that knows it"
            return Reason(code="unknown_type", text=text)
        if job.payload_version > known.payload_version:
            text = f"its payload is of version {job.payload_version}, and this version knows {known.payload_version}"
            return Reason(code="unknown_payload_version", text=text)
        return None

    async def _blocked(self, job: Job, reader: User) -> Reason | StorageUnavailable:
        found = None if self._lanes is None else await self._lanes.place_in_line(job)
        if found is None:
            return Reason(code="lane_free", text="it waits in a lane, which this deployment does not know")
        if isinstance(found, StorageUnavailable):
            return found
        lane, ahead, now = found.lane, found.ahead, self._clock()
        terms = terms_of(lane, self._catalogue.policy(job.type), self._owner_limit)
        holders = await asyncio.gather(*(self._holder(place, reader) for place in lane.places[:MAX_HOLDERS]))
        unavailable = [each for each in holders if isinstance(each, StorageUnavailable)]
        if unavailable:
            return unavailable[0]
        code, text, until = _in_lane(lane, terms, ahead, now)
        reason = LaneReason(
            name=lane.name,
            limit=terms.limit,
            taken=len(lane.places),
            ahead=ahead,
            holders=tuple(each for each in holders if isinstance(each, Holder)),
        )
        return Reason(code=code, text=text, until=until, lane=reason)

    async def _holder(self, place: Place, reader: User) -> Holder | StorageUnavailable:
        job = await self._jobs.get(place.holder, self._clock())
        if isinstance(job, StorageUnavailable):
            return job
        if not isinstance(job, Job):
            return Holder(since=place.since, job_id=None, until=None)
        seen = reader.role == "admin" or job.owner_id == reader.id
        state = job.state
        holds = transitions.place_of(state) == (place.number, place.token)
        until = state.lease.until if isinstance(state, Running) and holds else None
        return Holder(since=place.since, job_id=job.id if seen else None, until=until)


def _waits_for_children(job: Job) -> bool:
    return isinstance(job.state, Waiting) and any(wait.kind == "children" for wait in job.state.waits_for)


def _reason(job: Job, now: datetime, counts: Mapping[str, "GroupCounts"]) -> Reason:
    match job.state:
        case Scheduled(run_at=due, in_slot=True):
            return _timed("the start that its lane's rate allows", due, now)
        case Scheduled(run_at=due):
            return _timed("its time", due, now)
        case Retrying(retry_at=due, error=error):
            failed = f"attempt {error.attempt} of {job.max_attempts} failed ({error.code})"
            return _timed(f"{failed}; the time of its next one", due, now)
        case Waiting(waits_for=waits, until=until, since=since):
            if until <= now:
                return _timed("the end of its wait", until, now)
            text = f"it waits for {_waits(waits, counts)} since {_time(since)}"
            return Reason(code="waiting", text=text, until=until)
        case Queued(queued_at=since, redrives=redrives):
            again = f"; its trigger was repeated, {redrives} times so far" if redrives else ""
            return Reason(code="triggered", text=f"it waits for a worker since {_time(since)}{again}")
        case Running(lease=lease):
            text = f"attempt {job.attempt} of {job.max_attempts} runs since {_time(job.started_at or job.updated_at)}"
            return Reason(code="running", text=text, until=lease.until)
        case Blocked() | Succeeded() | Failed() | Cancelled():
            return Reason(code="ended", text=f"it {'was' if job.status == 'cancelled' else 'has'} {job.status}")


def _waits(waits: Sequence[WaitFor], counts: Mapping[str, "GroupCounts"]) -> str:
    texts = [_wait(each, counts.get(each.name)) for each in waits[:MAX_NAMED]]
    more = [f"{len(waits) - MAX_NAMED} more"] if len(waits) > MAX_NAMED else []
    return " or ".join((*texts, *more))


def _wait(wait: WaitFor, counted: "GroupCounts | None") -> str:
    text = f"{'its sleep' if wait.kind == 'time' else f'the {wait.kind}'} {wait.name}"
    if wait.kind != "children" or counted is None:
        return text
    failed = f", {counted.failed} of them failed" if counted.failed else ""
    return f"{text} ({counted.ended} of {counted.size} ended{failed})"


def _timed(what: str, due: datetime, now: datetime) -> Reason:
    if due > now:
        return Reason(code="due_later", text=f"{what} is {_time(due)}", until=due)
    return Reason(code="due", text=f"{what} has come, {_time(due)}: it starts in a moment, {BY_SWEEP}")


def _in_lane(lane: Lane, terms: Terms, ahead: int, now: datetime) -> tuple[Code, str, datetime | None]:
    place = "first" if ahead == 0 else f"number {ahead + 1}" if ahead < MAX_COUNTED else f"behind {ahead} or more"
    line = f"{place} in the line of lane {lane.name}"
    if lane.settings.mode == "paused":
        return "lane_paused", f"{line}, which is paused", None
    if not free_numbers(lane, terms.limit):
        taken = f"whose {terms.limit} places are taken" if terms.limit > 1 else "whose one place is taken"
        return "lane_full", f"{line}, {taken if terms.limit else 'whose limit is 0'}", None
    if terms.rate is not None and lane.next_start is not None and lane.next_start > now:
        rate = f"which starts {terms.rate.count} in {terms.rate.per.total_seconds():g} s"
        return "lane_rate", f"{line}, {rate}, the next at {_time(lane.next_start)}", lane.next_start
    return "lane_free", f"{line}, which has a free place: it goes in a moment, {BY_SWEEP}", None


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
