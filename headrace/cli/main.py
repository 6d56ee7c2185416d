"""The command line. Data is written to stdout, everything else to stderr; exit codes are in `ExitCode`."""

import asyncio
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from headrace.cli import jobs as cli_jobs
from headrace.cli import lists
from headrace.cli.check.command import check
from headrace.cli.completion import completion
from headrace.cli.files import files
from headrace.cli.guard import INTERRUPTED, Commands
from headrace.cli.handler_options import sources_of, with_variables
from headrace.cli.job_types import types
from headrace.cli.lanes import lanes, why
from headrace.cli.logs import logs
from headrace.cli.project import build, lock, new
from headrace.cli.replay import replay
from headrace.cli.run import run
from headrace.cli.schedules import schedules
from headrace.cli.stats import cost, stats
from headrace.cli.target import ExitCode, fail, folder, json_text, read_json, read_limited
from headrace.cli.tokens import credentials, token
from headrace.cli.types import HOST, SERVER, URL, FiniteNumber
from headrace.cli.ui import ui
from headrace.cli.users import users
from headrace.cli.webhooks import webhooks

if TYPE_CHECKING:
    from headrace.cli.console import Level
    from headrace.emulator.stack import Options


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="headrace")
def main() -> None:
    """Headrace: background jobs in your own AWS account, and on this machine."""


@main.command()
@click.option("--port", default=8080, show_default=True, type=click.IntRange(0, 65535), help="0 picks a free port.")
@click.option("--host", default="127.0.0.1", show_default=True, type=HOST, help="Where to listen.")
@click.option("--endpoint-url", type=URL, help="A DynamoDB to use instead of the embedded one, such as http://db:8000.")
@click.option(
    "--database",
    type=SERVER,
    metavar="HOST:PORT",
    help="Where the embedded database listens; by default a free port of 127.0.0.1.",
)
@click.option("--fresh", is_flag=True, help="Delete the jobs and users of earlier runs.")
@click.option("--allow-host", "allowed", multiple=True, help="A private host[:port] that http.request may reach.")
@click.option("--cors-origin", "origins", multiple=True, help="An origin whose pages may call the API in a browser.")
@click.option("--sweep-seconds", type=FiniteNumber(0.1, 3600), help="Sweep as often, not each minute as on AWS.")
@with_variables
@click.option("--no-reload", is_flag=True, help="Do not restart functions when code changes.")
@click.option("--quiet", "level", flag_value="quiet", help="Show failures only.")
@click.option("--verbose", "level", flag_value="verbose", help="Show requests, sweeps and starts of functions too.")
@click.option("--json", "as_json", is_flag=True, help="Print where the stack is as JSON, when it is ready.")
def dev(
    port: int,
    host: str,
    endpoint_url: str | None,
    database: tuple[str, int] | None,
    fresh: bool,
    allowed: tuple[str, ...],
    origins: tuple[str, ...],
    sweep_seconds: float | None,
    env_files: tuple[Path, ...],
    aws_profile: str | None,
    no_reload: bool,
    level: "Level | None",
    as_json: bool,
) -> None:
    """Run the local stack until Ctrl-C, and show each attempt, what handlers log and print, and tracebacks."""
    from headrace.emulator.credentials import is_of_aws
    from headrace.emulator.stack import Options

    if endpoint_url and database:
        fail("--database is for the embedded database, which --endpoint-url replaces; give only one", ExitCode.USAGE)
    if aws_profile and endpoint_url and is_of_aws(endpoint_url):
        fail("with an --endpoint-url of AWS, handlers have this shell's credentials: set AWS_PROFILE", ExitCode.USAGE)
    options = Options(
        host=host,
        port=port,
        endpoint_url=endpoint_url,
        database=database,
        fresh=fresh,
        allowed_hosts=",".join(allowed),
        cors_origins=",".join(origins),
        reload=not no_reload,
        sweep_seconds=sweep_seconds,
        variables=sources_of(env_files, aws_profile),
    )
    try:
        asyncio.run(_dev(options, level or "normal", as_json=as_json))
    except asyncio.CancelledError:
        fail("stopped at once; jobs that were running run again after the next start", INTERRUPTED)


async def _dev(options: "Options", level: "Level", *, as_json: bool) -> None:
    from headrace.cli.console import console
    from headrace.emulator.background import DRAIN_SECONDS
    from headrace.emulator.directory import LOCAL_ADMIN, ensure_local_admin
    from headrace.emulator.page_links import page_link
    from headrace.emulator.stack import running_stack

    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with running_stack(folder(), options, observer=console(level, sys.stderr)) as running:
        await ensure_local_admin(folder(), running.endpoint_url)
        click.echo(
            f"database {running.endpoint_url}\nlogs     {folder().logs}\nuser     {LOCAL_ADMIN} (admin)", err=True
        )
        link = page_link(folder(), running.url, LOCAL_ADMIN, datetime.now(UTC))
        click.echo(f"page     {link}\n         works once; `headrace ui` opens another", err=True)
        ready = {"url": running.url, "database": running.endpoint_url, "logs": str(folder().logs), "user": LOCAL_ADMIN}
        click.echo(json_text({**ready, "page": link}) if as_json else f"ready {running.url}")
        sys.stdout.flush()
        await stop.wait()
        _stop_at_once_next_time()
        click.echo(stopping_text(DRAIN_SECONDS, terminal=sys.stderr.isatty()), err=True)


def stopping_text(seconds: float, *, terminal: bool) -> str:
    """What the first Ctrl-C says, in 80 columns; a terminal shows `^C` before it."""
    text = f"stopping: jobs under way end first, for up to {seconds:.0f} s; Ctrl-C again stops at once"
    return f"\n{text}" if terminal else text


def _stop_at_once_next_time() -> None:
    """Let the next signal cancel this task: the stack ends without waiting for jobs."""
    task = asyncio.current_task()
    if task is not None:
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)


@main.command()
@click.option("--keep", is_flag=True, help="Leave the stack running afterwards, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="Print the jobs and how they ended as JSON.")
def demo(keep: bool, as_json: bool) -> None:
    """Run several hundred real jobs on a temporary stack, and show how they ended."""
    from headrace.cli.demo import run_demo

    sys.exit(asyncio.run(run_demo(keep=keep, as_json=as_json)))


for command in (
    cli_jobs.submit, cli_jobs.get, cli_jobs.watch, lists.list_jobs, cli_jobs.cancel, cli_jobs.retry, cli_jobs.signal,
    lists.failed, lanes, schedules, why, types, logs, completion, run, replay, check, new, lock, build, files, users,
    token, credentials, webhooks, stats, cost, ui,
):  # fmt: skip
    main.add_command(command)


@main.command()
@click.argument("function")
@click.option("--event", "event", required=True, type=click.File("rb"), help="A file with the event; - is stdin.")
@click.option("--endpoint-url", type=URL, help="The database; by default that of this folder's stack.")
@click.option("--json", "as_json", is_flag=True, help="Print the response, or the error, with the log's lines.")
def invoke(function: str, event: BinaryIO, endpoint_url: str | None, as_json: bool) -> None:
    """Invoke FUNCTION (its folder, such as worker) once with an event, in a separate process, without Docker.

    The response is JSON anyway, on stdout; the log goes to stderr.
    """
    from headrace.cli.invoke import invoke_once

    document = read_json(read_limited(event, "the event"), "the event")
    if not isinstance(document, dict):
        fail("the event is not a JSON object", ExitCode.INVALID)
    sys.exit(asyncio.run(invoke_once(folder(), function, document, endpoint_url, as_json=as_json)))


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def doctor(as_json: bool) -> None:
    """Check the local stack's requirements, and report what is missing."""
    from headrace.cli.doctor import checks

    findings = checks(folder())
    if as_json:
        click.echo(json_text([finding.model_dump() for finding in findings], indent=2))
    for finding in () if as_json else findings:
        click.echo(f"{'ok  ' if finding.ok else 'FAIL'}  {finding.what}: {finding.detail}")
    sys.exit(ExitCode.OK if all(finding.ok for finding in findings) else ExitCode.ERROR)
