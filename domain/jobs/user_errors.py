"""Describes the exceptions of user code, whatever their own methods do."""

from typing import Final

from domain.jobs.frames import frames_of, origin_of
from domain.jobs.job import Frame
from domain.jobs.outcomes import Raised
from domain.jobs.transitions import MAX_MESSAGE
from headrace.authoring.children import ChildFailed
from headrace.authoring.files import FileMissing, FileTooLarge
from headrace.authoring.json_text import storable
from headrace.authoring.steps import StepMisused

MAX_DEPTH: Final = 20
"""Of groups of exceptions within one another."""
UNKNOWN: Final = (Frame(file="<unknown>", line=0, function="<unknown>"),)
"""Of an exception that does not tell: an error with frames is known to quote one (`Disclosure`)."""


def raised(error: BaseException) -> Raised:
    """Type, message, origin and frames of an exception, even if its own methods raise.

    What no attempt can mend (a file that is gone) is permanent. So is a group of nothing else, of which the first is
    told: a `TaskGroup` raises one even for a single exception.
    """
    error = _first_of_many(error)
    name = text_of(type(error).__name__)
    message = f"{text_of(error) or name}{_origin_text(error)}"
    if issubclass(type(error), ChildFailed):
        name = "child_failed"
    return Raised(code=name, message=text_of(message), frames=frames_of(error) or UNKNOWN, permanent=_is_lost(error))


def _is_lost(error: BaseException) -> bool:
    return issubclass(type(error), FileMissing | FileTooLarge | StepMisused | ChildFailed)


def _first_of_many(error: BaseException, depth: int = MAX_DEPTH) -> BaseException:
    """The first of a group in which no attempt can mend anything; else the exception itself."""
    # Not a class of the user's, whose members could be anything.
    if (
        not isinstance(error, BaseExceptionGroup)
        or type(error) not in {ExceptionGroup, BaseExceptionGroup}
        or not depth
    ):
        return error
    leaves = [_first_of_many(each, depth - 1) for each in error.exceptions]
    return leaves[0] if all(_is_lost(leaf) for leaf in leaves) else error


def _origin_text(error: BaseException) -> str:
    try:
        origin = origin_of(error)
    except BaseException:  # noqa: BLE001 - it is user code too
        return ""
    return "" if origin is error else f" (from {text_of(type(origin).__name__)}: {text_of(origin)})"


def text_of(value: object) -> str:
    """`str(value)`, cut and made storable; empty when that raises."""
    try:
        return storable(str(value), MAX_MESSAGE)
    except BaseException:  # noqa: BLE001 - it is user code too
        return ""
