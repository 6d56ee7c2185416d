"""The options of commands that run handlers: where their environment variables and AWS credentials come from."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from headrace.emulator.handler_variables import Sources
    from headrace.emulator.state import Running


def with_variables(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options `--env-file` and `--aws-profile`."""
    files = click.option(
        "--env-file",
        "env_files",
        multiple=True,
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="A file with environment variables of handlers, instead of .env here; of several, the last is preferred."
        " The shell's variables are preferred to all.",
    )
    profile = click.option(
        "--aws-profile",
        metavar="NAME",
        help="Let handlers' own AWS clients use the credentials and region of this profile, for real.",
    )
    return files(profile(command))


def sources_of(env_files: tuple[Path, ...], aws_profile: str | None) -> "Sources":
    """What the options, this shell and this project say."""
    from headrace.emulator.current_project import current_project, project_folder
    from headrace.emulator.handler_variables import sources

    project, found = current_project(), sources(env_files, aws_profile, os.environ, project_folder())
    return found if project is None else found.model_copy(update={"declared": project.known_environment})


def use_variables(sources: "Sources", running: "Running | None") -> None:
    """Give this process the variables that a handler has in a worker: it runs here.

    Without a profile its AWS clients have dummy credentials, and those of DynamoDB and S3 call the stack, if one runs.
    """
    from functions.settings import ENDPOINT_VARIABLE, JOB_TYPES_VARIABLE, LOCAL_VARIABLES, S3_ENDPOINT_VARIABLE
    from headrace.emulator.cloudformation import written
    from headrace.emulator.database import local_credentials
    from headrace.emulator.handler_variables import is_of_credentials, profile_variables, read_variables
    from headrace.emulator.project_flaws import own_variables

    profile = profile_variables(sources)
    # Reading the template takes a moment, which a command without a file should not pay.
    of_template = own_variables(written()) if any(file.exists() for file in sources.files) else ()
    own = {JOB_TYPES_VARIABLE, ENDPOINT_VARIABLE, S3_ENDPOINT_VARIABLE, *LOCAL_VARIABLES, *of_template}
    found = read_variables(sources, own)
    for note in found.notes:
        click.echo(note, err=True)
    for name in (*filter(is_of_credentials, sources.shell), ENDPOINT_VARIABLE, S3_ENDPOINT_VARIABLE):
        os.environ.pop(name, None)
    of_stack = (running.endpoint_url, running.s3_url) if running else ("", "")
    endpoints = zip((ENDPOINT_VARIABLE, S3_ENDPOINT_VARIABLE), of_stack, strict=True)
    emulator = local_credentials() | {name: url for name, url in endpoints if url}
    os.environ.update(found.values | (emulator if profile is None else profile))
