"""Lets go who stands in line: after a place was given back, and where that was missed.

Whoever frees a place lets the next one go, after its own commit. That is best effort: what it misses, because it died
or because the index of the line lags, `repair` finds, which each sweep calls.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Literal

from domain.jobs import transitions
from domain.jobs.catalogue import Catalogue
from domain.jobs.change import Change, Companion, Moved
from domain.jobs.job import Job
from domain.jobs.repository import CompanionRefused, JobRepository, JobUnreadable, ReplaceResult, VersionConflict
from domain.jobs.transitions import IllegalTransition
from domain.lanes.admission import Free, InLine, on_release
from domain.lanes.lane import Lane, Place, Slot, Terms, free_numbers, terms_of
from domain.lanes.repository import LaneRepository
from domain.lanes.shared_reads import SharedReads
from domain.ports import Clock, Random
from domain.results import ItemTooLarge, StorageUnavailable
from headrace.authoring.job_type import Policy

MAX_RELEASED: Final = 100
"""Jobs that one repair or one change of a lane lets go; the next sweep goes on."""
AT_ONCE: Final = 20
"""Jobs that are let go by one transaction: two items each, of the hundred that it may have."""
SPARE: Final = 4
"""Entries of the index that are read beyond those needed: it lags, and others let go too."""
GATHERING: Final = timedelta(milliseconds=20)
"""That the first of the jobs that end together waits for the others."""
ORPHANED: Final = timedelta(minutes=20)
"""Older than any lease: a place that was taken so long ago is looked at, when somebody waits for one."""
ROUNDS: Final = 5
"""Looks at a line in vain, as others were faster each time, before a release gives up."""
MAX_LOOKS: Final = 30
"""Looks of one release, whatever they find: the line may begin with many that are gone, or that none here can read."""


@dataclass(frozen=True)
class Released:
    """What a release came to."""

    count: int = 0
    problem: StorageUnavailable | None = None
    """What ended it early."""


@dataclass(frozen=True)
class Freed:
    """Places that were just given back."""

    places: frozenset[int]
    limit: int
    """Of their lane, as far as is known without reading it."""


class Releasing:
    """Lets go who stands in line. `owner_limit` is the limit of the lanes that owners have by default; 0 for none."""

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
        self._shared = SharedReads(lanes.read, lanes.line)
        self._running: Counter[str] = Counter()
        """Jobs that run in this process, by lane."""
        self._ended: dict[str, list[Job]] = {}
        """By lane, jobs of this process that gave their places back, and whose followers were not let go yet."""

    @contextmanager
    def running(self, name: str) -> Iterator[None]:
        """Within it a job of the lane runs in this process, and is to end."""
        self._running[name] += 1
        try:
            yield
        finally:
            self._running[name] -= 1
            if not self._running[name]:
                del self._running[name]

    async def follow(self, before: Job) -> None:
        """After a job gave its place back, or its turn: let the next one in its lane go.

        Of the jobs that end together in one process the first lets all of those go that follow: each for itself would
        read the same line, and only one could move its head. The others return at once. It waits a moment for those
        that still run: they began together, and so many end together.
        """
        if before.lane is None:
            return
        name = before.lane.name
        is_first, ended = name not in self._ended, self._ended.setdefault(name, [])
        ended.append(before)
        if not is_first:
            return
        try:
            if self._running[name]:
                await asyncio.sleep(GATHERING.total_seconds())
            while ended:
                count, freed = len(ended), self._freed_by(name, ended)
                ended.clear()
                await self.release(name, count, freed=freed)
        finally:
            del self._ended[name]

    def _freed_by(self, name: str, ended: Sequence[Job]) -> Freed | None:
        places = [place for job in ended if (place := transitions.place_of(job.state))]
        if len(places) < len(ended):
            return None
        limits = (self._terms(Lane(name=name), self._catalogue.policy(job.type)).limit for job in ended)
        return Freed(places=frozenset(number for number, _ in places), limit=max(limits))

    async def release(self, name: str, count: int = 1, own: str | None = None, freed: Freed | None = None) -> Released:
        """Let the first `count` in line go, or as many as have room; `own` waits too, even if the index lags.

        They take the places that were `freed`, if those suffice: then not all places need be read, and two who each
        freed some do not want the same.
        """
        done, passed, in_vain = 0, frozenset[str](), 0
        for _ in range(MAX_LOOKS):
            wanted = min(count - done, AT_ONCE)
            ids = await self._lanes.line(name, wanted + SPARE + len(passed))
            if isinstance(ids, StorageUnavailable):
                return Released(count=done, problem=ids)
            left = [id for id in (ids or ((own,) if own else ())) if id not in passed]
            if not left:
                return Released(count=done)
            turn = await self._turn(name, left[:wanted], None if done or in_vain else freed)
            done, passed = done + turn.went, passed | turn.passed
            if turn.problem is not None or turn.is_full or done >= count:
                return Released(count=done, problem=turn.problem)
            in_vain += not turn.passed
            if in_vain == ROUNDS:
                break
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

    async def _turn(self, name: str, ids: Sequence[str], freed: Freed | None) -> "_Turn":
        """Let these go, each into a place of its own, as far as there is room."""
        now = self._clock()
        reading = self._lanes.read(name, freed.limit if freed else 0)
        lane, found = await asyncio.gather(reading, self._jobs.get_all((*ids,), now))
        if isinstance(found, StorageUnavailable):
            return _Turn(problem=found)
        if freed is not None and isinstance(lane, Lane):
            limits = (self._terms(lane, self._catalogue.policy(job.type)).limit for job in found.values())
            is_enough = not lane.places and all(limit >= freed.limit for limit in limits)
            lane = replace(lane, spare=freed.places) if is_enough else await self._lanes.read(name)
        if isinstance(lane, StorageUnavailable):
            return _Turn(problem=lane)
        plans, gone, is_full = list[_Plan](), set[str](), False
        for id in ids:
            plan = self._plan(found.get(id), lane, now)
            if plan == "full":
                is_full = True
                break
            if plan == "gone":
                gone.add(id)
            else:
                plans, lane = [*plans, plan], plan.after
        one_by_one = len(plans) <= 1 or any(plan.in_slot for plan in plans)
        turn = (None if one_by_one else await self._together(plans)) or await self._one_by_one(plans)
        # What it was full of, if others were faster, is not known.
        return replace(turn, passed=turn.passed | gone, is_full=is_full and turn.went == len(plans))

    async def _together(self, plans: "Sequence[_Plan]") -> "_Turn | None":
        """Let all go by one transaction, or none; None where what is wrong with one must not keep the others."""
        first, *others = plans
        companions = list[Companion](first.change.companions)
        of = [first.id for _ in companions]
        for plan in others:
            companions += (Moved(job=plan.change.job, expected_version=plan.version), *plan.change.companions)
            of += [plan.id for _ in range(1 + len(plan.change.companions))]
        written = await self._jobs.replace(Change(first.change.job, (*companions,)), first.version)
        match written:
            case Job():
                return _Turn(went=len(plans), passed=frozenset(plan.id for plan in plans))
            case CompanionRefused(index=index):
                # Another was faster: to move a job, which is passed over then, or to take a place.
                return _Turn(passed=frozenset({of[index]} if isinstance(companions[index], Moved) else ()))
            case VersionConflict():
                return _Turn(passed=frozenset({first.id}))
            case StorageUnavailable(reason="rejected") | ItemTooLarge() | JobUnreadable():
                return None
            case StorageUnavailable():
                return _Turn(problem=written)

    async def _one_by_one(self, plans: "Sequence[_Plan]") -> "_Turn":
        """Slots are taken one after the other, as each begins where the one before ends."""
        turn = _Turn()
        for plan in plans:
            written = await self._jobs.replace(plan.change, plan.version)
            turn = _counted(turn, plan, written)
            if plan.in_slot and not isinstance(written, Job):
                break
        return turn

    def _plan(self, job: Job | None, lane: Lane, now: datetime) -> "_Plan | Literal['full', 'gone']":
        if job is None or job.lane is None or job.lane.name != lane.name:
            return "gone"
        policy = self._catalogue.policy(job.type)
        if not self._is_known(job):
            # It needs no place, as no worker here claims it: whoever knows its type finds it one.
            moved = transitions.unblock(job, policy, Free(), now)
            return "gone" if isinstance(moved, IllegalTransition) else _Plan(job.id, moved, job.version, lane, False)
        terms = self._terms(lane, policy)
        admitted = on_release(lane, terms, now, self._random())
        if isinstance(admitted, InLine):
            return "full"
        moved = transitions.unblock(job, policy, admitted, now)
        if isinstance(moved, IllegalTransition):
            return "gone"
        in_slot = isinstance(admitted, Slot)
        return _Plan(job.id, moved, job.version, after(lane, terms, admitted, job.id, now), in_slot)

    def _is_known(self, job: Job) -> bool:
        handler = self._catalogue.handler(job.type)
        return handler is not None and job.payload_version <= handler.definition.payload_version

    def _terms(self, lane: Lane, policy: Policy) -> Terms:
        return terms_of(lane, policy, self.owner_limit)


@dataclass(frozen=True)
class _Plan:
    """One job that is to go, and the lane when it has gone."""

    id: str
    change: Change
    version: int
    after: Lane
    in_slot: bool


@dataclass(frozen=True)
class _Turn:
    """What one look at the line came to."""

    went: int = 0
    passed: frozenset[str] = frozenset()
    """Those that went, and those that were not there to go."""
    is_full: bool = False
    """Whether there was no room for one, and so for nobody behind it."""
    problem: StorageUnavailable | None = None


def _counted(turn: _Turn, plan: _Plan, written: ReplaceResult) -> _Turn:
    match written:
        case Job():
            return replace(turn, went=turn.went + 1, passed=turn.passed | {plan.id})
        case CompanionRefused():
            return turn  # Another was faster to take the place, or the slot.
        case StorageUnavailable():
            return replace(turn, problem=turn.problem or written)
        case _:
            return replace(turn, passed=turn.passed | {plan.id})


def after(lane: Lane, terms: Terms, admitted: Free | Slot, id: str, now: datetime) -> Lane:
    """The lane after a job was let in. One with a slot has no place yet, but needs one soon: it counts as if it had."""
    number = free_numbers(lane, terms.limit)[0] if isinstance(admitted, Slot) else admitted.place
    next_start = admitted.then if isinstance(admitted, Slot) else lane.next_start
    place = Place(number=number or 0, holder=id, token="", since=now)
    return replace(lane, places=(*lane.places, place), next_start=next_start)
