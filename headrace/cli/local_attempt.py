"""One attempt of a job in this process. What comes of it is decided by the functions that decide it in a worker."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from pydantic import BaseModel, ValidationError

from domain.flaws import Flaws, flaws_of
from domain.jobs import transitions
from domain.jobs.frames import frames_of, origin_of
from domain.jobs.guard import invalid_payload, outcome_from, raised
from domain.jobs.job import Frame, Job, Running
from domain.jobs.outcomes import Outcome, TimedOut
from domain.jobs.transitions import IllegalTransition, NewJob
from domain.ports import Clock
from headrace.authoring.frozen import Frozen
from headrace.authoring.job_type import AnyHandler, Policy
from headrace.authoring.outcomes import Retry
from headrace.cli.local_context import LocalAttempt, ShowProgress
from headrace.cli.main_thread import Left, Thrown, TimeUp, call

_TOKEN = "local"  # noqa: S105 - of a lease that nobody else can take


class Ended(Frozen):
    """How an attempt ended."""

    job: Job
    """As a worker would store it; a retry at the latest moment that its backoff allows."""
    outcome: Outcome
    frames: tuple[Frame, ...] = ()
    """Where an exception came from, or what was stopped at the limit."""
    origin: str = ""
    """The exception that they lead to, where the job's error is another one that came of it."""
    ran: timedelta
    flaws: Flaws | None = None
    """Of a payload that its model refused, so that the handler was not called."""


class Interrupted(Frozen):
    """A person ended the attempt: by Ctrl-C, or by leaving the debugger."""


def claimed_job(new: NewJob, policy: Policy, attempt: int, clock: Clock) -> Job:
    """A new job in its attempt number `attempt`, as a worker has it when it calls the handler."""
    now = clock()
    waiting = Job.model_validate(dict(transitions.submit(new, policy, now)) | {"attempt": attempt - 1})
    return _legal(transitions.claim(waiting, policy, _TOKEN, now + policy.timeout, now))


def run_attempt(
    handler: AnyHandler,
    job: Job,
    settings: Mapping[str, str],
    limit: timedelta | None,
    clock: Clock,
    show: ShowProgress,
) -> Ended | Interrupted:
    """Run the attempt that `job` is in; it is stopped after `limit`, if there is one. Raises nothing."""
    begun = clock()
    context = LocalAttempt(job, clock, _ends(job), settings, show)
    found = _outcome(handler, job, context, limit)
    ended_at = clock()
    match found:
        case Thrown(error=error) if isinstance(error, Left):
            return Interrupted()
        case Thrown(error=error):
            outcome, frames, origin = _failure(error, limit), frames_of(error), _origin(error)
        case ValidationError():
            outcome, frames, origin = invalid_payload(found), (), ""
        case _:
            outcome, frames, origin = found, (), ""
    finished = transitions.finish(job, handler.definition.policy, _TOKEN, outcome, ended_at, 1.0)
    return Ended(
        job=_legal(finished),
        outcome=outcome,
        frames=frames,
        origin=origin,
        ran=ended_at - begun,
        flaws=flaws_of(found) if isinstance(found, ValidationError) else None,
    )


def _outcome(
    handler: AnyHandler, job: Job, context: LocalAttempt, limit: timedelta | None
) -> Outcome | ValidationError | Thrown:
    try:
        payload = _payload(handler, job)
        if isinstance(payload, ValidationError):
            return payload
        returned = call(handler, payload, context, limit.total_seconds() if limit else None)
        return returned if isinstance(returned, Thrown) else outcome_from(returned, handler.definition.result)
    except BaseException as error:  # noqa: BLE001 - payload and result models are user code too
        return Thrown(error)


def _payload(handler: AnyHandler, job: Job) -> BaseModel | ValidationError:
    try:
        return handler.definition.payload.model_validate_json(job.payload)
    except ValidationError as error:
        return error


def _failure(error: BaseException, limit: timedelta | None) -> Outcome:
    if isinstance(error, TimeUp) and limit is not None:
        return TimedOut(reason=f"the attempt took longer than {limit.total_seconds():g} s")
    told = raised(error)
    return Retry(code=told.type, reason=told.message)


def _origin(error: BaseException) -> str:
    origin = origin_of(error)
    if origin is error or isinstance(error, TimeUp):
        return ""
    told = raised(origin)
    return f"{told.type}: {told.message}"


def _ends(job: Job) -> datetime:
    return transitions.attempt_ends(job.state.lease) if isinstance(job.state, Running) else job.updated_at


def _legal(moved: Job | IllegalTransition) -> Job:
    if isinstance(moved, IllegalTransition):
        raise TypeError(f"a job that is {moved.status} cannot {moved.action}")
    return moved
