"""Which code of a folder runs beside a package of job types: what is watched, and what may be shipped."""

from collections.abc import Iterator, Mapping
from pathlib import Path

_NOT_CODE = frozenset({"tests", "test", "docs", "build", "dist", "node_modules", "__pycache__"})
NOT_SHIPPED = frozenset({"tests", "conftest.py", "__pycache__"})
"""In a package of job types, or one beside it."""
_NO_MODULE = frozenset({"conftest.py", "setup.py", "noxfile.py"})


def code_beside(folder: Path) -> Mapping[str, Path]:
    """The packages and modules of a folder by the name that they are imported by, without tests, in order."""
    found = sorted(each for each in folder.iterdir() if _has_code(each))
    return {each.name.removesuffix(".py"): each for each in found}


def python_files(path: Path) -> Iterator[Path]:
    """The modules of a package without its tests, or the one module that `path` is, in order."""
    if not path.is_dir():
        yield path
        return
    for each in sorted(path.iterdir()):
        if each.is_dir() and each.name not in NOT_SHIPPED and not each.name.startswith("."):
            yield from python_files(each)
        elif each.suffix == ".py" and each.name not in NOT_SHIPPED:
            yield each


def _has_code(path: Path) -> bool:
    """Whether it is a module, or a folder of them: neither hidden, nor tests, nor a virtual environment."""
    if path.name.startswith(".") or path.name in _NOT_CODE or path.name in _NO_MODULE:
        return False
    if not path.is_dir():
        return path.suffix == ".py" and not path.name.startswith("test_")
    return not (path / "pyvenv.cfg").exists() and any(path.glob("*.py"))
