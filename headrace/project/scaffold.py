"""Writes a new project: one job type, its test, its settings and a page about it."""

import importlib.util
import keyword
from pathlib import Path

from headrace.authoring.frozen import Frozen
from headrace.project.requirements import LOCK, REQUIREMENTS, digest
from headrace.project.scaffold_files import FILES
from headrace.project.settings import PackageName

MAX_NAME = 28
"""Of the package, as the template's parameter JobTypes has it."""


class NewProject(Frozen):
    """A project was written."""

    folder: Path
    package: PackageName


class CannotCreate(Frozen):
    """Nothing was written; `reason` is a sentence."""

    reason: str


def create(folder: Path) -> NewProject | CannotCreate:
    """Write a project into a folder, which must be new or empty; its name, with `_` for `-`, is its package's."""
    package = folder.name.replace("-", "_").replace(".", "_")
    flaw = _flaw(package)
    if flaw is not None:
        return CannotCreate(reason=f"a project cannot be called {folder.name!r}: {flaw}")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        return CannotCreate(reason=f"{folder} exists already; give the name of a new folder")
    for name, text in FILES.items():
        path = folder / name.replace("my_jobs", package)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("my_jobs", package).replace("my-jobs", folder.name))
    (folder / LOCK).write_text(f"{digest((folder / REQUIREMENTS,))}\n")
    return NewProject(folder=folder, package=package)


def _flaw(package: str) -> str | None:
    if not package.isidentifier() or not package.isascii() or keyword.iskeyword(package):
        return "its package would be called so, and a package's name has letters, digits and underscores only"
    if len(package) > MAX_NAME:
        return f"it may have {MAX_NAME} characters"
    if package == "tests":
        return "a folder of this name holds tests, which are not deployed"
    if importlib.util.find_spec(package) is not None:
        return f"there is a module {package} already, which its package would hide"
    return None
