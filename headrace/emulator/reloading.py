"""Hot reload: when code changes, functions run the new code from their next invocation on."""

import asyncio
import importlib.util
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from watchfiles import Change, awatch

from headrace.emulator.cloudformation import TEMPLATE
from headrace.emulator.code_folders import CodeFolders
from headrace.emulator.database import StackError
from headrace.emulator.function_pool import FunctionPool
from headrace.emulator.handler_variables import HandlerVariables
from headrace.emulator.observer import CannotStart, Observer
from headrace.emulator.project_changes import ProjectSettings
from headrace.emulator.template import declared_job_types
from headrace.project.settings import FILE

DEBOUNCE_MS = 300
"""Changes that come one after another are one reload, but for at most this long."""
SHOWN_FILES = 3

Files = tuple[Path, ...]


@dataclass(frozen=True)
class Reloaded:
    """The functions that are reloaded, by what invokes them."""

    by_stream: Mapping[str, FunctionPool]
    """They run jobs: while the code cannot be imported, their invocations wait for the fix."""
    by_request: Mapping[str, FunctionPool]
    """They run the old code meanwhile, so that jobs can still be submitted."""
    by_schedule: Mapping[str, FunctionPool]
    """Nobody waits for them: they run the old code too, and are reloaded after the others."""


async def reload_on_change(
    folders: Callable[[], CodeFolders], functions: Reloaded, observer: Observer, variables: HandlerVariables
) -> None:
    """Reload the functions whenever code changes, or a file of their handlers' variables, until cancelled."""
    changed: asyncio.Queue[Files] = asyncio.Queue()
    project = ProjectSettings()
    watched: set[Path] = set()
    async with asyncio.TaskGroup() as group:
        while True:
            found = folders()  # Anew after each change: a new package beside the job types is watched too.
            flat = (*found.flat, *_other_folders(variables.files, found.deep))
            for paths, recursive in ((found.deep, True), (flat, False)):
                new = tuple(path for path in dict.fromkeys(paths) if path not in watched and path.is_dir())
                if new:
                    watched.update(new)
                    matters = partial(_matters, variables.files)
                    group.create_task(_watch(new, matters, changed, observer, recursive=recursive))
            await _reload(await changed.get(), functions, observer, variables, project)


def report_broken(errors: Sequence[StackError | None], observer: Observer) -> bool:
    """Report each reason why functions cannot start once, although several cannot for the same one."""
    told: set[str] = set()
    for error in errors:
        reason = error.reason if isinstance(error, CannotStart) else str(error)
        if error is not None and reason not in told:
            told.add(reason)
            observer.cannot_start(error)
    return bool(told)


def reloaded_text(files: Files, seconds: float) -> str:
    """The line for the terminal."""
    names = sorted(_short(file) for file in files)
    more = f" and {len(names) - SHOWN_FILES} more" if len(names) > SHOWN_FILES else ""
    return f"reloaded: {', '.join(names[:SHOWN_FILES])}{more} ({seconds:.1f} s)"


async def _reload(
    files: Files, functions: Reloaded, observer: Observer, variables: HandlerVariables, project: ProjectSettings
) -> None:
    if TEMPLATE in files:
        observer.report(f"{_short(TEMPLATE)} changed: restart `headrace dev` to use it", "news")
    declared = _declared_anew(files, variables, observer, project)
    code = tuple(file for file in files if file.suffix == ".py")
    settings = (*declared, *(file for file in files if file in variables.files))
    used = settings if settings and _read_anew(variables, observer) else ()
    if not code and not used:
        return
    began = time.monotonic()
    _forget_compiled(code)
    by_request, by_schedule = (functions.by_request, functions.by_schedule) if code else ({}, {})
    errors = await asyncio.gather(
        *(pool.reload() for pool in functions.by_stream.values()),
        *(pool.reload(keep_old=True) for pool in by_request.values()),
    )
    if not report_broken(errors, observer):
        observer.report(reloaded_text((*code, *used), time.monotonic() - began), "news")
        later = await asyncio.gather(*(pool.reload(keep_old=True) for pool in by_schedule.values()))
        report_broken(later, observer)


def _declared_anew(files: Files, variables: HandlerVariables, observer: Observer, project: ProjectSettings) -> Files:
    """The project's file, if it has changed and gives handlers other variables than before.

    What else a person has to know of the change is reported; with any change, why `headrace dev` would not start now.
    """
    concerned = project.concerns(files)
    try:
        if not concerned:
            declared_job_types(os.environ)
            return ()
        change = project.read()
    except StackError as error:
        observer.report(f"{error}; what it said before stays in use" if concerned else str(error), "problem")
        return ()
    for sentence in change.told:
        observer.report(sentence, "news")
    if change.environment is None:
        return ()
    variables.declare(change.environment)
    return tuple(file for file in files if file.name == FILE)


def _read_anew(variables: HandlerVariables, observer: Observer) -> bool:
    """Whether the handlers' variables could be read; if not, environments that start have those from before."""
    try:
        notes = variables.read()
    except StackError as error:
        observer.report(f"{error} Handlers keep the variables that they had.", "problem")
        return False
    for note in notes:
        observer.report(note, "problem")
    return True


def _other_folders(files: Files, deep: Files) -> Files:
    """The folders of files that no other watch sees."""
    return tuple(file.parent for file in files if not any(file.is_relative_to(folder) for folder in deep))


async def _watch(
    paths: Files,
    matters: Callable[[Change, str], bool],
    changed: asyncio.Queue[Files],
    observer: Observer,
    *,
    recursive: bool,
) -> None:
    try:
        async for found in awatch(*paths, watch_filter=matters, debounce=DEBOUNCE_MS, recursive=recursive):
            changed.put_nowait(tuple(sorted({Path(path) for _, path in found})))
    except OSError as error:
        reason = f"the system cannot watch {_short(paths[0])} ({error.strerror or error})"
        observer.report(f"{reason}: restart `headrace dev` after changes", "problem")


def _matters(settings: Files, _change: Change, path: str) -> bool:
    file = Path(path)
    if "__pycache__" in file.parts or file.name.startswith(".#"):
        return False
    return file.suffix == ".py" or file in settings or file == TEMPLATE or file.name == FILE or file.is_dir()


def _forget_compiled(files: Files) -> None:
    """Remove compiled code, which Python would use if the file has the same size and was changed in the same second."""
    for file in files:
        with suppress(OSError):
            Path(importlib.util.cache_from_source(str(file))).unlink()


def _short(file: Path) -> str:
    """As a person who works in the current folder would name it."""
    with suppress(ValueError):
        return str(file.relative_to(Path.cwd()))
    return str(file)
