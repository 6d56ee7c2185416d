"""`headrace run`: one attempt of a job type in this process, where a debugger reaches it."""

import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from headrace.authoring.json_text import to_json_text
from headrace.cli.handler_options import sources_of, use_variables, with_variables
from headrace.cli.target import ExitCode, fail, folder, json_text, read_json, read_limited
from headrace.cli.types import TAG, FiniteNumber

if TYPE_CHECKING:
    from headrace.authoring.job_type import Handler


def with_attempt(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of an attempt in this process."""
    limited = click.option(
        "--timeout",
        type=FiniteNumber(0, min_open=True),
        help="Stop the attempt after so many seconds. By default nothing stops it, for a debugger takes its time;"
        " the handler's deadline is its job type's.",
    )
    logged = click.option(
        "--log-level",
        type=click.Choice(("DEBUG", "INFO", "WARNING", "ERROR"), case_sensitive=False),
        envvar="POWERTOOLS_LOG_LEVEL",
        default="INFO",
        show_default=True,
        help="From which level on the handler's log records are shown.",
    )
    return limited(logged(with_variables(command)))


def use_variables_here(env_files: tuple[Path, ...], aws_profile: str | None) -> None:
    """Give this process the variables of handlers; a stack that runs in this folder is the emulator."""
    use_variables(sources_of(env_files, aws_profile), folder().running())


@click.command()
@click.argument("type")
@click.option("--payload", help="The payload, as JSON.")
@click.option("--file", "source", type=click.File("rb"), help="A file with the payload as JSON; - is stdin.")
@click.option(
    "--attach", multiple=True, type=TAG, metavar="MEMBER=PATH", help="A file of this machine for the payload."
)
@click.option(
    "--signal", "signals", multiple=True, type=TAG, metavar="NAME=JSON", help="A signal that the job was sent."
)
@click.option("--attempt", default=1, show_default=True, type=click.IntRange(1, 100), help="Which attempt it is.")
@click.option("--payload-version", type=click.IntRange(1), help="The payload's version; by default the newest.")
@with_attempt
@click.option("--json", "as_json", is_flag=True, help="Print the whole outcome as JSON.")
def run(
    type: str,
    payload: str | None,
    source: BinaryIO | None,
    attach: tuple[tuple[str, str], ...],
    signals: tuple[tuple[str, str], ...],
    attempt: int,
    payload_version: int | None,
    timeout: float | None,
    log_level: str,
    env_files: tuple[Path, ...],
    aws_profile: str | None,
    as_json: bool,
) -> None:
    """Run one attempt of TYPE in this process.

    No stack is needed, and breakpoint() works. The result goes to stdout, everything else to stderr.
    """
    from domain.jobs.transitions import NewJob
    from headrace.cli.local.context import Given
    from headrace.cli.local.files import LocalFiles
    from headrace.cli.local.handlers import handler_of
    from headrace.cli.local.output import debugger_has_the_terminal
    from headrace.cli.local.shown_attempt import document_of, exit_code, print_result, run_shown

    if (payload is None) == (source is None):
        raise click.UsageError("give either --payload or --file")
    given = payload.encode() if payload is not None else read_limited(source, "the payload") if source else b""
    parsed = read_json(given, "the payload")
    paths = {str(uuid.uuid4()): (member, Path(path)) for member, path in attach}
    for path in (path for _, path in paths.values() if not path.is_file()):
        raise click.UsageError(f"there is no file {str(path)!r}")
    if paths and not isinstance(parsed, dict):
        fail("the payload is not a JSON object, so that it cannot name a file", ExitCode.INVALID)
    if isinstance(parsed, dict):
        parsed = {**parsed, **{member: {"id": id} for id, (member, _) in paths.items()}}
    document = to_json_text(parsed)
    use_variables_here(env_files, aws_profile)
    handler = handler_of(type)
    if source is not None:
        debugger_has_the_terminal(source)
    new = NewJob(
        id=str(uuid.uuid4()),
        owner_id="local",
        type=type,
        payload=document,
        payload_version=version_to_run(handler, payload_version),
        max_attempts=max(attempt, handler.definition.policy.max_attempts),
    )
    sent = {name: read_json(value, f"the signal {name}") for name, value in signals}
    files = LocalFiles({id: path for id, (_, path) in paths.items()})
    ended = run_shown(handler, new, attempt, timeout, log_level, files, Given({}, sent))
    if as_json:
        click.echo(json_text(document_of(ended), indent=2))
    else:
        print_result(ended)
    sys.exit(exit_code(ended))


def version_to_run(handler: "Handler", given: int | None) -> int:
    """The version of a payload, by default the newest; one that is newer than the job type ends the command."""
    name, newest = handler.definition.name, handler.definition.payload_version
    if given is not None and given > newest:
        fail(f"the payload is of version {given}, and {name} here runs versions up to {newest}", ExitCode.INVALID)
    return given or newest
