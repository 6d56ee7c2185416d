"""The Schedule aggregate, and every change of it as a pure function.

A tick is a moment at which a schedule asks for a job. Which ticks are due, and what becomes of them, is decided in
`ticking.py`; when they are is decided in `timing.py`.
"""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, JsonValue

from domain.schedules.timing import Timing, next_tick
from headrace.authoring.frozen import Frozen, Stored
from headrace.authoring.json_text import JsonText

Overlap = Literal["allow", "skip", "cancel"]
Missed = Literal["latest", "all", "none"]
PauseReason = Literal["requested", "failures", "ended"]

MAX_OPEN = 10
"""Jobs of ticks whose ends are awaited; of more, the oldest are no longer counted."""
MAX_PAYLOAD_BYTES = 256 * 1024
"""Of the payload's JSON. It lies in the schedule's item, which is written at every tick."""
SCHEDULE_TAG, TICK_TAG = "schedule", "tick"
"""The tags by which a job names its schedule, and the time for which it was made."""


class ScheduleSpec(Frozen):
    """What a client decides of a schedule."""

    name: str
    timing: Timing
    type: str
    payload: JsonText
    tags: dict[str, str] = Field(default_factory=dict)
    max_attempts: int | None = None
    """Of each job; None is the job type's own number."""
    overlap: Overlap = "allow"
    """What a tick does while the job of the one before it still runs."""
    missed: Missed = "latest"
    """What becomes of ticks that could not be made in time."""
    pause_after_failures: int | None = None
    """Pause when as many jobs in succession have failed; None never does."""


class Tick(Stored):
    """A tick that made a job."""

    at: AwareDatetime
    job_id: str


class Problem(Stored):
    """Why a tick made no job, in words for the owner."""

    code: str
    message: str
    at: AwareDatetime
    """The time of the tick."""


class Active(Frozen):
    """Ticks at `next_at`; the wake queue brings it to a worker then."""

    status: Literal["active"] = "active"
    next_at: AwareDatetime


class Paused(Frozen):
    """Does not tick, and piles nothing up, until somebody resumes it."""

    status: Literal["paused"] = "paused"
    paused_at: AwareDatetime
    reason: PauseReason


class Schedule(Frozen):
    """A request for jobs at certain times; one DynamoDB item."""

    id: str
    owner_id: str
    spec: ScheduleSpec
    anchor: AwareDatetime
    """From when an interval is counted: when the timing was given, in whole seconds."""
    state: Annotated[Active | Paused, Field(discriminator="status")]
    last: Tick | None = None
    open: tuple[Tick, ...] = ()
    """The last ticks whose jobs had not ended when they were looked at, oldest first; only where it matters."""
    failures: int = 0
    """Jobs in succession that failed."""
    problem: Problem | None = None
    """Of the latest tick, if that made no job although it should have."""
    version: int
    created_at: AwareDatetime
    updated_at: AwareDatetime
    fingerprint: str | None = None
    """Digest of the request that created it under an idempotency key."""
    unknown: dict[str, JsonValue] = Field(default_factory=dict)
    """Attributes of a newer version. Kept through every change."""


def new_schedule(
    id: str, owner_id: str, spec: ScheduleSpec, now: datetime, *, paused: bool = False, fingerprint: str | None = None
) -> Schedule:
    """A schedule in its first version."""
    anchor = now.replace(microsecond=0)
    return Schedule(
        id=id,
        owner_id=owner_id,
        spec=spec,
        anchor=anchor,
        state=Paused(paused_at=now, reason="requested") if paused else _planned(spec.timing, anchor, now),
        version=1,
        created_at=now,
        updated_at=now,
        fingerprint=fingerprint,
    )


def changed(schedule: Schedule, spec: ScheduleSpec, now: datetime) -> Schedule:
    """The next version with another spec; another timing begins now, and its past ticks are none of its own."""
    anchor, state = schedule.anchor, schedule.state
    if spec.timing != schedule.spec.timing:
        anchor = now.replace(microsecond=0)
        state = _planned(spec.timing, anchor, now) if isinstance(state, Active) else state
    return _next(schedule, now, spec=spec, anchor=anchor, state=state, problem=None)


def paused(schedule: Schedule, now: datetime, reason: PauseReason = "requested") -> Schedule:
    """The next version, which does not tick; the same if it is paused already."""
    if isinstance(schedule.state, Paused):
        return schedule
    return _next(schedule, now, state=Paused(paused_at=now, reason=reason))


def resumed(schedule: Schedule, now: datetime) -> Schedule:
    """The next version, which ticks from the next time on, with its failures forgotten; the same if it is active."""
    if isinstance(schedule.state, Active):
        return schedule
    planned = _planned(schedule.spec.timing, schedule.anchor, now)
    return _next(schedule, now, state=planned, failures=0, open=(), problem=None)


def looked_after(schedule: Schedule, open_ticks: tuple[Tick, ...], failures: int) -> Schedule:
    """The same version, with what has become of the jobs of its ticks."""
    return schedule.model_copy(update={"open": open_ticks, "failures": failures})


def ticked(
    schedule: Schedule, after: datetime, now: datetime, *, made: Tick | None = None, problem: Problem | None = None
) -> Schedule:
    """The next version, for which the ticks up to `after` are done: `made` a job, or made none and why."""
    awaited = schedule.spec.overlap != "allow" or schedule.spec.pause_after_failures is not None
    opened = (*schedule.open, made) if made and awaited else schedule.open
    return _next(
        schedule,
        now,
        state=_planned(schedule.spec.timing, schedule.anchor, after, now),
        last=made or schedule.last,
        open=opened[-MAX_OPEN:] if awaited else (),
        failures=schedule.failures + (1 if problem else 0),
        problem=problem,
    )


def troubled(schedule: Schedule, problem: Problem, now: datetime) -> Schedule:
    """The next version, whose tick is still to be made: what stands in its way may pass."""
    return _next(schedule, now, problem=problem)


def due_at(schedule: Schedule) -> datetime | None:
    """When it ticks next; None while it is paused."""
    return schedule.state.next_at if isinstance(schedule.state, Active) else None


def _planned(timing: Timing, anchor: datetime, after: datetime, now: datetime | None = None) -> Active | Paused:
    tick = next_tick(timing, anchor, after)
    return Paused(paused_at=now or after, reason="ended") if tick is None else Active(next_at=tick)


def _next(schedule: Schedule, now: datetime, **fields: object) -> Schedule:
    """A copy in the next version; checked, because pydantic's own copy accepts misspelt fields."""
    values = {**dict(schedule), **fields, "version": schedule.version + 1, "updated_at": now}
    return Schedule.model_validate(values)
