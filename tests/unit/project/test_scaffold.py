"""`headrace new` writes a project of the folder's name, and refuses names that cannot be a package's."""

from pathlib import Path

import pytest

from headrace.project.requirements import outdated
from headrace.project.scaffold import CannotCreate, NewProject, create
from headrace.project.settings import Project, read_project


def test_a_project_has_its_own_names_everywhere(tmp_path: Path) -> None:
    folder = tmp_path / "web-shop"
    assert create(folder) == NewProject(folder=folder, package="web_shop")
    texts = {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}
    assert "web_shop/__init__.py" in texts
    assert not [name for name, text in texts.items() if "my_jobs" in text or "my-jobs" in text]
    project = read_project(folder)
    assert isinstance(project, Project)
    assert project == Project(root=folder, job_types="web_shop")
    assert list(outdated(folder)) == []


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("2fast", "letters, digits and underscores only"),
        ("class", "letters, digits and underscores only"),
        ("größe", "letters, digits and underscores only"),
        ("x" * 29, "it may have 28 characters"),
        ("tests", "holds tests, which are not deployed"),
        ("json", "there is a module json already"),
        ("job-types", "there is a module job_types already"),
        ("domain", "there is a module domain already"),
    ],
)
def test_a_name_that_cannot_be_a_packages_is_refused(tmp_path: Path, name: str, told: str) -> None:
    refused = create(tmp_path / name)
    assert isinstance(refused, CannotCreate)
    assert refused.reason.startswith(f"a project cannot be called {name!r}: ")
    assert told in refused.reason
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_empty_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "README.md").write_text("mine")
    assert isinstance(create(tmp_path / "mine"), CannotCreate)
    assert (tmp_path / "mine" / "README.md").read_text() == "mine"
