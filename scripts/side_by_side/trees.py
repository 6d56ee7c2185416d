"""Creates the two source trees, each with its own environment: a copy of this tree, and a worktree of another revision.

Each tree gets a job type that the other does not know, added as a user would add it: with a file and a line.
"""

import dataclasses
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from headrace.emulator.cloudformation import ROOT

BURNS_UNKNOWN_TYPES = "b772ca3"
"""The last revision whose worker claims jobs of a type that it does not know, and so uses up their attempts."""

JOB_TYPE = '''"""A job type that one version knows and the other does not."""

from datetime import timedelta

from pydantic import BaseModel

from headrace.authoring.context import JobContext
from headrace.authoring.job_type import JobType, Policy


class Nothing(BaseModel):
    """No payload, no result."""


class OnlyHere:
    """Succeeds at once, where it is known."""

    definition = JobType[Nothing, Nothing](
        name="{name}",
        summary="Known to one version",
        payload=Nothing,
        result=Nothing,
        policy=Policy(max_attempts=1, timeout=timedelta(seconds=10)),
    )

    async def run(self, _payload: Nothing, _context: JobContext) -> Nothing:
        return Nothing()
'''
REGISTRATION = """
from job_types.only_here import OnlyHere  # noqa: E402

JOB_TYPES = (*JOB_TYPES, OnlyHere())  # type: ignore[assignment]
"""


class CannotPrepare(Exception):
    """The trial cannot be set up; the message says why."""


@dataclasses.dataclass(frozen=True)
class Tree:
    """A source tree with its environment, and the job type that only this tree knows."""

    name: str
    path: Path
    only: str

    @property
    def headrace(self) -> str:
        """The tree's own `headrace` command."""
        return str(self.path / ".venv" / "bin" / "headrace")


@contextmanager
def two_trees(revision: str, folder: Path) -> Iterator[tuple[Tree, Tree]]:
    """Create a copy of this tree, with uncommitted changes, and a worktree of `revision`."""
    this = Tree("this", folder / "this", "only.this")
    other = Tree("other", folder / "other", "only.other")
    _copy(this.path)
    _run("git", "worktree", "add", "--detach", str(other.path), revision)
    try:
        for tree in (this, other):
            (tree.path / "job_types" / "only_here.py").write_text(JOB_TYPE.format(name=tree.only))
            with (tree.path / "job_types" / "__init__.py").open("a") as registry:
                registry.write(REGISTRATION)
            _run("make", "--silent", f"PYTHON={sys.executable}", "setup", folder=tree.path)
        yield this, other
    finally:
        _run("git", "worktree", "remove", "--force", str(other.path))


def burns_unknown_types(revision: str) -> bool:
    """Whether the revision still has the bug that `BURNS_UNKNOWN_TYPES` describes."""
    command = ["git", "merge-base", "--is-ancestor", revision, BURNS_UNKNOWN_TYPES]
    return subprocess.run(command, cwd=ROOT, check=False, capture_output=True).returncode == 0


def _copy(destination: Path) -> None:
    listed = _run("git", "ls-files", "--cached", "--others", "--exclude-standard", "-z")
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (destination / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, destination / name)


def _run(*command: str, folder: Path = ROOT) -> str:
    done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise CannotPrepare(f"`{' '.join(command)}` failed in {folder}: {done.stderr.strip()[-500:]}")
    return done.stdout
