"""Formats schedules as text for people."""

from typing import Literal

from pydantic import AwareDatetime, BaseModel

from headrace.cli.folding import folded, terminal_columns
from headrace.cli.target import Json, json_text


class Tick(BaseModel):
    """A tick that made a job."""

    at: AwareDatetime
    job_id: str


class Problem(BaseModel):
    """Why a tick made none."""

    code: str
    message: str


class Schedule(BaseModel):
    """What the command line reads of a schedule."""

    id: str
    name: str
    type: str
    cron: str | None
    every_seconds: int | None
    timezone: str
    overlap: Literal["allow", "skip", "cancel"]
    missed: Literal["latest", "all", "none"]
    paused: bool
    pause_reason: str | None
    next: list[AwareDatetime]
    last: Tick | None
    failures: int
    problem: Problem | None


def schedule_line(response: Json) -> str:
    """A schedule as one line."""
    schedule = Schedule.model_validate(response)
    timing = f"every {schedule.every_seconds} s" if schedule.cron is None else f"{schedule.cron} {schedule.timezone}"
    after = f"paused ({schedule.pause_reason})" if schedule.paused else _next(schedule)
    parts = (schedule.id, schedule.name, schedule.type, f"[{timing}]", after)
    return "\n".join(folded(parts, terminal_columns()))


def schedule_text(response: Json) -> str:
    """A schedule with its next ticks, and what its last one made."""
    schedule = Schedule.model_validate(response)
    last = [f"last     {_moment(schedule.last.at)}  job {schedule.last.job_id}"] if schedule.last else []
    problem = [f"problem  {schedule.problem.code}: {schedule.problem.message}"] if schedule.problem else []
    failures = [f"failures {schedule.failures} in succession"] if schedule.failures else []
    payload = [f"payload  {json_text(response['payload'])}"] if "payload" in response else []
    return "\n".join([
        schedule_line(response),
        f"policy   overlap {schedule.overlap}, missed {schedule.missed}",
        *payload,
        *(f"next     {_moment(tick)}" for tick in schedule.next),
        *last,
        *failures,
        *problem,
    ])  # fmt: skip


def schedules_text(page: Json) -> str:
    """A page of schedules, a line each, and one more for a problem."""
    items = page["items"]
    listed = [each for each in items if isinstance(each, dict)] if isinstance(items, list) else []
    return "\n".join(line for each in listed for line in _listed(each))


def preview_text(response: Json) -> str:
    """Ticks, a line each."""
    ticks = response["next"]
    return "\n".join(str(tick) for tick in ticks) if isinstance(ticks, list) else ""


def deleted_text(_response: Json) -> str:
    """What is said when nothing is left to show."""
    return "deleted"


def _listed(response: Json) -> list[str]:
    problem = Schedule.model_validate(response).problem
    return [schedule_line(response), *([f"    problem  {problem.code}: {problem.message}"] if problem else [])]


def _next(schedule: Schedule) -> str:
    return f"next {_moment(schedule.next[0])}" if schedule.next else "no further tick"


def _moment(moment: AwareDatetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
