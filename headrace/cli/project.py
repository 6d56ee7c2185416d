"""`headrace new`, `lock` and `build`: a package of job types of one's own."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from headrace.cli.target import ExitCode, fail, json_text

if TYPE_CHECKING:
    from headrace.project.settings import Project

OUTPUT = ".aws-sam/build"
"""Where `sam deploy` looks for a template by itself."""


@click.command()
@click.argument("name", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the folder and the package as JSON.")
def new(name: Path, as_json: bool) -> None:
    """Write a project into the new folder NAME: a job type, its test, its settings."""
    from headrace.project.scaffold import CannotCreate, create

    created = create(name.absolute())
    if isinstance(created, CannotCreate):
        fail(created.reason, ExitCode.USAGE)
    if as_json:
        click.echo(json_text({"folder": str(created.folder), "package": created.package}, indent=2))
    click.echo(f"{name}: the package {created.package} with one job type; README.md says how to go on", err=True)


@click.command()
@click.option("--upgrade", is_flag=True, help="Take the newest releases, not those that are locked.")
@click.option("--json", "as_json", is_flag=True, help="Print the locks as JSON.")
def lock(upgrade: bool, as_json: bool) -> None:
    """Lock the project's requirements: requirements.txt, and requirements-api.txt if there is one."""
    from headrace.emulator.cloudformation import FILES
    from headrace.project.locking import NotLocked
    from headrace.project.locking import lock as write_locks

    written = write_locks(_project().root, FILES / "requirements", upgrade=upgrade)
    if isinstance(written, NotLocked):
        fail(f"the requirements cannot be locked: {written.reason}", ExitCode.ERROR)
    if not written:
        fail("there is no requirements.txt in the project's folder", ExitCode.NOT_FOUND)
    if as_json:
        click.echo(json_text([each.model_dump() for each in written], indent=2))
    for each in () if as_json else written:
        click.echo(f"{each.name}  {each.packages} {'package' if each.packages == 1 else 'packages'}")


@click.command()
@click.option("--target", envvar="TARGET", help="3.13-arm64 (the default), 3.13-x86_64, or `here` for this machine.")
@click.option(
    "--output", default=OUTPUT, show_default=True, type=click.Path(path_type=Path), help="In the project's folder."
)
@click.option("--json", "as_json", is_flag=True, help="Print the template's path and the sizes as JSON.")
def build(target: str | None, output: Path, as_json: bool) -> None:
    """Build what is deployed from the project: an artifact for each function, and the template."""
    from headrace.build.project_build import NotBuilt, build_project
    from headrace.build.sizes import MEGABYTE
    from headrace.build.targets import DEFAULT_TARGET, UnknownTarget, target_of
    from headrace.emulator.template import declared_job_types

    project, chosen = _project(), target_of(target or DEFAULT_TARGET)
    if isinstance(chosen, UnknownTarget):
        fail(chosen.reason, ExitCode.USAGE)
    click.echo(f"building {project.job_types} for {chosen.text}, and proving what was built", err=True)
    named = project.model_copy(update={"job_types": declared_job_types(os.environ)})
    built = build_project(named, project.root / output, chosen.text)
    if isinstance(built, NotBuilt):
        fail("not built\n" + "\n".join(built.problems), ExitCode.ERROR)
    for note in built.notes:
        click.echo(note, err=True)
    if as_json:
        click.echo(json_text({"template": str(built.template), "bytes": dict(built.sizes)}, indent=2))
        return
    width = max(map(len, built.sizes))
    for function, size in built.sizes.items():
        click.echo(f"{function:<{width}} {size / MEGABYTE:>6.1f} MB unzipped")
    click.echo(str(built.template))


def _project() -> "Project":
    from headrace.emulator.current_project import current_project

    project = current_project()
    if project is None:
        fail("there is no headrace.toml in this folder or above it; `headrace new` makes a project", ExitCode.NOT_FOUND)
    return project
