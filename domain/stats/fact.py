"""What statistics count: one outcome of one attempt, read from the change that recorded it."""

from datetime import datetime

from pydantic import AwareDatetime

from domain.jobs.job import Cancelled, Failed, Job, Retrying, Running, Succeeded, has_moved
from domain.jobs.own_types import OWN_TYPES
from domain.stats.aggregate import Aggregate, FailureGroup, Outcome, Series
from domain.stats.histogram import Histogram, histogram_of
from headrace.authoring.frozen import Frozen


class Fact(Frozen):
    """An attempt ended, or a job that none had claimed. The job and its version name it: they are never reused."""

    job_id: str
    version: int
    type: str
    outcome: Outcome
    at: AwareDatetime
    waited_ms: float | None
    """From the moment at which the attempt could have started to its start; None where that is not known."""
    ran_ms: float | None
    """From its start to its outcome; None if no attempt ended."""
    code: str | None
    """The error of a job that failed for good."""


def fact_of(after: Job, before: Job | None) -> Fact | None:
    """What a change adds to the statistics, None if nothing; `before` is the job as it was, if that is known.

    Deliveries of webhooks are not counted: the stream does not bring all of their changes.
    """
    if after.type in OWN_TYPES or not has_moved(after):
        return None
    outcome: Outcome
    match after.state:
        case Succeeded(finished_at=at) | Cancelled(finished_at=at) | Failed(finished_at=at):
            outcome = after.state.status
        case Retrying():
            at, outcome = after.updated_at, "retrying"
        case _:
            return None
    started = after.started_at if len(after.history) > 1 and after.history[-2].status == "running" else None
    since = None if started is None else _startable_since(after, before)
    return Fact(
        job_id=after.id,
        version=after.version,
        type=after.type,
        outcome=outcome,
        at=at,
        waited_ms=None if started is None or since is None else _milliseconds(since, started),
        ran_ms=None if started is None else _milliseconds(started, at),
        code=after.state.error.code if isinstance(after.state, Failed) else None,
    )


def aggregate_of(fact: Fact) -> Aggregate:
    """The statistics of one fact."""
    series = Series(
        type=fact.type,
        outcome=fact.outcome,
        count=1,
        waiting=Histogram() if fact.waited_ms is None else histogram_of((fact.waited_ms,)),
        running=Histogram() if fact.ran_ms is None else histogram_of((fact.ran_ms,)),
    )
    if fact.code is None:
        return Aggregate(series=(series,))
    failure = FailureGroup(type=fact.type, code=fact.code, count=1, last_job_id=fact.job_id, last_at=fact.at)
    return Aggregate(series=(series,), failures=(failure,))


def _startable_since(after: Job, before: Job | None) -> datetime | None:
    """Since when the attempt that ended could have started, but for its lane.

    A job that was claimed straight from its wait keeps the moment at which it was due in its entry of the wake index
    (`transitions.claim`).
    """
    entry = after.history[-3] if len(after.history) > 2 else None  # noqa: PLR2004 - before the claim and the outcome
    if entry is not None and entry.status == "queued":
        return entry.at
    if before is None or not isinstance(before.state, Running) or entry is None:
        return None
    due, started = before.wake_at, before.started_at
    return due if due is not None and started is not None and due <= started else None


def _milliseconds(since: datetime, until: datetime) -> float:
    return (until - since).total_seconds() * 1000
