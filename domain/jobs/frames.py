"""Finds the lines of the user's own code that an exception came through: the place and its code, never values."""

from collections.abc import Iterator, Sequence
from itertools import dropwhile, groupby
from traceback import walk_tb
from types import FrameType

from domain.jobs.job import Frame
from domain.jobs.source_files import is_headrace, is_library, short_name
from domain.jobs.source_lines import source_line
from headrace.authoring.json_text import storable

MAX_FRAMES = 10
"""The first two say how the code was reached, the others, which are the innermost, what happened."""
MAX_FILE = 200
MAX_FUNCTION = 100
_FIRST = 2
_MAX_CAUSES = 100

_Place = tuple[FrameType, int]


def frames_of(error: BaseException) -> tuple[Frame, ...]:
    """The frames of the handler's own code, outermost first, to the origin of the error (`origin_of`).

    Frames of Headrace, of installed packages and of Python itself are left out, unless there are no others. Recursion
    is one frame. Never raises, whatever the exception's class does.
    """
    try:
        chain = tuple(_chain(error))
        places = _own(_stack(chain))
        frames = [_frame(*next(same)) for _, same in groupby(places, lambda place: (place[0].f_code, place[1]))]
        return _bounded([*frames, *_unparsed(chain[-1])])
    except BaseException:  # noqa: BLE001 - an exception's own attributes may be user code too
        return ()


def origin_of(error: BaseException) -> BaseException:
    """The first cause of the error (`raise … from`, the first exception of a group), or the error itself."""
    return tuple(_chain(error))[-1]


def _chain(error: BaseException) -> Iterator[BaseException]:
    current: BaseException | None = error
    for _ in range(_MAX_CAUSES):  # A chain of causes can be a circle.
        if current is None:
            return
        yield current
        current = current.exceptions[0] if isinstance(current, BaseExceptionGroup) else current.__cause__


def _stack(chain: Sequence[BaseException]) -> list[_Place]:
    """The stack when the last error of the chain was raised.

    A cause's traceback begins in the frame that caught it, which is in the traceback of the error before it, too; that
    of another task begins anew, below the line that waited for the task.
    """
    stack: list[_Place] = []
    for error in chain:
        inner = list(walk_tb(error.__traceback__))
        shared = next((at for at, (frame, _) in enumerate(stack) if inner and frame is inner[0][0]), len(stack))
        stack = [*stack[:shared], *inner]
    return stack


def _own(raised: list[_Place]) -> list[_Place]:
    outside = list(dropwhile(lambda place: is_headrace(_file(place)), raised))
    own = [place for place in outside if not is_headrace(_file(place)) and not is_library(_file(place))]
    return own or outside or raised


def _file(place: _Place) -> str:
    return place[0].f_code.co_filename


def _frame(frame: FrameType, line: int) -> Frame:
    return _named(frame.f_code.co_filename, line or 0, frame.f_code.co_qualname)


def _unparsed(error: BaseException) -> list[Frame]:
    """The place in a file that Python could not parse: it never ran, so it has no frame."""
    match error:
        case SyntaxError(filename=str(file), lineno=int(line)) if not file.startswith("<"):
            return [_named(file, line, "<module>")]
        case _:
            return []


def _named(file: str, line: int, function: str) -> Frame:
    short = short_name(file)[-MAX_FILE:]
    return Frame(
        file=storable(short, MAX_FILE),
        line=line,
        function=storable(function[-MAX_FUNCTION:], MAX_FUNCTION),
        source=source_line(file, line),
    )


def _bounded(frames: list[Frame]) -> tuple[Frame, ...]:
    return tuple(frames if len(frames) <= MAX_FRAMES else [*frames[:_FIRST], *frames[_FIRST - MAX_FRAMES :]])
