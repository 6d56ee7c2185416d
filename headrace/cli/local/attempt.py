"""Runs one attempt of a job in this process. The functions that decide in a worker what came of it decide it here."""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta

from domain.jobs import transitions
from domain.jobs.attempt_ports import FilesSource
from domain.jobs.change import Change
from domain.jobs.frames import frames_of
from domain.jobs.guard import outcome_from, payload_of
from domain.jobs.job import Frame, Job, Running
from domain.jobs.outcomes import Outcome, Raised, TimedOut
from domain.jobs.transitions import IllegalTransition, NewJob
from domain.jobs.user_errors import raised
from domain.ports import Clock
from domain.secrets.hidden import Hidden
from domain.secrets.store import SecretSource
from headrace.authoring.frozen import Frozen
from headrace.authoring.job_type import Handler, Policy
from headrace.authoring.outcomes import Fail
from headrace.authoring.secrets import Secret
from headrace.cli.local.context import NOTHING_GIVEN, Given, LocalAttempt, ShowProgress
from headrace.cli.local.main_thread import Left, Thrown, TimeUp, call

_TOKEN = "local"  # noqa: S105 - of a lease that nobody else can take


class Ended(Frozen):
    """How an attempt ended."""

    job: Job
    """As a worker would store it; a retry at the latest moment that its backoff allows."""
    outcome: Outcome
    frames: tuple[Frame, ...] = ()
    """Where an exception came from, or what was stopped at the limit."""
    ran: timedelta


class Interrupted(Frozen):
    """A person ended the attempt: by Ctrl-C, or by leaving the debugger."""


def claimed_job(new: NewJob, policy: Policy, attempt: int, clock: Clock) -> Job:
    """A new job in its attempt number `attempt`, as a worker has it when it calls the handler."""
    now = clock()
    waiting = Job.model_validate(dict(transitions.submit(new, policy, now).job) | {"attempt": attempt - 1})
    return _legal(transitions.claim(waiting, policy, _TOKEN, now + policy.timeout, now))


def run_attempt(
    handler: Handler,
    job: Job,
    settings: Mapping[str, str],
    limit: timedelta | None,
    clock: Clock,
    show: ShowProgress,
    files: FilesSource | None = None,
    secrets: SecretSource | None = None,
    hidden: Hidden | None = None,
    given: Given = NOTHING_GIVEN,
) -> Ended | Interrupted:
    """Run the attempt that `job` is in; it is stopped after `limit`, if there is one. Raises nothing.

    The values of its secrets are noted in `hidden`.
    """
    begun = clock()
    context = LocalAttempt(job, clock, _ends(job), settings, show, files, secrets, hidden, given)
    found = _outcome(handler, job, context, limit)
    ended_at = clock()
    if isinstance(found, Thrown) and isinstance(found.error, Left):
        return Interrupted()
    outcome = context.hidden.outcome(_failure(found.error, limit) if isinstance(found, Thrown) else found)
    finished = transitions.finish(job, handler.definition.policy, _TOKEN, outcome, ended_at, 1.0)
    return Ended(job=_legal(finished), outcome=outcome, frames=_frames(found, outcome), ran=ended_at - begun)


def _outcome(handler: Handler, job: Job, context: LocalAttempt, limit: timedelta | None) -> Outcome | Thrown:
    named: list[Secret] = []
    payload = payload_of(handler, job, named)
    if isinstance(payload, Fail | Raised):
        return payload
    if named and (unrevealed := asyncio.run(context.reveal(named))) is not None:
        return unrevealed
    try:
        returned = call(handler, payload, context, limit.total_seconds() if limit else None)
        return returned if isinstance(returned, Thrown) else outcome_from(returned, handler.definition.result)
    except BaseException as error:  # noqa: BLE001 - a result model is user code too
        return Thrown(error)


def _failure(error: BaseException, limit: timedelta | None) -> Outcome:
    if isinstance(error, TimeUp) and limit is not None:
        return TimedOut(reason=f"the attempt took longer than {limit.total_seconds():g} s")
    return raised(error)


def _frames(found: Outcome | Thrown, outcome: Outcome) -> tuple[Frame, ...]:
    if isinstance(outcome, Raised):
        return outcome.frames
    return frames_of(found.error) if isinstance(found, Thrown) else ()


def _ends(job: Job) -> datetime:
    return transitions.attempt_ends(job.state.lease) if isinstance(job.state, Running) else job.updated_at


def _legal(moved: Change | IllegalTransition) -> Job:
    if isinstance(moved, IllegalTransition):
        raise TypeError(f"a job that is {moved.status} cannot {moved.action}")
    return moved.job
