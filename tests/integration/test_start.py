"""A function starts with the variables of template.yaml, and names a missing one in one sentence."""

import os
import subprocess
import sys

import pytest

from headrace.emulator.database import local_credentials
from headrace.emulator.template import Stack
from tests.conftest import FUNCTIONS


def start(handler: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    ours = {"PATH": os.environ["PATH"], **local_credentials(), **environment}
    module = handler.rpartition(".")[0]
    return subprocess.run(
        [sys.executable, "-c", f"import {module}"], env=ours, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_starts_with_its_own_environment_and_nothing_else(stack: Stack, name: str) -> None:
    function = stack.functions[name]
    started = start(function.handler, function.environment)
    assert started.returncode == 0, started.stderr


@pytest.mark.parametrize("name", ["WorkerFunction", "SweeperFunction"])
def test_a_cold_start_imports_nothing_that_only_the_api_needs(stack: Stack, name: str) -> None:
    function = stack.functions[name]
    of_the_api = ("fastapi", "mangum", "persistence.cursors", "job_listing", "user_repository")
    code = f"import sys, {function.handler.rpartition('.')[0]}\nprint([name for name in sys.modules])"
    ours = {"PATH": os.environ["PATH"], **local_credentials(), **function.environment}
    ran = subprocess.run([sys.executable, "-c", code], env=ours, capture_output=True, text=True, check=True)
    assert "persistence.dynamodb.repositories.job_repository" in ran.stdout
    assert [name for name in of_the_api if name in ran.stdout] == []


def test_a_function_with_a_package_of_job_types_that_is_not_there_says_so(stack: Stack) -> None:
    function = stack.functions["WorkerFunction"]
    told = start(function.handler, {**function.environment, "JOB_TYPES": "no_such_shop"}).stderr.splitlines()[-1]
    assert told.startswith("functions.job_types.InvalidJobTypes: JOB_TYPES=no_such_shop: there is no package")


@pytest.mark.parametrize(
    ("name", "missing"),
    [("ApiFunction", "CURSOR_KEY"), ("WorkerFunction", "JOBS_TABLE"), ("SweeperFunction", "STREAM_POSITIONS_TABLE")],
)
def test_a_function_without_one_of_its_variables_names_it(stack: Stack, name: str, missing: str) -> None:
    """Which variables are needed is tried in tests/unit/test_settings.py."""
    function = stack.functions[name]
    less = {key: value for key, value in function.environment.items() if key != missing}
    assert (
        f"MissingSetting: The environment variable {missing} is missing"
        in start(function.handler, less).stderr.splitlines()[-1]
    )


@pytest.mark.parametrize(("level", "written"), [("WARNING", "['w']"), ("DEBUG", "['d', 'i', 'w']")])
def test_the_logger_keeps_its_level_whatever_lambdas_filter_says(level: str, written: str) -> None:
    """Powertools uses the filter's level as its own, and the filter cannot be set above INFO."""
    code = (
        "import io, json; from aws_lambda_powertools import Logger; from functions.compose import held_to\n"
        f"out = io.StringIO(); logger = held_to(Logger(stream=out), {level!r})\n"
        "logger.debug('d'); logger.info('i'); logger.warning('w')\n"
        "print([json.loads(line)['message'] for line in out.getvalue().splitlines()])"
    )
    ours = {"PATH": os.environ["PATH"], "AWS_LAMBDA_LOG_LEVEL": "INFO", "POWERTOOLS_LOG_LEVEL": level}
    ran = subprocess.run([sys.executable, "-c", code], env=ours, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == written
