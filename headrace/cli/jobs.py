"""The commands that submit, show and change one job, over HTTP."""

import re
import sys
from typing import Literal

import click

from headrace.cli.job_text import children_text, job_line, job_text, progress_line, steps_text
from headrace.cli.payload import payload_text, sorted_sources
from headrace.cli.target import ExitCode, Json, Target, fail, json_text, read_json, with_target
from headrace.cli.types import SECONDS, TAG

_KEY = re.compile(r"(?! )[\x20-\x7e]{1,255}(?<! )")
"""The API's rule for Idempotency-Key, without leading and trailing spaces, which HTTP strips from a header's value."""


WATCH_SECONDS = 0.3
"""How often a followed job is read."""


@click.command()
@click.argument("type")
@click.option("--payload", help="The payload, as JSON.")
@click.option(
    "--file",
    "sources",
    multiple=True,
    help="A file with the payload as JSON; - is stdin. MEMBER=PATH uploads a file and names it in the payload; so does"
    " a PATH alone that is not JSON, where the payload has one member for a file.",
)
@click.option("--key", help="Idempotency key: submitting the same job again with it creates no second job.")
@click.option("--delay", type=SECONDS, help="Seconds to wait before the job starts.")
@click.option("--run-at", help="When the job starts, such as 2026-12-01T09:30:00+01:00; instead of --delay.")
@click.option("--max-attempts", type=click.IntRange(1, 100), help="Attempts at most; by default the job type's.")
@click.option("--tag", "tags", multiple=True, type=TAG, help="A tag of the job; may be repeated.")
@click.option("--lane", help="Jobs of one lane run one at a time, or as many as an admin has set.")
@click.option("--priority", type=click.IntRange(0, 9), help="In its lane; 9 goes first.")
@click.option(
    "--notify", metavar="URL", help="Tell this URL of the job's end; needs `headrace webhooks notify-secret`."
)
@click.option("--unique", is_flag=True, help="With --key: the key is free again when the job has ended.")
@click.option("--wait", is_flag=True, help="Wait until the job is final.")
@click.option("--timeout", default=300.0, show_default=True, type=SECONDS, help="Seconds to wait at most.")
@with_target
def submit(
    target: Target,
    type: str,
    payload: str | None,
    sources: tuple[str, ...],
    key: str | None,
    delay: float | None,
    run_at: str | None,
    max_attempts: int | None,
    tags: tuple[tuple[str, str], ...],
    lane: str | None,
    priority: int | None,
    notify: str | None,
    unique: bool,
    wait: bool,
    timeout: float,
) -> None:
    """Submit a job of TYPE."""
    from headrace_client import RawJson, WaitTimeout

    given = sorted_sources(payload, sources)
    if delay is not None and run_at is not None:
        raise click.UsageError("give either --delay or --run-at")
    if len(dict(tags)) < len(tags):
        raise click.UsageError("give each name of --tag once")
    if unique and key is None:
        raise click.UsageError("--unique is for a --key")
    if key is not None and not _KEY.fullmatch(key):
        fail("invalid_idempotency_key: a key must be 1 to 255 printable ASCII characters", ExitCode.INVALID)
    text = payload_text(target, type, given)
    client = target.client()
    accepted = client.submit(
        type,
        RawJson(text.decode()),  # Parsing and serializing it would change numbers.
        key=key,
        delay=delay,
        run_at=run_at,
        max_attempts=max_attempts,
        tags=dict(tags) or None,
        lane=lane,
        priority=priority,
        unique="while-unfinished" if unique else None,
        notify=None if notify is None else {"url": notify},
    )
    if not wait:
        target.show(accepted.raw, job_line)
        return
    click.echo(f"submitted {accepted.id}", err=True)
    try:
        _show_final(target, client.wait(accepted, timeout=timeout).raw)
    except WaitTimeout as late:
        _show_final(target, late.job.raw)


@click.command()
@click.argument("id")
@click.option("--only", type=click.Choice(("payload", "result")), help="Print one document, however large it is.")
@click.option("--steps", is_flag=True, help="Show what the job remembers: steps, waits and signals.")
@click.option("--children", is_flag=True, help="Show the jobs that its handler has called or mapped.")
@with_target
def get(target: Target, id: str, only: Literal["payload", "result"] | None, steps: bool, children: bool) -> None:
    """Show a job, with its result or error."""
    client = target.client()
    if sum((steps, children, only is not None)) > 1:
        raise click.UsageError("give one of --steps, --children and --only")
    if children:
        target.show({"items": [child.raw for child in client.children(id)]}, children_text)
        return
    if steps:
        target.show({"items": [step.raw for step in client.steps(id)]}, steps_text)
        return
    if only is None:
        target.show(client.get(id).raw, job_text)
        return
    click.echo(json_text(client.document(id, only), indent=2))


@click.command()
@click.argument("id")
@click.option("--timeout", default=300.0, show_default=True, type=SECONDS, help="Seconds to wait at most.")
@with_target
def watch(target: Target, id: str, timeout: float) -> None:
    """Follow a job until it is final; its status goes to stderr, the job to stdout."""
    from headrace_client import WaitTimeout

    shown, job = "", Json()
    try:
        for seen in target.client().stream(id, timeout=timeout, every=WATCH_SECONDS):
            job, line = seen.raw, progress_line(seen.raw)
            if line != shown:
                click.echo(line, err=True)
            shown = line
    except WaitTimeout as late:
        job = late.job.raw
    _show_final(target, job)


@click.command()
@click.argument("id")
@click.argument("name")
@click.argument("value", default="null")
@with_target
def signal(target: Target, id: str, name: str, value: str) -> None:
    """Send a job the signal NAME, with VALUE, which is JSON; it goes on if its handler waits for that."""
    from headrace_client import RawJson

    read_json(value.encode(), "the value")
    target.show(target.client().signal(id, name, RawJson(value)).raw, job_line)


@click.command()
@click.argument("id")
@with_target
def cancel(target: Target, id: str) -> None:
    """Cancel a job; a running one is asked to stop."""
    target.show(target.client().cancel(id).raw, job_line)


@click.command()
@click.argument("id")
@with_target
def retry(target: Target, id: str) -> None:
    """Queue a failed or cancelled job again."""
    target.show(target.client().retry(id).raw, job_line)


def _show_final(target: Target, job: Json) -> None:
    shown = target.show(job, job_text)
    match shown["status"]:
        case "succeeded":
            return
        case "failed" | "cancelled":
            sys.exit(ExitCode.JOB_FAILED)
        case _:
            fail(f"the job is still {shown['status']}", ExitCode.TIMED_OUT)
