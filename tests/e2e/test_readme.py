"""The commands and code of README work as printed."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from headrace.cli.main import main
from headrace.emulator.cloudformation import ROOT, TEMPLATE, mapping, translated
from headrace.emulator.template import load_stack
from tests.conftest import PARAMETERS
from tests.e2e.conftest import Stack, clean_environment

README = (ROOT / "README.md").read_text()
SCHEDULES = (ROOT / "docs/schedules.md").read_text()


def block(name: str, text: str = README) -> str:
    found = re.search(rf"<!-- test: {name} -->\n```\w+\n(.*?)```", text, re.DOTALL)
    assert found is not None
    return found.group(1)


def run(script: str, stack: Stack, program: str = "") -> str:
    """Run the script in the stack's folder, in which it leaves no file, with the stack's port and `$PROGRAM`."""
    before = set(stack.folder.iterdir())
    bin_folder = str(Path(sys.executable).parent)
    environment = clean_environment() | {"PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}", "PROGRAM": program}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script.replace("http://127.0.0.1:8080", stack.url)],
        cwd=stack.folder, env=environment, capture_output=True, text=True, check=False, timeout=180,  # a busy machine
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert set(stack.folder.iterdir()) == before
    return done.stdout


def test_the_http_lines_work_as_printed(stack_running: Stack) -> None:
    output = run(block("http"), stack_running)
    assert output.startswith("HTTP/1.1 202 Accepted")
    assert "etag:" in output
    documents = [
        json.loads(line) for line in re.findall(r"\{\"(?:id|type)\".*?\}(?=\{|\n|$|HTTP)", output.replace("}{", "}\n{"))
    ]
    statuses = [document["status"] for document in documents]
    assert statuses == ["queued", "succeeded", "scheduled", 422]


def test_the_lines_about_schedules_work_as_printed(stack_running: Stack) -> None:
    output = run(block("schedules", SCHEDULES), stack_running)
    assert output.count("nightly  csv.profile  [0 3 * * * Europe/Oslo]  next ") == 2


def test_the_lines_about_users_work_as_printed(stack_running: Stack) -> None:
    output = run(block("users"), stack_running)
    assert "grace@example.org  admin" in output
    assert output.count('"email":"linus@example.org"') == 2


def test_the_command_lines_work_as_printed(stack_running: Stack) -> None:
    output = run(block("cli"), stack_running)
    assert "succeeded" in output
    assert "ada@example.com  admin" in output
    assert "FAIL" not in output


def test_the_program_works_as_printed(stack_running: Stack) -> None:
    program = block("client").replace("http://127.0.0.1:8080", stack_running.url)
    output = run('HEADRACE_TOKEN=$(headrace token dev@example.com) python -c "$PROGRAM"', stack_running, program)
    assert "'rows': 1" in output


def test_the_lines_that_run_a_job_in_their_own_process_work_as_printed(stack_running: Stack) -> None:
    assert run(block("run"), stack_running).count('"rows": 1') == 2


@pytest.mark.parametrize("command", sorted(main.commands))
def test_every_command_is_in_the_readme(command: str) -> None:
    assert re.search(rf"`headrace {command}\b|`{command} ID`|`{command}`", README)
    assert CliRunner().invoke(main, [command, "--help"]).exit_code == 0


def test_every_setting_is_in_the_readme() -> None:
    stack = load_stack(PARAMETERS)
    parameters = mapping(translated(TEMPLATE, PARAMETERS, "s3://local/code")["Parameters"])
    named = {name for function in stack.functions.values() for name in function.environment}
    for name in (*parameters, *named):
        assert f"`{name}`" in README, name


def test_every_alarm_and_every_log_message_is_in_the_operations_guide() -> None:
    guide = (ROOT / "docs" / "operations.md").read_text()
    alarms = re.findall(r"^  (\w+Alarm):$", TEMPLATE.read_text(), re.MULTILINE)
    assert len(alarms) == 17
    sources = "".join(path.read_text() for path in (ROOT / "functions").rglob("*.py"))
    messages = set(re.findall(r"logger\.(?:info|warning|error)\(\s*\"(\w+)\"", sources))
    assert {"job_attempt_finished", "request_crashed"} <= messages
    for name in (*alarms, *messages):
        assert f"`{name}`" in guide, name


def test_the_readme_contains_the_promise_word_for_word() -> None:
    assert "at-least-once execution, exactly-once commit of the outcome, fenced" in README
