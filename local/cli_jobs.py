"""The commands that submit, show and change jobs, over HTTP."""

import json
import sys
import time
from typing import TextIO
from urllib.parse import quote

import click
from pydantic import JsonValue

from local.cli_target import ExitCode, Target, fail, with_target
from local.client import FINAL, Json, Refusal, Unreachable


@click.command()
@click.argument("type")
@click.option("--payload", help="The payload, as JSON.")
@click.option("--file", "source", type=click.File("r"), help="A file with the payload as JSON; - is stdin.")
@click.option("--key", help="Idempotency key: the same key and job are accepted once.")
@click.option("--delay", type=click.FloatRange(0), help="Start after so many seconds.")
@click.option("--wait", is_flag=True, help="Wait until the job is final.")
@click.option("--timeout", default=300.0, show_default=True, help="Seconds to wait at most.")
@with_target
def submit(
    target: Target,
    type: str,
    payload: str | None,
    source: TextIO | None,
    key: str | None,
    delay: float | None,
    wait: bool,
    timeout: float,
) -> None:
    """Submit a job of TYPE."""
    if (payload is None) == (source is None):
        raise click.UsageError("give either --payload or --file")
    text = payload if payload is not None else (source.read() if source else "")
    try:
        document: JsonValue = json.loads(text)
    except ValueError as error:
        fail(f"the payload is not JSON: {error}", ExitCode.INVALID)
    body: Json = {"type": type, "payload": document} | ({} if delay is None else {"delay_seconds": delay})
    client = target.client()
    accepted = client.call("POST", "/v1/jobs", body, {"idempotency-key": key} if key else {})
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
    target.show(target.client().call("GET", f"/v1/jobs/{quote(id, safe='')}"), _job_text)


@click.command()
@click.argument("id")
@click.option("--timeout", default=300.0, show_default=True, help="Seconds to wait at most.")
@with_target
def watch(target: Target, id: str, timeout: float) -> None:
    """Follow a job until it is final; its status goes to stderr, the job to stdout."""
    client, path, seen = target.client(), f"/v1/jobs/{quote(id, safe='')}", ""
    ends = time.monotonic() + timeout
    while True:
        job = client.call("GET", path)
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
@click.option("--cursor", help="Go on where an earlier page ended.")
@click.option("--include", help="Bring along payload, result, or both with a comma; pages may be shorter then.")
@with_target
def list_jobs(
    target: Target, status: str | None, type: str | None, limit: int, cursor: str | None, include: str | None
) -> None:
    """List your jobs, newest first, without payload and result."""
    wanted = {"status": status, "type": type, "limit": str(limit), "cursor": cursor, "include": include}
    params = {name: value for name, value in wanted.items() if value is not None}
    target.show(target.client().call("GET", "/v1/jobs", params=params), _page_text)


@click.command()
@click.argument("id")
@with_target
def cancel(target: Target, id: str) -> None:
    """Cancel a job, or ask a running one to stop."""
    target.show(target.client().call("POST", f"/v1/jobs/{quote(id, safe='')}/cancel"), _job_line)


@click.command()
@click.argument("id")
@with_target
def retry(target: Target, id: str) -> None:
    """Queue a failed or cancelled job again."""
    target.show(target.client().call("POST", f"/v1/jobs/{quote(id, safe='')}/retry"), _job_line)


def _show_final(target: Target, job: Json | Refusal | Unreachable) -> None:
    shown = target.show(job, _job_text)
    match shown["status"]:
        case "succeeded":
            return
        case "failed" | "cancelled":
            sys.exit(ExitCode.JOB_FAILED)
        case _:
            fail(f"the job is still {shown['status']}", ExitCode.TIMED_OUT)


def _job_line(job: Json) -> str:
    return f"{job['id']}  {job['status']:<9}  {job['type']}  attempt {job['attempt']}/{job['max_attempts']}"


def _progress_line(job: Json) -> str:
    progress = job.get("progress")
    shown = f"  {progress['fraction']:.0%} {progress['message']}" if isinstance(progress, dict) else ""
    return _job_line(job) + shown


def _job_text(job: Json) -> str:
    error, result = job.get("error"), job.get("result")
    lines = [_job_line(job)]
    if isinstance(error, dict):
        lines = [*lines, f"error   {error['code']}: {error['message']}"]
    if result is not None:
        lines = [*lines, f"result  {json.dumps(result, ensure_ascii=False)}"]
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
