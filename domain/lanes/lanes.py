"""Brings jobs through their lanes: admits new ones, finds places for claims, and lets go who stands in line.

Whoever frees a place lets the next one go, after its own commit. That is best effort: what it misses, because it died
or because the index of the line lags, `repair` finds, which each sweep calls.
"""

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Literal

from domain.jobs import transitions
from domain.jobs.catalogue import Catalogue
from domain.jobs.job import Blocked, InLane, Job, Queued
from domain.jobs.repository import CompanionRefused, JobRepository, JobUnreadable, VersionConflict
from domain.jobs.transitions import IllegalTransition
from domain.lanes.admission import Admission, Free, InLine, Start, keeps, on_claim, on_entry, on_release
from domain.lanes.lane import Lane, Place, Slot, Terms, free_numbers, terms_of
from domain.lanes.repository import LaneRepository
from domain.ports import Clock, Random
from domain.results import ItemTooLarge, StorageUnavailable
from headrace.authoring.job_type import Policy

MAX_RELEASED: Final = 100
"""Jobs that one repair or one change of a lane lets go; the next sweep goes on."""
SPARE: Final = 4
"""Entries of the index that are read beyond those needed: it lags, and others let go too."""
ORPHANED: Final = timedelta(minutes=20)
"""Older than any lease: a place that was taken so long ago is looked at, when somebody waits for one."""
ROUNDS: Final = 5
"""Looks at a line for one release, when others were faster each time."""


@dataclass(frozen=True)
class LaneClosed:
    """The lane takes no new jobs: an admin lets it drain."""

    lane: str


@dataclass(frozen=True)
class Released:
    """What a release came to."""

    count: int = 0
    problem: StorageUnavailable | None = None
    """What ended it early."""


class Lanes:
    """What functions do with lanes. `owner_limit` is the limit of the lanes that owners have by default; 0 for none."""

    def __init__(
        self,
        jobs: JobRepository,
        lanes: LaneRepository,
        catalogue: Catalogue,
        clock: Clock,
        random: Random,
        owner_limit: int = 0,
    ) -> None:
        self._jobs = jobs
        self._lanes = lanes
        self._catalogue = catalogue
        self._clock = clock
        self._random = random
        self.owner_limit = owner_limit

    async def admit(self, lane: InLane, policy: Policy) -> Admission | LaneClosed | StorageUnavailable:
        """What becomes of a new job that could start now."""
        found = await self._read(lane.name)
        match found:
            case (Lane(settings=settings), _) if settings.mode == "draining":
                return LaneClosed(lane=lane.name)
            case (Lane() as read, waiting):
                return on_entry(read, self._terms(read, policy), self._clock(), self._random(), others_wait=waiting)
            case StorageUnavailable():
                return found

    async def holder(self, unique: str) -> str | StorageUnavailable | None:
        """The id of the job that was last given a unique key."""
        return await self._lanes.holder(unique)

    async def admit_again(self, lane: InLane, policy: Policy) -> Free | InLine | StorageUnavailable:
        """What becomes of a job that a person retries: a lane that drains runs it."""
        found = await self._read(lane.name)
        if isinstance(found, StorageUnavailable):
            return found
        read, waiting = found
        admitted = on_entry(read, self._terms(read, policy), self._clock(), self._random(), others_wait=waiting)
        # A slot is given to whom leaves the line, so that retries in bulk keep its order.
        return InLine() if isinstance(admitted, Slot) else admitted

    async def start(self, job: Job, lane: InLane, policy: Policy) -> Start | InLine | StorageUnavailable:
        """The place that a claim takes, or has already. One that comes from a wait lets those in line go first."""
        now = self._clock()
        if isinstance(job.state, Queued) and job.state.place is not None:
            return await self._kept(lane, policy, job.state.place.number)
        in_slot = transitions.is_in_slot(job, now)
        if not in_slot and not isinstance(job.state, Queued):
            line = await self._lanes.line(lane.name, 1)
            if line:
                return line if isinstance(line, StorageUnavailable) else InLine(behind=True)
        read = await self._lanes.read(lane.name)
        if isinstance(read, StorageUnavailable):
            return read
        return on_claim(read, self._terms(read, policy), now, self._random(), in_slot=in_slot)

    async def _kept(self, lane: InLane, policy: Policy, place: int) -> Start | InLine | StorageUnavailable:
        read = await self._lanes.read(lane.name)
        if isinstance(read, StorageUnavailable):
            return read
        return Start(place=place) if keeps(read, self._terms(read, policy), place) else InLine(behind=True)

    async def look_again(self, job: Job) -> None:
        """After `job` was blocked: let it go if the place that it missed has become free, and nobody saw it wait.

        Only the first in line looks: before the others somebody waits already whom the next freed place will serve.
        """
        if job.lane is None or not isinstance(job.state, Blocked):
            return
        line = await self._lanes.line(job.lane.name, 1)
        if line not in {(), (job.id,)}:
            return
        lane = await self._lanes.read(job.lane.name)
        if isinstance(lane, StorageUnavailable):
            return
        terms = self._terms(lane, self._catalogue.policy(job.type))
        if not isinstance(on_release(lane, terms, self._clock(), 0), InLine):
            await self.release(job.lane.name, own=job.id)

    async def release(self, name: str, count: int = 1, own: str | None = None) -> Released:
        """Let the first `count` in line go, or as many as have room; `own` waits too, even if the index lags."""
        done, passed = 0, frozenset[str]()
        for _ in range(ROUNDS):
            ids = await self._lanes.line(name, count - done + SPARE)
            if isinstance(ids, StorageUnavailable):
                return Released(count=done, problem=ids)
            left = [id for id in (ids or ((own,) if own else ())) if id not in passed]
            lane = await self._lanes.read(name) if left else None
            if lane is None or isinstance(lane, StorageUnavailable):
                return Released(count=done, problem=lane)
            for id in left:
                went = await self._let_go(id, lane)
                if went == "contended":
                    break
                if went == "stays" or isinstance(went, StorageUnavailable):
                    return Released(count=done, problem=None if went == "stays" else went)
                passed |= {id}
                if went != "gone":
                    lane, done = went, done + 1
                if done == count:
                    return Released(count=done)
        return Released(count=done)

    async def repair(self, stop: datetime) -> Released:
        """Let go who waits although there is room, in every lane, until `stop`."""
        shards = await asyncio.gather(*(self._repair(shard, stop) for shard in self._lanes.line_shards))
        problems = [shard.problem for shard in shards if shard.problem]
        return Released(count=sum(shard.count for shard in shards), problem=problems[0] if problems else None)

    async def _repair(self, shard: str, stop: datetime) -> Released:
        done, name, problem = 0, None, None
        while self._clock() < stop:
            found = await self._lanes.next_line(shard, name)
            if found is None or isinstance(found, StorageUnavailable):
                return Released(count=done, problem=found or problem)
            name, orphan = found, await self._free_orphans(found)
            released = await self.release(found, MAX_RELEASED)
            done, problem = done + released.count, problem or orphan or released.problem
        return Released(count=done, problem=problem)

    async def _free_orphans(self, name: str) -> StorageUnavailable | None:
        """Free the places whose jobs do not hold them. Headrace leaves none; a person who restores one table may."""
        lane = await self._lanes.read(name)
        if isinstance(lane, StorageUnavailable):
            return lane
        now = self._clock()
        for place in lane.places:
            if now - place.since < ORPHANED:
                continue
            job = await self._jobs.get(place.holder, now)
            if isinstance(job, StorageUnavailable):
                return job
            holds = isinstance(job, Job) and transitions.place_of(job.state) == (place.number, place.token)
            if not holds and not isinstance(job, JobUnreadable):
                await self._lanes.free(name, place)
        return None

    async def _let_go(self, id: str, lane: Lane) -> "_Went | StorageUnavailable":
        """Let a job go, if it waits and there is room for it."""
        now = self._clock()
        job = await self._jobs.get(id, now)
        if isinstance(job, StorageUnavailable):
            return job
        if not isinstance(job, Job) or job.lane is None or job.lane.name != lane.name:
            return "gone"
        policy = self._catalogue.policy(job.type)
        terms = self._terms(lane, policy)
        admitted = on_release(lane, terms, now, self._random())
        if isinstance(admitted, InLine):
            return "stays"
        moved = transitions.unblock(job, policy, admitted, now)
        if isinstance(moved, IllegalTransition):
            return "gone"
        written = await self._jobs.replace(moved, job.version)
        match written:
            case Job():
                return _after(lane, terms, admitted, id, now)
            case VersionConflict():
                return "gone"
            case CompanionRefused():
                return "contended"
            case StorageUnavailable():
                return written
            case JobUnreadable() | ItemTooLarge():
                return "stays"

    async def _read(self, name: str) -> tuple[Lane, bool] | StorageUnavailable:
        """The lane, and whether somebody waits in its line."""
        lane, line = await asyncio.gather(self._lanes.read(name), self._lanes.line(name, 1))
        if isinstance(lane, StorageUnavailable):
            return lane
        return line if isinstance(line, StorageUnavailable) else (lane, bool(line))

    def _terms(self, lane: Lane, policy: Policy) -> Terms:
        return terms_of(lane, policy, self.owner_limit)


def _after(lane: Lane, terms: Terms, admitted: Free | Slot, id: str, now: datetime) -> Lane:
    """The lane after a job was let go. One with a slot has no place yet, but needs one soon: it counts as if it had."""
    number = free_numbers(lane, terms.limit)[0] if isinstance(admitted, Slot) else admitted.place
    next_start = admitted.then if isinstance(admitted, Slot) else lane.next_start
    place = Place(number=number or 0, holder=id, token="", since=now)
    return replace(lane, places=(*lane.places, place), next_start=next_start)


_Went = Lane | Literal["gone", "stays", "contended"]
"""What became of a job that was to be let go: it went, and the lane is so now; it is not there to go; there is no room
for it, and so for nobody behind it; another was faster to take the slot."""
