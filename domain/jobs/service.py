"""What a person can do with a job that exists: read, cancel, retry. Lists are in `listing.py`."""

from typing import Final, Literal

from domain.jobs import transitions
from domain.jobs.catalogue import Catalogue
from domain.jobs.change import Change, Companion, Put
from domain.jobs.committing import commit
from domain.jobs.job import Job, Queued, Scheduled
from domain.jobs.repository import CompanionRefused, JobNotFound, JobRepository, JobUnreadable, VersionConflict
from domain.jobs.transitions import IllegalTransition
from domain.lanes.admission import STARTS_TRIED, Free, InLine
from domain.lanes.lanes import Lanes
from domain.ports import Clock
from domain.results import ItemTooLarge, StaleVersion, StorageUnavailable
from domain.users.user import User
from headrace.authoring.frozen import Frozen
from headrace.authoring.job_type import Policy

MAX_CONFLICTS = 5

KEY_MOVED_ON: Final = "retry, as another job has its unique key by now"


class Contended(Frozen):
    """The job changed under every one of several tries; trying again later is safe."""

    job_id: str


ReadResult = Job | JobNotFound | JobUnreadable | StorageUnavailable
ChangeResult = ReadResult | IllegalTransition | StaleVersion | Contended


class JobService:
    """Reads and changes jobs. Who may see a job is decided here: its owner, and admins."""

    def __init__(self, jobs: JobRepository, catalogue: Catalogue, clock: Clock, lanes: Lanes | None = None) -> None:
        self._jobs = jobs
        self._lanes = lanes
        self._catalogue = catalogue
        self._clock = clock

    async def get(self, job_id: str, reader: User) -> ReadResult:
        """A job that the reader may see; another tenant's is answered as one that does not exist."""
        found = await self._jobs.get(job_id, self._clock())
        if isinstance(found, Job) and not _may_see(found, reader):
            return JobNotFound(job_id=job_id)
        return found

    async def cancel(self, job_id: str, actor: User, expected: frozenset[int] | None = None) -> ChangeResult:
        """Cancel a waiting job, or ask a running one to stop; only at a version in `expected`, unless it is None."""
        return await self._change(job_id, actor, "cancel", expected)

    async def retry(self, job_id: str, actor: User, expected: frozenset[int] | None = None) -> ChangeResult:
        """Queue a failed or cancelled job again, with all its attempts; `expected` as in `cancel`."""
        return await self._change(job_id, actor, "retry", expected)

    async def _change(
        self, job_id: str, actor: User, action: Literal["cancel", "retry"], expected: frozenset[int] | None
    ) -> ChangeResult:
        found = await self.get(job_id, actor)
        for tried in range(MAX_CONFLICTS):
            if not isinstance(found, Job):
                return found
            if expected is not None and found.version not in expected:
                return StaleVersion(current_version=found.version)
            change = await self._moved(found, action, tried)
            if isinstance(change, IllegalTransition | StorageUnavailable):
                return change
            if change.job == found:
                return found
            written = await commit(self._jobs, change, found.version)
            match written:
                case VersionConflict(current=current):
                    found = current or JobNotFound(job_id=job_id)
                case CompanionRefused(index=index) if _is_place(change.companions[index : index + 1]):
                    pass  # Another job has taken it: look again which are free.
                case CompanionRefused() if found.unique is None:
                    return Contended(job_id=job_id)
                case CompanionRefused():
                    return IllegalTransition(job_id=job_id, status=found.status, action=KEY_MOVED_ON)
                case ItemTooLarge(size=size):
                    return StorageUnavailable(reason="rejected", detail=f"item of {size} bytes cannot be written")
                case Job():
                    await self._let_follow(found, written)
                    return written
                case JobUnreadable() | StorageUnavailable():
                    return written
        return Contended(job_id=job_id)

    async def _moved(
        self, job: Job, action: Literal["cancel", "retry"], tried: int
    ) -> Change | IllegalTransition | StorageUnavailable:
        policy: Policy = self._catalogue.policy(job.type)
        if action == "cancel":
            return transitions.cancel(job, policy, self._clock())
        admitted = await admitted_again(job, policy, self._lanes, tried)
        if isinstance(admitted, StorageUnavailable):
            return admitted
        return transitions.retry_manually(job, policy, self._clock(), admitted)

    async def _let_follow(self, before: Job, after: Job) -> None:
        """Whom a cancelled job would have let go when it had ended; or the retried job itself, if there is room now."""
        if self._lanes is None or before.lane is None:
            return
        if isinstance(before.state, Queued | Scheduled):
            await self._lanes.follow(before)
        else:
            await self._lanes.look_again(after)


async def admitted_again(
    job: Job, policy: Policy, lanes: Lanes | None, tried: int
) -> Free | InLine | StorageUnavailable:
    """What becomes of a job that a person retries, after others took the place that it was to have `tried` times."""
    if lanes is None or job.lane is None:
        return Free()
    return InLine() if tried >= STARTS_TRIED else await lanes.admit_again(job.lane, policy)


def _is_place(refused: tuple[Companion, ...]) -> bool:
    return any(isinstance(companion, Put) for companion in refused)


def _may_see(job: Job, reader: User) -> bool:
    return job.owner_id == reader.id or reader.role == "admin"
