"""How a worker takes one job through one attempt: know its type, wait for its turn, claim, run, record.

A stream record carries the job as it was written, and no read is needed; for a message of the wake queue it is read
(`run_due.py`). The conditional claim decides whether the job is still so.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal, Protocol

from domain.jobs import transitions
from domain.jobs.attempt import MAX_CONFLICTS, Attempt, FilesSource
from domain.jobs.catalogue import Catalogue
from domain.jobs.change import OF_USERS, Change
from domain.jobs.committing import commit
from domain.jobs.documents import DocumentLost, Documents
from domain.jobs.guard import is_plain, outcome_of
from domain.jobs.job import Blocked, Job, Running, Status, loaded
from domain.jobs.outcomes import Done, Outcome
from domain.jobs.repository import CompanionRefused, JobRepository, JobUnreadable, VersionConflict
from domain.jobs.transitions import NOTHING, IllegalTransition, Known
from domain.lanes.admission import InLine, Start
from domain.lanes.lanes import Lanes
from domain.ports import Clock, NewId, Random
from domain.results import ItemTooLarge, StorageUnavailable
from domain.secrets.hidden import Hidden
from domain.secrets.store import SecretSource
from headrace.authoring.frozen import Frozen
from headrace.authoring.job_type import Handler, Policy
from headrace.authoring.json_text import to_json_text
from headrace.authoring.outcomes import Fail, Retry
from headrace.authoring.steps import StepUnavailable

if TYPE_CHECKING:  # most workers never remember a step
    from domain.durable.attempts import JobSteps
    from domain.durable.durable import Durable
    from domain.jobs.following import Checker, FollowUps

StepsSource = Callable[[], "JobSteps"]
"""Gives what remembers for handlers, when one of them first asks for it; most never do."""

RECORD_PAUSE = timedelta(milliseconds=200)
"""Between tries to record an outcome while the store does not answer."""


class Executed(Frozen):
    """An attempt ran and its outcome is committed."""

    job: Job
    outcome: Status
    error_code: str | None
    waited: timedelta
    """To the claim, from the moment that the job was queued, or was due."""
    ran: timedelta


class NothingToDo(Frozen):
    """Somebody else has the job, or it is done, or gone, or a companion of its claim was refused."""

    job_id: str
    why: str


class UnknownJobType(Frozen):
    """A newer version accepted the job. It was left as it is, at no attempt's cost, for workers that know its type."""

    job_id: str
    type: str
    why: str


class LeaseLost(Frozen):
    """The attempt's outcome was refused: its lease had been taken over."""

    job_id: str
    attempt: int


class NotStarted(Frozen):
    """There is not enough time left to run the job; the record has to be delivered again."""

    job_id: str


class Dispatched(Frozen):
    """The job was sent to the queue of the function that runs its type."""

    job_id: str
    runner: str


class Interrupted(Frozen):
    """The store failed in the way of the attempt: before the claim, or after the work was done; or a queue, before."""

    job_id: str
    stage: Literal["dispatch", "claim", "record"]
    problem: StorageUnavailable


Execution = Executed | Dispatched | NothingToDo | UnknownJobType | LeaseLost | NotStarted | Interrupted


class AttemptObserver(Protocol):
    """Is told when a handler starts and ends."""

    def attempt(self, job: Job, hidden: Hidden, /) -> AbstractContextManager[None]:
        """Entered when the job is claimed, before its handler starts; left when the handler has ended.

        What is written of it meanwhile is `hidden.text(…)`.
        """


class Unobserved:
    """Observes nothing."""

    def attempt(self, _job: Job, _hidden: Hidden, /) -> AbstractContextManager[None]:
        return nullcontext()


class JobExecutor:
    """Runs attempts. A job's failure is recorded on the job; only the store's failure is returned."""

    def __init__(
        self,
        jobs: JobRepository,
        catalogue: Catalogue,
        clock: Clock,
        new_id: NewId,
        random: Random,
        environment: Mapping[str, str],
        cpus: int = 1,
        observer: AttemptObserver | None = None,
        documents: Documents | None = None,
        files: FilesSource | None = None,
        lanes: Lanes | None = None,
        secrets: SecretSource | None = None,
        steps: StepsSource | None = None,
    ) -> None:
        self._jobs = jobs
        self._lanes = lanes
        self._catalogue = catalogue
        self._clock = clock
        self._new_id = new_id
        self._random = random
        self._environment = environment
        self._observer = observer or Unobserved()
        self._documents = documents or Documents()
        self._files = files
        self._secrets = secrets
        self._steps = steps
        self._cpus = asyncio.Semaphore(cpus)
        policies = {name: catalogue.policy(name) for name in catalogue.names()}
        self._limited = {
            name: asyncio.Semaphore(policy.concurrency) for name, policy in policies.items() if policy.concurrency
        }

    async def execute(self, job: Job, deadline: datetime) -> Execution:
        """One attempt of `job`, which must have committed its outcome before `deadline`."""
        handler = self._catalogue.handler(job.type)
        if handler is None:
            return await self._left(job, "no such job type here")
        newest = handler.definition.payload_version
        if job.payload_version > newest:
            return await self._left(job, f"its payload is of version {job.payload_version}, the one here is {newest}")
        with ExitStack() as until_recorded:
            async with self._turn(handler):
                # Before the claim: while the blobs cannot be read, no attempt is used up.
                whole = await self._documents.with_payload(job)
                if isinstance(whole, StorageUnavailable):
                    return Interrupted(job_id=job.id, stage="claim", problem=whole)
                if deadline - self._clock() < handler.definition.policy.timeout + transitions.LEASE_GRACE:
                    return NotStarted(job_id=job.id)
                claimed = await self._claim(job, deadline)
                if not isinstance(claimed, _Claimed):
                    return claimed
                if self._lanes is not None and claimed.job.lane is not None:
                    until_recorded.enter_context(self._lanes.running(claimed.job.lane.name))
                ran = await self._run(claimed, await self._whole(claimed.job, job, whole), handler)
            kept = await self._kept(claimed.job, ran.outcome, deadline)
            if isinstance(kept, StorageUnavailable):
                return Interrupted(job_id=job.id, stage="record", problem=kept)
            executed = await self._record(claimed, kept, ran, deadline)
        if self._lanes is not None and isinstance(executed, Executed):
            await self._lanes.follow(claimed.job)
        return executed

    async def _left(self, job: Job, why: str) -> UnknownJobType:
        """Leave the job to a newer version; a place that it holds in its lane is for others until then."""
        if transitions.place_of(job.state) is not None:
            await self._give_way(job)
        return UnknownJobType(job_id=job.id, type=job.type, why=why)

    def _turn(self, handler: Handler) -> AbstractAsyncContextManager[None]:
        """The place that an attempt needs. A job that waits for one is not claimed yet: waiting costs it nothing."""
        name = handler.definition.name
        if name in self._limited:
            return self._limited[name]
        return self._cpus if is_plain(handler) else nullcontext()

    async def _claim(self, job: Job, deadline: datetime) -> "_Claimed | NothingToDo | Interrupted":
        current = job
        for _ in range(MAX_CONFLICTS):
            policy = self._catalogue.policy(current.type)
            claimed = await self._claiming(current, policy, deadline)
            if isinstance(claimed, IllegalTransition):
                return NothingToDo(job_id=job.id, why=claimed.status)
            if isinstance(claimed, StorageUnavailable):
                return Interrupted(job_id=job.id, stage="claim", problem=claimed)
            written = await commit(self._jobs, claimed, current.version)
            match written:
                case Job(state=Blocked()) if self._lanes is not None:
                    return await self._blocked(current, written, self._lanes)
                case Job():
                    return _Claimed(written, transitions.startable_since(current), current.started_at is None)
                case VersionConflict(current=other):
                    if other is None:
                        return NothingToDo(job_id=job.id, why="gone")
                    current = other
                case CompanionRefused():
                    pass  # Another job has taken the place, or the slot: look again which are free.
                case JobUnreadable() | ItemTooLarge():
                    return NothingToDo(job_id=job.id, why="unreadable")
                case StorageUnavailable():
                    return Interrupted(job_id=job.id, stage="claim", problem=written)
        return await self._give_way(current)

    async def _claiming(
        self, job: Job, policy: Policy, deadline: datetime
    ) -> Change | IllegalTransition | StorageUnavailable:
        """The claim, with what the job's lane gives; or the move into the line, when it gives nothing."""
        if self._lanes is None or job.lane is None or not transitions.is_claimable(job, policy, self._clock()):
            return transitions.claim(job, policy, self._new_id(), deadline, self._clock())
        start = await self._lanes.start(job, job.lane, policy)
        match start:
            case StorageUnavailable():
                return start
            case InLine():
                return transitions.block(job, policy, self._clock())
            case Start():
                return transitions.claim(job, policy, self._new_id(), deadline, self._clock(), start)

    async def _give_way(self, job: Job) -> NothingToDo:
        """After too many tries: one in a lane stands in line, to be let go when the others are past."""
        contended = NothingToDo(job_id=job.id, why="contended")
        if self._lanes is None:
            return contended
        blocked = transitions.block(job, self._catalogue.policy(job.type), self._clock())
        written = None if isinstance(blocked, IllegalTransition) else await commit(self._jobs, blocked, job.version)
        return await self._blocked(job, written, self._lanes) if isinstance(written, Job) else contended

    async def _blocked(self, before: Job, job: Job, lanes: Lanes) -> NothingToDo:
        if transitions.place_of(before.state) is not None:
            await lanes.follow(before)
        await lanes.look_again(job)
        return NothingToDo(job_id=job.id, why="blocked")

    async def _whole(
        self, claimed: Job, triggered: Job, whole: Job | DocumentLost
    ) -> Job | DocumentLost | StorageUnavailable:
        """The claimed job with its payload: the one that was loaded for its trigger, unless it has another by now."""
        if claimed.payload != triggered.payload:
            return await self._documents.with_payload(claimed)
        return claimed.model_copy(update={"payload": whole.payload}) if isinstance(whole, Job) else whole

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

    async def _run(self, claim: "_Claimed", job: Job | DocumentLost | StorageUnavailable, handler: Handler) -> "_Ran":
        """Run the handler until its lease says, not longer: what the claim took is gone."""
        match job:
            case DocumentLost():
                return _Ran(Fail(code=job.code, reason=job.message), Hidden())
            case StorageUnavailable():
                why = "the payload cannot be read from the blob bucket now"
                return _Ran(Retry(code="payload_unavailable", reason=why), Hidden())
            case Job():
                return await self._run_whole(claim, job, handler)

    async def _run_whole(self, claim: "_Claimed", job: Job, handler: Handler) -> "_Ran":
        ends = transitions.attempt_ends(job.state.lease) if isinstance(job.state, Running) else job.updated_at
        declared = handler.definition.settings
        settings = {name: self._environment[name] for name in declared if name in self._environment}
        steps, policy = self._steps, handler.definition.policy

        def durable(job: Job, ended: "asyncio.Future[Outcome]", hidden: Hidden) -> "Durable":
            if steps is None:
                raise StepUnavailable("nothing is remembered here")
            checks = self._checker(job, hidden)
            return steps().of(job, ended, hidden, policy, ends, is_first=claim.is_first, checker=checks)

        def follow_ups(job: Job, hidden: Hidden) -> "FollowUps":
            from domain.jobs.following import FollowUps  # noqa: PLC0415 - few handlers submit jobs

            return FollowUps(job, self._checker(job, hidden), self._clock)

        context = Attempt(
            self._jobs, self._clock, job, ends, settings, self._files, self._secrets, durable, follow_ups
        )  # fmt: skip
        with self._observer.attempt(job, context.hidden):
            outcome = await outcome_of(handler, job, context, ends - self._clock())
        return _Ran(outcome, context.hidden, context.known)

    def _checker(self, job: Job, hidden: Hidden) -> "Checker":
        from domain.jobs.following import Checker  # noqa: PLC0415 - few handlers submit jobs

        owner_limit = self._lanes.owner_limit if self._lanes else 0
        return Checker(job, hidden, self._catalogue.definition, self._clock, owner_limit)

    async def _record(self, claim: "_Claimed", outcome: Outcome, ran: "_Ran", deadline: datetime) -> Execution:
        """Commit the outcome; another writer's change (a cancel, progress) is taken in first."""
        claimed = claim.job
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


@dataclass(frozen=True)
class _Claimed:
    """A job as it was claimed, and since when it could have been."""

    job: Job
    since: datetime
    is_first: bool
    """Whether it had never been claimed before, so that it has no steps to remember."""


@dataclass(frozen=True)
class _Ran:
    """What an attempt came to, what must be written nowhere, and what it knew of its job's steps."""

    outcome: Outcome
    hidden: Hidden
    known: Known = NOTHING


def _executed(claim: _Claimed, finished: Job) -> Executed:
    started_at = claim.job.started_at or claim.job.updated_at
    return Executed(
        job=finished,
        outcome=finished.status,
        error_code=finished.history[-1].code,
        waited=started_at - claim.since,
        ran=finished.updated_at - started_at,
    )
