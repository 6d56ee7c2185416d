"""The command line. Data goes to stdout, everything else to stderr; exit codes are in `ExitCode`."""

import asyncio
import functools
import json
import signal
import sys
import time
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TextIO, TypeVar
from urllib.parse import quote

import click
from pydantic import JsonValue

from domain.results import StorageUnavailable
from domain.users.repository import EmailTaken
from domain.users.user import InvalidEmail, Role, User
from local.client import FINAL, ApiClient, Json, Refusal, Unreachable
from local.database import StackError
from local.state import Folder

if TYPE_CHECKING:
    from local.stack import Options

T = TypeVar("T")


class ExitCode(IntEnum):
    """What a command's end means to a script."""

    OK = 0
    ERROR = 1
    USAGE = 2
    NOT_FOUND = 3
    CONFLICT = 4
    INVALID = 5
    NOT_ALLOWED = 6
    JOB_FAILED = 7
    TIMED_OUT = 8


_CODES = {
    400: ExitCode.INVALID,
    401: ExitCode.NOT_ALLOWED,
    403: ExitCode.NOT_ALLOWED,
    404: ExitCode.NOT_FOUND,
    409: ExitCode.CONFLICT,
    412: ExitCode.CONFLICT,
    413: ExitCode.INVALID,
    415: ExitCode.INVALID,
    422: ExitCode.INVALID,
}


def folder() -> Folder:
    """The stack's folder, below the one that the command is run in."""
    return Folder(Path.cwd() / ".headrace")


def fail(message: str, code: ExitCode) -> NoReturn:
    """End with one sentence on stderr."""
    click.echo(f"headrace: {message}", err=True)
    sys.exit(code)


class Target:
    """Which API a command talks to, and as whom."""

    def __init__(self, url: str | None, email: str, token: str | None, *, as_json: bool) -> None:
        self._url = url
        self._email = email
        self._token = token
        self.as_json = as_json

    def client(self) -> ApiClient:
        """A client with a token: the given one, or one minted with this folder's key."""
        running = folder().running()
        url = self._url or (running.url if running else None)
        if url is None:
            fail("no stack runs in this folder; start one with `headrace dev`, or give --url", ExitCode.ERROR)
        return ApiClient(url.rstrip("/"), self._token or mint(self._email, timedelta(hours=1)))

    def show(self, answer: Json | Refusal | Unreachable, line: Callable[[Json], str]) -> Json:
        """Print an answer, as JSON or as a line for people; a refusal ends the command with its code."""
        match answer:
            case Refusal():
                details = "".join(f"\n  {error}" for error in answer.errors)
                fail(f"{answer.code}: {answer.detail}{details}", _CODES.get(answer.status, ExitCode.ERROR))
            case Unreachable():
                why = f"nothing answers at {answer.url} ({answer.reason})"
                fail(f"{why}; is `headrace dev` running?", ExitCode.ERROR)
            case dict():
                click.echo(json.dumps(answer, ensure_ascii=False, indent=2) if self.as_json else line(answer))
                return answer


def mint(email: str, lifetime: timedelta) -> str:
    """A token that this folder's stack believes."""
    from local.tokens import local_authority

    return local_authority(folder()).mint(email, datetime.now(UTC), lifetime)


def with_target(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of everything that talks HTTP, and a `Target` made of them."""

    @click.option("--url", envvar="HEADRACE_URL", help="The API; by default the stack of this folder.")
    @click.option(
        "--as", "email", envvar="HEADRACE_EMAIL", default="dev@example.com", show_default=True, help="Who asks."
    )
    @click.option("--token", envvar="HEADRACE_TOKEN", help="A token, instead of one minted with the local key.")
    @click.option("--json", "as_json", is_flag=True, help="Print the whole answer as JSON.")
    @functools.wraps(command)
    def targeted(url: str | None, email: str, token: str | None, as_json: bool, **rest: object) -> None:
        command(Target(url, email, token, as_json=as_json), **rest)

    return targeted


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="headrace")
def main() -> None:
    """Headrace: background jobs in your own AWS account, and on this machine."""


@main.command()
@click.option("--port", default=8080, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option("--endpoint-url", help="Another DynamoDB than the embedded one, for instance http://db:8000.")
@click.option("--fresh", is_flag=True, help="Forget the jobs and users of earlier runs.")
@click.option("--allow-host", "allowed", multiple=True, help="A private host[:port] that http.request may reach.")
def dev(port: int, host: str, endpoint_url: str | None, fresh: bool, allowed: tuple[str, ...]) -> None:
    """Run the local stack until Ctrl-C."""
    from local.stack import Options

    options = Options(host=host, port=port, endpoint_url=endpoint_url, fresh=fresh, allowed_hosts=",".join(allowed))
    run(_dev(options))


async def _dev(options: "Options") -> None:
    from local.directory import LOCAL_ADMIN, ensure_local_admin
    from local.stack import running_stack

    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with running_stack(folder(), options) as running:
        await ensure_local_admin(folder(), running.endpoint_url)
        click.echo(
            f"database {running.endpoint_url}\nlogs     {folder().logs}\nuser     {LOCAL_ADMIN} (admin)", err=True
        )
        click.echo(f"ready {running.url}")
        sys.stdout.flush()
        await stop.wait()
        click.echo("stopping: what was accepted is worked off first", err=True)


@main.command()
@click.option("--keep", is_flag=True, help="Leave the stack running afterwards, until Ctrl-C.")
def demo(keep: bool) -> None:
    """Run some hundred real jobs on a stack of their own, and show how each of them ended."""
    from local.demo import run_demo

    sys.exit(run(run_demo(keep=keep)))


@main.command()
@click.argument("email")
@click.option("--hours", default=12.0, show_default=True, type=click.FloatRange(0, 24 * 365, min_open=True))
def token(email: str, hours: float) -> None:
    """Print a token for EMAIL that the local stack believes."""
    click.echo(mint(email, timedelta(hours=hours)))


@main.command()
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


@main.command()
@click.argument("id")
@with_target
def get(target: Target, id: str) -> None:
    """Show a job, with its result or error."""
    target.show(target.client().call("GET", f"/v1/jobs/{quote(id, safe='')}"), _job_text)


@main.command()
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


@main.command(name="list")
@click.option("--status", help="Only jobs of this status.")
@click.option("--type", "type", help="Only jobs of this type.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 100))
@click.option("--cursor", help="Go on where an earlier page ended.")
@with_target
def list_jobs(target: Target, status: str | None, type: str | None, limit: int, cursor: str | None) -> None:
    """List your jobs, newest first."""
    wanted = {"status": status, "type": type, "limit": str(limit), "cursor": cursor}
    params = {name: value for name, value in wanted.items() if value is not None}
    target.show(target.client().call("GET", "/v1/jobs", params=params), _page_text)


@main.command()
@click.argument("id")
@with_target
def cancel(target: Target, id: str) -> None:
    """Cancel a job, or ask a running one to stop."""
    target.show(target.client().call("POST", f"/v1/jobs/{quote(id, safe='')}/cancel"), _job_line)


@main.command()
@click.argument("id")
@with_target
def retry(target: Target, id: str) -> None:
    """Queue a failed or cancelled job again."""
    target.show(target.client().call("POST", f"/v1/jobs/{quote(id, safe='')}/retry"), _job_line)


@main.group()
def users() -> None:
    """Users, straight in the tables."""


@users.command("create")
@click.argument("email")
@click.option("--name", help="By default the address.")
@click.option("--admin", is_flag=True, help="With the role of an admin.")
@click.option("--endpoint-url", help="By default the database of this folder's stack.")
@click.option("--json", "as_json", is_flag=True, help="Print the user as JSON.")
def add_user(email: str, name: str | None, admin: bool, endpoint_url: str | None, as_json: bool) -> None:
    """Add a user with the address EMAIL."""
    from local.directory import create_user

    running = folder().running()
    database = endpoint_url or (running.endpoint_url if running else None)
    if database is None:
        fail("no stack runs in this folder; start one with `headrace dev`, or give --endpoint-url", ExitCode.ERROR)
    role: Role = "admin" if admin else "member"
    created = run(create_user(folder(), database, email, name or email.strip(), role))
    match created:
        case User():
            text = created.model_dump_json(indent=2) if as_json else f"{created.id}  {created.email}  {created.role}"
            click.echo(text)
        case EmailTaken():
            fail(f"email_taken: a user has the address {created.email} already", ExitCode.CONFLICT)
        case InvalidEmail():
            fail(f"invalid_email: {created.reason}", ExitCode.INVALID)
        case StorageUnavailable():
            fail(f"the database at {database} did not do it: {created.reason} ({created.detail})", ExitCode.ERROR)


@main.command()
@click.argument("function")
@click.option("--event", "event", required=True, type=click.File("r"), help="A file with the event; - is stdin.")
@click.option("--endpoint-url", help="By default the database of this folder's stack.")
def invoke(function: str, event: TextIO, endpoint_url: str | None) -> None:
    """Invoke FUNCTION (api, worker, sweeper) once with an event, in a process of its own, without Docker."""
    from local.invoke import invoke_once

    try:
        document: JsonValue = json.loads(event.read())
    except ValueError as error:
        fail(f"the event is not JSON: {error}", ExitCode.INVALID)
    sys.exit(run(invoke_once(folder(), function, document, endpoint_url)))


@main.command()
def doctor() -> None:
    """Check what the local stack needs, and say what is missing."""
    from local.doctor import checks

    findings = checks(folder())
    for finding in findings:
        click.echo(f"{'ok  ' if finding.ok else 'FAIL'}  {finding.what}: {finding.detail}")
    sys.exit(ExitCode.OK if all(finding.ok for finding in findings) else ExitCode.ERROR)


def run(work: Coroutine[object, object, T]) -> T:
    """Run a command's coroutine; what the stack cannot do is told in one sentence."""
    try:
        return asyncio.run(work)
    except* StackError as group:
        fail(str(_first(group)), ExitCode.ERROR)
    except* KeyboardInterrupt:
        sys.exit(130)


def _first(group: BaseExceptionGroup[StackError]) -> BaseException:
    first = group.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first


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


def _page_text(page: Json) -> str:
    items = page["items"]
    lines = [_job_line(job) for job in items if isinstance(job, dict)] if isinstance(items, list) else []
    more = [f"more: --cursor {page['next']}"] if page.get("next") else []
    return "\n".join([*lines, *more]) or "no jobs"
