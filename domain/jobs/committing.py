"""Commits a change that may give back a lane's place, which must never keep a job from its end."""

from domain.jobs.change import OF_USERS, Change, Delete
from domain.jobs.repository import CompanionRefused, JobRepository, ReplaceResult


async def commit(jobs: JobRepository, change: Change, expected_version: int) -> ReplaceResult:
    """As `JobRepository.replace`. A place that is not the job's is not given back, and the rest is committed.

    That happens only when somebody has deleted the place by hand: it was taken in a transaction of the job's own.
    """
    written = await jobs.replace(change, expected_version)
    if isinstance(written, CompanionRefused) and any(
        isinstance(refused, Delete) and not refused.table.startswith(OF_USERS)
        for refused in change.companions[written.index : written.index + 1]
    ):
        rest = (*change.companions[: written.index], *change.companions[written.index + 1 :])
        again = await jobs.replace(Change(change.job, rest), expected_version)
        if isinstance(again, CompanionRefused) and again.index >= written.index:
            return again.model_copy(update={"index": again.index + 1})  # as the caller counts them
        return again
    return written
