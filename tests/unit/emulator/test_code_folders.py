"""Which folders are watched for changes of the code that functions run."""

from pathlib import Path

import pytest

from headrace.emulator.cloudformation import ROOT
from headrace.emulator.code_folders import OWN, code_folders, folder_of_package
from headrace.emulator.reloading import reloaded_text


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for file in ("my_jobs/__init__.py", "shop/prices.py", "tests/test_x.py", ".venv/x.py", "env/x.py", "data/x.csv"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    (tmp_path / "env" / "pyvenv.cfg").touch()
    return tmp_path


def test_a_package_of_ones_own_is_watched_with_what_lies_beside_it(project: Path) -> None:
    found = code_folders("my_jobs", (ROOT, project))
    ours = {path for path in found.deep if path.is_relative_to(project)}
    assert ours == {project / "my_jobs", project / "shop"}
    assert project in found.flat


def test_headraces_own_code_is_watched_in_a_clone_but_not_what_runs_the_stack() -> None:
    found = code_folders("job_types", (ROOT,))
    assert set(found.deep) == {ROOT / "job_types", *(ROOT / name for name in OWN)}
    assert found.flat == (ROOT,)


def test_a_package_that_is_missing_is_waited_for(tmp_path: Path) -> None:
    assert tmp_path in code_folders("no_such_shop", (ROOT, tmp_path)).flat


def test_the_folder_of_a_package_is_the_first_of_the_path_else_where_it_is_installed(project: Path) -> None:
    assert folder_of_package("my_jobs", (ROOT, project)) == project
    installed = folder_of_package("click", (ROOT, project))
    assert installed is not None
    assert installed.name == "site-packages"
    assert code_folders("click", (ROOT, project)).deep[-1] == installed / "click"


def test_the_line_of_a_reload_names_few_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    files = tuple(tmp_path / "my_jobs" / f"{name}.py" for name in "abcde")
    assert reloaded_text(files[:1], 0.84) == "reloaded: my_jobs/a.py (0.8 s)"
    assert reloaded_text(files, 0.84) == "reloaded: my_jobs/a.py, my_jobs/b.py, my_jobs/c.py and 2 more (0.8 s)"
