"""What an artifact is made of: Headrace's code for one function, the job types with what they import, and locks."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from headrace.build.reading import Reading, module_of, read
from headrace.emulator.cloudformation import FILES, ROOT, function_folders, runs_jobs
from headrace.emulator.project_flaws import BUILT_IN, OWN_NAMES
from headrace.project.code import code_beside, python_files
from headrace.project.requirements import LOCK, LOCK_OF_API, sources

SHARED = (
    "domain",
    "persistence",
    "headrace/__init__.py",
    "headrace/transaction.py",
    "headrace/authoring",
    "headrace/http",
)
"""Of every artifact, beside the modules of `functions/`, the folders there that it needs, and the job types."""
EVERY_FUNCTIONS_LOCK = "function.txt"
PAGE = "functions/api/ui/built"
"""The page that the API serves; `make setup` makes it of `ui/`."""


@dataclasses.dataclass(frozen=True)
class Contents:
    """What one artifact holds."""

    code: Mapping[str, Path]
    """Files and folders, by their place in the artifact."""
    own: frozenset[str]
    """The top-level names that are read as code of ours: those of `code`, and the job types wherever they come from."""
    job_types: str
    """The package of job types."""
    of_job_types: frozenset[str]
    """The top-level names of its code: the package, and what it imports from beside it."""
    runs_jobs: bool
    """Whether the function runs the job types; others import their definitions only."""
    locks: tuple[Path, ...]


def contents_of(function: str, job_types: str, folder: Path) -> Contents:
    """What the artifact of a function of template.yaml holds; the job types lie in `folder`, or are a requirement.

    Its folder is the one that its handler names. The packages are those of `requirements/function-FOLDER.txt`, where
    Headrace has such a lock, else those that every function has; besides them the project's: `requirements.lock` for a
    function that runs jobs, `requirements-api.lock` for the others.
    """
    own_folder, runs = function_folders()[function], runs_jobs(function)
    shared = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "functions").glob("*.py"))
    folders = sorted(f"functions/{name}" for name in {own_folder, *_shared_folders(own_folder)})
    code = {source: ROOT / source for source in (*SHARED, *shared, *folders)}
    types = imported_code(job_types, shippable(folder))
    return Contents(
        code={**code, **{path.name: path for path in types.values()}},
        own=frozenset({job_types, *types, *(source.split("/")[0] for source in code)}),
        job_types=job_types,
        of_job_types=frozenset({job_types, *types}),
        runs_jobs=runs,
        locks=(_lock_of(own_folder), *_project_locks(folder, LOCK if runs else LOCK_OF_API)),
    )


def _shared_folders(function_folder: str) -> set[str]:
    """The folders of `functions/` that a function's own imports: what several functions share, without a handler."""
    files = python_files(ROOT / "functions" / function_folder)
    modules = [each.module.split(".") for file in files for each in _reading(file, ROOT).imports]
    named = {module[1] for module in modules if module[0] == "functions" and len(module) > 1}
    return {name for name in named if (ROOT / "functions" / name).is_dir()}


def shippable(folder: Path) -> Mapping[str, Path]:
    """The code that job types may bring along: what lies in their folder, and the built-in job types."""
    beside = {name: path for name, path in code_beside(folder).items() if name not in OWN_NAMES}
    return {BUILT_IN: ROOT / BUILT_IN, **beside}


def imported_code(package: str, beside: Mapping[str, Path]) -> Mapping[str, Path]:
    """The packages and modules of `beside` that `package` imports, also by way of one another, itself included.

    A package is taken as a whole, because it may hold data that its modules read.
    """
    found: dict[str, Path] = {}
    waiting = [package]
    while waiting:
        name = waiting.pop()
        if name in beside and name not in found:
            found[name] = beside[name]
            waiting.extend(_imported_names(beside[name]))
    return dict(sorted(found.items()))


def _imported_names(path: Path) -> set[str]:
    """The top-level names that a module, or any module of a package, imports."""
    files = tuple(python_files(path))
    return {each.module.split(".")[0] for file in files for each in _reading(file, path.parent).imports}


def _reading(file: Path, folder: Path) -> Reading:
    module, is_package = module_of(file.relative_to(folder))
    return read(file.read_bytes(), file.name, module, is_package=is_package)


def _lock_of(function_folder: str) -> Path:
    lock = FILES / "requirements" / f"function-{function_folder}.txt"
    return lock if lock.is_file() else FILES / "requirements" / EVERY_FUNCTIONS_LOCK


def _project_locks(folder: Path, name: str) -> tuple[Path, ...]:
    return (folder / name,) if name in sources(folder) else ()
