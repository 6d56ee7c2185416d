"""Every legal move of a job, as pure functions `(job, …, now) -> Change | IllegalTransition`.

Nothing else changes a status. `lifecycle.py` lists the moves, `change.py` says what a change is.
"""

import math
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple, TypedDict

from pydantic import Field

from domain.jobs.change import Change, Companion
from domain.jobs.job import (
    CHILDREN_SCHEMA,
    FIRST_SCHEMA,
    LANE_SCHEMA,
    WAIT_SCHEMA,
    Blocked,
    Cancelled,
    Failed,
    FailureReason,
    Frame,
    HeldPlace,
    HistoryEntry,
    InLane,
    Job,
    JobDocument,
    JobError,
    Lease,
    Notify,
    Parent,
    Progress,
    Queued,
    Retrying,
    Running,
    Scheduled,
    State,
    Status,
    Succeeded,
    WaitFor,
    Waiting,
    is_final,
)
from domain.jobs.outcomes import Done, Outcome, Pause, Raised, TimedOut
from domain.jobs.stream_position import is_ahead
from domain.jobs.uniqueness import key_held, key_taken
from domain.lanes.admission import TOLERANCE, Admission, Free, InLine, Start
from domain.lanes.lane import Slot, place_given_back, place_taken
from headrace.authoring.frozen import Frozen
from headrace.authoring.job_type import WORKER, Policy
from headrace.authoring.json_text import storable
from headrace.authoring.outcomes import Fail, Retry, Stopped
from headrace.authoring.retry import MAX_RETRY_AFTER, retry_delay

TRIGGER_PATIENCE = timedelta(seconds=15)
"""How long the stream may take to bring a queued job to a worker before the sweeper examines whether its trigger was
lost.

A claim within it moves no index. A dead worker's job is due for the sweeper no later than this after its lease
ended.
"""

RUNNER_PATIENCE = timedelta(minutes=4)
"""After the first redrive of a job that a runner's queue brings: a backlog is what a queue is for, and it hardly ever
loses anything. Each redrive adds a message to it."""

MAX_REDRIVE_DOUBLINGS = 6
"""Each redrive doubles the patience, up to 64 times: workers that are switched off, or that do not know the job's type,
are asked ever more rarely."""

LONGEST_UNEXAMINED = timedelta(minutes=16)
"""A queued job is examined at least so often, so that `OldestQueuedJobAlarm` (a window of 20 minutes) covers it."""

LEASE_GRACE = timedelta(seconds=5)
"""What a worker has left after its attempt's end to write the outcome."""

UNFINISHED_HORIZON = timedelta(days=30)
"""How far an unfinished job's TTL is kept ahead of the next moment that it needs attention."""

PROGRESS_INTERVAL = timedelta(seconds=1)
"""Progress is written at most this often."""

_FREE = Free()

MAX_HISTORY = 20
MAX_MESSAGE = 1000
"""Characters of an error's or a progress report's message that are kept."""
MAX_NOTED = 200
"""Characters of a message that the history keeps of an attempt: all its entries are written with each change."""
MAX_CODE = 100
"""Characters of an error's code that are kept: the history repeats it."""


class IllegalTransition(Frozen):
    """The job's state does not allow the action; nothing was changed."""

    job_id: str
    status: Status
    action: str


class Known(NamedTuple):
    """What an attempt knew of its job's steps and signals."""

    steps: int = 0
    signals: int = 0


NOTHING = Known()


class NewJob(Frozen):
    """What a client may decide about a job."""

    id: str
    owner_id: str
    type: str
    payload: JobDocument
    payload_version: int = 1
    tags: dict[str, str] = Field(default_factory=dict)
    max_attempts: int
    run_at: datetime | None = None
    lane: InLane | None = None
    fingerprint: str | None = None
    unique: str | None = None
    unique_before: str | None = None
    """The finished job that had the unique key before, if any."""
    counted: bool = False
    notify: Notify | None = None
    traceparent: str | None = None
    parent: Parent | None = None


def submit(new: NewJob, policy: Policy, now: datetime, admission: Admission = _FREE) -> Change:
    """A new job: scheduled when its time is still to come, else as its lane admits it."""
    if new.run_at is not None and new.run_at > now:
        entry = _Entry(Scheduled(run_at=new.run_at), new.run_at)
    else:
        entry = _entry(_Entering(new.id, 1, new.lane), admission, policy, now)
    state, wake_at = entry.state, entry.wake_at
    unique = () if new.unique is None else (key_taken(new.unique, new.id, new.unique_before, now),)
    job = Job(
        id=new.id,
        owner_id=new.owner_id,
        type=new.type,
        payload=new.payload,
        payload_version=new.payload_version,
        tags=new.tags,
        max_attempts=new.max_attempts,
        version=1,
        attempt=0,
        created_at=now,
        updated_at=now,
        started_at=None,
        wake_at=wake_at,
        expires_at=_whole_second(wake_at + UNFINISHED_HORIZON),
        lane=new.lane,
        fingerprint=new.fingerprint,
        unique=new.unique,
        counted=new.counted,
        notify=new.notify,
        traceparent=new.traceparent,
        parent=new.parent,
        history=(HistoryEntry(status=state.status, at=now, attempt=0),),
        state=state,
        stored_schema=FIRST_SCHEMA if new.lane is None else LANE_SCHEMA,
    )
    return Change(job, (*entry.companions, *unique))


def claim(
    job: Job, policy: Policy, token: str, deadline: datetime, now: datetime, start: Start | None = None
) -> Change | IllegalTransition:
    """Give the job to a worker that must answer before its function's `deadline`.

    The attempt counts from here, so that a job that kills its worker still runs out of attempts.
    The lease's end is known now, so it needs no heartbeat; it lies at the job type's timeout (or the
    function's deadline, if that is nearer) plus a grace for writing the outcome. `attempt_ends` says when the
    handler must end: the time that the claim's write takes shortens the attempt.

    `start` is what the job's lane gives it, in the same commit; None for a job that no lane limits. One that was let in
    with a place keeps that.
    """
    if not is_claimable(job, policy, now):
        return _illegal(job, "claim")
    until = min(deadline, now + policy.timeout) + LEASE_GRACE
    # Unmoved in a normal run: an index entry that stays costs nothing. One that is far off is moved, or the death of
    # a worker would be noticed as late. That of a job that was claimed straight from its
    # wait is due already: the sweeper finds it, sees its lease, and leaves the job alone until that has ended.
    stays = job.wake_at is not None and until <= job.wake_at <= until + TRIGGER_PATIENCE
    wake_at = until if isinstance(job.state, Queued) and not stays else job.wake_at
    held = job.state.place if isinstance(job.state, Queued) else None
    if held is not None:
        lease = Lease(token=token, until=until, place=held.number, place_token=held.token)
    else:
        lease = Lease(token=token, until=until, place=start.place if start is not None else None)
    claimed = _moved(
        job,
        Running(lease=lease),
        now,
        attempt=job.attempt + 1,
        wake_at=wake_at,
        started_at=now,
    )
    if job.lane is None or start is None or held is not None:
        return claimed
    slot = () if start.slot is None else (start.slot.claim,)
    return Change(claimed.job, (place_taken(job.lane.name, start.place, job.id, token, now), *slot))


def is_claimable(job: Job, policy: Policy, now: datetime) -> bool:
    """Whether a worker may start the job: it is queued, or waits for a time that has come and is not long past."""
    match job.state:
        case Queued():
            return True
        case Scheduled(run_at=due) | Retrying(retry_at=due) | Waiting(until=due):
            return due <= now and now - due <= policy.max_age
        case Blocked() | Running() | Succeeded() | Failed() | Cancelled():
            return False


def is_in_slot(job: Job, now: datetime) -> bool:
    """Whether the job may use a slot of its lane's rate now; one that comes too late has lost its slot."""
    return isinstance(job.state, Scheduled) and job.state.in_slot and now - job.state.run_at <= TOLERANCE


def block(job: Job, policy: Policy, now: datetime) -> Change | IllegalTransition:
    """Have a job that could be claimed stand in line: its lane lets it not run now. It costs no attempt."""
    if job.lane is None or not is_claimable(job, policy, now):
        return _illegal(job, "block")
    since = startable_since(job)
    return _moved(job, Blocked(since=since), now, wake_at=since + policy.max_age)


def unblock(job: Job, policy: Policy, admitted: Free | Slot, now: datetime) -> Change | IllegalTransition:
    """Let the first in line go: at once, or in a slot of the lane's rate."""
    if not isinstance(job.state, Blocked):
        return _illegal(job, "unblock")
    entry = _entry(_entering(job), admitted, policy, now)
    return Change(_moved(job, entry.state, now, wake_at=entry.wake_at).job, entry.companions)


def startable_since(job: Job) -> datetime:
    """Since when a worker could have claimed the job, but for its lane."""
    match job.state:
        case Queued(queued_at=since) | Scheduled(run_at=since) | Retrying(retry_at=since) | Blocked(since=since):
            return since
        case Waiting(until=since):
            return since
        case _:
            return job.created_at


def place_of(state: State) -> tuple[int, str] | None:
    """The place in its lane that a job in this state holds: its number, and the token by which it is given back."""
    match state:
        case Queued(place=HeldPlace(number=number, token=token)):
            return number, token
        case Running(lease=Lease(place=int(number), token=token, place_token=own)):
            return number, own or token
        case _:
            return None


def attempt_ends(lease: Lease) -> datetime:
    """When the handler of the attempt under `lease` is stopped: the grace is left to record the outcome."""
    return lease.until - LEASE_GRACE


def finish(
    job: Job, policy: Policy, token: str, outcome: Outcome, now: datetime, random: float, known: Known = NOTHING
) -> Change | IllegalTransition:
    """Record what the attempt under the lease `token` came to. A stale lease is refused.

    `known` is what the attempt knew of its job's steps and signals.
    """
    state = job.state
    if not isinstance(state, Running) or state.lease.token != token:
        return _illegal(job, "finish")
    if known.steps:
        job = job.model_copy(update={"steps": known.steps + job.signals - known.signals})
    match outcome:
        case Done(result=result, writes=writes):
            return succeed(job, policy, result, now, writes)
        case Stopped():
            if state.cancel_requested:
                return _cancelled(job, policy, now)
            unasked = Fail(code="stopped_unasked", reason="the handler returned Stopped without a cancel request")
            return fail(job, policy, unasked, "permanent", now)
        case Fail():
            return fail(job, policy, outcome, "permanent", now)
        case Retry():
            return retry(job, policy, outcome, "exhausted", now, random)
        case Raised(permanent=True):
            why = Fail(code=outcome.code, reason=outcome.message)
            return fail(job, policy, why, "permanent", now, outcome.frames)
        case Raised():
            again = Retry(code=outcome.code, reason=outcome.message)
            return retry(job, policy, again, "exhausted", now, random, outcome.frames)
        case TimedOut(reason=reason):
            late = Retry(code="timeout", reason=reason)
            return retry(job, policy, late, "timeout", now, random)
        case Pause():
            return pause(job, policy, outcome, known, now)


def pause(job: Job, policy: Policy, pause: Pause, known: Known, now: datetime) -> Change | IllegalTransition:
    """Have the job wait, or go on at once: there is nothing to wait for, it is over, or a signal has come meanwhile.

    The attempt was not used up.
    """
    if not isinstance(job.state, Running):
        return _illegal(job, "pause")
    if job.state.cancel_requested:
        return _cancelled(job, policy, now)
    steps = known.steps + len(pause.begun) + job.signals - known.signals
    for_children = any(wait.kind == "children" for wait in pause.waits_for)
    schema = max(job.stored_schema, CHILDREN_SCHEMA if for_children else WAIT_SCHEMA)
    job = job.model_copy(update={"steps": steps, "stored_schema": schema})
    if pause.until is None or pause.until <= now or job.signals > known.signals:
        queued, wake_at = _queued(policy, now)
        moved = _moved(job, queued, now, wake_at=wake_at, attempt=job.attempt - 1)
    else:
        waiting = Waiting(since=now, until=pause.until, waits_for=pause.waits_for)
        moved = _moved(job, waiting, now, wake_at=pause.until, attempt=job.attempt - 1)
    return Change(moved.job, (*moved.companions, *pause.begun))


def signal(job: Job, policy: Policy, name: str, now: datetime) -> Change | IllegalTransition:
    """Note that the job was sent a signal, and let it go on if it waits for that."""
    if is_final(job):
        return _illegal(job, "signal")
    return _told(job, policy, WaitFor(kind="signal", name=name), now)


def children_ended(job: Job, policy: Policy, group: str, round: int, now: datetime) -> Change | IllegalTransition:
    """Note that a round of the job's children has ended, and let it go on if it waits for that.

    It counts as a signal does, so that a pause that does not know of it is refused, and goes on.
    """
    if is_final(job):
        return _illegal(job, "end the wait for children of")
    counted = job.model_copy(update={"rounds": job.rounds + 1})
    return _told(counted, policy, WaitFor(kind="children", name=group, round=round), now)


def _told(job: Job, policy: Policy, what: WaitFor, now: datetime) -> Change:
    sent = job.model_copy(update={"signals": job.signals + 1, "steps": job.steps + 1})
    if isinstance(job.state, Waiting) and any(_is_same(each, what) for each in job.state.waits_for):
        queued, wake_at = _queued(policy, now)
        return _moved(sent, queued, now, wake_at=wake_at)
    return _moved(sent, job.state, now, wake_at=job.wake_at, note=False)


def _is_same(wait: WaitFor, other: WaitFor) -> bool:
    """Whatever a newer version has noted of them."""
    return (wait.kind, wait.name, wait.round) == (other.kind, other.name, other.round)


def succeed(
    job: Job, policy: Policy, result: JobDocument, now: datetime, writes: tuple[Companion, ...] = ()
) -> Change | IllegalTransition:
    """Commit the result, with the handler's own `writes`, even when a cancel was requested: the work is done."""
    if not isinstance(job.state, Running):
        return _illegal(job, "succeed")
    finished = _finished(job, Succeeded(finished_at=now, result=result), policy, now)
    return Change(finished.job, (*finished.companions, *writes))


def retry(
    job: Job,
    policy: Policy,
    why: Retry,
    last_reason: FailureReason,
    now: datetime,
    random: float,
    frames: tuple[Frame, ...] = (),
) -> Change | IllegalTransition:
    """Plan the next attempt; with none left, fail for `last_reason`; if asked to cancel, cancel."""
    if not isinstance(job.state, Running):
        return _illegal(job, "retry")
    if job.state.cancel_requested:
        return _cancelled(job, policy, now)
    if job.attempt >= job.max_attempts:
        return fail(job, policy, Fail(code=why.code, reason=why.reason), last_reason, now, frames)
    asked = None if why.after is None else min(max(why.after, timedelta(0)), MAX_RETRY_AFTER)
    delay = retry_delay(policy.backoff, job.attempt, random) if asked is None else asked
    error = _error(job, why.code, why.reason, now, frames)
    return _moved(job, Retrying(retry_at=now + delay, error=error), now, wake_at=now + delay)


def fail(
    job: Job, policy: Policy, why: Fail, reason: FailureReason, now: datetime, frames: tuple[Frame, ...] = ()
) -> Change | IllegalTransition:
    """End the job without a result."""
    if is_final(job):
        return _illegal(job, "fail")
    error = _error(job, why.code, why.reason, now, frames)
    return _finished(job, Failed(finished_at=now, error=error, reason=reason), policy, now)


def cancel(job: Job, policy: Policy, now: datetime) -> Change | IllegalTransition:
    """Cancel what waits at once; ask what runs to stop (asking twice changes nothing)."""
    match job.state:
        case Scheduled() | Blocked() | Queued() | Retrying() | Waiting():
            return _cancelled(job, policy, now)
        case Running(cancel_requested=True):
            return Change(job)
        case Running(lease=lease, progress=progress):
            asked = Running(lease=lease, progress=progress, cancel_requested=True)
            return _moved(job, asked, now, wake_at=job.wake_at, note=False)
        case Succeeded() | Failed() | Cancelled():
            return _illegal(job, "cancel")


def report_progress(job: Job, token: str, fraction: float, message: str, now: datetime) -> Change | IllegalTransition:
    """Note how far the attempt is; unchanged when the last report is under a second old."""
    state = job.state
    if not isinstance(state, Running) or state.lease.token != token:
        return _illegal(job, "report progress")
    if state.progress is not None and now - state.progress.at < PROGRESS_INTERVAL:
        return Change(job)
    bounded = round(min(max(fraction, 0.0), 1.0), 4) if math.isfinite(fraction) else 0.0
    progress = Progress(fraction=bounded, message=storable(message, MAX_MESSAGE), at=now)
    reported = Running(lease=state.lease, progress=progress, cancel_requested=state.cancel_requested)
    return _moved(job, reported, now, wake_at=job.wake_at, note=False)


def wake(
    job: Job, policy: Policy, now: datetime, random: float, passed: datetime | None = None, *, known: bool = True
) -> Change | IllegalTransition:
    """What the sweeper does with a job whose `wake_at` has come: queue, redrive, expire or rescue.

    `passed` is how far the workers have come with the stream, where they lag behind it (`stream_position.py`).
    `known` is whether the job's type is; a job of one that is not says so when it expires.
    """
    match job.state:
        case Scheduled(run_at=due) | Retrying(retry_at=due) | Waiting(until=due) if now - due > policy.max_age:
            return expire(job, policy, now, known=known)
        case Queued(queued_at=due) | Blocked(since=due) if now - due > policy.max_age:
            return expire(job, policy, now, known=known)
        case Scheduled() | Retrying() | Waiting():
            return queue(job, policy, now)
        case Queued():
            return redrive(job, policy, now, passed)
        case Running():
            return rescue(job, policy, now, random)
        case Blocked() | Succeeded() | Failed() | Cancelled():
            return _illegal(job, "wake")


def queue(job: Job, policy: Policy, now: datetime) -> Change | IllegalTransition:
    """Trigger a job through the stream whose time has come, and which the wake queue did not bring to a worker."""
    if not isinstance(job.state, Scheduled | Retrying | Waiting) or not _is_due(job, now):
        return _illegal(job, "queue")
    queued, wake_at = _queued(policy, now)
    return _moved(job, queued, now, wake_at=wake_at)


def redrive(job: Job, policy: Policy, now: datetime, passed: datetime | None = None) -> Change | IllegalTransition:
    """Trigger a queued job again that no worker claimed, unless its trigger still waits in the stream."""
    if not isinstance(job.state, Queued) or not _is_due(job, now) or is_ahead(job.updated_at, passed):
        return _illegal(job, "redrive")
    redrives = job.state.redrives + 1
    again = Queued(queued_at=job.state.queued_at, redrives=redrives, place=job.state.place)
    return _moved(job, again, now, wake_at=_trigger_deadline(policy, now, redrives), note=False)


def expire(job: Job, policy: Policy, now: datetime, *, known: bool = True) -> Change | IllegalTransition:
    """Give up a job that could not be started within its policy's `max_age`; `known` is whether its type is."""
    if isinstance(job.state, Running) or is_final(job):
        return _illegal(job, "expire")
    why = "" if known else f"; no worker knows the job type {job.type}"
    late = Fail(code="expired", reason=f"not started within {policy.max_age} of the time it was due{why}")
    return fail(job, policy, late, "expired", now)


def rescue(job: Job, policy: Policy, now: datetime, random: float) -> Change | IllegalTransition:
    """Take back a job whose lease ended without an outcome: its worker died, hung or was cut off."""
    if not isinstance(job.state, Running) or job.state.lease.until > now:
        return _illegal(job, "rescue")
    lost = Retry(code="lease_expired", reason="the worker did not report before its lease ended")
    # What it remembered is for later attempts, for those who look, and to be deleted with the job.
    job = job.model_copy(update={"steps": max(job.steps, 1)})
    return retry(job, policy, lost, "exhausted", now, random)


def retry_manually(
    job: Job, policy: Policy, now: datetime, admission: Free | InLine = _FREE
) -> Change | IllegalTransition:
    """A person gives a failed or cancelled job all its attempts again; its lane admits it as a new one."""
    if not isinstance(job.state, Failed | Cancelled):
        return _illegal(job, "retry manually")
    entry = _entry(_entering(job), admission, policy, now)
    unique = () if job.unique is None else (key_held(job.unique, job.id),)
    again = job.model_copy(update={"generation": job.generation + 1})
    moved = _moved(again, entry.state, now, attempt=0, wake_at=entry.wake_at)
    return Change(moved.job, (*entry.companions, *unique))


def take_another_turn(
    job: Job, policy: Policy, parent: Parent, now: datetime, admission: Free | InLine = _FREE
) -> Change | IllegalTransition:
    """Count a child in its parent's next round; one that failed or was cancelled is tried again, as by a person.

    One that still runs is not to stop any more, if it was asked to when its parent was cancelled.
    """
    child = job.model_copy(update={"parent": parent})
    match job.state:
        case Succeeded():
            return _illegal(job, "take another turn")
        case Failed() | Cancelled():
            return retry_manually(child, policy, now, admission)
        case Running(lease=lease, progress=progress):
            return _moved(child, Running(lease=lease, progress=progress), now, wake_at=job.wake_at, note=False)
        case _:
            return _moved(child, job.state, now, wake_at=job.wake_at, note=False)


def keep(job: Job, until: datetime, now: datetime) -> Change | IllegalTransition:
    """Keep a job that has ended for longer: until then, if that is later."""
    if not is_final(job):
        return _illegal(job, "keep")
    return _moved(job, job.state, now, wake_at=None, expires_at=max(job.expires_at, until), note=False)


def legal_for_a_client(job: Job) -> tuple[Literal["cancel", "retry"], ...]:
    """What a person may do with the job now."""
    match job.state:
        case Scheduled() | Blocked() | Queued() | Retrying() | Waiting() | Running():
            return ("cancel",)
        case Failed() | Cancelled():
            return ("retry",)
        case Succeeded():
            return ()


class _Entering(NamedTuple):
    """The job that begins to wait, in the version that it then has."""

    id: str
    version: int
    lane: InLane | None


class _Entry(NamedTuple):
    """The state in which a job begins to wait, its `wake_at`, and what is committed with it."""

    state: State
    wake_at: datetime
    companions: tuple[Companion, ...] = ()


def _entering(job: Job) -> _Entering:
    return _Entering(job.id, job.version + 1, job.lane)


def _entry(job: _Entering, admission: Admission, policy: Policy, now: datetime) -> _Entry:
    match admission:
        case Free(place=number):
            triggered = _trigger_deadline(policy, now, redrives=0)
            if number is None or job.lane is None:
                return _Entry(Queued(queued_at=now), triggered)
            # One of its own for each attempt, as a job has a version only once.
            held = HeldPlace(number=number, token=f"{job.id}#{job.version}")
            taken = place_taken(job.lane.name, number, job.id, held.token, now)
            return _Entry(Queued(queued_at=now, place=held), triggered, (taken,))
        case Slot(at=at, claim=claim):
            return _Entry(Scheduled(run_at=at, in_slot=True), at, (claim,))
        case InLine():
            return _Entry(Blocked(since=now), now + policy.max_age)


def _queued(policy: Policy, now: datetime) -> tuple[Queued, datetime]:
    return Queued(queued_at=now), _trigger_deadline(policy, now, redrives=0)


def _is_due(job: Job, now: datetime) -> bool:
    return job.wake_at is not None and job.wake_at <= now


def _trigger_deadline(policy: Policy, now: datetime, redrives: int) -> datetime:
    """When to suspect a lost trigger: after the patience and one whole normal run.

    Because it allows for the run, a claim need not move it (design: write budget of 6 units).
    """
    run = policy.timeout + LEASE_GRACE
    doubling = TRIGGER_PATIENCE if redrives == 0 or policy.runs_in == WORKER else RUNNER_PATIENCE / 2
    patience = doubling * (1 << min(redrives, MAX_REDRIVE_DOUBLINGS))
    return now + run + max(TRIGGER_PATIENCE, min(patience, LONGEST_UNEXAMINED - run))


def _cancelled(job: Job, policy: Policy, now: datetime) -> Change:
    return _finished(job, Cancelled(finished_at=now), policy, now)


def _finished(job: Job, state: State, policy: Policy, now: datetime) -> Change:
    needed = timedelta(0) if job.parent is None else timedelta(seconds=job.parent.keep_seconds)
    return _moved(job, state, now, wake_at=None, expires_at=now + max(policy.retention, needed))


def _moved(
    job: Job,
    state: State,
    now: datetime,
    *,
    wake_at: datetime | None,
    attempt: int | None = None,
    started_at: datetime | None = None,
    expires_at: datetime | None = None,
    note: bool = True,
) -> Change:
    """The one place that copies a job into its next version."""
    counted = job.attempt if attempt is None else attempt
    entry = HistoryEntry(status=state.status, at=now, attempt=counted, **_noted(state))
    horizon = (wake_at or now) + UNFINISHED_HORIZON
    moved = job.model_copy(
        update={
            "state": state,
            "version": job.version + 1,
            "attempt": counted,
            "updated_at": now,
            "started_at": started_at or job.started_at,
            "wake_at": wake_at,
            "expires_at": _whole_second(expires_at or max(horizon, job.expires_at)),
            "history": (*job.history, entry)[-MAX_HISTORY:] if note else job.history,
        }
    )
    return Change(moved, _given_back(job, state))


def _given_back(job: Job, state: State) -> tuple[Companion, ...]:
    """The place in its lane, of a job that does not keep it."""
    place = place_of(job.state)
    if job.lane is None or place is None or place == place_of(state):
        return ()
    return (place_given_back(job.lane.name, *place),)


def _error(job: Job, code: str, message: str, now: datetime, frames: tuple[Frame, ...]) -> JobError:
    code, message = storable(code, MAX_CODE), storable(message, MAX_MESSAGE)
    return JobError(code=code, message=message, attempt=job.attempt, at=now, frames=frames)


class _Noted(TypedDict, total=False):
    """What the history keeps of an error."""

    code: str
    message: str
    frame: Frame


def _noted(state: State) -> _Noted:
    if not isinstance(state, Retrying | Failed):
        return {}
    error = state.error
    noted = _Noted(code=error.code, message=storable(error.message, MAX_NOTED))
    if not error.frames:
        return noted
    raised = error.frames[-1]
    return {**noted, "frame": Frame(file=raised.file, line=raised.line, function=raised.function)}


def _illegal(job: Job, action: str) -> IllegalTransition:
    return IllegalTransition(job_id=job.id, status=job.status, action=action)


def _whole_second(moment: datetime) -> datetime:
    """DynamoDB's TTL counts whole seconds; rounded up, so that nothing expires early."""
    return datetime.fromtimestamp(math.ceil(moment.timestamp()), UTC)
