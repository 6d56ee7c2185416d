"""Finds the lines of the user's own code that an exception came through: file, line and function, never values."""

import sys
import sysconfig
from collections.abc import Iterator
from functools import cache
from itertools import dropwhile
from pathlib import Path
from traceback import walk_tb
from types import FrameType

from domain.jobs.job import Frame
from headrace.authoring.json_text import storable

MAX_FRAMES = 10
"""The innermost ones are kept: they say what happened."""
MAX_FILE = 200
MAX_FUNCTION = 100

_ROOT = Path(__file__).resolve().parents[2]
_HEADRACE = tuple(f"{_ROOT / package}/" for package in ("domain", "functions", "headrace", "persistence"))
_INSTALLED = tuple(f"{sysconfig.get_path(name)}/" for name in ("stdlib", "platstdlib", "purelib", "platlib"))


def frames_of(error: BaseException) -> tuple[Frame, ...]:
    """The frames of the handler's own code, outermost first.

    Frames of Headrace, of installed packages and of Python itself are left out, unless there are no others. Of an
    exception group, the first exception's frames follow its own. Never raises, whatever the exception's class does.
    """
    try:
        raised = list(_raised_in(error))
    except BaseException:  # noqa: BLE001 - an exception's own attributes may be user code too
        return ()
    outside = list(dropwhile(lambda place: _is_headrace(place[0]), raised))
    own = [place for place in outside if not _is_library(place[0])]
    return tuple(_frame(frame, line) for frame, line in (own or outside or raised)[-MAX_FRAMES:])


def _raised_in(error: BaseException) -> Iterator[tuple[FrameType, int]]:
    yield from walk_tb(error.__traceback__)
    if isinstance(error, BaseExceptionGroup):
        yield from _raised_in(error.exceptions[0])


def _frame(frame: FrameType, line: int) -> Frame:
    file, function = _relative(frame.f_code.co_filename), frame.f_code.co_name
    return Frame(file=storable(file[-MAX_FILE:], MAX_FILE), line=line or 0, function=storable(function, MAX_FUNCTION))


def _is_headrace(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith(_HEADRACE)


def _is_library(frame: FrameType) -> bool:
    file = frame.f_code.co_filename
    return file.startswith(("<", *_INSTALLED, *_HEADRACE)) or _is_packed(file)


def _is_packed(file: str) -> bool:
    """Whether the file is of a package that lies beside the job types, as in the artifact of a function."""
    root = _root(file)
    package = Path(file[len(root) :]).parts[:1]
    return bool(root and package) and package[0].removesuffix(".py").lower() in _packed_in(root)


@cache
def _packed_in(root: str) -> frozenset[str]:
    """The packages installed into `root`, by their metadata: top-level names where given, else the project's name."""
    names = set[str]()
    for metadata in Path(root).glob("*.dist-info"):
        names.add(metadata.name.partition("-")[0].lower())
        listed = metadata / "top_level.txt"
        names.update(listed.read_text().lower().split() if listed.is_file() else ())
    return frozenset(names)


def _relative(file: str) -> str:
    return file[len(_root(file)) :]


def _root(file: str) -> str:
    """The longest folder of `sys.path` that the file lies in, with its last slash; empty when there is none."""
    folders = (f"{folder.rstrip('/')}/" for folder in sys.path if folder)
    return max((folder for folder in folders if file.startswith(folder)), key=len, default="")
