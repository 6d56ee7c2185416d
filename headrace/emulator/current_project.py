"""The project that a command is called in."""

from pathlib import Path

from headrace.emulator.database import StackError
from headrace.emulator.project_flaws import project_flaws
from headrace.project.settings import InvalidProject, Project, project_root, read_project


def project_folder() -> Path:
    """The folder of the project: that of the nearest `headrace.toml` at or above the current folder, else this one."""
    here = Path.cwd()
    return project_root(here) or here


def current_project() -> Project | None:
    """What `headrace.toml` says; None outside a project. Raises `StackError` for one that cannot be used."""
    root = project_root(Path.cwd())
    return None if root is None else checked_project(root)


def checked_project(root: Path) -> Project:
    """The project of a folder. Raises `StackError`, with a sentence a line, for one that could not be built."""
    project = read_project(root)
    if isinstance(project, InvalidProject):
        raise StackError(project.reason)
    if flaws := project_flaws(project):
        raise StackError("\n".join(flaws))
    return project
