"""Decides whose code a source file holds (Headrace's, a library's or the user's), and how the file is named."""

import sys
import sysconfig
from functools import cache
from pathlib import Path

_ROOT = Path(__file__).parents[2]  # Not resolved: code objects name their files as `sys.path` does.
_HEADRACE = tuple(f"{_ROOT / package}/" for package in ("domain", "functions", "headrace", "persistence"))
_PYTHON = tuple({f"{sysconfig.get_path(name)}/" for name in ("stdlib", "platstdlib")})
_PACKAGE_FOLDERS = frozenset({"site-packages", "dist-packages"})


def is_headrace(file: str) -> bool:
    """Whether the file is Headrace's own; its built-in job types are handlers like any other."""
    return file.startswith(_HEADRACE)


def is_library(file: str) -> bool:
    """Whether the file is Python's or an installed package's, or code without a file, as `dataclass` generates it."""
    return file.startswith(("<", *_PYTHON)) or bool(_PACKAGE_FOLDERS & set(Path(file).parts)) or _is_packed(file)


def short_name(file: str) -> str:
    """The file relative to the folder of `sys.path` that it was imported from; as it is if there is none."""
    return file[len(_root(file)) :]


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


def _root(file: str) -> str:
    """The longest folder of `sys.path` that the file lies in, with its last slash; empty when there is none."""
    folders = (f"{folder.rstrip('/') or Path.cwd()}/" for folder in sys.path)
    return max((folder for folder in folders if file.startswith(folder)), key=len, default="")
