"""What a person can do with schedules: create, read, list, change, pause, resume, run now, delete, preview."""

import hashlib
import json
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final

from domain.flaws import Flaw
from domain.jobs.submitting import (
    InvalidPayload,
    PayloadTooLarge,
    SubmissionService,
    SubmitResult,
    UnknownJobType,
    keyed_id,
)
from domain.paging import Page, PageRequest
from domain.ports import Clock, NewId
from domain.results import BadCursor, ItemTooLarge, StaleVersion, StorageUnavailable
from domain.schedules.repository import (
    ScheduleConflict,
    ScheduleExists,
    ScheduleListing,
    ScheduleNotFound,
    ScheduleRepository,
)
from domain.schedules.results import (
    Created,
    InvalidSchedule,
    ScheduleMismatch,
    TooManySchedules,
)
from domain.schedules.schedule import (
    MAX_PAYLOAD_BYTES,
    SCHEDULE_TAG,
    TICK_TAG,
    Schedule,
    ScheduleSpec,
    changed,
    due_at,
    new_schedule,
    paused,
    resumed,
)
from domain.schedules.tick_queue import NEAR, TickQueue, TickWake
from domain.schedules.tick_submission import (
    submission_of,
)
from domain.schedules.timing import Timing, flaws_of_timing, next_ticks
from domain.users.repository import UserNotFound, UserRepository
from domain.users.user import User
from headrace.authoring.json_text import byte_length

MAX_CONFLICTS: Final = 5
SHOWN_TICKS: Final = 5


Flawed = InvalidSchedule | UnknownJobType | InvalidPayload | PayloadTooLarge | StorageUnavailable
ReadResult = Schedule | ScheduleNotFound | StorageUnavailable
ChangeResult = ReadResult | Flawed | StaleVersion
Merge = Callable[[ScheduleSpec], ScheduleSpec]
_Change = Callable[[Schedule, datetime], Awaitable[Schedule | Flawed]]


class ScheduleService:
    """The use cases around schedules. Who may see one is decided here: its owner, and admins.

    `limit` is the number of schedules that an owner may have; requests at once may pass it by a few.
    """

    def __init__(
        self,
        schedules: ScheduleRepository,
        listing: ScheduleListing,
        submissions: SubmissionService,
        users: UserRepository,
        queue: TickQueue,
        clock: Clock,
        new_id: NewId,
        limit: int,
    ) -> None:
        self._schedules = schedules
        self._listing = listing
        self._submissions = submissions
        self._users = users
        self._queue = queue
        self._clock = clock
        self._new_id = new_id
        self._limit = limit

    def preview(self, timing: Timing, count: int) -> tuple[datetime, ...] | InvalidSchedule:
        """The first ticks of a schedule that would be created now."""
        now = self._clock()
        flaws = flaws_of_timing(timing, now)
        return InvalidSchedule(flaws=flaws) if flaws else next_ticks(timing, now.replace(microsecond=0), now, count)

    def upcoming(self, schedule: Schedule) -> tuple[datetime, ...]:
        """The next ticks of a schedule; none while it is paused."""
        first = due_at(schedule)
        if first is None:
            return ()
        later = next_ticks(schedule.spec.timing, schedule.anchor, max(first, self._clock()), SHOWN_TICKS)
        return (first, *later)[:SHOWN_TICKS] if first > self._clock() else later

    async def create(
        self, spec: ScheduleSpec, owner: User, key: str | None = None, *, is_paused: bool = False
    ) -> Created | Flawed | TooManySchedules | ScheduleMismatch:
        """Store a schedule whose jobs would be accepted; its first tick is a later one than now."""
        now = self._clock()
        schedule_id = keyed_id(owner.id, f"schedule\n{key}") if key else self._new_id()
        digest = _digest(spec, is_paused=is_paused) if key else None
        earlier = await self._earlier(schedule_id, digest) if key else None
        if earlier is not None:
            return earlier
        refused = await self._refusal(spec, owner, now)
        if refused is not None:
            return refused
        number = await self._schedules.count(owner.id, max(self._limit, 1)) if self._limit else 0
        if isinstance(number, StorageUnavailable):
            return number
        if number >= self._limit:
            return TooManySchedules(limit=self._limit)
        schedule = new_schedule(schedule_id, owner.id, spec, now, paused=is_paused, fingerprint=digest)
        stored = await self._schedules.add(schedule)
        match stored:
            case Schedule():
                await self._ask_for_next(stored, now)
                return Created(schedule=stored)
            case ScheduleExists(current=current):
                return _replayed(current, digest)
            case ItemTooLarge(size=size, limit=limit):
                return PayloadTooLarge(size=size, limit=limit)
            case StorageUnavailable():
                return stored

    async def get(self, schedule_id: str, reader: User) -> ReadResult:
        """A schedule that the reader may see; another tenant's is answered as one that does not exist."""
        found = await self._schedules.get(schedule_id)
        if isinstance(found, Schedule) and found.owner_id != reader.id and reader.role != "admin":
            return ScheduleNotFound(schedule_id=schedule_id)
        return found

    async def list(self, owner_id: str, page: PageRequest) -> Page[Schedule] | BadCursor | StorageUnavailable:
        """A page of an owner's schedules. The caller decides whose may be seen."""
        return await self._listing.list_by_owner(owner_id, page, self._clock())

    async def change(
        self, schedule_id: str, merge: Merge, expected: frozenset[int] | None, actor: User
    ) -> ChangeResult:
        """Change what a client decides, at a version in `expected`; None is any version."""

        async def change(current: Schedule, now: datetime) -> Schedule | Flawed:
            spec = merge(current.spec)
            owner = actor if actor.id == current.owner_id else await self._users.get(current.owner_id)
            if isinstance(owner, UserNotFound):
                gone = Flaw(path=(), message="its owner is no longer a user")
                return InvalidSchedule(flaws=(gone,))
            if isinstance(owner, StorageUnavailable):
                return owner
            refused = await self._refusal(spec, owner, now)
            return changed(current, spec, now) if refused is None else refused

        return await self._change(schedule_id, change, expected, actor)

    async def pause(self, schedule_id: str, expected: frozenset[int] | None, actor: User) -> ChangeResult:
        """Stop ticking; a paused schedule stays as it is."""

        async def change(current: Schedule, now: datetime) -> Schedule | Flawed:
            return paused(current, now)

        return await self._change(schedule_id, change, expected, actor)

    async def resume(self, schedule_id: str, expected: frozenset[int] | None, actor: User) -> ChangeResult:
        """Tick again, from the next time on; an active schedule stays as it is."""

        async def change(current: Schedule, now: datetime) -> Schedule | Flawed:
            return resumed(current, now)

        return await self._change(schedule_id, change, expected, actor)

    async def run(self, schedule_id: str, actor: User, key: str | None = None) -> SubmitResult | ScheduleNotFound:
        """Submit the schedule's job now, also while it is paused. It is no tick: nothing waits for it or counts it."""
        found = await self.get(schedule_id, actor)
        if not isinstance(found, Schedule):
            return found
        owner = actor if actor.id == found.owner_id else await self._users.get(found.owner_id)
        if isinstance(owner, UserNotFound):
            return ScheduleNotFound(schedule_id=schedule_id)
        if isinstance(owner, StorageUnavailable):
            return owner
        keyed = f"schedule\n{found.id}\nrun\n{key}" if key else None
        return await self._submissions.submit(submission_of(found, None), owner, keyed)

    async def delete(
        self, schedule_id: str, expected: frozenset[int] | None, actor: User
    ) -> ScheduleNotFound | StaleVersion | StorageUnavailable | None:
        """Delete a schedule; the jobs that it has made stay."""
        for _ in range(MAX_CONFLICTS):
            found = await self.get(schedule_id, actor)
            if not isinstance(found, Schedule):
                return found
            if expected is not None and found.version not in expected:
                return StaleVersion(current_version=found.version)
            deleted = await self._schedules.delete(schedule_id, found.version)
            if not isinstance(deleted, ScheduleConflict):
                return deleted
        return StorageUnavailable(reason="throttled", detail="contended")

    async def _change(
        self, schedule_id: str, change: "_Change", expected: frozenset[int] | None, actor: User
    ) -> ChangeResult:
        for _ in range(MAX_CONFLICTS):
            found = await self.get(schedule_id, actor)
            if not isinstance(found, Schedule):
                return found
            if expected is not None and found.version not in expected:
                return StaleVersion(current_version=found.version)
            now = self._clock()
            after = await change(found, now)
            if not isinstance(after, Schedule) or after.version == found.version:
                return after
            written = await self._schedules.replace(after, found.version)
            match written:
                case Schedule():
                    await self._ask_for_next(written, now)
                    return written
                case ScheduleConflict():
                    continue
                case ItemTooLarge(size=size, limit=limit):
                    return PayloadTooLarge(size=size, limit=limit)
                case StorageUnavailable():
                    return written
        return StorageUnavailable(reason="throttled", detail="contended")

    async def _earlier(
        self, schedule_id: str, digest: str | None
    ) -> Created | ScheduleMismatch | StorageUnavailable | None:
        found = await self._schedules.get(schedule_id)
        match found:
            case Schedule():
                return _replayed(found, digest)
            case ScheduleNotFound():
                return None
            case StorageUnavailable():
                return found

    async def _refusal(self, spec: ScheduleSpec, owner: User, now: datetime) -> Flawed | None:
        reserved = [name for name in (SCHEDULE_TAG, TICK_TAG) if name in spec.tags]
        flaws = tuple(Flaw(path=("tags", name), message="is given by Headrace") for name in reserved)
        flaws = (*flaws, *flaws_of_timing(spec.timing, now))
        if flaws:
            return InvalidSchedule(flaws=flaws)
        size = byte_length(spec.payload)
        if size > MAX_PAYLOAD_BYTES:
            return PayloadTooLarge(size=size, limit=MAX_PAYLOAD_BYTES)
        like = new_schedule("", owner.id, spec, now)
        return await self._submissions.refusal(submission_of(like, None), owner, due_at(like) or now)

    async def _ask_for_next(self, schedule: Schedule, now: datetime) -> None:
        """A message that is not taken is sent by the sweep, once the tick is overdue."""
        due = due_at(schedule)
        if due is not None and due - now <= NEAR:
            await self._queue.send((TickWake(schedule_id=schedule.id, due=due),), now)


def _replayed(current: Schedule, digest: str | None) -> Created | ScheduleMismatch:
    same = digest is not None and current.fingerprint == digest
    return Created(schedule=current, replayed=True) if same else ScheduleMismatch()


def _digest(spec: ScheduleSpec, *, is_paused: bool) -> str:
    asked = json.dumps([json.loads(spec.model_dump_json()), is_paused], sort_keys=True)
    return hashlib.sha256(asked.encode()).hexdigest()[:32]
