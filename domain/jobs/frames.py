"""Where in a handler's code an exception came from: its traceback, trimmed to the frames that its author knows."""

from collections.abc import Iterable, Iterator
from itertools import dropwhile, groupby
from types import FrameType, TracebackType

from domain.jobs.job import Frame
from domain.jobs.source_files import is_handlers, is_headrace, name_below_path
from headrace.authoring.json_text import storable

MAX_FRAMES = 10
"""Frames that are kept: the first two, which say how the code was reached, and the last, where it ended."""
_FIRST = 2
_MAX_CAUSES = 100
_MAX_NAME = 300


class _Step:
    """One entry of a traceback, with the identity of its frame: a function that calls itself has many."""

    def __init__(self, frame: FrameType, line: int) -> None:
        self.frame = frame
        self.line = line

    @property
    def file(self) -> str:
        return self.frame.f_code.co_filename


def frames_of(error: BaseException) -> tuple[Frame, ...]:
    """The frames of the handler that led to `error`, outermost first; none when only Headrace's own did.

    At most `MAX_FRAMES`; calls that repeat one place (recursion) are one. Where a chain of exceptions has an origin (an
    explicit cause, the first exception of a group), they lead to that. Frames of installed packages and of Python are
    left out, unless there are no others. Whatever the exception's own methods do, nothing is raised.
    """
    try:
        errors = tuple(_to_the_origin(error))
        steps = _steps_of(errors)
        once = [next(same) for _, same in groupby(_trimmed(steps), lambda step: (step.frame.f_code, step.line))]
        unparsed = _unparsed(errors[-1])
        return (*(_frame(step) for step in _bounded(once, MAX_FRAMES - len(unparsed))), *unparsed)
    except BaseException:  # noqa: BLE001 - an exception's class is user code too
        return ()


def origin_of(error: BaseException) -> BaseException:
    """The exception that the frames of `error` lead to: the error itself, or the one that it came from."""
    return tuple(_to_the_origin(error))[-1]


def _to_the_origin(error: BaseException) -> Iterator[BaseException]:
    """The error, then what it came from, step by step; a chain may be a circle."""
    current: BaseException | None = error
    for _ in range(_MAX_CAUSES):
        if current is None:
            return
        yield current
        current = current.exceptions[0] if isinstance(current, BaseExceptionGroup) else current.__cause__


def _steps_of(errors: Iterable[BaseException]) -> list[_Step]:
    """One stack for the whole chain, as it stood when the origin was raised.

    The traceback of a cause begins in the function that caught it, which the outer one has passed as well; an exception
    of another task begins anew, below the place that waited for it.
    """
    steps: list[_Step] = []
    for error in errors:
        inner = list(_walk(error.__traceback__))
        first = inner[0].frame if inner else None
        shared = next((place for place, step in enumerate(steps) if step.frame is first), len(steps))
        steps = [*steps[:shared], *inner]
    return steps


def _walk(traceback: TracebackType | None) -> Iterator[_Step]:
    while traceback is not None:
        yield _Step(traceback.tb_frame, traceback.tb_lineno or 0)
        traceback = traceback.tb_next


def _trimmed(steps: Iterable[_Step]) -> list[_Step]:
    beyond = [*dropwhile(lambda step: is_headrace(step.file), steps)]
    handlers = {file for file in {step.file for step in beyond} if is_handlers(file)}
    return [step for step in beyond if step.file in handlers] or beyond


def _frame(step: _Step) -> Frame:
    function = storable(step.frame.f_code.co_qualname, _MAX_NAME)
    return Frame(file=_named(step.file), line=step.line, function=function)


def _unparsed(error: BaseException) -> list[Frame]:
    """The place in a file that Python could not read: no frame stands there, for it never ran."""
    match error:
        case SyntaxError(filename=str(file), lineno=int(line)) if not file.startswith("<"):
            return [Frame(file=_named(file), line=line, function="<module>")]
        case _:
            return []


def _named(file: str) -> str:
    return storable(name_below_path(file), _MAX_NAME)


def _bounded(steps: list[_Step], limit: int) -> list[_Step]:
    return steps if len(steps) <= limit else [*steps[:_FIRST], *steps[_FIRST - limit :]]
