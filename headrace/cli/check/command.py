"""`headrace check`: compares the job types with the committed lock file, before a change is deployed."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from headrace.cli.target import ExitCode, fail, json_text

if TYPE_CHECKING:
    from headrace.cli.check.lock import Finding, Lock


@click.command()
@click.option("--update", is_flag=True, help="Write the lock file; breaking changes only of the types in --accept.")
@click.option("--accept", multiple=True, metavar="TYPE", help="With --update: accept that jobs of TYPE may break.")
@click.option("--locked", is_flag=True, help="Fail also when the lock file has to be updated, as CI should.")
@click.option(
    "--lock-file",
    "path",
    default="job_types.lock.json",
    show_default=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The lock file.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the changes as JSON.")
def check(update: bool, accept: tuple[str, ...], locked: bool, path: Path, as_json: bool) -> None:
    """Check that jobs in flight survive what has changed in the job types."""
    from headrace.cli.check.lock import Lock, findings, lock_of, lock_text
    from headrace.cli.local.handlers import load_here

    catalogue = load_here()
    before = _read(path)
    if before is None and not update:
        fail(f"there is no {path}; `headrace check --update` writes it, and it is committed", ExitCode.ERROR)
    found = findings(before or Lock(), catalogue)
    _show(found, as_json=as_json)
    text = lock_text(lock_of(catalogue, before or Lock()))
    if _breaks(found, accept if update else ()):
        sys.exit(ExitCode.ERROR)
    if update:
        path.write_text(text)
        click.echo(f"wrote {path}", err=True)
    elif text != path.read_text():
        click.echo(f"{path} has to be updated: `headrace check --update` writes it", err=True)
        sys.exit(ExitCode.ERROR if locked else ExitCode.OK)
    else:
        click.echo(f"{len(catalogue.names())} job types are as {path} has them", err=True)


def _read(path: Path) -> "Lock | None":
    from pydantic import ValidationError

    from headrace.cli.check.lock import Lock

    try:
        return Lock.model_validate_json(path.read_text())
    except FileNotFoundError:
        return None
    except (ValidationError, UnicodeDecodeError):
        why = "resolve its conflicts, or restore it from git; it is written by `headrace check --update`"
        fail(f"{path} is no lock file of this version of Headrace; {why}", ExitCode.INVALID)


def _show(found: "tuple[Finding, ...]", *, as_json: bool) -> None:
    if as_json:
        click.echo(json_text([each.model_dump(mode="json") for each in found], indent=2))
        return
    for each in found:
        click.echo(f"{'BREAKS ' if each.breaking else 'changed'}  {each.type} {each.what}")
        for line in each.details:
            click.echo(f"         {line}")
        if each.remedy:
            click.echo(f"         -> {each.remedy}")


def _breaks(found: "tuple[Finding, ...]", accepted: tuple[str, ...]) -> bool:
    """Whether a change breaks jobs of a type that is not accepted; says what to do."""
    broken = sorted({each.type for each in found if each.breaking} - {*accepted})
    if broken:
        options = " ".join(f"--accept {name}" for name in broken)
        click.echo(
            f"jobs in flight would break; if none are left, `headrace check --update {options}` accepts that", err=True
        )
    return bool(broken)
