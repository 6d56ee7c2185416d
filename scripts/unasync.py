"""Writes the synchronous twin of the client's asynchronous code: `_async` to `_sync`, in the package and in its tests.

Only the words differ that make code asynchronous, so that one source has all behaviour and mypy checks both.
`make docs` runs it; a test compares what it would write with what is committed.
"""

import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

CLIENT: Final = Path("clients/python")
SOURCES: Final = (CLIENT / "src" / "headrace_client" / "_async", CLIENT / "tests" / "_async")
NOTE = "# Generated from _async by scripts/unasync.py: change that, and run `make docs`.\n"
_RULES: Final = tuple(
    (re.compile(found), put)
    for found, put in (
        (r"\basync (def|with|for)\b", r"\1"),
        (r"\bawait ", ""),
        (r"\bStopAsyncIteration\b", "StopIteration"),
        (r"\b_?Async(?=[A-Z])", ""),
        (r"\basync_", ""),
        (r"__a(enter|exit)__", r"__\1__"),
        (r"\baclose\b", "close"),
        (r"\baiter_bytes\b", "iter_bytes"),
        (r"\b_async\b", "_sync"),
        (r"^\"\"\"The source of truth.*?\"\"\"$", '"""The twin of `_async`."""'),
    )
)


def synchronous(source: str) -> str:
    """The synchronous twin of a module's text, not yet formatted."""
    text = source
    for found, put in _RULES:
        text = found.sub(put, text)
    return NOTE + text


def twins(root: Path) -> Mapping[str, str]:
    """Every generated file's path from `root`, and its content."""
    files = [file for folder in SOURCES for file in sorted((root / folder).glob("*.py"))]
    return {_twin(file, root): _formatted(root, _twin(file, root), synchronous(file.read_text())) for file in files}


def _twin(file: Path, root: Path) -> str:
    return (file.parent.with_name("_sync") / file.name).relative_to(root).as_posix()


def _formatted(root: Path, path: str, text: str) -> str:
    ruff = str(Path(sys.executable).with_name("ruff"))
    for command in (("check", "--quiet", "--select=I", "--fix"), ("format", "--quiet")):
        options = (ruff, *command, "--no-cache", "--stdin-filename", path, "-")
        text = subprocess.run(options, input=text, stdout=subprocess.PIPE, text=True, check=True, cwd=root).stdout
    return text
