"""Request and response models of the schedule routes."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field, JsonValue

from domain.jobs.submission import TagName, TagValue
from domain.schedules.schedule import Missed, Overlap, Paused, PauseReason, Schedule, ScheduleSpec
from domain.schedules.timing import MAX_CRON, MAX_EVERY, MAX_ZONE, MIN_EVERY, Timing
from functions.api.http.forms import Form
from functions.api.http.links import link
from functions.api.http.times import Moment
from headrace.authoring.json_text import from_json_text, to_json_text

MAX_TAGS = 18
"""Of a job's 20, two name the schedule and the tick."""
MAX_PREVIEW = 100

Name = Annotated[str, Field(strict=True, min_length=1, max_length=200)]
Cron = Annotated[
    str,
    Field(
        strict=True,
        min_length=1,
        max_length=MAX_CRON,
        description="Minute, hour, day of month, month, day of week, as of Debian's cron; either this or every_seconds",
    ),
]
Every = Annotated[int, Field(strict=True, ge=MIN_EVERY, le=MAX_EVERY)]
Zone = Annotated[str, Field(strict=True, max_length=MAX_ZONE, description="IANA name in which cron is read")]
Type = Annotated[str, Field(strict=True, min_length=1, max_length=64)]
Attempts = Annotated[int, Field(strict=True, ge=1, le=100)]
Tags = Annotated[dict[TagName, TagValue], Field(max_length=MAX_TAGS)]
Failures = Annotated[
    int, Field(strict=True, ge=1, le=1000, description="Pause when as many jobs in succession have failed")
]


class CreateSchedule(Form):
    """A schedule to create."""

    name: Name
    cron: Cron | None = None
    every_seconds: Every | None = None
    timezone: Zone = "UTC"
    type: Type
    payload: JsonValue
    tags: Tags = Field(default_factory=dict)
    max_attempts: Attempts | None = None
    overlap: Overlap = "allow"
    missed: Missed = "latest"
    pause_after_failures: Failures | None = None
    paused: Annotated[bool, Field(strict=True)] = False


class ChangeSchedule(Form):
    """The changes to make to a schedule; absent members stay unchanged, null takes a limit away."""

    name: Name | None = None
    cron: Cron | None = None
    every_seconds: Every | None = None
    timezone: Zone | None = None
    type: Type | None = None
    payload: JsonValue = None
    tags: Tags | None = None
    max_attempts: Attempts | None = None
    overlap: Overlap | None = None
    missed: Missed | None = None
    pause_after_failures: Failures | None = None


class PreviewSchedule(Form):
    """A timing whose ticks are to be shown."""

    cron: Cron | None = None
    every_seconds: Every | None = None
    timezone: Zone = "UTC"
    count: Annotated[int, Field(strict=True, ge=1, le=MAX_PREVIEW)] = 5


class PreviewView(BaseModel):
    """The ticks of a schedule that would be created now."""

    next: list[Moment]


class TickView(BaseModel):
    """A tick that made a job."""

    at: Moment
    job_id: str


class ScheduleProblemView(BaseModel):
    """Why the latest tick made no job, or why the next one would make none."""

    code: str
    message: str
    at: Moment | None = Field(default=None, description="The time of the tick, if there was one")


class ListedScheduleView(BaseModel):
    """A schedule without its payload."""

    id: str
    name: str
    cron: str | None
    every_seconds: int | None
    timezone: str
    type: str
    tags: dict[str, str]
    max_attempts: int | None
    overlap: Overlap
    missed: Missed
    pause_after_failures: int | None
    paused: bool
    paused_at: Moment | None
    pause_reason: PauseReason | None
    next: list[Moment] = Field(description="The next five ticks; none while it is paused")
    last: TickView | None
    failures: int = Field(description="Jobs in succession that failed; counted where pause_after_failures is set")
    problem: ScheduleProblemView | None
    version: int
    created_at: Moment
    updated_at: Moment
    owner_id: str
    links: dict[str, str]


class ScheduleView(ListedScheduleView):
    """A schedule."""

    payload: JsonValue


class SchedulePage(BaseModel):
    """A page of schedules, the last created first, and the cursor for the next page; it may be short."""

    items: list[ListedScheduleView]
    next: str | None


def timing_of(body: CreateSchedule | PreviewSchedule) -> Timing:
    """The timing that a body asks for."""
    return Timing(cron=body.cron, every_seconds=body.every_seconds, timezone=body.timezone)


def spec_of(body: CreateSchedule) -> ScheduleSpec:
    """What a body asks for; raises `NotJson` for a payload that has no exact form."""
    return ScheduleSpec(
        name=body.name,
        timing=timing_of(body),
        type=body.type,
        payload=to_json_text(body.payload),
        tags=body.tags,
        max_attempts=body.max_attempts,
        overlap=body.overlap,
        missed=body.missed,
        pause_after_failures=body.pause_after_failures,
    )


def merged(spec: ScheduleSpec, body: ChangeSchedule) -> ScheduleSpec:
    """The spec with what a body changes; raises `NotJson` as `spec_of`."""
    given = {name: value for name, value in body if name in body.model_fields_set}
    cleared = {name: value for name, value in given.items() if name in _CLEARABLE}
    changed = {name: value for name, value in given.items() if value is not None} | cleared
    timing = {name: changed.pop(name) for name in _TIMING & changed.keys()}
    if "payload" in given:
        changed["payload"] = to_json_text(body.payload)
    if {"cron", "every_seconds"} & timing.keys():
        # One takes the other's place; both are refused as they are at creation.
        timing = {"cron": None, "every_seconds": None} | timing
    return ScheduleSpec.model_validate(
        dict(spec) | changed | {"timing": Timing.model_validate(dict(spec.timing) | timing)}
    )


def schedule_view(schedule: Schedule, upcoming: Sequence[datetime], *, known: bool) -> ScheduleView:
    """A schedule's response model; `known` is whether there is a job type of its name."""
    payload = from_json_text(schedule.spec.payload)
    return ScheduleView.model_validate(_shared(schedule, upcoming, known=known) | {"payload": payload})


def listed_view(schedule: Schedule, upcoming: Sequence[datetime], *, known: bool) -> ListedScheduleView:
    """The same for a list."""
    return ListedScheduleView.model_validate(_shared(schedule, upcoming, known=known))


def _shared(schedule: Schedule, upcoming: Sequence[datetime], *, known: bool) -> dict[str, object]:
    spec, state = schedule.spec, schedule.state
    itself = link(f"/v1/schedules/{schedule.id}")
    is_paused = isinstance(state, Paused)
    actions = ("resume" if is_paused else "pause", "run")
    return {
        **{name: value for name, value in spec if name not in {"timing", "payload"}},
        **dict(spec.timing),
        "id": schedule.id,
        "paused": is_paused,
        "paused_at": state.paused_at if isinstance(state, Paused) else None,
        "pause_reason": state.reason if isinstance(state, Paused) else None,
        "next": list(upcoming),
        "last": TickView(at=schedule.last.at, job_id=schedule.last.job_id) if schedule.last else None,
        "failures": schedule.failures,
        "problem": _problem(schedule, known=known),
        "version": schedule.version,
        "created_at": schedule.created_at,
        "updated_at": schedule.updated_at,
        "owner_id": schedule.owner_id,
        "links": {"self": itself} | {action: f"{itself}/{action}" for action in actions},
    }


def _problem(schedule: Schedule, *, known: bool) -> ScheduleProblemView | None:
    found = schedule.problem
    if found is not None:
        return ScheduleProblemView(code=found.code, message=found.message, at=found.at)
    if known:
        return None
    return ScheduleProblemView(code="unknown_job_type", message=f"its job type {schedule.spec.type} is not known")


_TIMING = frozenset(Timing.model_fields)
_CLEARABLE = frozenset({"max_attempts", "pause_after_failures"})
