"""The job types that commands run in their own process."""

from difflib import get_close_matches
from typing import TYPE_CHECKING

import click

from domain.jobs.frames import frames_of
from headrace.cli.frame_text import traceback_text
from headrace.cli.target import ExitCode, fail

if TYPE_CHECKING:
    from domain.jobs.catalogue import Catalogue
    from headrace.authoring.job_type import AnyHandler


def handler_of(type: str) -> "AnyHandler":
    """The handler of a job type; a name that none has ends the command with those that there are."""
    catalogue = _loaded()
    handler = catalogue.handler(type)
    if handler is None:
        near = get_close_matches(type, catalogue.names(), 1)
        meant = f"did you mean {near[0]}? " if near else ""
        known = ", ".join(catalogue.names())
        fail(f"unknown_job_type: there is no {type!r}; {meant}there are: {known}", ExitCode.NOT_FOUND)
    return handler


def _loaded() -> "Catalogue":
    """Every job type. This is the one place where commands load them; code that cannot be loaded ends the command."""
    try:
        from job_types import catalogue

        return catalogue()
    except Exception as error:  # noqa: BLE001 - whatever a job type's module raises when it is imported
        click.echo(traceback_text(frames_of(error)), err=True)
        fail(f"the job types cannot be loaded: {type(error).__name__}: {error}", ExitCode.ERROR)
