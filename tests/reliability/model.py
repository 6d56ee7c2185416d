"""A model of one job among workers, sweepers and clients, explored exhaustively within small bounds.

The moves are the domain's own functions (`domain/jobs/transitions.py`), not a copy. Around them the model has what the
platform does: triggers that are delivered late and repeatedly, workers and sweepers that act on outdated reads,
that crash between any two steps, and whose acknowledgements are lost.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from domain.jobs import transitions
from domain.jobs.change import Change
from domain.jobs.job import Job, Queued, Retrying, Running, Scheduled, WaitFor, Waiting, is_final
from domain.jobs.outcomes import Done, Outcome, Pause
from domain.jobs.transitions import IllegalTransition, Known, NewJob
from headrace.authoring.job_type import Policy
from headrace.authoring.json_text import JsonText
from headrace.authoring.outcomes import Retry

START = datetime.fromisoformat("2026-11-23T03:00:00+00:00")
POLICY = Policy(timeout=timedelta(seconds=30), max_attempts=2)
FUNCTION = timedelta(seconds=90)
DONE = Done(result=JsonText("{}"))
FAILING = Retry(code="boom", reason="as asked")


class Violation(AssertionError):
    """An invariant does not hold; the message lists the steps that led there."""


@dataclass(frozen=True)
class Bounds:
    """How much may happen on one path through the model."""

    workers: int = 2
    sweepers: int = 2
    deliveries: int = 3
    """Triggers that are delivered to a worker, repeated ones included."""
    crashes: int = 1
    lost: int = 1
    """Acknowledgements that are lost after the write was applied."""
    cancels: int = 1
    manual_retries: int = 1
    ticks: int = 4
    """Times that the clock advances to the next moment of the job."""
    pauses: int = 0
    """Times that the handler waits for a signal, for a minute at most."""
    signals: int = 0
    scheduled: bool = False
    """Whether the job is submitted for later."""


@dataclass(frozen=True)
class Worker:
    """What a worker holds: nothing, the image that was delivered, or the job as it claimed it."""

    image: Job | None = None
    claimed: Job | None = None
    worked: bool = False
    """The effect outside was made; only the outcome is left to record."""


@dataclass(frozen=True)
class World:
    """The complete state at one moment."""

    job: Job
    now: datetime
    workers: tuple[Worker, ...]
    sweepers: tuple[Job | None, ...]
    """What each sweeper read."""
    cancelling: Job | None
    retrying: Job | None
    signalling: Job | None
    images: tuple[Job, ...]
    """What may start a job, each as often as it is delivered: queued images in the stream, and waiting ones whose
    messages the wake queue has, which a worker reads anew."""
    left: Bounds
    tokens: int = 0
    way: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[object, ...]:
        """Equal for worlds that differ only in how they came about."""
        return (
            self._of(self.job),
            tuple((self._of(worker.image), self._of(worker.claimed), worker.worked) for worker in self.workers),
            tuple(self._of(job) for job in self.sweepers),
            self._of(self.cancelling),
            self._of(self.retrying),
            self._of(self.signalling),
            tuple(self._of(image) for image in self.images),
            self.left,
        )

    @property
    def job_state(self) -> tuple[object, ...] | None:
        """Only the job, without what workers, sweepers and clients hold."""
        return self._of(self.job)

    def _of(self, job: Job | None) -> tuple[object, ...] | None:
        if job is None:
            return None
        lease = job.state.lease if isinstance(job.state, Running) else None
        return (
            job.version,
            job.status,
            job.attempt,
            job.signals,
            isinstance(job.state, Running) and job.state.cancel_requested,
            lease and (lease.token, lease.until - self.now),
            job.wake_at and job.wake_at - self.now,
        )


def start(bounds: Bounds) -> World:
    """A job that was just submitted; its trigger is in the stream, or its message in the wake queue."""
    run_at = START + timedelta(minutes=1) if bounds.scheduled else None
    new = NewJob(
        id="1", owner_id="o", type="t", payload=JsonText("{}"), max_attempts=POLICY.max_attempts, run_at=run_at
    )
    job = transitions.submit(new, POLICY, START).job
    return World(
        job=job,
        now=START,
        workers=(Worker(),) * bounds.workers,
        sweepers=(None,) * bounds.sweepers,
        cancelling=None,
        retrying=None,
        signalling=None,
        images=(job,),
        left=bounds,
    )


def following(world: World) -> Iterator[World]:
    """Every world that one step leads to."""
    for number, worker in enumerate(world.workers):
        yield from _worker_steps(world, number, worker)
    for number, read in enumerate(world.sweepers):
        yield from _sweeper_steps(world, number, read)
    yield from _client_steps(world)
    yield from _signal_steps(world)
    yield from _clock_steps(world)


def _worker_steps(world: World, number: int, worker: Worker) -> Iterator[World]:
    def put(new: Worker, then: World = world, name: str = "") -> World:
        workers = (*then.workers[:number], new, *then.workers[number + 1 :])
        return replace(then, workers=workers, way=(*then.way, f"worker {number} {name}"))

    if worker.image is None and worker.claimed is None:
        if world.left.deliveries:
            delivered = replace(world, left=replace(world.left, deliveries=world.left.deliveries - 1))
            for image in world.images:
                # A message names its job, which is read; a record of the stream carries it as it was.
                received = image if isinstance(image.state, Queued) else world.job
                yield put(Worker(image=received), delivered, f"receives version {received.version}")
        return
    if world.left.crashes:
        crashed = replace(world, left=replace(world.left, crashes=world.left.crashes - 1))
        yield put(Worker(), crashed, "crashes")
    if worker.image is not None:
        token = f"token-{world.tokens}"
        claimed = transitions.claim(worker.image, POLICY, token, world.now + FUNCTION, world.now)
        if isinstance(claimed, IllegalTransition):
            yield put(Worker(), name="has nothing to claim")
            return
        for written, acknowledged in _write(world, claimed, worker.image.version, "claim", token):
            counted = replace(written, tokens=world.tokens + 1)
            then = Worker(claimed=claimed.job) if acknowledged else Worker()
            yield put(then, counted, "claims" if acknowledged else "gives up")
        return
    claimed_job = worker.claimed
    if claimed_job is None:
        return
    if not worker.worked:
        yield put(Worker(claimed=claimed_job, worked=True), name="works")
        return
    token = claimed_job.state.lease.token if isinstance(claimed_job.state, Running) else ""
    # A handler does not wait for a signal that it finds there.
    pauses = world.left.pauses if not claimed_job.signals else 0
    pause = Pause(waits_for=(WaitFor(kind="signal", name="go"),), until=world.now + timedelta(minutes=1))
    outcomes: tuple[tuple[Outcome, str], ...] = ((DONE, "succeeds"), (FAILING, "fails"), (pause, "pauses"))
    for outcome, name in outcomes[: 3 if pauses else 2]:
        # The first try is on the job as it was claimed; a conflict shows the current one, as the executor does it.
        for base in (claimed_job, world.job):
            known = Known(signals=claimed_job.signals)
            finished = transitions.finish(base, POLICY, token, outcome, world.now, 0.5, known)
            if isinstance(finished, IllegalTransition):
                yield put(Worker(), name="has lost its lease")
                break
            if base.version == world.job.version:
                for written, _ in _write(world, finished, base.version, "finish", token):
                    spent = replace(written.left, pauses=written.left.pauses - (outcome is pause))
                    yield put(Worker(), replace(written, left=spent), name)
                break


def _sweeper_steps(world: World, number: int, read: Job | None) -> Iterator[World]:
    def put(job: Job | None, then: World, name: str) -> World:
        sweepers = (*then.sweepers[:number], job, *then.sweepers[number + 1 :])
        return replace(then, sweepers=sweepers, way=(*then.way, f"sweeper {number} {name}"))

    if read is None:
        if world.job.wake_at is not None and world.job.wake_at <= world.now:
            yield put(world.job, world, "reads")
        return
    moved = transitions.wake(read, POLICY, world.now, 0.5)
    if isinstance(moved, IllegalTransition):
        yield put(None, world, "finds nothing to do")
        return
    for written, _ in _write(world, moved, read.version, "wake", None):
        yield put(None, written, f"moves to {moved.job.status}")


def _client_steps(world: World) -> Iterator[World]:
    left = world.left
    if world.cancelling is None and left.cancels:
        spent = replace(left, cancels=left.cancels - 1)
        yield replace(world, cancelling=world.job, left=spent, way=(*world.way, "client reads to cancel"))
    if world.cancelling is not None:
        moved = transitions.cancel(world.cancelling, POLICY, world.now)
        if isinstance(moved, IllegalTransition) or moved.job == world.cancelling:
            yield replace(world, cancelling=None, way=(*world.way, "cancel changes nothing"))
        else:
            for written, _ in _write(world, moved, world.cancelling.version, "cancel", None):
                yield replace(written, cancelling=None, way=(*written.way, "client cancels"))
    if world.retrying is None and left.manual_retries:
        spent = replace(left, manual_retries=left.manual_retries - 1)
        yield replace(world, retrying=world.job, left=spent, way=(*world.way, "client reads to retry"))
    if world.retrying is not None:
        again = transitions.retry_manually(world.retrying, POLICY, world.now)
        if isinstance(again, IllegalTransition):
            yield replace(world, retrying=None, way=(*world.way, "nothing to retry"))
        else:
            for written, _ in _write(world, again, world.retrying.version, "retry manually", None):
                yield replace(written, retrying=None, way=(*written.way, "client retries"))


def _signal_steps(world: World) -> Iterator[World]:
    left = world.left
    if world.signalling is None and left.signals:
        spent = replace(left, signals=left.signals - 1)
        yield replace(world, signalling=world.job, left=spent, way=(*world.way, "client reads to signal"))
    if world.signalling is not None:
        moved = transitions.signal(world.signalling, POLICY, "go", world.now)
        if isinstance(moved, IllegalTransition):
            yield replace(world, signalling=None, way=(*world.way, "nothing to signal"))
        elif world.signalling.version != world.job.version:
            yield replace(world, signalling=world.job, way=(*world.way, "client reads again"))
        else:
            for written, _ in _write(world, moved, world.signalling.version, "signal", None):
                yield replace(written, signalling=None, way=(*written.way, "client signals"))


def _clock_steps(world: World) -> Iterator[World]:
    moment = next_moment(world.job, world.now)
    if moment is not None and world.left.ticks:
        spent = replace(world.left, ticks=world.left.ticks - 1)
        yield replace(world, now=moment, left=spent, way=(*world.way, "time passes"))


def next_moment(job: Job, now: datetime) -> datetime | None:
    """When the sweeper can next move the job: its time has come, and its lease, if it has one, has ended."""
    lease = job.state.lease.until if isinstance(job.state, Running) else None
    moment = max((each for each in (job.wake_at, lease) if each is not None), default=None)
    return moment if moment is not None and moment > now else None


def _write(world: World, change: Change, expected: int, action: str, token: str | None) -> Iterator[tuple[World, bool]]:
    """The conditional write, and whether its author gets an acknowledgement.

    It is refused; or applied; or applied without an acknowledgement: every try of the SDK timed out, and the
    repository could not recognise its own `write_id` either.
    """
    if world.job.version != expected:
        yield world, False
        return
    applied = _checked(world, change, action, token)
    yield applied, True
    if world.left.lost:
        lost = replace(applied.left, lost=applied.left.lost - 1)
        yield replace(applied, left=lost, way=(*applied.way, "(acknowledgement lost)")), False


def _checked(world: World, change: Change, action: str, token: str | None) -> World:
    """The world after the write; raises `Violation` when the write breaks an invariant."""
    before, job = world.job, change.job
    way = "\n  ".join((*world.way, action))
    if change.companions:
        raise Violation(f"the model knows no other tables\n  {way}")
    if job.version != before.version + 1:
        raise Violation(f"I3, one change for each version: {before.version} to {job.version}\n  {way}")
    if is_final(before) and action != "retry manually":
        raise Violation(f"I2, a final state changed by {action}\n  {way}")
    if action == "finish" and not (isinstance(before.state, Running) and before.state.lease.token == token):
        raise Violation(f"I4, an outcome without the current lease\n  {way}")
    if job.attempt > job.max_attempts:
        raise Violation(f"I5, attempt {job.attempt} of {job.max_attempts}\n  {way}")
    if not is_final(job) and job.wake_at is None:
        raise Violation(f"I1, no query would find the job: {job.status}\n  {way}")
    if job.expires_at <= world.now:
        raise Violation(f"I1, the job expires before it has ended\n  {way}")
    if isinstance(job.state, Waiting) and job.signals:
        raise Violation(f"I9, the job waits for a signal that it has been sent\n  {way}")
    triggers = isinstance(job.state, Queued | Scheduled | Retrying | Waiting)
    images = (*world.images, job) if triggers else world.images
    return replace(world, job=job, images=images)


@dataclass(frozen=True)
class Explored:
    """What the search found."""

    worlds: int
    steps: int
    ended: dict[str, int]
    """Worlds by the status of their job."""


def explore(bounds: Bounds) -> Explored:
    """Visit every reachable world, breadth first, so that a violation is reported with a shortest path."""
    first = start(bounds)
    seen, checked = {first.key}, set[object]()
    waiting, steps, ended = deque([first]), 0, dict[str, int]()
    while waiting:
        world = waiting.popleft()
        ended[world.job.status] = ended.get(world.job.status, 0) + 1
        job_state = world.job_state
        if job_state not in checked:
            if not ends_without_faults(world.job, world.now):
                raise Violation("I1, the job would never end\n  " + "\n  ".join(world.way))
            checked.add(job_state)
        for after in following(world):
            steps += 1
            if after.key not in seen:
                seen.add(after.key)
                waiting.append(after)
    return Explored(worlds=len(seen), steps=steps, ended=ended)


def ends_without_faults(job: Job, now: datetime) -> bool:
    """Whether a sweeper and a healthy worker bring the job to a final state."""
    for _ in range(4 * POLICY.max_attempts + 4):
        if is_final(job):
            return True
        if isinstance(job.state, Queued):
            claimed = transitions.claim(job, POLICY, "healthy", now + FUNCTION, now)
            if isinstance(claimed, IllegalTransition):
                return False
            moved = transitions.finish(claimed.job, POLICY, "healthy", DONE, now, 0.5)
        else:
            now = next_moment(job, now) or now
            moved = transitions.wake(job, POLICY, now, 0.5)
        if isinstance(moved, IllegalTransition):
            return False
        job = moved.job
    return False
