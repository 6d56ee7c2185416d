"""`headrace invoke` in a project of one's own."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from headrace.cli.main import main
from headrace.project.scaffold import create

NOWHERE = "http://127.0.0.1:1"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("JOB_TYPES", raising=False)
    create(tmp_path / "my-shop")
    monkeypatch.chdir(tmp_path / "my-shop")
    return tmp_path / "my-shop"


def invoke(function: str, event: str, *options: str) -> Result:
    Path("event.json").write_text(event)
    return CliRunner().invoke(main, ["invoke", function, "--event", "event.json", "--endpoint-url", NOWHERE, *options])


def test_a_function_finds_the_projects_job_types(project: Path) -> None:
    done = invoke("worker", '{"Records": []}')
    assert (done.exit_code, json.loads(done.stdout)) == (0, {"batchItemFailures": []}), done.stderr


def test_the_response_and_the_log_may_be_one_document(project: Path) -> None:
    told = json.loads(invoke("worker", '{"Records": []}', "--json").stdout)
    assert told["response"] == {"batchItemFailures": []}
    assert isinstance(told["log"], list)
    (project / "my_shop" / "__init__.py").write_text("import nothing_of_that_name\n")
    failed = invoke("worker", '{"Records": []}', "--json")
    assert (failed.exit_code, json.loads(failed.stdout).keys()) == (1, {"error", "log"})
