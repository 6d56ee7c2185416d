"""What README shows works as it is printed."""

import json
import os
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from domain.jobs.catalogue import Catalogue
from domain.jobs.execution import Executed, JobExecutor
from domain.jobs.job import Succeeded
from functions.runtime import new_id, new_random, now
from headrace.authoring.json_text import JsonText
from headrace.cli.main import main
from headrace.emulator.cloudformation import ROOT, TEMPLATE, mapping, translated
from headrace.emulator.template import load_stack
from tests.conftest import PARAMETERS
from tests.e2e.conftest import Stack, clean_environment
from tests.factories import queued
from tests.fakes.job_repository import FakeJobRepository

README = (ROOT / "README.md").read_text()


def block(name: str) -> str:
    found = re.search(rf"<!-- test: {name} -->\n```\w+\n(.*?)```", README, re.DOTALL)
    assert found is not None
    return found.group(1)


def run(script: str, stack: Stack) -> str:
    """The script in the stack's folder, with the stack's port instead of the printed one."""
    bin_folder = str(Path(sys.executable).parent)
    environment = clean_environment() | {"PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script.replace("http://127.0.0.1:8080", stack.url)],
        cwd=stack.folder, env=environment, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_http_lines_work_as_printed(stack_running: Stack) -> None:
    told = run(block("http"), stack_running)
    assert told.startswith("HTTP/1.1 202 Accepted")
    assert "etag:" in told
    documents = [
        json.loads(line) for line in re.findall(r"\{\"(?:id|type)\".*?\}(?=\{|\n|$|HTTP)", told.replace("}{", "}\n{"))
    ]
    statuses = [document["status"] for document in documents]
    assert statuses == ["queued", "succeeded", "scheduled", 422]


def test_the_lines_about_users_work_as_printed(stack_running: Stack) -> None:
    told = run(block("users"), stack_running)
    assert "grace@example.org  admin" in told
    assert told.count('"email":"linus@example.org"') == 2


def test_the_command_lines_work_as_printed(stack_running: Stack) -> None:
    told = run(block("cli"), stack_running)
    assert "succeeded" in told
    assert "ada@example.com  admin" in told
    assert "FAIL" not in told


def test_the_lines_that_run_a_job_in_their_own_process_work_as_printed(stack_running: Stack) -> None:
    told = run(block("run"), stack_running)
    assert told.count('"rows": 1') == 2


async def test_the_job_type_of_the_readme_works(tmp_path: Path) -> None:
    module = tmp_path / "word_count_of_readme.py"
    module.write_text(block("job type"))
    sys.path.insert(0, str(tmp_path))
    try:
        from word_count_of_readme import CountWords  # type: ignore[import-not-found]
    finally:
        sys.path.remove(str(tmp_path))
    jobs, job = FakeJobRepository(), queued(now=now(), type="text.word_count", payload=JsonText('{"text":"a b c"}'))
    await jobs.add(job, now())
    executor = JobExecutor(jobs, Catalogue([CountWords()]), now, new_id, new_random, {})
    executed = await executor.execute(job, now() + timedelta(minutes=1))
    assert isinstance(executed, Executed)
    assert isinstance(executed.job.state, Succeeded)
    assert executed.job.state.result == '{"words":3}'


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
    assert len(alarms) == 13
    sources = "".join(path.read_text() for path in (ROOT / "functions").rglob("*.py"))
    messages = set(re.findall(r"logger\.(?:info|warning|error)\(\s*\"(\w+)\"", sources))
    assert {"job_attempt_finished", "request_crashed"} <= messages
    for name in (*alarms, *messages):
        assert f"`{name}`" in guide, name


def test_the_promise_stands_in_the_readme_in_its_words() -> None:
    assert "at-least-once execution, exactly-once commit of the outcome, fenced" in README
