"""Where the code lies that functions run: Headrace's own, and the package of job types with what lies beside it."""

import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path

from headrace.authoring.frozen import Frozen
from headrace.emulator.cloudformation import ROOT
from headrace.emulator.current_project import project_folder
from headrace.project.code import code_beside

OWN = ("domain", "functions", "headrace/authoring", "persistence")
"""Headrace's code that functions import; the rest of it runs in the stack's own process."""


class CodeFolders(Frozen):
    """The folders that are watched for changes."""

    deep: tuple[Path, ...]
    """With everything below."""
    flat: tuple[Path, ...]
    """Only the files in the folder itself."""


def folder_of_package(package: str, path: Sequence[Path]) -> Path | None:
    """The folder that holds the package: the first of `path`, else where it is installed."""
    for folder in path:
        if (folder / package / "__init__.py").is_file() or (folder / f"{package}.py").is_file():
            return folder
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        return None
    return Path(spec.origin).parent.parent if spec is not None and spec.origin else None


def code_folders(package: str, path: Sequence[Path], root: Path = ROOT) -> CodeFolders:
    """The code to watch for a package of job types: the package, and modules and packages beside it that are no tests.

    Where Headrace itself is installed, it does not change. Of a package that is installed, only its own folder is.
    """
    own = () if _is_installed(root) else tuple(root / name for name in OWN)
    holder = folder_of_package(package, path)
    if holder is None:
        return CodeFolders(deep=own, flat=tuple(path))
    if _is_installed(holder) or holder == root:
        return CodeFolders(deep=(*own, holder / package), flat=tuple(path))
    beside = tuple(path for path in code_beside(holder).values() if path.is_dir())
    return CodeFolders(deep=(*own, *beside), flat=tuple({*path, holder}))


def search_path() -> tuple[Path, ...]:
    """Where functions find code: Headrace's folder, then the project's."""
    here = project_folder()
    return (ROOT,) if here == ROOT else (ROOT, here)


def _is_installed(folder: Path) -> bool:
    return any(folder == Path(each) for each in sys.path if Path(each).name in {"site-packages", "dist-packages"})
