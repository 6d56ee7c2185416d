"""The commands that submit, show and change jobs, over HTTP."""

import json
import re
import sys
import time
from typing import BinaryIO

import click

from headrace.cli.target import ExitCode, Target, fail, json_text, read_json, read_limited, with_target
from headrace.cli.types import SECONDS
from headrace.client.api_client import FINAL, Failure, Job, Json, job_path

_KEY = re.compile(r"(?! )[\x20-\x7e]{1,255}(?<! )")
"""The API's rule for Idempotency-Key, without leading and trailing spaces, which HTTP strips from a header's value."""


@click.command()
@click.argument("type")
@click.option("--payload", help="The payload, as JSON.")
@click.option("--file", "source", type=click.File("rb"), help="A file with the payload as JSON; - is stdin.")
@click.option("--key", help="Idempotency key: submitting the same job again with it creates no second job.")
@click.option("--delay", type=SECONDS, help="Seconds to wait before the job starts.")
@click.option("--wait", is_flag=True, help="Wait until the job is final.")
@click.option("--timeout", default=300.0, show_default=True, type=SECONDS, help="Seconds to wait at most.")
@with_target
def submit(
    target: Target,
    type: str,
    payload: str | None,
    source: BinaryIO | None,
    key: str | None,
    delay: float | None,
    wait: bool,
    timeout: float,
) -> None:
    """Submit a job of TYPE."""
    if (payload is None) == (source is None):
        raise click.UsageError("give either --payload or --file")
    if key is not None and not _KEY.fullmatch(key):
        fail("invalid_idempotency_key: a key must be 1 to 255 printable ASCII characters", ExitCode.INVALID)
    text = payload.encode() if payload is not None else read_limited(source, "the payload") if source else b""
    read_json(text, "the payload")
    # The document is sent as written; parsing and serializing it would change numbers.
    delayed = {} if delay is None else {"delay_seconds": delay}
    body = f'{json.dumps({"type": type, **delayed})[:-1]}, "payload": {text.decode()}}}'
    client = target.client()
    accepted = client.job("POST", "/v1/jobs", body, {} if key is None else {"idempotency-key": key})
    if not wait or not isinstance(accepted, dict):
        target.show(accepted, _job_line)
        return
    click.echo(f"submitted {accepted['id']}", err=True)
    _show_final(target, client.wait(str(accepted["id"]), timeout))


@click.command()
@click.argument("id")
@with_target
def get(target: Target, id: str) -> None:
    """Show a job, with its result or error."""
    target.show(target.client().job("GET", job_path(id)), _job_text)


@click.command()
@click.argument("id")
@click.option("--timeout", default=300.0, show_default=True, type=SECONDS, help="Seconds to wait at most.")
@with_target
def watch(target: Target, id: str, timeout: float) -> None:
    """Follow a job until it is final; its status goes to stderr, the job to stdout."""
    client, path, seen = target.client(), job_path(id), ""
    ends = time.monotonic() + timeout
    while True:
        job = client.job("GET", path)
        if not isinstance(job, dict):
            target.show(job, _job_text)
            return
        line = _progress_line(job)
        if line != seen:
            click.echo(line, err=True)
        seen = line
        if job["status"] in FINAL or time.monotonic() >= ends:
            _show_final(target, job)
            return
        time.sleep(0.3)


@click.command(name="list")
@click.option("--status", help="Only jobs of this status.")
@click.option("--type", "type", help="Only jobs of this type.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 100))
@click.option("--cursor", help="Continue where an earlier page ended.")
@click.option("--include", help="Include payload, result or both, separated by a comma; pages may then be shorter.")
@with_target
def list_jobs(
    target: Target, status: str | None, type: str | None, limit: int, cursor: str | None, include: str | None
) -> None:
    """List your jobs, newest first, without payload and result."""
    query = {"status": status, "type": type, "limit": str(limit), "cursor": cursor, "include": include}
    params = {name: value for name, value in query.items() if value is not None}
    target.show(target.client().call("GET", "/v1/jobs", params=params), _page_text)


@click.command()
@click.argument("id")
@with_target
def cancel(target: Target, id: str) -> None:
    """Cancel a job; a running one is asked to stop."""
    target.show(target.client().job("POST", f"{job_path(id)}/cancel"), _job_line)


@click.command()
@click.argument("id")
@with_target
def retry(target: Target, id: str) -> None:
    """Queue a failed or cancelled job again."""
    target.show(target.client().job("POST", f"{job_path(id)}/retry"), _job_line)


def _show_final(target: Target, job: Json | Failure) -> None:
    shown = target.show(job, _job_text)
    match shown["status"]:
        case "succeeded":
            return
        case "failed" | "cancelled":
            sys.exit(ExitCode.JOB_FAILED)
        case _:
            fail(f"the job is still {shown['status']}", ExitCode.TIMED_OUT)


def _job_line(response: Json) -> str:
    job = Job.model_validate(response)
    return f"{job.id}  {job.status:<9}  {job.type}  attempt {job.attempt}/{job.max_attempts}"


def _progress_line(response: Json) -> str:
    progress = Job.model_validate(response).progress
    shown = f"  {progress.fraction:.0%} {progress.message}" if progress is not None else ""
    return _job_line(response) + shown


def _job_text(response: Json) -> str:
    job = Job.model_validate(response)
    lines = [_job_line(response)]
    if job.error is not None:
        frames = [f"  {frame.file}:{frame.line} in {frame.function}" for frame in job.error.frames]
        lines = [*lines, f"error   {job.error.code}: {job.error.message}", *frames]
    if job.result is not None:
        lines = [*lines, f"result  {json_text(job.result)}"]
    return "\n".join(lines)


def _listed_text(job: Json) -> str:
    documents = [
        f"{name:<7} {json.dumps(job[name], ensure_ascii=False)}" for name in ("payload", "result") if name in job
    ]
    return "\n".join([_job_line(job), *documents])


def _page_text(page: Json) -> str:
    items = page["items"]
    lines = [_listed_text(job) for job in items if isinstance(job, dict)] if isinstance(items, list) else []
    more = [f"more: --cursor {page['next']}"] if page.get("next") else []
    return "\n".join([*lines, *more]) or "no jobs"
