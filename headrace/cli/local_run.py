"""What `headrace run` and `headrace replay` share: an attempt in this process, told as it goes on."""

import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import click

from domain.jobs.transitions import NewJob
from headrace.authoring.job_type import AnyHandler, AnyJobType, Policy
from headrace.cli.attempt_text import note_of_time, show_ended, show_progress
from headrace.cli.handler_output import handler_output
from headrace.cli.local_attempt import Ended, Interrupted, claimed_job, run_attempt


def attempted(handler: AnyHandler, new: NewJob, attempt: int, seconds: float | None, log_level: str) -> Ended:
    """Run attempt number `attempt` of a job; a person who interrupts it ends the command."""
    policy, limit = handler.definition.policy, None if seconds is None else timedelta(seconds=seconds)
    settings = _settings(handler.definition)
    job = claimed_job(new, _allowing(policy, limit), attempt, now)
    click.echo(f"{job.type}  attempt {job.attempt} of {job.max_attempts}", err=True)
    with handler_output(log_level):
        ended = run_attempt(handler, job, settings, limit, now, show_progress)
    if isinstance(ended, Interrupted):
        click.echo("interrupted", err=True)
        raise KeyboardInterrupt
    show_ended(ended)
    note_of_time(ended, policy, limit)
    return ended


def now() -> datetime:
    """The clock of this machine."""
    return datetime.now(UTC)


def _settings(definition: AnyJobType) -> Mapping[str, str]:
    """What the type declares, as far as the environment has it; what is missing is said."""
    missing = [name for name in definition.settings if name not in os.environ]
    if missing:
        click.echo(f"note: {definition.name} may read {', '.join(missing)}, not in the environment here", err=True)
    return {name: os.environ[name] for name in definition.settings if name in os.environ}


def _allowing(policy: Policy, limit: timedelta | None) -> Policy:
    return policy if limit is None else Policy.model_validate(dict(policy) | {"timeout": limit})
