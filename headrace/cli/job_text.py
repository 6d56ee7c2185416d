"""Formats jobs as text for people: one job, and lists that fit a terminal of 80 columns."""

import json
import shutil
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from headrace.cli.folding import folded, terminal_columns
from headrace.cli.frame_text import traceback_text
from headrace.cli.target import Json, json_text

if TYPE_CHECKING:
    from headrace_client import ChildGroup, Job

MINUTE, HOUR, DAY = 60, 3600, 86_400
HEADER = f"{'id':<36}  {'status':<9}  {'age':>4}  {'attempt':<7}  type"


def job_line(response: Json) -> str:
    """A job as one line, without its documents; of a terminal that is too narrow for its type, as two."""
    job = _job(response)
    return "\n".join(folded(_parts(job), terminal_columns()))


def progress_line(response: Json) -> str:
    """A job as one line, with the progress that its handler reported."""
    job = _job(response)
    progress = job.progress
    shown = f"{progress.fraction:.0%} {progress.message}" if progress is not None else ""
    return "\n".join(folded([*_parts(job), shown], terminal_columns()))


def job_text(response: Json) -> str:
    """A job with its error, or its result."""
    job = _job(response)
    lines = [job_line(response)]
    waits = job.raw.get("waiting_for")
    if isinstance(waits, list) and waits:
        names = ", ".join(f"{each['kind']} {each['name']}" for each in waits if isinstance(each, dict))
        lines = [*lines, f"waits   {names}, until {job.run_at:%Y-%m-%d %H:%M:%S} UTC at the latest"]
    if job.parent is not None:
        lines = [*lines, f"child   {job.parent.place} of {job.parent.group} of {job.parent.job_id}"]
    lines = [*lines, *(f"calls   {_group_text(group)}" for group in job.children)]
    if job.error is not None:
        traceback = traceback_text(job.error.frames)
        lines = [*lines, *([traceback] if traceback else []), f"error   {job.error.code}: {job.error.message}"]
    if job.result is not None:
        lines = [*lines, f"result  {json_text(job.result)}"]
    if job.result_ref is not None:
        lines = [*lines, f"result  {job.result_ref.size:,} bytes; headrace get {job.id} --only result prints them"]
    return "\n".join(lines)


def steps_text(response: Json) -> str:
    """What a job remembers, a line each, in the order in which it began."""
    items = response["items"]
    steps = [step for step in items if isinstance(step, dict)] if isinstance(items, list) else []
    return "\n".join(_step_line(step) for step in sorted(steps, key=lambda step: str(step["began_at"])))


def children_text(response: Json) -> str:
    """A job's children, a line each, by group and place."""
    items = response["items"]
    children = [_job(child) for child in items if isinstance(child, dict)] if isinstance(items, list) else []
    places = [f"{child.parent.group}[{child.parent.place}]" if child.parent else "" for child in children]
    width = max((len(place) for place in places), default=0)
    return "\n".join(
        f"{place:<{width}}  {child.id}  {child.status:<9}  {child.error.code if child.error else child.type}"
        for place, child in zip(places, children, strict=True)
    )


def page_text(page: Json, now: datetime, *, owners: bool = False) -> str:
    """A page of jobs: a line each, and one more for an error and the owner; with a header on a terminal."""
    items = page["items"]
    jobs = [job for job in items if isinstance(job, dict)] if isinstance(items, list) else []
    header = [HEADER] if jobs and sys.stdout.isatty() else []
    return "\n".join([*header, *(line for job in jobs for line in _listed_lines(job, now, owners=owners))])


def age(since: datetime, now: datetime) -> str:
    """How long ago it was, in the largest unit that it fills, such as `5m`."""
    seconds = max(0, int((now - since).total_seconds()))
    for unit, length in (("d", DAY), ("h", HOUR), ("m", MINUTE)):
        if seconds >= length:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"


def _step_line(step: Json) -> str:
    size = step.get("value_size")
    value = json_text(step.get("value")) if size is None else f"{size:,} bytes"
    told = value if step["kind"] in {"step", "received"} else f"until {step['until']}" if step.get("until") else ""
    parts = (f"{step['began_at']}  {step['kind']!s:<9}", str(step["name"]), told)
    return "\n".join(folded(parts, terminal_columns())).rstrip()


def _parts(job: "Job") -> tuple[str, ...]:
    return f"{job.id}  {job.status:<9}", job.type, f"attempt {job.attempt}/{job.max_attempts}"


def _group_text(group: "ChildGroup") -> str:
    failed = f", {group.failed:,} of them failed" if group.failed else ""
    return f"{group.name}: {group.ended:,} of {group.size:,} {group.type} ended{failed}"


def _job(response: Json) -> "Job":
    from headrace_client import Job  # Here, because it is slow to import.

    return Job.of(response)


def _listed_lines(response: Json, now: datetime, *, owners: bool) -> list[str]:
    job = _job(response)
    old = "-" if job.created_at is None else age(job.created_at, now)
    attempts = f"{job.attempt}/{job.max_attempts}"
    lines = folded([f"{job.id}  {job.status:<9}  {old:>4}  {attempts:<7}", job.type], terminal_columns())
    if owners:
        lines = [*lines, f"    owner  {job.owner_id or '-'}"]
    if job.error is not None:
        lines = [*lines, _cut(f"    error  {job.error.code}: {' '.join(job.error.message.split())}")]
    if isinstance(preview := response.get("payload_preview"), str):
        lines = [*lines, f"    begins {preview}"]
    documents = [name for name in ("payload", "result") if name in response]
    return [*lines, *(f"    {name:<7} {json.dumps(response[name], ensure_ascii=False)}" for name in documents)]


def _cut(line: str) -> str:
    """Cut a line to the terminal's width; what is read by a program is never cut."""
    width = shutil.get_terminal_size().columns
    return line if not sys.stdout.isatty() or len(line) <= width else f"{line[: width - 1]}…"


def now() -> datetime:
    """The clock of the command line."""
    return datetime.now(UTC)
