"""Each function gets exactly the variables that it reads; a missing one is named."""

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta

import pytest

from functions.api.http.identity import sam_local_email
from functions.settings import (
    MissingSetting,
    read_api_settings,
    read_settings,
    read_sweeper_settings,
    read_worker_settings,
)
from headrace.emulator.template import Stack
from job_types.http_request import ALLOWED_HOSTS

POWERTOOLS = {"POWERTOOLS_SERVICE_NAME", "POWERTOOLS_METRICS_NAMESPACE"}
"""Variables that Powertools reads itself."""
READERS: Mapping[str, tuple[Callable[[Mapping[str, str]], object], ...]] = {
    "ApiFunction": (read_settings, read_api_settings, sam_local_email),
    "WorkerFunction": (read_settings, read_worker_settings),
    "SweeperFunction": (read_settings, read_sweeper_settings),
}
OF_JOB_TYPES = {"WorkerFunction": {ALLOWED_HOSTS}}


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


@pytest.mark.parametrize("function", READERS)
def test_a_function_gets_the_variables_that_it_reads_and_no_others(stack: Stack, function: str) -> None:
    given = stack.functions[function].environment
    environment = Recorded({**given, "AWS_SAM_LOCAL": "true"})
    for read in READERS[function]:
        read(environment)
    assert set(given) - POWERTOOLS == (environment.names - {"AWS_SAM_LOCAL"}) | OF_JOB_TYPES.get(function, set())


def test_only_the_api_has_the_key_of_cursors_and_the_tables_of_users(stack: Stack) -> None:
    for name in ("CURSOR_KEY", "USERS_TABLE", "USER_EMAILS_TABLE"):
        assert [key for key, function in stack.functions.items() if name in function.environment] == ["ApiFunction"]


@pytest.mark.parametrize("function", READERS)
def test_a_missing_variable_is_named_in_one_sentence(stack: Stack, function: str) -> None:
    given = stack.functions[function].environment
    needed = set(given) - POWERTOOLS - OF_JOB_TYPES.get(function, set()) - {"SAM_LOCAL_EMAIL"}
    for name in needed:
        less = {key: value for key, value in given.items() if key != name}
        with pytest.raises(MissingSetting) as missing:
            [read(less) for read in READERS[function]]
        assert str(missing.value) == f"The environment variable {name} is missing; template.yaml says what it holds."


def test_the_workers_time_limit_is_the_functions_own(stack: Stack) -> None:
    worker = stack.functions["WorkerFunction"]
    assert read_worker_settings(worker.environment).function_timeout == timedelta(seconds=worker.timeout)


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
