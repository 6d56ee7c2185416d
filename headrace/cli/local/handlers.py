"""Loads the job types that commands run or compare in this process."""

import os
import sys
from difflib import get_close_matches
from typing import TYPE_CHECKING

import click

from domain.jobs.frames import frames_of, origin_of
from functions.job_types import InvalidJobTypes, load_job_types
from headrace.cli.frame_text import traceback_text
from headrace.cli.target import ExitCode, fail
from headrace.emulator.current_project import project_folder
from headrace.emulator.template import declared_job_types

if TYPE_CHECKING:
    from domain.jobs.catalogue import Catalogue
    from headrace.authoring.job_type import Handler


def handler_of(type: str) -> "Handler":
    """The handler of a job type; an unknown name ends the command with those that there are."""
    catalogue = load_here()
    handler = catalogue.handler(type)
    if handler is None:
        near = get_close_matches(type, catalogue.names(), 1)
        meant = f"did you mean {near[0]}? " if near else ""
        known = ", ".join(catalogue.names())
        fail(f"unknown_job_type: there is no {type!r}; {meant}there are: {known}", ExitCode.NOT_FOUND)
    return handler


def load_here() -> "Catalogue":
    """The job types of this project, or that `JOB_TYPES` names, from this folder first; flawed ones end the command."""
    here = str(project_folder())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return load_job_types(declared_job_types(os.environ))
    except InvalidJobTypes as error:
        if origin_of(error) is not error:
            click.echo(traceback_text(frames_of(error)), err=True)
        fail(str(error), ExitCode.ERROR)
