"""A model of one parent, its children, and the recorder, explored exhaustively within small bounds.

The parent's moves are the domain's own functions. Around them: children that end at any time, records that are
delivered again, recorders that die between any two steps and whose acknowledgements are lost, attempts that read before
and pause after, die, or count for themselves; and a person who cancels.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from domain.jobs import transitions
from domain.jobs.change import Change
from domain.jobs.job import Job, Queued, Running, WaitFor, Waiting, is_final
from domain.jobs.outcomes import Done, Pause
from domain.jobs.transitions import IllegalTransition, Known
from headrace.authoring.json_text import JsonText
from tests.reliability.model import FUNCTION, POLICY, START, Violation, next_moment

DONE = Done(result=JsonText("{}"))
PATIENCE = timedelta(minutes=15)
WAIT = WaitFor(kind="children", name="all", round=0)


@dataclass(frozen=True)
class Bounds:
    """How much may happen on one path."""

    children: int = 2
    recorders: int = 2
    records: int = 4
    """Records that are delivered, repeated ones included."""
    crashes: int = 1
    lost: int = 1
    cancels: int = 0
    ticks: int = 3


@dataclass(frozen=True)
class Recorder:
    """What a recorder is about to do: nothing; to read the parent, for the set is full; to tell it."""

    full: bool = False
    parent: Job | None = None


@dataclass(frozen=True)
class Attempt:
    """An attempt of the parent, which has or has not looked for the end yet."""

    claimed: Job
    knows: bool | None = None
    by_time: bool = False
    """Whether its patience has ended, so that it counts itself."""


@dataclass(frozen=True)
class World:
    """The complete state at one moment."""

    parent: Job
    now: datetime
    left: Bounds
    ended: frozenset[int] = frozenset()
    counted: frozenset[int] = frozenset()
    end: bool = False
    """Whether the end of the round stands."""
    told: int = 0
    recorders: tuple[Recorder, ...] = ()
    attempt: Attempt | None = None
    cancelling: Job | None = None
    tokens: int = 0
    way: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[object, ...]:
        """Equal for worlds that differ only in how they came about."""
        attempt = self.attempt and (self._of(self.attempt.claimed), self.attempt.knows, self.attempt.by_time)
        recorders = tuple(sorted((each.full, str(self._of(each.parent))) for each in self.recorders))
        return (
            self._of(self.parent), self.ended, self.counted, self.end, recorders, attempt, self._of(self.cancelling),
            self.left,
        )  # fmt: skip

    def _of(self, job: Job | None) -> tuple[object, ...] | None:
        if job is None:
            return None
        token = job.state.lease.token if isinstance(job.state, Running) else None
        asked = isinstance(job.state, Running) and job.state.cancel_requested
        wakes = job.wake_at and job.wake_at - self.now
        return job.version, job.status, job.attempt, job.signals, token, asked, wakes

    def went(self, step: str) -> "World":
        return replace(self, way=(*self.way, step))


def start(bounds: Bounds) -> World:
    """The parent has written its children, and is about to look for their end."""
    new = transitions.NewJob(id="p", owner_id="o", type="t", payload=JsonText("{}"), max_attempts=POLICY.max_attempts)
    job = transitions.submit(new, POLICY, START).job
    claimed = transitions.claim(job, POLICY, "token-0", START + FUNCTION, START)
    assert isinstance(claimed, Change)
    return World(
        claimed.job, START, bounds, recorders=(Recorder(),) * bounds.recorders, attempt=Attempt(claimed.job), tokens=1
    )


def following(world: World) -> Iterator[World]:
    """Every world that one step leads to."""
    for child in range(world.left.children):
        if child not in world.ended:
            yield replace(world, ended=world.ended | {child}).went(f"child {child} ends")
    for number, recorder in enumerate(world.recorders):
        yield from _recorder_steps(world, number, recorder)
    yield from _attempt_steps(world)
    yield from _client_steps(world)
    moment = next_moment(world.parent, world.now)
    if moment is not None and world.left.ticks:
        spent = replace(world.left, ticks=world.left.ticks - 1)
        yield replace(world, now=moment, left=spent).went("time passes")
    woken = transitions.wake(world.parent, POLICY, world.now, 0.5)
    if world.parent.wake_at is not None and world.parent.wake_at <= world.now and isinstance(woken, Change):
        yield _written(world, woken, "sweeper moves the parent")


def _recorder_steps(world: World, number: int, recorder: Recorder) -> Iterator[World]:
    def put(then: World, new: Recorder, step: str) -> World:
        recorders = (*then.recorders[:number], new, *then.recorders[number + 1 :])
        return replace(then, recorders=recorders).went(f"recorder {number} {step}")

    if recorder != Recorder() and world.left.crashes:
        yield put(replace(world, left=replace(world.left, crashes=world.left.crashes - 1)), Recorder(), "dies")
    if recorder == Recorder():
        if world.left.records:
            spent = replace(world, left=replace(world.left, records=world.left.records - 1))
            for child in world.ended:
                counted = world.counted | {child}
                full = len(counted) == world.left.children
                yield put(replace(spent, counted=counted), Recorder(full=full), f"counts {child}")
        return
    if recorder.parent is None:
        new = replace(recorder, parent=world.parent) if recorder.full else Recorder()
        yield put(world, new, "reads the parent" if recorder.full else "is done")
        return
    told = transitions.children_ended(recorder.parent, POLICY, "all", 0, world.now)
    if isinstance(told, IllegalTransition) or (world.end and recorder.parent.version == world.parent.version):
        yield put(world, Recorder(), "finds nothing to tell")
    elif recorder.parent.version != world.parent.version:
        yield put(world, replace(recorder, parent=world.parent), "reads the parent again")
    else:
        if len(world.ended) < world.left.children:
            raise Violation("C2, told before all have ended\n  " + "\n  ".join(world.way))
        applied = replace(_written(world, told, "tells the parent"), end=True, told=world.told + 1)
        yield put(applied, Recorder(), "is done")
        if world.left.lost:
            # It is handed back, and tells again.
            lost = replace(applied, left=replace(world.left, lost=world.left.lost - 1))
            yield put(lost, replace(recorder, parent=None), "hears nothing")


def _attempt_steps(world: World) -> Iterator[World]:
    attempt = world.attempt
    if attempt is None:
        token = f"token-{world.tokens}"
        claimed = transitions.claim(world.parent, POLICY, token, world.now + FUNCTION, world.now)
        if isinstance(claimed, Change):
            by_time = isinstance(world.parent.state, Waiting) or world.parent.attempt > 0
            taken = replace(world, tokens=world.tokens + 1, attempt=Attempt(claimed.job, by_time=by_time))
            yield _written(taken, claimed, "worker claims")
        return
    if world.left.crashes:
        spent = replace(world.left, crashes=world.left.crashes - 1)
        yield replace(world, left=spent, attempt=None).went("attempt dies")
    if attempt.knows is None:
        yield replace(world, attempt=replace(attempt, knows=world.end)).went("attempt looks")
        return
    token = attempt.claimed.state.lease.token if isinstance(attempt.claimed.state, Running) else ""
    leased = isinstance(world.parent.state, Running) and world.parent.state.lease.token == token
    if not leased:
        yield replace(world, attempt=None).went("attempt has lost its lease")
    elif attempt.knows:
        yield from _finished(world, attempt, DONE, "succeeds")
    elif attempt.by_time and len(world.ended) == world.left.children:
        # Counted by reading; the end is written under the lease, unless it stands by now.
        yield replace(world, end=True, attempt=replace(attempt, knows=True)).went("attempt counts all")
    else:
        pause = Pause(waits_for=(WAIT,), until=world.now + PATIENCE)
        yield from _finished(world, attempt, pause, "pauses")


def _finished(world: World, attempt: Attempt, outcome: Done | Pause, step: str) -> Iterator[World]:
    token = attempt.claimed.state.lease.token if isinstance(attempt.claimed.state, Running) else ""
    known = Known(signals=attempt.claimed.signals)
    if isinstance(outcome, Done) and len(world.ended) < world.left.children:
        raise Violation("C1, it went on before all had ended\n  " + "\n  ".join(world.way))
    moved = transitions.finish(world.parent, POLICY, token, outcome, world.now, 0.5, known)
    assert isinstance(moved, Change)
    yield replace(_written(world, moved, f"attempt {step}"), attempt=None)


def _client_steps(world: World) -> Iterator[World]:
    if world.cancelling is None and world.left.cancels:
        spent = replace(world.left, cancels=world.left.cancels - 1)
        yield replace(world, cancelling=world.parent, left=spent).went("client reads to cancel")
    if world.cancelling is not None:
        moved = transitions.cancel(world.cancelling, POLICY, world.now)
        idle = replace(world, cancelling=None)
        if isinstance(moved, IllegalTransition) or world.cancelling.version != world.parent.version:
            yield idle.went("cancel changes nothing")
        elif moved.job != world.cancelling:
            yield _written(idle, moved, "client cancels")


def _written(world: World, change: Change, step: str) -> World:
    """The world after a write of the parent; raises `Violation` when it breaks an invariant."""
    before, after = world.parent, change.job
    way = "\n  ".join((*world.way, step))
    telling = step == "tells the parent"
    if is_final(before):
        raise Violation(f"I2, a final state changed\n  {way}")
    if world.told > 1:
        raise Violation(f"C3, the parent was told twice\n  {way}")
    if isinstance(after.state, Waiting) and (world.end or telling):
        raise Violation(f"C4, it waits for what has ended\n  {way}")
    return replace(world, parent=after).went(step)


@dataclass(frozen=True)
class Explored:
    """What the search found."""

    worlds: int
    ended: dict[str, int]
    told: int
    """Worlds in which the recorder has told the parent."""


def explore(bounds: Bounds) -> Explored:
    """Visit every reachable world, breadth first."""
    first = start(bounds)
    seen, waiting, ended, told = {first.key}, deque([first]), dict[str, int](), 0
    while waiting:
        world = waiting.popleft()
        ended[world.parent.status] = ended.get(world.parent.status, 0) + 1
        told += world.told > 0
        if not ends_without_faults(world):
            raise Violation("C5, the parent would never end\n  " + "\n  ".join(world.way))
        for after in following(world):
            if after.key not in seen:
                seen.add(after.key)
                waiting.append(after)
    return Explored(worlds=len(seen), ended=ended, told=told)


def ends_without_faults(world: World) -> bool:
    """Whether it comes to an end when all children end, all is delivered no more, and nobody dies again."""
    everybody = frozenset(range(world.left.children))
    quiet = replace(world.left, crashes=0, lost=0, cancels=0, records=0, ticks=0)
    world = replace(world, ended=everybody, attempt=None, recorders=(), cancelling=None, left=quiet)
    for _ in range(30):
        if is_final(world.parent):
            return True
        if isinstance(world.parent.state, Running):
            moment = next_moment(world.parent, world.now) or world.now
            moved = transitions.wake(world.parent, POLICY, moment, 0.5)
            world = replace(world, now=moment, parent=moved.job) if isinstance(moved, Change) else world
            continue
        due = world.now if isinstance(world.parent.state, Queued) else next_moment(world.parent, world.now) or world.now
        claimed = transitions.claim(world.parent, POLICY, "healthy", due + FUNCTION, due)
        if isinstance(claimed, IllegalTransition):
            return False
        moved = transitions.finish(claimed.job, POLICY, "healthy", DONE, due, 0.5)
        assert isinstance(moved, Change)
        world = replace(world, now=due, parent=moved.job)
    return False
