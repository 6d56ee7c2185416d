"""How an attempt in this process is told: lines for people on stderr, its result or a document on stdout."""

import sys
from datetime import timedelta

import click
from pydantic import JsonValue

from domain.flaws import Flaws
from domain.jobs.job import Failed, Job, JobError, Retrying, Succeeded
from headrace.authoring.job_type import Policy
from headrace.authoring.json_text import from_json_text
from headrace.authoring.outcomes import Retry
from headrace.cli.frame_text import traceback_text
from headrace.cli.local_attempt import Ended
from headrace.cli.target import ExitCode, json_text

_COLOURS = {"succeeded": "green", "retrying": "yellow", "failed": "red"}


def show_progress(fraction: float, message: str) -> None:
    """A report of the handler, as it makes it."""
    click.echo(f"progress {fraction:>4.0%}  {message}".rstrip(), err=True)


def show_ended(ended: Ended) -> None:
    """The traceback, if there is one, and a line about the outcome; or what is wrong with the payload."""
    if ended.flaws is not None:
        click.echo(_flaws_text(ended.job.type, ended.flaws), err=True)
        return
    error, traceback = error_of(ended.job), traceback_text(ended.frames)
    told = "" if error is None else f"{error.code}: {error.message}"
    if traceback:
        origin = f"{ended.origin}\nwhich led to " if ended.origin else ""
        click.echo(f"{traceback}\n{origin}{told}", err=True)
    status = click.style(ended.job.status, fg=_COLOURS.get(ended.job.status), bold=True)
    why = f": {told}" if told and not traceback else ""
    click.echo(f"{status}, ran {_length(ended.ran)}{why}{_what_follows(ended)}", err=True)


def note_of_time(ended: Ended, policy: Policy, limit: timedelta | None) -> None:
    """That a worker would have stopped the attempt; not where a debugger took the time."""
    if limit is None and ended.ran > policy.timeout and "pdb" not in sys.modules:
        click.echo(f"note: a worker stops this job type after {_length(policy.timeout)}", err=True)


def print_result(ended: Ended) -> None:
    """The result on stdout; an attempt without one prints nothing there."""
    if isinstance(ended.job.state, Succeeded):
        click.echo(json_text(from_json_text(ended.job.state.result), indent=2))


def document_of(ended: Ended) -> dict[str, JsonValue]:
    """The attempt for programs."""
    job, error = ended.job, error_of(ended.job)
    failure: dict[str, JsonValue] | None = None
    if error is not None:
        frames: list[JsonValue] = [dict(frame) for frame in ended.frames]
        failure = {"code": error.code, "message": error.message, "frames": frames}
    return {
        "job_id": job.id,
        "type": job.type,
        "attempt": job.attempt,
        "max_attempts": job.max_attempts,
        "status": job.status,
        "result": from_json_text(job.state.result) if isinstance(job.state, Succeeded) else None,
        "error": failure,
        "reason": job.state.reason if isinstance(job.state, Failed) else None,
        "retry_within_seconds": _delay(job.state, job).total_seconds() if isinstance(job.state, Retrying) else None,
        "ran_ms": round(ended.ran.total_seconds() * 1000),
    }


def error_of(job: Job) -> JobError | None:
    """Why the attempt did not succeed."""
    return job.state.error if isinstance(job.state, Retrying | Failed) else None


def exit_code(ended: Ended) -> ExitCode:
    """Of a command whose attempt ended so."""
    if ended.job.status == "succeeded":
        return ExitCode.OK
    return ExitCode.JOB_FAILED if ended.flaws is None else ExitCode.INVALID


def _flaws_text(type: str, flaws: Flaws) -> str:
    places = [f"  /{'/'.join(str(step) for step in flaw.path)}: {flaw.message}" for flaw in flaws.first]
    more = [f"  and {flaws.count - len(places)} more"] if flaws.count > len(places) else []
    return "\n".join([f"invalid_payload: this is not what {type} takes", *places, *more])


def _what_follows(ended: Ended) -> str:
    job = ended.job
    match job.state:
        case Retrying():
            within = "after" if isinstance(ended.outcome, Retry) and ended.outcome.after is not None else "within"
            delay = _length(_delay(job.state, job))
            return f"\nattempt {job.attempt + 1} of {job.max_attempts} would start {within} {delay}"
        case Failed(reason="permanent"):
            return "\nit would not be tried again"
        case Failed():
            return f"\nit was the last of {job.max_attempts} attempts"
        case _:
            return ""


def _delay(state: Retrying, job: Job) -> timedelta:
    return state.retry_at - job.updated_at


def _length(time: timedelta) -> str:
    seconds = time.total_seconds()
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{round(seconds, 1):g} s"
