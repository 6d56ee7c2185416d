"""Tells a parent that a round of its children has ended: as a signal comes to a job, and once."""

from typing import Final

from domain.durable.step import ENDED, Step, expiry_of, job_of, step_put
from domain.jobs import transitions
from domain.jobs.catalogue import Catalogue
from domain.jobs.change import Change
from domain.jobs.job import Job
from domain.jobs.repository import CompanionRefused, JobNotFound, JobRepository, JobUnreadable, VersionConflict
from domain.jobs.transitions import IllegalTransition
from domain.ports import Clock
from domain.results import ItemTooLarge, StorageUnavailable

MAX_CONFLICTS: Final = 10
"""A running parent changes now and then."""


class Waker:
    """Writes the ends of rounds with their parents' next versions."""

    def __init__(self, jobs: JobRepository, catalogue: Catalogue, clock: Clock) -> None:
        self._jobs = jobs
        self._catalogue = catalogue
        self._clock = clock

    async def wake(self, life: str, group: str, round: int, failed: str) -> StorageUnavailable | None:
        """Tell the job of this life, if it has not been told, and has not ended; `failed` is packed."""
        found: Job | JobNotFound | JobUnreadable | StorageUnavailable | None
        found = await self._jobs.get(job_of(life), self._clock())
        for _ in range(MAX_CONFLICTS):
            match found:
                case Job() if found.life == life:
                    pass
                case StorageUnavailable():
                    return found
                case Job() | JobNotFound() | JobUnreadable() | None:
                    # Gone, or a newer version's: that one counts for itself when its patience ends.
                    return None
            now = self._clock()
            policy = self._catalogue.policy(found.type)
            moved = transitions.children_ended(found, policy, group, round, now)
            if isinstance(moved, IllegalTransition):
                return None
            end = Step(
                job_id=life, name=group, kind=ENDED, attempt=found.attempt, began_at=now, ended_at=now, round=round,
                failed=failed,
            )  # fmt: skip
            put = step_put(end, expiry_of(found, policy, now))
            written = await self._jobs.replace(Change(moved.job, (*moved.companions, put)), found.version)
            match written:
                case Job() | CompanionRefused() | JobUnreadable() | ItemTooLarge():
                    return None  # It is told, or was before, or will count for itself.
                case VersionConflict(current=current):
                    found = current
                case StorageUnavailable():
                    return written
        return StorageUnavailable(reason="throttled", detail="contended")
