"""Each function gets exactly the variables that it reads; a missing one is named."""

import importlib
from collections.abc import Iterator, Mapping
from datetime import timedelta

import pytest

from functions.job_types import load_job_types
from functions.runtime import Runtime
from functions.settings import (
    LOCAL_VARIABLES,
    MissingSetting,
    read_api_settings,
    read_runner_settings,
    read_schedule_settings,
    read_settings,
    read_worker_settings,
)
from headrace.emulator.template import LambdaFunction, Stack
from tests.conftest import FUNCTIONS, STACK, parts_on

POWERTOOLS = {"POWERTOOLS_SERVICE_NAME", "POWERTOOLS_METRICS_NAMESPACE"}
"""Variables that Powertools reads itself."""
OF_EVERY_FUNCTION = set.intersection(*(set(each.environment) for each in STACK.functions.values()))
"""Variables from the template's Globals, whether a function needs them or not."""
OF_LAMBDA = {"AWS_SAM_LOCAL", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE"}
"""Variables that Lambda or the SAM CLI sets."""
OF_THE_LOCAL_STACK = set(LOCAL_VARIABLES)
"""Variables that only `headrace dev` sets."""
JOB_TYPES = load_job_types("job_types")
OF_JOB_TYPES = {
    name for each in JOB_TYPES.names() if (job_type := JOB_TYPES.definition(each)) for name in job_type.settings
}
"""What the worker passes on to job types that declare it."""


class Recorded(Mapping[str, str]):
    """An environment that records which variables are read."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables
        self.names: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.names.add(name)
        return self._variables[name]

    def __iter__(self) -> Iterator[str]:
        raise AssertionError("read as a whole")

    def __len__(self) -> int:
        raise AssertionError("read as a whole")


@pytest.fixture(scope="module")
def runtime() -> Iterator[Runtime]:
    runtime = Runtime("http://127.0.0.1:1")
    yield runtime
    runtime.close()


def start(function: LambdaFunction, environment: Mapping[str, str], runtime: Runtime) -> None:
    """Read what the function reads at start; one that is not made of parts reads nothing."""
    module = importlib.import_module(function.handler.rpartition(".")[0])
    if hasattr(module, "build"):
        read_settings(environment)
        module.build(parts_on(runtime, JOB_TYPES, environment))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_gets_the_variables_that_it_reads_and_no_others(stack: Stack, runtime: Runtime, name: str) -> None:
    function = stack.functions[name]
    environment = Recorded({**function.environment, "AWS_SAM_LOCAL": "true"})
    start(function, environment, runtime)
    assert environment.names - OF_LAMBDA - OF_THE_LOCAL_STACK <= set(function.environment)
    assert set(function.environment) - environment.names <= POWERTOOLS | OF_JOB_TYPES | OF_EVERY_FUNCTION


def test_what_every_function_gets_is_read_by_one(stack: Stack, runtime: Runtime) -> None:
    environment = Recorded(stack.functions["WorkerFunction"].environment)
    start(stack.functions["WorkerFunction"], environment, runtime)
    assert OF_EVERY_FUNCTION - environment.names == POWERTOOLS


def test_what_runs_jobs_has_what_the_job_types_declare(stack: Stack) -> None:
    running = {"WorkerFunction", "StandardRunnerFunction"}
    assert {name for name, each in stack.functions.items() if OF_JOB_TYPES & set(each.environment)} == running
    assert all(set(stack.functions[name].environment) >= OF_JOB_TYPES for name in running)


def test_only_the_api_has_the_key_of_cursors_and_the_addresses_of_users(stack: Stack) -> None:
    for name in ("CURSOR_KEY", "USER_EMAILS_TABLE"):
        assert [key for key, function in stack.functions.items() if name in function.environment] == ["ApiFunction"]
    # The worker looks up the owner of a schedule, by id.
    users = {key for key, function in stack.functions.items() if "USERS_TABLE" in function.environment}
    assert users == {"ApiFunction", "WorkerFunction"}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_missing_variable_is_named_in_one_sentence(stack: Stack, runtime: Runtime, name: str) -> None:
    function = stack.functions[name]
    read = Recorded(function.environment)
    start(function, read, runtime)
    for missing in read.names & set(function.environment) - {"SAM_LOCAL_EMAIL"}:
        less = Recorded({key: value for key, value in function.environment.items() if key != missing})
        with pytest.raises(MissingSetting) as failed:
            start(function, less, runtime)
        assert str(failed.value) == f"The environment variable {missing} is missing; template.yaml says what it holds."


@pytest.mark.parametrize("name", ["WorkerFunction", "StandardRunnerFunction"])
def test_a_time_limit_is_the_functions_own(stack: Stack, name: str) -> None:
    function = stack.functions[name]
    read = read_worker_settings if name == "WorkerFunction" else read_runner_settings
    assert read(function.environment).function_timeout == timedelta(seconds=function.timeout)


def test_a_line_that_is_no_runner_is_named(stack: Stack) -> None:
    environment = stack.functions["WorkerFunction"].environment | {"RUNNERS": "standard\n"}
    with pytest.raises(MissingSetting, match=r"RUNNERS has a line that is no runner: \['standard'\]"):
        read_settings(environment)


@pytest.mark.parametrize("text", ["", "a", "-1", "1.5"])
def test_a_number_of_schedules_is_whole(stack: Stack, text: str) -> None:
    environment = {**stack.functions["ApiFunction"].environment, "SCHEDULES_PER_OWNER": text}
    with pytest.raises(MissingSetting, match="SCHEDULES_PER_OWNER must be a whole number"):
        read_schedule_settings(environment)


@pytest.mark.parametrize("text", ["", "a", "-1", "nan", "inf", "1e99"])
def test_an_invalid_number_of_seconds_is_named(stack: Stack, text: str) -> None:
    environment = {**stack.functions["ApiFunction"].environment, "LONGEST_WAIT_SECONDS": text}
    with pytest.raises(MissingSetting, match="LONGEST_WAIT_SECONDS must be a number of seconds"):
        read_api_settings(environment)


def test_a_number_of_seconds_may_have_a_fraction(stack: Stack) -> None:
    """CloudFormation's numbers have fractions."""
    environment = {**stack.functions["ApiFunction"].environment, "LONGEST_WAIT_SECONDS": "2.5"}
    assert read_api_settings(environment).longest_wait == timedelta(seconds=2.5)


@pytest.mark.parametrize(
    ("word", "trusted"), [("on", True), ("off", False), ("", False), ("ON", False), ("true", False)]
)
def test_only_one_word_trusts_unverified_addresses(stack: Stack, word: str, trusted: bool) -> None:
    environment = {**stack.functions["ApiFunction"].environment, "TRUST_UNVERIFIED_EMAIL": word}
    assert read_api_settings(environment).trust_unverified_email is trusted
