"""Records what an attempt came to on its job, against everything that can stand in the way."""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.jobs import transitions
from domain.jobs.catalogue import Catalogue
from domain.jobs.change import OF_USERS, Change
from domain.jobs.committing import commit
from domain.jobs.documents import Documents
from domain.jobs.execution_results import Executed, Interrupted, LeaseLost
from domain.jobs.job import Job, Running, loaded
from domain.jobs.outcomes import Done, Outcome
from domain.jobs.repository import CompanionRefused, JobRepository, JobUnreadable, VersionConflict
from domain.jobs.transitions import NOTHING, IllegalTransition, Known
from domain.ports import Clock, Random
from domain.results import ItemTooLarge, StorageUnavailable
from domain.secrets.hidden import Hidden
from headrace.authoring.json_text import to_json_text
from headrace.authoring.outcomes import Fail

RECORD_PAUSE = timedelta(milliseconds=200)
"""Between tries to record an outcome while the store does not answer."""


@dataclass(frozen=True)
class Claimed:
    """A job as it was claimed, and since when it could have been."""

    job: Job
    since: datetime
    is_first: bool
    """Whether it had never been claimed before, so that it has no steps to remember."""


@dataclass(frozen=True)
class Ran:
    """What an attempt came to, what must be written nowhere, and what it knew of its job's steps."""

    outcome: Outcome
    hidden: Hidden
    known: Known = NOTHING


class OutcomeRecorder:
    """Commits outcomes. Nothing that comes between is an exception: it returns how the attempt ended."""

    def __init__(
        self, jobs: JobRepository, documents: Documents, catalogue: Catalogue, clock: Clock, random: Random
    ) -> None:
        self._jobs = jobs
        self._documents = documents
        self._catalogue = catalogue
        self._clock = clock
        self._random = random

    async def record(self, claim: Claimed, ran: Ran, deadline: datetime) -> Executed | LeaseLost | Interrupted:
        """Commit the outcome; another writer's change (a cancel, progress) is taken in first."""
        claimed = claim.job
        outcome = await self._kept(claimed, ran.outcome, deadline)
        if isinstance(outcome, StorageUnavailable):
            return Interrupted(job_id=claimed.id, stage="record", problem=outcome)
        policy = self._catalogue.policy(claimed.type)
        token = _token(claimed)
        current, random = claimed, self._random()
        unanswered: tuple[Job, ...] = ()
        too_large = Fail(code="result_too_large", reason="with its result the job would pass DynamoDB's 400 KB")
        while True:
            now = self._clock()
            finished = transitions.finish(current, policy, token, outcome, now, random, ran.known)
            if isinstance(finished, IllegalTransition):
                if isinstance(outcome, Done) and not unanswered:
                    # Refused, and so referred to by nobody; what cannot be deleted now goes by the bucket's lifecycle.
                    await self._documents.discard(outcome.result)
                return LeaseLost(job_id=claimed.id, attempt=claimed.attempt)
            written = await commit(self._jobs, finished, current.version)
            match written:
                case Job():
                    return _executed(claim, written)
                case VersionConflict(current=other):
                    if other is None:
                        return LeaseLost(job_id=claimed.id, attempt=claimed.attempt)
                    if other in unanswered:
                        return _executed(claim, other)
                    current = other
                case CompanionRefused(index=index) if isinstance(outcome, Done) and _is_own(outcome, finished, index):
                    await self._documents.discard(outcome.result)
                    outcome = ran.hidden.outcome(_refused(outcome, finished, index))
                case CompanionRefused(index=index):
                    # Neither lost nor falsified: the lease ends, and the job is attempted again.
                    refused = StorageUnavailable(reason="rejected", detail=f"companion {index} was refused")
                    return Interrupted(job_id=claimed.id, stage="record", problem=refused)
                case JobUnreadable():
                    return LeaseLost(job_id=claimed.id, attempt=claimed.attempt)
                case ItemTooLarge() if outcome == too_large:
                    # Not even the failure fits: the lease ends, and the sweeper does what can be done.
                    return LeaseLost(job_id=claimed.id, attempt=claimed.attempt)
                case ItemTooLarge():
                    outcome = too_large
                case StorageUnavailable(reason="rejected") if isinstance(outcome, Done) and outcome.writes:
                    await self._documents.discard(outcome.result)
                    told = f"DynamoDB takes none of the writes: {written.detail}"
                    outcome = ran.hidden.outcome(Fail(code="writes_rejected", reason=told))
                case StorageUnavailable():
                    if written.reason == "rejected" or self._clock() >= deadline:
                        return Interrupted(job_id=claimed.id, stage="record", problem=written)
                    # It may have been applied all the same, even after the store gave up on it.
                    unanswered = (*unanswered, finished.job)
                    await asyncio.sleep(RECORD_PAUSE.total_seconds())

    async def _kept(self, job: Job, outcome: Outcome, deadline: datetime) -> Outcome | StorageUnavailable:
        """The outcome as the job may hold it: a large result is written first, under a key of this lease alone."""
        if not isinstance(outcome, Done):
            return outcome
        while True:
            result = await self._documents.keep(job.id, "result", lambda: _token(job), loaded(outcome.result))
            if not isinstance(result, StorageUnavailable):
                return outcome.model_copy(update={"result": result})
            if result.reason == "rejected" or self._clock() >= deadline:
                return result
            await asyncio.sleep(RECORD_PAUSE.total_seconds())


def _is_own(done: Done, change: Change, index: int) -> bool:
    """Whether the write with this number is the handler's own: those come last."""
    return len(change.companions) - len(done.writes) <= index < len(change.companions)


def _refused(outcome: Done, change: Change, index: int) -> Outcome:
    """What the attempt comes to when a write of the handler's own was refused."""
    number = index - (len(change.companions) - len(outcome.writes))
    write = outcome.writes[number]
    kind, table = type(write).__name__, write.table.removeprefix(OF_USERS)
    place = f"the condition of write {number + 1}, {kind} {table} {to_json_text({**write.key})}, does not hold"
    if outcome.otherwise is None:
        return Fail(code="write_refused", reason=place)
    return outcome.otherwise.model_copy(update={"reason": f"{outcome.otherwise.reason} ({place})"})


def _token(job: Job) -> str:
    return job.state.lease.token if isinstance(job.state, Running) else ""


def _executed(claim: Claimed, finished: Job) -> Executed:
    started_at = claim.job.started_at or claim.job.updated_at
    return Executed(
        job=finished,
        outcome=finished.status,
        error_code=finished.history[-1].code,
        waited=started_at - claim.since,
        ran=finished.updated_at - started_at,
    )
