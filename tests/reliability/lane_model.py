"""A model of one lane: jobs, workers, a sweeper and an admin, explored exhaustively within small bounds.

The moves are the domain's own pure functions (`transitions.py`, `admission.py`), not a copy. A process acts on what it
has read, which may be outdated when it writes; it may die between any two steps, so that what it would have let go
stays in line; triggers come late or twice; the index of the line lags.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from domain.jobs import transitions
from domain.jobs.change import Change, Companion, Delete, IfAbsent, IfEqual, Moved, Put
from domain.jobs.job import Blocked, InLane, Job, Queued, Running, is_final
from domain.jobs.outcomes import Done
from domain.jobs.transitions import IllegalTransition, NewJob
from domain.lanes.admission import Free, InLine, Start, keeps, on_claim, on_entry, on_release
from domain.lanes.lane import PLACE, Lane, LaneSettings, Place, Terms
from domain.lanes.releasing import after as after_admission
from headrace.authoring.job_type import Policy
from headrace.authoring.json_text import JsonText
from tests.reliability.model import START, Violation

LANE = InLane(name="lane")
POLICY = Policy(timeout=timedelta(seconds=5), max_attempts=2, limit=1)
FUNCTION = timedelta(seconds=90)
DONE = Done(result=JsonText("{}"))
TOGETHER = 2
"""Jobs that one release lets go, at most."""


@dataclass(frozen=True)
class Bounds:
    """How much may happen on one path."""

    jobs: int = 2
    workers: int = 2
    limits: tuple[int, ...] = ()
    """To which an admin sets the limit, one after the other."""
    deliveries: int = 3
    deaths: int = 1
    cancels: int = 0


@dataclass(frozen=True)
class Worker:
    """What a worker holds: a delivered job, with what it read of the lane; the claimed job; or a release to make."""

    job: Job | None = None
    read: Lane | None = None
    claimed: bool = False
    releases: bool = False
    seen: tuple[Job, ...] = ()
    """The first in line, as it read them: two at most, which it lets go together."""


@dataclass(frozen=True)
class World:
    """The complete state at one moment; time stands still, as no step depends on it."""

    jobs: tuple[Job, ...]
    lane: Lane
    workers: tuple[Worker, ...]
    triggers: tuple[int, ...]
    """Places in `jobs` of those that may be delivered."""
    left: Bounds
    tokens: int = 0
    outdated: frozenset[str] = frozenset()
    """Tokens of places that were taken under a higher limit that their takers had read before it was lowered."""
    now: datetime = START
    way: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[object, ...]:
        """Equal for worlds that differ only in how they came about."""
        return (
            tuple(map(_of, self.jobs)), self.lane.settings.limit,
            tuple((place.number, place.holder, place.token in self.outdated) for place in self.lane.places),
            tuple(
                (_of(each.job), each.read and _taken(each.read), each.claimed, each.releases, *map(_of, each.seen))
                for each in self.workers
            ),
            tuple(sorted(self.triggers)), self.left,
        )  # fmt: skip


def start(bounds: Bounds) -> World:
    """An empty lane, into which all jobs are submitted, one after the other."""
    lane = Lane(name=LANE.name)
    jobs: tuple[Job, ...] = ()
    for number in range(bounds.jobs):
        new = NewJob(id=str(number), owner_id="o", type="t", payload=JsonText("{}"), max_attempts=2, lane=LANE)
        at = START + timedelta(microseconds=number)
        # Every second one is as a sweep queues it whose time has come: it holds no place, and its claim needs one.
        admitted = Free() if number % 2 else on_entry(lane, _terms(lane), at, 0.0, others_wait=False)
        submitted = transitions.submit(new, POLICY, at, admitted)
        jobs = (*jobs, submitted.job)
        for number_, token in _place(submitted.job):
            place = Place(number=number_, holder=new.id, token=token, since=at)
            lane = replace(lane, places=(*lane.places, place))
    triggers = tuple(number for number, job in enumerate(jobs) if isinstance(job.state, Queued))
    return World(jobs, lane, (Worker(),) * bounds.workers, triggers, bounds)


def following(world: World) -> Iterator[World]:
    """Every world that one step leads to."""
    for number, worker in enumerate(world.workers):
        yield from _worker_steps(world, number, worker)
    yield from _sweeper_steps(world)
    yield from _other_steps(world)


def _worker_steps(world: World, number: int, worker: Worker) -> Iterator[World]:
    def put(new: Worker, then: World, name: str) -> World:
        workers = (*then.workers[:number], new, *then.workers[number + 1 :])
        return replace(then, workers=workers, way=(*then.way, f"worker {number} {name}"))

    idle = worker == Worker()
    if idle and world.left.deliveries:
        spent = replace(world, left=replace(world.left, deliveries=world.left.deliveries - 1))
        for place in set(world.triggers):
            yield put(Worker(job=world.jobs[place], read=world.lane), spent, f"receives {place} and reads the lane")
    if idle:
        return
    if world.left.deaths:
        dead = replace(world, left=replace(world.left, deaths=world.left.deaths - 1))
        yield put(Worker(), dead, "dies")
    if worker.releases:
        yield from _release_steps(world, worker, put)
    elif worker.job is not None and worker.claimed:
        for then in _finish(world, worker.job):
            yield put(Worker(releases=True), then, f"ends {worker.job.id}")
    elif worker.job is not None and worker.read is not None:
        yield from _claim_steps(world, worker.job, worker.read, put)


def _claim_steps(world: World, job: Job, read: Lane, put: object) -> Iterator[World]:
    assert callable(put)
    start_ = _start(read, job, world.now)
    if isinstance(start_, InLine):
        moved = transitions.block(job, POLICY, world.now)
    else:
        token = f"token-{world.tokens}"
        moved = transitions.claim(job, POLICY, token, world.now + FUNCTION, world.now, start_)
    if isinstance(moved, IllegalTransition):
        yield put(Worker(), world, "has nothing to claim")
        return
    written = _write(world, moved, job.version, f"claims {job.id}", _terms(read).limit)
    if written is None:
        # A conflict, or a place that was taken: it reads again what is there now.
        again = world.jobs[int(job.id)]
        claimable = isinstance(again.state, Queued)
        yield put(Worker(job=again, read=world.lane) if claimable else Worker(), world, "is refused, and reads again")
    elif isinstance(moved.job.state, Running):
        yield put(Worker(job=moved.job, claimed=True), replace(written, tokens=world.tokens + 1), "runs it")
    else:
        yield put(Worker(releases=True), written, f"blocks {job.id}, and looks again")


def _release_steps(world: World, worker: Worker, put: object) -> Iterator[World]:
    assert callable(put)
    if not worker.seen:
        line = _line(world)
        if not line:
            yield put(Worker(), world, "finds nobody in line")
        for number in range(1, min(len(line), TOGETHER) + 1):
            names = ", ".join(job.id for job in line[:number])
            yield put(Worker(releases=True, seen=line[:number], read=world.lane), world, f"sees {names} in line")
        return
    assert worker.read is not None
    names = ", ".join(job.id for job in worker.seen)
    yield put(Worker(), _let_go(world, worker.seen, worker.read) or world, f"lets {names} go, if it can")


def _let_go(world: World, line: tuple[Job, ...], read: Lane) -> World | None:
    """As `Releasing._turn`: as many as have room, by one write."""
    changes, terms, lane = list[tuple[Change, int]](), _terms(read), read
    for seen in line:
        admitted = on_release(lane, terms, world.now, 0.0)
        if not isinstance(admitted, Free):
            break
        moved = transitions.unblock(seen, POLICY, admitted, world.now)
        if isinstance(moved, IllegalTransition):
            return None
        changes.append((moved, seen.version))
        lane = after_admission(lane, terms, admitted, seen.id, world.now)
    if not changes:
        return None
    (first, version), *others = changes
    companions = list[Companion](first.companions)
    for change, expected in others:
        companions += (Moved(job=change.job, expected_version=expected), *change.companions)
    return _write(world, Change(first.job, (*companions,)), version, "lets go", terms.limit)


def _start(read: Lane, job: Job, now: datetime) -> Start | InLine:
    """As `Lanes.start`."""
    for place, token in _place(job):
        return Start(place=place) if keeps(read, _terms(read), place, token) else InLine()
    return on_claim(read, _terms(read), now, 0.0, in_slot=False)


def _place(job: Job) -> tuple[tuple[int, str], ...]:
    place = transitions.place_of(job.state)
    return () if place is None else (place,)


def _finish(world: World, claimed: Job) -> Iterator[World]:
    token = claimed.state.lease.token if isinstance(claimed.state, Running) else ""
    current = world.jobs[int(claimed.id)]
    finished = transitions.finish(current, POLICY, token, DONE, world.now, 0.5)
    if isinstance(finished, IllegalTransition):
        return
    written = _write(world, finished, current.version, f"ends {claimed.id}")
    if written is not None:
        yield written


def _sweeper_steps(world: World) -> Iterator[World]:
    """A sweep rescues whose worker died, redrives, and lets go whom nobody did."""
    held = {worker.job.id for worker in world.workers if worker.job is not None and worker.claimed}
    for number, job in enumerate(world.jobs):
        if isinstance(job.state, Running) and job.id not in held:
            late = job.state.lease.until + timedelta(seconds=1)
            rescued = transitions.rescue(job, POLICY, late, 0.0)
            if isinstance(rescued, Change) and (then := _write(world, rescued, job.version, "rescue")) is not None:
                yield replace(then, now=max(world.now, late), way=(*then.way, f"sweeper rescues {number}"))
    for seen in _line(world)[:1]:
        if (then := _let_go(world, (seen,), world.lane)) is not None:
            yield replace(then, way=(*then.way, f"sweeper lets {seen.id} go"))


def _other_steps(world: World) -> Iterator[World]:
    for limit in world.left.limits[:1]:
        settings = LaneSettings(limit=limit, version=world.lane.settings.version + 1)
        spent = replace(world.left, limits=world.left.limits[1:])
        lane = replace(world.lane, settings=settings)
        yield replace(world, lane=lane, left=spent, way=(*world.way, f"admin sets the limit to {limit}"))
    if world.left.cancels:
        spent = replace(world.left, cancels=world.left.cancels - 1)
        for job in world.jobs:
            moved = transitions.cancel(job, POLICY, world.now)
            if isinstance(moved, Change) and moved.job != job:
                then = _write(world, moved, job.version, "cancel")
                if then is not None:
                    yield replace(then, left=spent, way=(*then.way, f"client cancels {job.id}"))


def _line(world: World) -> tuple[Job, ...]:
    waiting = [job for job in world.jobs if isinstance(job.state, Blocked)]
    return tuple(sorted(waiting, key=lambda job: (-LANE.priority, job.created_at, job.id)))


def _terms(lane: Lane) -> Terms:
    limit = lane.settings.limit
    return Terms(limit=1 if limit is None else limit)


def _write(world: World, change: Change, expected: int, action: str, limit: int = 0) -> World | None:
    """The transaction: None when the job's condition or a companion's does not hold.

    `limit` is what its author has read: one that read the old one counts as before the change.
    """
    outdated = world.outdated
    number = int(change.job.id)
    if world.jobs[number].version != expected:
        return None
    places = {place.number: place for place in world.lane.places}
    moved = [each for each in change.companions if isinstance(each, Moved)]
    if any(world.jobs[int(each.job.id)].version != each.expected_version for each in moved):
        return None
    for companion in change.companions:
        if isinstance(companion, Moved):
            continue
        place = int(str(companion.key["item"]).removeprefix(PLACE))
        match companion:
            case Put(condition=IfAbsent(), values=values):
                if place in places:
                    return None
                given = Place(number=place, holder=str(values["holder"]), token=str(values["token"]), since=world.now)
                places[place] = given
                outdated |= {given.token} if limit > _terms(world.lane).limit else set()
            case Delete(condition=IfEqual(attributes=attributes)):
                if place not in places or places[place].token != attributes["token"]:
                    return None
                del places[place]
            case _:
                raise Violation(f"a companion that the model does not know: {companion}")
    written = {int(job.id): job for job in (change.job, *(each.job for each in moved))}
    jobs = tuple(written.get(place, job) for place, job in enumerate(world.jobs))
    lane = replace(world.lane, places=tuple(places[each] for each in sorted(places)))
    queued = {place for place, job in written.items() if isinstance(job.state, Queued)}
    triggers = (*world.triggers, *sorted(queued - {*world.triggers}))
    after = replace(world, jobs=jobs, lane=lane, triggers=triggers, outdated=outdated)
    before_the_change = sum(place.token in outdated for place in lane.places)
    return _checked(after, max(len(world.lane.places), limit) + before_the_change, action)


def _checked(world: World, allowed: int, action: str) -> World:
    way = "\n  ".join((*world.way, action))
    holding = {(job.id, *place) for job in world.jobs for place in _place(job)}
    taken = {(place.holder, place.number, place.token) for place in world.lane.places}
    if holding != taken:
        raise Violation(f"L1, the places {taken} are not those of the jobs {holding}\n  {way}")
    if any(isinstance(job.state, Running) and not _place(job) for job in world.jobs):
        raise Violation(f"L1, a job runs without a place\n  {way}")
    if len(taken) > allowed:
        raise Violation(f"L2, {len(taken)} jobs hold a place\n  {way}")
    if any(not is_final(job) and job.wake_at is None for job in world.jobs):
        raise Violation(f"I1, no query would find a job\n  {way}")
    return world


def explore(bounds: Bounds) -> int:
    """Visit every reachable world, breadth first; returns how many there are."""
    first = start(bounds)
    seen, waiting = {first.key}, deque([first])
    while waiting:
        world = waiting.popleft()
        if not ends_without_faults(world):
            raise Violation("L4, a job would wait for ever\n  " + "\n  ".join(world.way))
        for after in following(world):
            if after.key not in seen:
                seen.add(after.key)
                waiting.append(after)
    return len(seen)


def ends_without_faults(world: World) -> bool:
    """Whether sweeps and healthy workers end all jobs, with a limit of one, and what was let go is claimed."""
    lane = replace(world.lane, settings=LaneSettings(limit=1))
    healed = replace(world, lane=lane, left=Bounds(limits=(9,)), workers=(Worker(),))
    for _ in range(40):
        if all(is_final(job) for job in healed.jobs):
            return True
        healed = _healthy_step(healed)
    return False


def _healthy_step(world: World) -> World:
    for job in world.jobs:
        if isinstance(job.state, Running):
            late = job.state.lease.until + timedelta(seconds=1)
            return _must(world, transitions.finish(job, POLICY, job.state.lease.token, DONE, late, 0.5), job)
    for job in world.jobs:
        if is_final(job) or isinstance(job.state, Blocked):
            continue
        now = max(world.now, job.wake_at or world.now)
        start_ = _start(world.lane, job, now)
        if isinstance(start_, InLine):
            return _must(world, transitions.block(job, POLICY, now), job)
        return _must(world, transitions.claim(job, POLICY, f"healthy {world.tokens}", now + FUNCTION, now, start_), job)
    return _let_go(world, _line(world)[:1], world.lane) or world


def _must(world: World, change: Change | IllegalTransition, job: Job) -> World:
    if isinstance(change, IllegalTransition):
        return world
    written = _write(world, change, job.version, "healthy", _terms(world.lane).limit)
    return replace(written or world, tokens=world.tokens + 1)


def _of(job: Job | None) -> tuple[object, ...] | None:
    if job is None:
        return None
    lease = job.state.lease if isinstance(job.state, Running) else None
    return (job.id, job.version, job.status, job.attempt, lease and lease.token, _place(job))


def _taken(lane: Lane) -> tuple[object, ...]:
    return (lane.settings.limit, tuple((place.number, place.token) for place in lane.places))
