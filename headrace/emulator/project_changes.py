"""What a changed `headrace.toml` means for a stack that runs."""

import os
from collections.abc import Mapping
from pathlib import Path

from headrace.authoring.frozen import Frozen
from headrace.emulator.current_project import current_project
from headrace.emulator.template import declared_job_types
from headrace.project.settings import FILE, Project, project_root


class ProjectChange(Frozen):
    """What has changed."""

    environment: Mapping[str, str] | None
    """The variables of handlers as they are now, if they have changed; then these functions are to be restarted."""
    told: tuple[str, ...]
    """A sentence about each part that a running stack does not take over."""


class _Used(Frozen):
    """What the stack uses of the file."""

    file: Path | None
    job_types: str
    project: Project | None

    @property
    def environment(self) -> Mapping[str, str]:
        return {} if self.project is None else self.project.known_environment


class ProjectSettings:
    """The settings of the current folder's project, as the running stack uses them."""

    def __init__(self) -> None:
        """Raises `StackError` for settings with which no stack could start."""
        self._used = _read()

    def concerns(self, files: tuple[Path, ...]) -> bool:
        """Whether the file that is used is among these, or the one that would be used now."""
        return bool({self._used.file, _file()} & set(files))

    def read(self) -> ProjectChange:
        """Read the file anew; raises `StackError` for one that cannot be used, and then nothing has changed."""
        before, now = self._used, _read()
        # A restart is asked for again with every change, until there has been one.
        self._used = now.model_copy(update={"job_types": before.job_types})
        changed = before.environment != now.environment
        restart = before.job_types != now.job_types
        return ProjectChange(
            environment=now.environment if changed else None,
            told=(
                *((f"{FILE}: the job types are those of {now.job_types} now: restart `headrace dev` to run them",)
                  if restart else ()),
                *((_unused(before.project, now.project),) if not (changed or restart) else ()),
            ),
        )  # fmt: skip


def _unused(before: Project | None, now: Project | None) -> str:
    if before == now:
        return f"{FILE} changed, but no setting in it"
    if before is not None and now is not None and before.job_types != now.job_types:
        return f"{FILE}: the job types are again those that run"
    return f"{FILE} changed: rights, parameters and values without a default count on AWS alone; nothing restarts here"


def _read() -> _Used:
    return _Used(file=_file(), job_types=declared_job_types(os.environ), project=current_project())


def _file() -> Path | None:
    root = project_root(Path.cwd())
    return None if root is None else root / FILE
