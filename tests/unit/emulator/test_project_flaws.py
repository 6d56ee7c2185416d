"""What a build would refuse in a project is refused by all that reads the project, in the same sentence."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from headrace.cli.main import main
from headrace.emulator.cloudformation import ROOT
from headrace.emulator.database import StackError
from headrace.emulator.project_flaws import names_taken, project_flaws
from headrace.emulator.template import declared_job_types
from headrace.project.settings import Project

pytest_plugins = ["pytester"]

DECLARES = 'job_types = "my_jobs"\n'
COMMANDS = {
    "run": ("run", "orders.total", "--payload", "{}"),
    "replay": ("replay", "0f3c", "--url", "http://127.0.0.1:9", "--token", "x"),
    "dev": ("dev", "--port", "0"),
    "check": ("check",),
    "build": ("build",),
}


def by_command(*arguments: str) -> str:
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 1
    return done.stderr.removeprefix("headrace: ").strip()


def by_pytest(pytester: pytest.Pytester) -> str:
    done = pytester.runpytest_inprocess()
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    return "\n".join(done.errlines).removeprefix("ERROR: ").strip()


@pytest.fixture(params=["pytest", *COMMANDS])
def told(
    request: pytest.FixtureRequest, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], str]:
    """What one of those who read the project says of the one in the current folder."""
    monkeypatch.delenv("JOB_TYPES", raising=False)
    (pytester.path / "my_jobs").mkdir()
    (pytester.path / "my_jobs" / "__init__.py").write_text("JOB_TYPES = ()\n")
    (pytester.path / "headrace.toml").write_text(DECLARES)
    name = request.param
    return (lambda: by_pytest(pytester)) if name == "pytest" else (lambda: by_command(*COMMANDS[name]))


@pytest.mark.parametrize("name", ["domain", "functions", "headrace", "job_types", "persistence"])
def test_a_package_with_a_name_of_headraces_is_refused(tmp_path: Path, name: str) -> None:
    assert names_taken(tmp_path) == names_taken(ROOT) == ()
    (tmp_path / f"{name}.py").touch()
    assert names_taken(tmp_path) == (f"{tmp_path / name} has the name of a package of Headrace; give it another",)


def test_all_say_the_same_of_a_package_with_a_name_of_headraces(told: Callable[[], str]) -> None:
    (Path.cwd() / "domain.py").touch()
    assert told() == f"{Path.cwd() / 'domain'} has the name of a package of Headrace; give it another"


@pytest.mark.parametrize(
    ("declared", "sentence"),
    [
        (
            '[environment]\nJOBS_TABLE = "x"',
            "`environment.JOBS_TABLE` is a setting of Headrace itself; give it another name",
        ),
        (
            '[environment]\nBUCKET = "${Missing}"',
            "`environment.BUCKET` refers to Missing, which is no parameter; declare it as [parameters.Missing]",
        ),
        (
            '[environment]\nLEVEL = "${LogLevel}"\n[parameters.LogLevel]',
            "the parameter LogLevel has the name of one of Headrace's own; give it another",
        ),
    ],
)  # fmt: skip
def test_all_say_the_same_of_what_does_not_fit_the_template(
    told: Callable[[], str], declared: str, sentence: str
) -> None:
    Path("headrace.toml").write_text(DECLARES + declared)
    assert told() == f"headrace.toml: {sentence}"


def test_all_say_the_same_of_a_file_that_is_broken(told: Callable[[], str]) -> None:
    Path("headrace.toml").write_text("job_types = ")
    assert told().startswith(f"{Path.cwd() / 'headrace.toml'} is not TOML: ")


def test_tests_run_where_headrace_is_installed_without_what_reads_templates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    declares = Project(root=tmp_path, job_types="my_jobs", environment={"JOBS_TABLE": "x"})
    assert len(project_flaws(declares)) == 1
    monkeypatch.setitem(sys.modules, "samtranslator", None)
    assert project_flaws(declares) == ()


def test_a_project_without_a_file_is_checked_when_the_shell_names_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "domain").mkdir()
    (tmp_path / "domain" / "__init__.py").touch()
    with pytest.raises(StackError, match="domain has the name of a package of Headrace"):
        declared_job_types({"JOB_TYPES": "my_jobs"})
    assert declared_job_types({}) == declared_job_types({"JOB_TYPES": "job_types"}) == "job_types"
