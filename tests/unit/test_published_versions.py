"""A changed parameter reaches the version that the alias `live` invokes, for each function that uses it.

SAM's hash of a function does not see the values of parameters, so a changed one alone would leave the alias at the old
environment. The tests compare the output of AWS's own translator for two values of a parameter.
"""

import re
from collections.abc import Mapping
from functools import cache

import pytest
from pydantic import JsonValue

from functions.settings import LOCAL_VARIABLES
from headrace.emulator.cloudformation import ROOT, TEMPLATE, InvalidParameter, mapping, resolved, translated
from tests.conftest import FUNCTIONS, PARAMETERS

API, WORKER, RUNNER, RECORDER = "ApiFunction", "WorkerFunction", "StandardRunnerFunction", "RecorderFunction"
EVERY = frozenset(FUNCTIONS)
SUBNETS = ",".join(f"subnet-{number:017x}" for number in (1, 2, 3))
GROUPS = ",".join(f"sg-{number:017x}" for number in (1, 2))
STREAM = "arn:aws:dynamodb:eu-central-1:123456789012:table/jobs/stream/2026-11-26T00:00:00.000"
OTHER = {
    "JwtIssuer": "https://other.test",
    "JwtAudience": "other",
    "CursorKey": "x" * 32,
    "ConfigRevision": "2",
    "TrustUnverifiedEmail": "on",
    "UiClientId": "page",
    "UiSignInOrigin": "https://login.test",
    "HttpRequestAllowedHosts": "db.internal:8080",
    "LongestWaitSeconds": "5",
    "FileDays": "7",
    "OwnerConcurrency": "7",
    "DocumentDays": "1000",
    "JobTypes": "other_types",
    "SchedulesPerOwner": "7",
    "OwnerUnfinishedJobs": "7",
    "OwnerSubmissionsPerMinute": "7",
    "EventBus": "told",
    "Statistics": "off",
    "Secrets": "ParameterStore",
    "CorsOrigins": "https://app.example.com",
    "LogLevel": "DEBUG",
    "LogRetentionDays": "90",
    "Architecture": "x86_64",
    "SnapStart": "on",
    "XRay": "on",
    "WorkerTimeoutSeconds": "300",
    "WorkerBatchSize": "5",
    "WorkerParallelization": "2",
    "WorkerWakeConcurrency": "7",
    "StandardRunnerTimeoutSeconds": "300",
    "StandardRunnerBatchSize": "5",
    "StandardRunnerConcurrency": "7",
    "WorkerSubnetIds": SUBNETS,
    "WorkerSecurityGroupIds": GROUPS,
    "ApiReservedConcurrency": "10",
    "WorkerReservedConcurrency": "10",
    "ApiRateLimit": "7",
    "ApiBurstLimit": "7",
    "DeploymentPreference": "Canary10Percent5Minutes",
    "DeploymentAlarms": "off",
    "FailedAttemptsPercent": "10",
    "JobsStreamArn": STREAM,
    "WarmWriteUnits": "15000",
    "DeletionProtection": "off",
    "AlarmEmail": "ops@example.com",
}
"""For each parameter, a value that is not its default."""
CONCERNED = {
    "ConfigRevision": EVERY,
    "JobTypes": EVERY,
    "OwnerConcurrency": EVERY,
    "LogLevel": EVERY,
    "Architecture": EVERY,
    "SnapStart": EVERY,
    "XRay": EVERY,
    "TrustUnverifiedEmail": {API},
    "UiClientId": {API},
    "UiSignInOrigin": {API},
    "LongestWaitSeconds": {API},
    "FileDays": {API, WORKER, RUNNER},
    "DocumentDays": {WORKER},
    "SchedulesPerOwner": {API},
    "HttpRequestAllowedHosts": {WORKER, RUNNER},
    "OwnerUnfinishedJobs": {API},
    "OwnerSubmissionsPerMinute": {API},
    "EventBus": {RECORDER},
    "Statistics": {API, RECORDER},
    "Secrets": {WORKER, RUNNER},
    "WorkerTimeoutSeconds": {WORKER},
    "StandardRunnerTimeoutSeconds": {RUNNER},
    "WorkerSubnetIds": {WORKER, RUNNER},
    "WorkerSecurityGroupIds": {WORKER, RUNNER},
}
"""Which functions a parameter configures; the others configure none."""
UNVERSIONED = {"ReservedConcurrentExecutions", "Tags"}
"""Settings of the function, not of its versions."""
BASE = {**PARAMETERS, "WorkerSubnetIds": "subnet-0a1b2c3d", "WorkerSecurityGroupIds": "sg-0a1b2c3d"}
LONGEST = {
    "ConfigRevision": "r" * 12,
    "TrustUnverifiedEmail": "off",
    "UiClientId": "c" * 40,
    "UiSignInOrigin": f"https://{'h' * 76}",
    "HttpRequestAllowedHosts": "h" * 92,
    "LongestWaitSeconds": "20",
    "FileDays": "3650",
    "DocumentDays": "3650",
    "OwnerConcurrency": "1000",
    "JobTypes": "j" * 28,
    "SchedulesPerOwner": "10000",
    "OwnerUnfinishedJobs": "10000",
    "OwnerSubmissionsPerMinute": "60000",
    "EventBus": "b" * 64,
    "Statistics": "off",
    "Secrets": "SecretsManager",
    "LogLevel": "WARNING",
    "Architecture": "x86_64",
    "SnapStart": "off",
    "XRay": "off",
    "WorkerTimeoutSeconds": "900",
    "StandardRunnerTimeoutSeconds": "900",
    "WorkerSubnetIds": SUBNETS,
    "WorkerSecurityGroupIds": GROUPS,
}


def declared() -> Mapping[str, JsonValue]:
    return mapping(translated(TEMPLATE, PARAMETERS, "s3://bucket/code")["Parameters"])


@cache
def _resources(parameters: tuple[tuple[str, str], ...]) -> Mapping[str, JsonValue]:
    return resolved(TEMPLATE, dict(parameters))


def resources_of(kind: str, parameters: Mapping[str, str]) -> dict[str, dict[str, JsonValue]]:
    found = {name: mapping(spec) for name, spec in _resources(tuple(sorted(parameters.items()))).items()}
    return {name: mapping(spec["Properties"]) for name, spec in found.items() if spec["Type"] == f"AWS::Lambda::{kind}"}


def versions(parameters: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """For each function, what makes CloudFormation replace the version: the resource's name and its description."""
    return {
        str(version["FunctionName"]): (name, str(version["Description"]))
        for name, version in resources_of("Version", parameters).items()
    }


def configurations(parameters: Mapping[str, str]) -> dict[str, dict[str, JsonValue]]:
    """For each function, the configuration that Lambda freezes in a version."""
    return {
        name: {key: value for key, value in function.items() if key not in UNVERSIONED}
        for name, function in resources_of("Function", parameters).items()
    }


def test_every_parameter_is_tested() -> None:
    assert set(OTHER) == set(declared())


def test_every_parameter_and_every_variable_is_in_the_table_of_settings() -> None:
    table = (ROOT / "README.md").read_text().split("## Settings")[1].split("## ")[0]
    variables = {name for function in configurations(BASE).values() for name in variables_of(function)}
    assert {name for name in set(declared()) | variables if f"`{name}`" not in table} == set()
    named = set(re.findall(r"^\| (.+?) \| (.+?) \|", table, re.MULTILINE))
    cells = {name for row in named for cell in row for name in re.findall(r"`(\w+)`", cell)}
    assert cells == set(declared()) | variables | set(LOCAL_VARIABLES), "and nothing that is gone"


def variables_of(function: Mapping[str, JsonValue]) -> set[str]:
    return set(mapping(mapping(function["Environment"])["Variables"]))


@pytest.mark.parametrize("name", OTHER)
def test_a_parameter_publishes_a_version_of_exactly_the_functions_that_use_it(name: str) -> None:
    before, after = versions(BASE), versions({**BASE, name: OTHER[name]})
    assert {function for function in EVERY if before[function] != after[function]} == CONCERNED.get(name, set())


@pytest.mark.parametrize("name", sorted(set(OTHER) - {"CursorKey"}))
def test_a_version_is_published_if_and_only_if_the_configuration_has_changed(name: str) -> None:
    """Lambda publishes no version of an unchanged configuration, which CloudFormation treats as a failure."""
    before, after = configurations(BASE), configurations({**BASE, name: OTHER[name]})
    assert {function for function in EVERY if before[function] != after[function]} == CONCERNED.get(name, set())


def test_a_secret_is_in_no_description() -> None:
    secrets = {name for name, spec in declared().items() if mapping(spec).get("NoEcho")}
    assert secrets == {"CursorKey"}
    assert not [text for _, text in versions(BASE).values() if PARAMETERS["CursorKey"] in text]


def test_no_description_is_longer_than_lambda_permits() -> None:
    descriptions = versions({**PARAMETERS, **LONGEST})
    assert {function: len(text) for function, (_, text) in descriptions.items() if len(text) > 256} == {}
    for function in configurations({**PARAMETERS, **LONGEST}).values():
        assert len(str(function["Description"])) <= 256


@pytest.mark.parametrize("name", CONCERNED)
def test_a_parameter_that_a_description_carries_gets_no_longer(name: str) -> None:
    spec, text = mapping(declared()[name]), LONGEST[name]
    if "AllowedValues" in spec:
        listed = spec["AllowedValues"]
        assert isinstance(listed, list)
        assert len(text) == max(len(str(value)) for value in listed)
        return
    resolved(TEMPLATE, {**PARAMETERS, **LONGEST})
    longer = f"{text},{text.split(',')[0]}" if "," in text else f"{text}{text[-1]}"
    with pytest.raises(InvalidParameter, match=name):
        resolved(TEMPLATE, {**PARAMETERS, **LONGEST, name: longer})


def test_old_versions_are_kept_for_a_rollback() -> None:
    """Whether the version gets another name (by hash), or is replaced under the same name (by description)."""
    for spec in mapping(translated(TEMPLATE, PARAMETERS, "s3://bucket/code")["Resources"]).values():
        if mapping(spec)["Type"] == "AWS::Lambda::Version":
            assert mapping(spec)["DeletionPolicy"] == mapping(spec)["UpdateReplacePolicy"] == "Retain"


def test_a_property_that_is_changed_in_the_template_publishes_a_version_as_well() -> None:
    """The location of the code is such a property."""

    def hashes(code: str) -> set[str]:
        resources = mapping(translated(TEMPLATE, PARAMETERS, code)["Resources"])
        return {name for name, spec in resources.items() if mapping(spec)["Type"] == "AWS::Lambda::Version"}

    assert len(hashes("s3://bucket/one") | hashes("s3://bucket/two")) == 2 * len(EVERY)
