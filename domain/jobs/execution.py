"""How a worker takes one job through one attempt: know its type, wait for its turn, claim, run, record.

A stream record carries the job as it was written, and no read is needed; for a message of the wake queue it is read
(`run_due.py`). The conditional claim decides whether the job is still so.
"""

import asyncio
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager, ExitStack, nullcontext
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from domain.jobs import transitions
from domain.jobs.attempt import MAX_CONFLICTS, Attempt
from domain.jobs.attempt_ports import FilesSource, StepsSource
from domain.jobs.catalogue import Catalogue
from domain.jobs.change import Change
from domain.jobs.committing import commit
from domain.jobs.documents import DocumentLost, Documents
from domain.jobs.execution_results import (
    Executed,
    Execution,
    Interrupted,
    NothingToDo,
    NotStarted,
    UnknownJobType,
)
from domain.jobs.guard import is_plain, outcome_of
from domain.jobs.job import Blocked, Job, Running
from domain.jobs.outcomes import Outcome
from domain.jobs.recording import Claimed, OutcomeRecorder, Ran
from domain.jobs.repository import CompanionRefused, JobRepository, JobUnreadable, VersionConflict
from domain.jobs.transitions import IllegalTransition
from domain.lanes.admission import InLine, Start
from domain.lanes.lanes import Lanes
from domain.ports import Clock, NewId, Random
from domain.results import ItemTooLarge, StorageUnavailable
from domain.secrets.hidden import Hidden
from domain.secrets.store import SecretSource
from headrace.authoring.job_type import Handler, Policy
from headrace.authoring.outcomes import Fail, Retry
from headrace.authoring.steps import StepUnavailable

if TYPE_CHECKING:  # most workers never remember a step
    from domain.durable.durable import Durable
    from domain.jobs.following import Checker, FollowUps


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
        self._environment = environment
        self._observer = observer or Unobserved()
        self._documents = documents or Documents()
        self._recorder = OutcomeRecorder(jobs, self._documents, catalogue, clock, random)
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
                if not isinstance(claimed, Claimed):
                    return claimed
                if self._lanes is not None and claimed.job.lane is not None:
                    until_recorded.enter_context(self._lanes.running(claimed.job.lane.name))
                ran = await self._run(claimed, await self._whole(claimed.job, job, whole), handler)
            executed = await self._recorder.record(claimed, ran, deadline)
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

    async def _claim(self, job: Job, deadline: datetime) -> Claimed | NothingToDo | Interrupted:
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
                    return Claimed(written, transitions.startable_since(current), current.started_at is None)
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

    async def _run(self, claim: Claimed, job: Job | DocumentLost | StorageUnavailable, handler: Handler) -> Ran:
        """Run the handler until its lease says, not longer: what the claim took is gone."""
        match job:
            case DocumentLost():
                return Ran(Fail(code=job.code, reason=job.message), Hidden())
            case StorageUnavailable():
                why = "the payload cannot be read from the blob bucket now"
                return Ran(Retry(code="payload_unavailable", reason=why), Hidden())
            case Job():
                return await self._run_whole(claim, job, handler)

    async def _run_whole(self, claim: Claimed, job: Job, handler: Handler) -> Ran:
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
        return Ran(outcome, context.hidden, context.known)

    def _checker(self, job: Job, hidden: Hidden) -> "Checker":
        from domain.jobs.following import Checker  # noqa: PLC0415 - few handlers submit jobs

        owner_limit = self._lanes.owner_limit if self._lanes else 0
        return Checker(job, hidden, self._catalogue.definition, self._clock, owner_limit)
