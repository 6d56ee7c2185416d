"""Loads the job types of a deployment: the package that the setting `JOB_TYPES` names."""

from __future__ import annotations

import importlib
import importlib.util
import traceback
from typing import TYPE_CHECKING, TypeGuard

from pydantic import ValidationError

from domain.children.cancellation import UnrunCancellation
from domain.jobs.catalogue import Catalogue, DuplicateJobType
from domain.webhooks.delivery import UnrunDelivery
from headrace.authoring.job_type import why_no_job_type

if TYPE_CHECKING:
    from types import ModuleType

    from headrace.authoring.job_type import Handler

TUPLE = "JOB_TYPES"
"""What the package calls its tuple of job types."""


class InvalidJobTypes(ImportError):
    """The setting names no package of job types; the message says what is wrong with it, and where."""


def load_job_types(package: str) -> Catalogue:
    """Import `package` and return the job types in its tuple `JOB_TYPES`, beside Headrace's own.

    Raises `InvalidJobTypes` with one sentence when there is no such package, when it cannot be imported, and when its
    tuple is missing or holds anything but job types with names of their own.
    """
    module = _imported(package)
    listed: object = getattr(module, TUPLE, None)
    if not isinstance(listed, tuple):
        told = "has no tuple" if listed is None else f"has a {type(listed).__name__}, where a tuple is needed, named"
        raise InvalidJobTypes(f"{_setting(package)}: {_file(module)} {told} {TUPLE}; it lists the job types")
    for number, member in enumerate(listed, 1):
        if why := why_no_job_type(member):
            raise InvalidJobTypes(f"{_setting(package)}: member {number} of {TUPLE} in {_file(module)} {why}")
    try:
        return Catalogue((member for member in listed if _is_job_type(member)), (UnrunDelivery(), UnrunCancellation()))
    except DuplicateJobType as error:
        raise InvalidJobTypes(f"{_setting(package)}: {_file(module)} has job types {error}") from error


def _imported(package: str) -> ModuleType:
    if not package.isidentifier() or importlib.util.find_spec(package) is None:
        raise InvalidJobTypes(
            f"{_setting(package)}: there is no package of that name here; it lies beside headrace.toml or `functions`,"
            f" or is installed, and an artifact has the one that it was built with"
        )
    try:
        return importlib.import_module(package)
    except Exception as error:
        raise InvalidJobTypes(
            f"{_setting(package)}: {_line(error, package)} cannot be imported: {_reason(error)}"
        ) from error


def _reason(error: Exception) -> str:
    """In one line; of a `JobType` that cannot be, without what pydantic adds."""
    if isinstance(error, ValidationError):
        flaws = (f"{'.'.join(map(str, flaw['loc']))} {flaw['msg']}" for flaw in error.errors(include_input=False))
        return f"{error.title}: {'; '.join(flaw.removeprefix(' Value error, ') for flaw in flaws)}"
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def _line(error: Exception, package: str) -> str:
    """Where the import failed: the last line of the package that was run, or the one that is not Python."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{_short(error.filename, package)}:{error.lineno}"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if f"/{package}/" in frame.filename]
    return f"{_short(frames[-1].filename, package)}:{frames[-1].lineno}" if frames else package


def _is_job_type(member: object) -> TypeGuard[Handler]:
    return why_no_job_type(member) is None


def _setting(package: str) -> str:
    return f"{TUPLE}={package}"


def _file(module: ModuleType) -> str:
    return _short(module.__file__, module.__name__) if module.__file__ else f"the folder {module.__name__}"


def _short(file: str, package: str) -> str:
    """The file as seen from the folder that the package lies in."""
    before, found, below = file.rpartition(f"/{package}/")
    return f"{package}/{below}" if found else before or file
