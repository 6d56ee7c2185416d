"""Makes the jobs of a schedule's due ticks, each in one transaction with the schedule's next version.

So a tick is made and done, or neither, and of two workers at one tick one succeeds. A job's id is derived from its
schedule and its tick besides: a schedule that is restored from a backup makes no job a second time.
"""

import asyncio
from datetime import datetime, timedelta
from typing import Final

from domain.jobs.job import Cancelled, Failed, Job, Succeeded
from domain.jobs.repository import CompanionRefused, JobNotFound, JobRepository, JobUnreadable
from domain.jobs.service import JobService
from domain.jobs.submitting import (
    IdempotencyMismatch,
    InvalidPayload,
    PayloadTooLarge,
    SubmissionService,
    Submitted,
    UnknownJobType,
    keyed_id,
)
from domain.lanes.lanes import LaneClosed
from domain.ports import Clock
from domain.quotas.quotas import QuotaExceeded
from domain.results import ItemTooLarge, StorageUnavailable
from domain.schedules.planning import Due, due_ticks
from domain.schedules.repository import ScheduleConflict, ScheduleNotFound, ScheduleRepository
from domain.schedules.schedule import (
    Active,
    Problem,
    Schedule,
    Tick,
    due_at,
    looked_after,
    paused,
    ticked,
    troubled,
)
from domain.schedules.tick_outcomes import (
    Dropped,
    Made,
    NothingDue,
    NotTicked,
    PausedItself,
    Refused,
    Skipped,
    TickOutcome,
)
from domain.schedules.tick_queue import NEAR, TickQueue, TickWake
from domain.schedules.tick_submission import submission_of, tick_key
from domain.users.repository import UserNotFound, UserRepository
from domain.users.user import User

MAX_EARLY: Final = timedelta(seconds=2)
"""How much too early a message may come for its worker to wait for the rest; an earlier one is left to the sweep."""
PATIENCE: Final = timedelta(seconds=150)
"""How long a tick waits for a worker that knows its job type: versions of Headrace run side by side. Less than it takes
`OldestDueJobAlarm` to start, which is about messages that do not come."""
MAX_CONFLICTS: Final = 5


class Ticker:
    """Does what is due of a schedule. Two at once are safe: every change is conditional on the schedule's version."""

    def __init__(
        self,
        schedules: ScheduleRepository,
        jobs: JobRepository,
        submissions: SubmissionService,
        job_service: JobService,
        users: UserRepository,
        queue: TickQueue,
        clock: Clock,
    ) -> None:
        self._schedules = schedules
        self._jobs = jobs
        self._submissions = submissions
        self._job_service = job_service
        self._users = users
        self._queue = queue
        self._clock = clock

    async def tick(self, wake: TickWake) -> tuple[TickOutcome, ...]:
        """Make the jobs of all ticks that are due, and ask for the next one if it is near."""
        early = wake.due - self._clock()
        if early > MAX_EARLY:
            return (NothingDue(why="early"),)
        if early > timedelta(0):
            await asyncio.sleep(early.total_seconds() + 0.01)
        outcomes: tuple[TickOutcome, ...] = ()
        for _ in range(MAX_CONFLICTS):
            found = await self._schedules.get(wake.schedule_id)
            if isinstance(found, StorageUnavailable):
                return (*outcomes, NotTicked(problem=found))
            if isinstance(found, ScheduleNotFound):
                return outcomes or (NothingDue(why="gone"),)
            if not isinstance(found.state, Active):
                return outcomes or (NothingDue(why="paused"),)
            now = self._clock()
            if found.state.next_at > now:
                return outcomes or (NothingDue(why="early"),)
            done = await self._tick(found, found.state, now)
            outcomes = (*outcomes, *(each for each in done if not isinstance(each, ScheduleConflict)))
            if not done or not isinstance(done[-1], ScheduleConflict):
                return outcomes
        return outcomes or (NothingDue(why="contended"),)

    async def _tick(
        self, schedule: Schedule, state: Active, now: datetime
    ) -> tuple[TickOutcome | ScheduleConflict, ...]:
        looked = await self._look_after(schedule)
        if isinstance(looked, StorageUnavailable):
            return (NotTicked(problem=looked),)
        limit = looked.spec.pause_after_failures
        if limit is not None and looked.failures >= limit:
            return await self._pause(looked, now)
        owner = await self._users.get(looked.owner_id)
        if isinstance(owner, StorageUnavailable):
            return (NotTicked(problem=owner),)
        due = due_ticks(looked.spec, looked.anchor, state.next_at, now)
        return await self._make_all(looked, due, owner, now)

    async def _make_all(
        self, schedule: Schedule, due: Due, owner: User | UserNotFound, now: datetime
    ) -> tuple[TickOutcome | ScheduleConflict, ...]:
        current = schedule
        outcomes: tuple[TickOutcome | ScheduleConflict, ...] = (Dropped(count=due.dropped),) if due.dropped else ()
        for at in due.ticks:
            after = due.until if at == due.ticks[-1] else at
            made = await self._make(current, at, after, owner, now)
            if not isinstance(made, _Done):
                return (*outcomes, made)
            current, outcomes = made.schedule, (*outcomes, made.outcome)
        if not due.ticks:
            written = await self._write(ticked(current, due.until, now), current)
            if not isinstance(written, Schedule):
                return (written,)
            current = written
        await self._ask_for_next(current, now)
        ended = () if isinstance(current.state, Active) else (PausedItself(failures=current.failures),)
        return (*outcomes, *ended)

    async def _make(
        self, schedule: Schedule, at: datetime, after: datetime, owner: User | UserNotFound, now: datetime
    ) -> "_Done | TickOutcome | ScheduleConflict":
        """One tick, after which those up to `after` are done too."""
        if isinstance(owner, UserNotFound):
            return await self._refuse(schedule, at, after, "owner_gone", "its owner is no longer a user", now)
        if owner.disabled:
            return await self._refuse(schedule, at, after, "owner_disabled", "its owner is disabled", now)
        # What is open after a look is what still runs.
        if schedule.spec.overlap == "skip" and schedule.open:
            return await self._done(schedule, ticked(schedule, after, now), Skipped(at=at))
        failed = await self._cancel_older(schedule, owner) if schedule.spec.overlap == "cancel" else None
        if failed is not None:
            return NotTicked(problem=failed)
        key = tick_key(schedule.id, at)
        job_id = keyed_id(schedule.owner_id, key)
        made = Tick(at=at, job_id=job_id)
        following = ticked(schedule, after, now, made=made)
        companion = self._schedules.companion(following, schedule.version)
        submission = submission_of(schedule, at)
        submitted = await self._submissions.submit_with(submission, owner, key, (companion,))
        outcome = Made(at=at, job_id=job_id, late=now - at)
        match submitted:
            case Submitted(replayed=False):
                return _Done(following, outcome)
            case Submitted() | IdempotencyMismatch() | JobUnreadable():
                # The job is there, its schedule is behind: it comes from a backup, or another worker was first.
                return await self._done(schedule, following, outcome)
            case CompanionRefused():
                return ScheduleConflict(schedule_id=schedule.id)
            case StorageUnavailable():
                return NotTicked(problem=submitted)
            case QuotaExceeded():
                return NotTicked(problem=StorageUnavailable(reason="throttled", detail="quota"))
            case UnknownJobType():
                said = f"its job type {schedule.spec.type} is not known"
                if now - (due_at(schedule) or at) < PATIENCE:
                    return await self._wait(schedule, at, "unknown_job_type", said, now)
                return await self._refuse(schedule, at, after, "unknown_job_type", said, now)
            case InvalidPayload(flaws=flaws):
                said = "; ".join(f"{'/'.join(map(str, flaw.path))}: {flaw.message}" for flaw in flaws[:3])
                return await self._refuse(schedule, at, after, "invalid_payload", said, now)
            case LaneClosed(lane=lane):
                said = f"the lane {lane} takes no new jobs: it drains"
                return await self._refuse(schedule, at, after, "lane_draining", said, now)
            case PayloadTooLarge(size=size, limit=most):
                said = f"the payload has {size} bytes, the limit is {most}"
                return await self._refuse(schedule, at, after, "payload_too_large", said, now)

    async def _cancel_older(self, schedule: Schedule, owner: User) -> StorageUnavailable | None:
        for tick in schedule.open:
            cancelled = await self._job_service.cancel(tick.job_id, owner)
            if isinstance(cancelled, StorageUnavailable):
                return cancelled
        return None

    async def _look_after(self, schedule: Schedule) -> Schedule | StorageUnavailable:
        """The schedule with the ends of its jobs counted, in the order of their ticks, up to the first unfinished."""
        failures, left = schedule.failures, schedule.open
        for tick in schedule.open:
            job = await self._jobs.get(tick.job_id, self._clock())
            match job:
                case StorageUnavailable():
                    return job
                case Job(state=Failed()):
                    failures += 1
                case Job(state=Succeeded()):
                    failures = 0
                case Job(state=Cancelled()) | JobNotFound():
                    pass
                case Job() | JobUnreadable():
                    break
            left = left[1:]
        return looked_after(schedule, left, failures)

    async def _pause(self, schedule: Schedule, now: datetime) -> tuple[TickOutcome | ScheduleConflict, ...]:
        written = await self._write(paused(schedule, now, "failures"), schedule)
        return (PausedItself(failures=schedule.failures) if isinstance(written, Schedule) else written,)

    async def _refuse(
        self, schedule: Schedule, at: datetime, after: datetime, code: str, message: str, now: datetime
    ) -> "_Done | TickOutcome | ScheduleConflict":
        problem = Problem(code=code, message=message, at=at)
        return await self._done(schedule, ticked(schedule, after, now, problem=problem), Refused(problem=problem))

    async def _wait(
        self, schedule: Schedule, at: datetime, code: str, message: str, now: datetime
    ) -> TickOutcome | ScheduleConflict:
        problem = Problem(code=code, message=message, at=at)
        if schedule.problem == problem:
            return Refused(problem=problem)
        written = await self._write(troubled(schedule, problem, now), schedule)
        return Refused(problem=problem) if isinstance(written, Schedule) else written

    async def _done(
        self, before: Schedule, after: Schedule, outcome: TickOutcome
    ) -> "_Done | TickOutcome | ScheduleConflict":
        written = await self._write(after, before)
        return _Done(written, outcome) if isinstance(written, Schedule) else written

    async def _write(self, after: Schedule, before: Schedule) -> Schedule | NotTicked | ScheduleConflict:
        written = await self._schedules.replace(after, before.version)
        match written:
            case Schedule() | ScheduleConflict():
                return written
            case ItemTooLarge(size=size):
                detail = f"item of {size} bytes cannot be written"
                return NotTicked(problem=StorageUnavailable(reason="rejected", detail=detail))
            case StorageUnavailable():
                return NotTicked(problem=written)

    async def _ask_for_next(self, schedule: Schedule, now: datetime) -> None:
        """A message that is not taken is sent by the sweep, once the tick is overdue."""
        due = due_at(schedule)
        if due is not None and due - now <= NEAR:
            await self._queue.send((TickWake(schedule_id=schedule.id, due=due),), self._clock())


class _Done:
    """The schedule after a tick, as it is stored, and what became of the tick."""

    def __init__(self, schedule: Schedule, outcome: TickOutcome) -> None:
        self.schedule = schedule
        self.outcome = outcome
