"""Which jobs a list is about, and in which order."""

import json
from typing import TYPE_CHECKING

from pydantic import AwareDatetime, Field

from domain.jobs.job import Status
from headrace.authoring.frozen import Frozen

if TYPE_CHECKING:
    from domain.jobs.listing import JobSummary

UNFINISHED: frozenset[Status] = frozenset({"scheduled", "blocked", "queued", "running", "retrying", "waiting"})


class JobFilter(Frozen):
    """Jobs that fit all members; one that is empty, or None, admits every job.

    Indexes know statuses, times and the type of failed jobs; for the rest the jobs of a list are read one by one.
    """

    statuses: tuple[Status, ...] = ()
    types: tuple[str, ...] = ()
    tags: dict[str, str] = Field(default_factory=dict)
    """A job must have all of these, with these values."""
    lanes: tuple[str, ...] = ()
    priorities: tuple[int, ...] = ()
    """In its lane; a job without one fits none."""
    min_attempt: int = 0
    """So many attempts must have begun, since the job was submitted or a person retried it."""
    created_from: AwareDatetime | None = None
    created_to: AwareDatetime | None = None
    """A job must have been created before this."""
    error_code: str | None = None
    """Of the last error of a job that has failed or is to be tried again."""
    reverse: bool = False
    """The list's order the other way round."""


EVERY_JOB = JobFilter()


def admits(filter: JobFilter, job: "JobSummary") -> bool:
    """Whether the job belongs to the list."""
    code = job.error.code if job.error is not None else None
    return (
        (not filter.statuses or job.status in filter.statuses)
        and (not filter.types or job.type in filter.types)
        and filter.tags.items() <= job.tags.items()
        and (not filter.lanes or job.lane in filter.lanes)
        and (not filter.priorities or job.priority in filter.priorities)
        and filter.min_attempt <= job.attempt
        and (filter.created_from is None or filter.created_from <= job.created_at)
        and (filter.created_to is None or job.created_at < filter.created_to)
        and filter.error_code in {None, code}
    )


def scope_of(filter: JobFilter) -> tuple[str, ...]:
    """What a cursor is bound to: everything that the filter says, whatever the order of its values.

    Of one status and one type, and of tags, it is the same as in the previous version.
    """
    kept = {"statuses", "types", "tags"}
    members = filter.model_dump(mode="json").items()
    rest = {name: _in_order(value) for name, value in members if name not in kept and value}
    more = (json.dumps(rest, sort_keys=True),) if rest else ()
    tags = (json.dumps(sorted(filter.tags.items())),) if filter.tags else ()
    return (_one(filter.statuses), _one(filter.types), *tags, *more)


def _one(values: tuple[str, ...]) -> str:
    return "".join(values) if len(values) <= 1 else json.dumps(sorted(set(values)))


def _in_order(value: object) -> object:
    return sorted(set(value)) if isinstance(value, list) else value
