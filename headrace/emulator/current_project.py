"""The project that a command is called in."""

from pathlib import Path

from headrace.emulator.database import StackError
from headrace.project.settings import InvalidProject, Project, project_root, read_project


def project_folder() -> Path:
    """The folder of the project: that of the nearest `headrace.toml` at or above the current folder, else this one."""
    here = Path.cwd()
    return project_root(here) or here


def current_project() -> Project | None:
    """What `headrace.toml` says; None outside a project. Raises `StackError` for one that cannot be used."""
    root = project_root(Path.cwd())
    if root is None:
        return None
    project = read_project(root)
    if isinstance(project, InvalidProject):
        raise StackError(project.reason)
    return project
