"""Whose code a source file holds (a handler's, Headrace's, a package's, Python's), and how it is named."""

import os
import sys
import sysconfig
from collections.abc import Iterable
from functools import cache
from pathlib import Path

_ROOT = Path(__file__).parents[2]  # Not resolved: code objects name their files as `sys.path` does.
_ENGINE = tuple(f"{_ROOT / package}{os.sep}" for package in ("domain", "functions", "headrace", "persistence"))
_PYTHON = tuple({f"{sysconfig.get_path(name)}{os.sep}" for name in ("stdlib", "platstdlib")})
_PACKAGE_FOLDERS = frozenset({"site-packages", "dist-packages"})


def is_headrace(filename: str) -> bool:
    """Whether Headrace itself runs there; its built-in job types are handlers like any other."""
    return filename.startswith(_ENGINE)


def is_handlers(filename: str) -> bool:
    """Whether the file belongs to a job type's author: not to Headrace, to Python or to an installed package.

    Code without a file (`<string>`, given to `exec`) is its author's.
    """
    if filename.startswith("<frozen ") or is_headrace(filename):
        return False
    return not (filename.startswith(_PYTHON) or _is_installed(filename))


def name_below_path(filename: str) -> str:
    """The file relative to the folder on `sys.path` that it was imported from; as it is when there is none."""
    folder = _folder_of(filename)
    return filename if folder is None else os.path.relpath(filename, folder).replace(os.sep, "/")


def _is_installed(filename: str) -> bool:
    if _PACKAGE_FOLDERS & set(Path(filename).parts):
        return True
    folder = _folder_of(filename)
    if folder is None:
        return False
    top = Path(os.path.relpath(filename, folder)).parts[0].removesuffix(".py")
    return top in _packages_beside(folder)


def _folder_of(filename: str) -> str | None:
    """The innermost folder on `sys.path` above the file."""
    above = (folder for folder in _search_path() if filename.startswith(folder + os.sep))
    return max(above, key=len, default=None)


def _search_path() -> Iterable[str]:
    return (os.path.realpath(folder) if not folder else folder.rstrip(os.sep) for folder in sys.path)


@cache
def _packages_beside(folder: str) -> frozenset[str]:
    """The modules of packages that were unpacked there beside a user's code, as in Lambda's `/var/task`.

    A package names them in `top_level.txt`; those that leave it out are mostly named as their module is.
    """
    return frozenset(name for info in Path(folder).glob("*.dist-info") for name in _names_of(info))


def _names_of(info: Path) -> list[str]:
    declared = info / "top_level.txt"
    return declared.read_text().split() if declared.is_file() else [info.name.split("-")[0].lower()]
