"""What a sweep did, as a whole and of one shard of the wake index."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.jobs.job import Failed, Job, JobError, Retrying, Status
from domain.lanes.releasing import Released
from domain.results import StorageUnavailable
from headrace.authoring.frozen import Frozen


class Swept(Frozen):
    """One job that the sweeper examined; `after` is None when there was nothing for it to do."""

    job_id: str
    type: str | None = None
    before: Status | None = None
    after: Status | None = None
    problem: str | None = None
    overdue: timedelta = timedelta(0)
    """For how long the job had been due."""
    queued: timedelta | None = None
    """For how long the job has been queued, if it is."""
    failure: "Failure | None" = None
    """Of a job that the sweep has failed, or whose attempt it has given up."""


class Failure(Frozen):
    """What its owner, and the log, read of a job that failed without a worker's report."""

    attempt: int
    max_attempts: int
    error: JobError
    retry_at: datetime | None
    """When the next attempt is due; None if none is left."""
    reason: str | None
    """Why none is left."""


class SweepReport(Frozen):
    """What one sweep did."""

    moved: tuple[Swept, ...]
    idle: int
    """Index entries with nothing to do: the job has moved on already, or runs under a lease that has not ended."""
    waiting: int
    """Queued jobs whose triggers still wait in the stream: the workers lag."""
    woken: int
    """Messages sent to the wake queue."""
    unsent: int
    """Messages that it did not take."""
    send_problem: StorageUnavailable | None
    """Why not, of one of them."""
    released: int
    """Jobs that stood in the line of a lane with room, and that nobody else had let go."""
    problems: tuple[Swept, ...]
    unavailable: tuple[StorageUnavailable, ...]
    """Shards and lanes that could not be read."""
    complete: bool
    """False when time ran out; the next sweep continues."""
    oldest_due: timedelta
    """For how long the most overdue job had been due when the sweep came to it, or may have been to which it did not
    come in its time; zero when none was."""
    oldest_queued: timedelta | None
    """For how long that job has been queued that has waited longest for a worker, of those examined; None if none."""


@dataclass(frozen=True)
class ShardReport:
    """What was done of one shard so far, or on one page of it."""

    swept: tuple[Swept, ...] = ()
    idle: int = 0
    waiting: int = 0
    woken: int = 0
    unsent: int = 0
    send_problem: StorageUnavailable | None = None
    oldest_due: timedelta = timedelta(0)
    oldest_queued: timedelta | None = None
    complete: bool = False
    unavailable: StorageUnavailable | None = None
    unreached: timedelta = timedelta(0)
    """For how long the next job may have been due, when time ran out before it."""

    def and_then(self, page: "ShardReport") -> "ShardReport":
        """Both together; how the shard ended is what `page` says."""
        ages = [age for age in (self.oldest_queued, page.oldest_queued) if age is not None]
        return ShardReport(
            swept=(*self.swept, *page.swept),
            idle=self.idle + page.idle,
            waiting=self.waiting + page.waiting,
            woken=self.woken + page.woken,
            unsent=self.unsent + page.unsent,
            send_problem=self.send_problem or page.send_problem,
            oldest_due=max(self.oldest_due, page.oldest_due),
            oldest_queued=max(ages, default=None),
            complete=page.complete,
            unavailable=page.unavailable,
            unreached=page.unreached,
        )


_NONE = Released()


def failure_of(job: Job) -> Failure | None:
    """What failed, of a job as the sweep has written it; None for one that is queued or cancelled."""
    state = job.state
    if not isinstance(state, Retrying | Failed):
        return None
    return Failure(
        attempt=job.attempt,
        max_attempts=job.max_attempts,
        error=state.error,
        retry_at=state.retry_at if isinstance(state, Retrying) else None,
        reason=state.reason if isinstance(state, Failed) else None,
    )


def report_of(shards: Sequence[ShardReport], lanes: Released = _NONE) -> SweepReport:
    """The report of a sweep, from those of its shards and of what it let go."""
    swept = tuple(entry for shard in shards for entry in shard.swept)
    nothing_to_do = sum(entry.after is None and entry.problem is None for entry in swept)
    return SweepReport(
        moved=tuple(entry for entry in swept if entry.after is not None),
        idle=nothing_to_do + sum(shard.idle for shard in shards),
        waiting=sum(shard.waiting for shard in shards),
        woken=sum(shard.woken for shard in shards),
        unsent=sum(shard.unsent for shard in shards),
        send_problem=next((shard.send_problem for shard in shards if shard.send_problem), None),
        released=lanes.count,
        problems=tuple(entry for entry in swept if entry.problem is not None),
        unavailable=(
            *(shard.unavailable for shard in shards if shard.unavailable),
            *((lanes.problem,) if lanes.problem else ()),
        ),
        complete=all(shard.complete for shard in shards),
        oldest_due=max(
            [entry.overdue for entry in swept] + [max(shard.oldest_due, shard.unreached) for shard in shards]
        ),
        oldest_queued=max((shard.oldest_queued for shard in shards if shard.oldest_queued), default=None),
    )
