"""What an artifact holds: Headrace's code for one function, and of a project's code what its job types import."""

from pathlib import Path

import pytest

from headrace.build.contents import contents_of, imported_code, shippable
from headrace.build.needs import Definitions, Needs, find_needs
from headrace.build.sizes import too_large
from headrace.build.targets import Target, UnknownTarget, target_of
from headrace.emulator.cloudformation import FILES, ROOT
from headrace.project.code import code_beside

FUNCTIONS = ("ApiFunction", "WorkerFunction", "SweeperFunction")


def written(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return written(tmp_path, {
        "my_jobs/__init__.py": "from my_jobs import orders",
        "my_jobs/orders.py": "def run():\n    from shop import prices",
        "my_jobs/tests/test_orders.py": "import fixtures_of_tests",
        "shop/__init__.py": "",
        "shop/prices.py": "import money",
        "money.py": "",
        "unused/__init__.py": "",
        "fixtures_of_tests.py": "",
        "tests/test_shop.py": "",
        ".venv/lib.py": "",
    })  # fmt: skip


def test_what_the_job_types_import_is_shipped_and_nothing_else(project: Path) -> None:
    assert set(imported_code("my_jobs", shippable(project))) == {"money", "my_jobs", "shop"}


def test_the_built_in_job_types_are_shipped_when_they_are_imported(project: Path) -> None:
    assert "job_types" not in contents_of("WorkerFunction", "my_jobs", project).code
    (project / "my_jobs" / "more.py").write_text("from job_types.http_request import DeliverHttpRequest")
    assert contents_of("WorkerFunction", "my_jobs", project).code["job_types"] == ROOT / "job_types"


def test_a_package_that_is_a_requirement_is_read_as_the_projects_own(tmp_path: Path) -> None:
    contents = contents_of("WorkerFunction", "their_jobs", tmp_path)
    assert "their_jobs" in contents.own
    assert "their_jobs" not in contents.code


def test_in_headraces_own_tree_only_the_job_types_are_shipped_beside_the_function() -> None:
    tops = {place.split("/")[0] for place in contents_of("WorkerFunction", "job_types", ROOT).code}
    assert tops == {"domain", "functions", "headrace", "job_types", "persistence"}


def test_requirements_go_into_the_functions_that_run_the_job_types(project: Path) -> None:
    (project / "requirements.txt").write_text("pillow")
    (project / "requirements.lock").touch()
    own = FILES / "requirements"
    assert {name: contents_of(name, "my_jobs", project).locks for name in FUNCTIONS} == {
        "ApiFunction": (own / "function-api.txt",),
        "WorkerFunction": (own / "function.txt", project / "requirements.lock"),
        "SweeperFunction": (own / "function.txt",),
    }
    (project / "requirements-api.txt").write_text("email-validator")
    (project / "requirements-api.lock").touch()
    for name in ("ApiFunction", "SweeperFunction"):
        assert contents_of(name, "my_jobs", project).locks[1:] == (project / "requirements-api.lock",)
    assert contents_of("WorkerFunction", "my_jobs", project).locks[1:] == (project / "requirements.lock",)


def test_code_beside_is_no_test_no_environment_and_nothing_hidden(project: Path) -> None:
    written(project, {"env/pyvenv.cfg": "", "env/x.py": "", "conftest.py": "", "setup.py": "", "data/x.csv": ""})
    assert set(code_beside(project)) == {"fixtures_of_tests", "money", "my_jobs", "shop", "unused"}


# ---- definitions ----


def needs_of(folder: Path, files: dict[str, str], *, runs: bool) -> Needs:
    (folder / "botocore" / "data").mkdir(parents=True)
    definitions = None if runs else Definitions("my_jobs", frozenset({"my_jobs"}))
    return find_needs(written(folder, files), frozenset({"my_jobs"}), frozenset(), "; add it", definitions)


LATE = {
    "my_jobs/__init__.py": "import my_jobs.a",
    "my_jobs/a.py": "def run():\n    import PIL\n    import my_jobs.heavy",
    "my_jobs/heavy.py": "import PIL",
}


def test_a_function_that_runs_no_jobs_needs_what_importing_the_definitions_imports(tmp_path: Path) -> None:
    needs = needs_of(tmp_path, LATE, runs=False)
    assert needs.problems == ()
    assert [file.as_posix() for file in needs.own] == ["my_jobs/__init__.py", "my_jobs/a.py"]


def test_a_function_that_runs_jobs_needs_all_that_they_import(tmp_path: Path) -> None:
    needs = needs_of(tmp_path, LATE, runs=True)
    assert set(needs.problems) == {
        "my_jobs/a.py:2 imports PIL, which no package of the artifact has; add it",
        "my_jobs/heavy.py:1 imports PIL, which no package of the artifact has; add it",
    }


def test_a_package_that_the_definitions_import_at_once_is_missed(tmp_path: Path) -> None:
    needs = needs_of(tmp_path, {"my_jobs/__init__.py": "import PIL"}, runs=False)
    assert needs.problems == ("my_jobs/__init__.py:1 imports PIL, which no package of the artifact has; add it",)


# ---- sizes and targets ----


def test_an_artifact_that_lambda_does_not_take_is_told_with_what_is_largest(tmp_path: Path) -> None:
    written(tmp_path, {"PIL/a.py": "x" * 3_000_000, "PIL/b.py": "x" * 1_500_000, "scipy/a.py": "x" * 2_000_000})
    assert too_large("WorkerFunction", tmp_path, 7_000_000) == ()
    assert too_large("WorkerFunction", tmp_path, 5_000_000) == (
        (
            "the artifact of WorkerFunction has 6.5 MB unzipped, and Lambda takes 5.0 MB; "
            "the largest parts: PIL (4.5 MB), scipy (2.0 MB)"
        ),
    )


def test_a_target_is_a_version_of_python_with_an_architecture_or_this_machine() -> None:
    assert target_of("3.13-arm64") == Target(text="3.13-arm64", version="3.13", architecture="arm64")
    assert target_of("here") == Target(text="here")
    unknown = target_of("3.13-mips")
    assert isinstance(unknown, UnknownTarget)
    assert unknown.reason == "3.13-mips is not `here` and not like 3.13-arm64; architectures: arm64, x86_64"
