"""Runs an attempt and shows it: lines for people on stderr as it goes on, its result or a document on stdout."""

import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import click
from pydantic import JsonValue

from domain.jobs.job import Failed, Job, JobError, Retrying, Succeeded, loaded
from domain.jobs.transitions import NewJob
from domain.secrets.hidden import Hidden
from headrace.authoring.job_type import AnyJobType, Handler, Policy
from headrace.authoring.json_text import from_json_text
from headrace.authoring.outcomes import Retry
from headrace.cli.frame_text import traceback_text
from headrace.cli.local.attempt import Ended, Interrupted, claimed_job, run_attempt
from headrace.cli.local.context import NOTHING_GIVEN, Given
from headrace.cli.local.files import LocalFiles
from headrace.cli.local.output import handler_output
from headrace.cli.target import ExitCode, json_text
from persistence.secrets.environment import EnvironmentSecrets

_COLOURS = {"succeeded": "green", "retrying": "yellow", "failed": "red"}


def run_shown(
    handler: Handler,
    new: NewJob,
    attempt: int,
    seconds: float | None,
    log_level: str,
    files: LocalFiles | None = None,
    given: Given = NOTHING_GIVEN,
) -> Ended:
    """Run attempt number `attempt` of a job, and show it on stderr; a person who interrupts it ends the command."""
    policy, limit = handler.definition.policy, None if seconds is None else timedelta(seconds=seconds)
    settings = _settings(handler.definition)
    allowed = policy if limit is None else Policy.model_validate(dict(policy) | {"timeout": limit})
    job = claimed_job(new, allowed, attempt, _now)
    click.echo(f"{job.type}  attempt {job.attempt} of {job.max_attempts}", err=True)
    of_job = (files or LocalFiles()).job_files(_now)
    hidden, secrets = Hidden(), EnvironmentSecrets(os.environ)
    with handler_output(log_level, hidden):
        ended = run_attempt(
            handler, job, settings, limit, _now, _show_progress, lambda: of_job, lambda: secrets, hidden, given
        )
    if isinstance(ended, Interrupted):
        click.echo("interrupted", err=True)
        raise KeyboardInterrupt
    _show_ended(ended)
    if limit is None and ended.ran > policy.timeout and "pdb" not in sys.modules:
        click.echo(f"note: a worker stops this job type after {_length(policy.timeout)}", err=True)
    return ended


def print_result(ended: Ended) -> None:
    """Print the result on stdout; an attempt without one prints nothing there."""
    if isinstance(ended.job.state, Succeeded):
        click.echo(json_text(from_json_text(loaded(ended.job.state.result)), indent=2))


def document_of(ended: Ended) -> dict[str, JsonValue]:
    """The attempt for programs."""
    job, error = ended.job, _error_of(ended.job)
    failure: dict[str, JsonValue] | None = None
    if error is not None:
        frames: list[JsonValue] = [
            {"file": frame.file, "line": frame.line, "function": frame.function} for frame in ended.frames
        ]
        failure = {"code": error.code, "message": error.message, "frames": frames}
    return {
        "job_id": job.id,
        "type": job.type,
        "attempt": job.attempt,
        "max_attempts": job.max_attempts,
        "status": job.status,
        "result": from_json_text(loaded(job.state.result)) if isinstance(job.state, Succeeded) else None,
        "error": failure,
        "reason": job.state.reason if isinstance(job.state, Failed) else None,
        "retry_within_seconds": _delay(job.state, job).total_seconds() if isinstance(job.state, Retrying) else None,
        "ran_ms": round(ended.ran.total_seconds() * 1000),
    }


def exit_code(ended: Ended) -> ExitCode:
    """The exit code of a command whose attempt ended so."""
    if ended.job.status == "succeeded":
        return ExitCode.OK
    error = _error_of(ended.job)
    return ExitCode.INVALID if error is not None and error.code == "invalid_payload" else ExitCode.JOB_FAILED


def _now() -> datetime:
    return datetime.now(UTC)


def _settings(definition: AnyJobType) -> Mapping[str, str]:
    """The declared settings that the environment has; names the missing ones."""
    missing = [name for name in definition.settings if name not in os.environ]
    if missing:
        click.echo(f"note: {definition.name} may read {', '.join(missing)}, not in the environment here", err=True)
    return {name: os.environ[name] for name in definition.settings if name in os.environ}


def _show_progress(fraction: float, message: str) -> None:
    click.echo(f"progress {fraction:>4.0%}  {message}".rstrip(), err=True)


def _show_ended(ended: Ended) -> None:
    """The traceback, if there is one, and a line about the outcome."""
    error, traceback = _error_of(ended.job), traceback_text(ended.frames)
    told = "" if error is None else f"{error.code}: {error.message}"
    if traceback:
        click.echo(f"{traceback}\n{told}", err=True)
    status = click.style(ended.job.status, fg=_COLOURS.get(ended.job.status), bold=True)
    why = f": {told}" if told and not traceback else ""
    click.echo(f"{status}, ran {_length(ended.ran)}{why}{_what_follows(ended)}", err=True)


def _error_of(job: Job) -> JobError | None:
    return job.state.error if isinstance(job.state, Retrying | Failed) else None


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
