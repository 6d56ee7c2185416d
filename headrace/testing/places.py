"""Says where in the user's own code a handler is."""

import asyncio
import inspect
import linecache
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from types import FrameType

from domain.jobs.source_files import is_headrace, is_library, short_name

_TASK_STEP = asyncio.Handle._run.__code__  # noqa: SLF001 - below it are the loop and who runs it


@dataclass(frozen=True)
class Place:
    """A line of source."""

    file: str
    line: int
    function: str

    def __str__(self) -> str:
        return f"{short_name(self.file)}:{self.line} in {self.function}"

    @property
    def source(self) -> str:
        """The line without its indentation; empty when it cannot be read."""
        return linecache.getline(self.file, self.line).strip()


def caller() -> Place | None:
    """The innermost line of the user's own code that led here, in this task or thread."""
    frame = inspect.currentframe()
    while frame is not None and frame.f_code is not _TASK_STEP:
        if _is_own(frame):
            return _place(frame)
        frame = frame.f_back
    return None


def suspended_at(coroutine: Coroutine[object, object, object]) -> Place | None:
    """The innermost line of the user's own code that a suspended coroutine waits in."""
    own = [frame for frame in _waiting(coroutine) if _is_own(frame)]
    return _place(own[-1]) if own else None


def _waiting(awaited: object) -> Iterator[FrameType]:
    """The frames of a coroutine, of what it awaits, and so on."""
    while inspect.iscoroutine(awaited) and awaited.cr_frame is not None:
        yield awaited.cr_frame
        awaited = awaited.cr_await


def _is_own(frame: FrameType) -> bool:
    file = frame.f_code.co_filename
    return not is_headrace(file) and not is_library(file)


def _place(frame: FrameType) -> Place:
    return Place(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_qualname)
