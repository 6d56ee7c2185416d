"""Locks a project's requirements: which releases they are, with hashes, for every platform."""

import re
import subprocess
import tempfile
from pathlib import Path

from headrace.authoring.frozen import Frozen
from headrace.project.requirements import LOCK, digest, sources
from headrace.project.uv import uv, uv_environment

OLDEST_PYTHON = "3.11"


class Locked(Frozen):
    """A lock was written."""

    name: str
    packages: int


class NotLocked(Frozen):
    """The requirements cannot be resolved; `reason` is what uv says."""

    reason: str


def lock(folder: Path, own_locks: Path, *, upgrade: bool) -> tuple[Locked, ...] | NotLocked:
    """Write the locks of a project's folder; unless `upgrade`, what is locked keeps its release.

    `own_locks` is the folder with Headrace's locks. What they hold is in every artifact already, in that release, so it
    is left out of the project's locks: they stay as they are when Headrace is upgraded.
    """
    written: list[Locked] = []
    for name, files in sources(folder).items():
        resolved = _resolved(folder, name, files, own_locks, upgrade=upgrade)
        if isinstance(resolved, NotLocked):
            return resolved
        (folder / name).write_text(f"{digest(files)}\n{resolved}")
        written.append(Locked(name=name, packages=len(_names(resolved))))
    return tuple(written)


def _resolved(folder: Path, name: str, files: tuple[Path, ...], own_locks: Path, *, upgrade: bool) -> str | NotLocked:
    constraints = [own_locks / "function-api.txt", *([folder / LOCK] if name != LOCK else [])]
    left_out = _names((own_locks / "function.txt").read_text())
    with tempfile.TemporaryDirectory() as temporary:
        output = Path(temporary, name)
        if (folder / name).is_file():
            output.write_text((folder / name).read_text())
        command = [
            uv(), "pip", "compile", "--quiet", "--universal", "--python-version", OLDEST_PYTHON, "--generate-hashes",
            "--no-emit-index-url", "--no-annotate", "--no-header", "--output-file", str(output),
            *(part for file in constraints for part in ("--constraint", str(file))),
            *(part for package in left_out for part in ("--no-emit-package", package)),
            *(["--upgrade"] if upgrade else []), *map(str, files),
        ]  # fmt: skip
        done = subprocess.run(command, cwd=folder, env=uv_environment(), capture_output=True, text=True, check=False)
        if done.returncode != 0:
            return NotLocked(reason=done.stderr.strip())
        return output.read_text()


def _names(lock_text: str) -> tuple[str, ...]:
    """The packages that a lock names."""
    return tuple(re.findall(r"^([A-Za-z0-9._-]+)==", lock_text, re.MULTILINE))
