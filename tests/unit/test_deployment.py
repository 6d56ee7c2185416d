"""What AWS would deploy: template.yaml, transformed by AWS's own translator and resolved."""

import json
import re
from collections.abc import Mapping
from graphlib import TopologicalSorter

import pytest
from pydantic import BaseModel, JsonValue, TypeAdapter

from local.cloudformation import TEMPLATE, mapping, resolved, translated
from tests.conftest import PARAMETERS

Resources = Mapping[str, JsonValue]
Properties = dict[str, JsonValue]
FUNCTIONS = ("Api", "Worker", "Sweeper")
JOBS, USERS, EMAILS = ("JobsTable.Arn", "UsersTable.Arn", "UserEmailsTable.Arn")


class Statement(BaseModel):
    Effect: str
    Action: list[str] | str
    Resource: list[str] | str


@pytest.fixture(scope="module")
def resources() -> Resources:
    return deployed()


def deployed(**parameters: str) -> Resources:
    return resolved(TEMPLATE, {**PARAMETERS, **parameters})


def at(value: JsonValue, *path: str | int) -> JsonValue:
    """What stands below `value` at `path`; None when nothing does."""
    for step in path:
        if isinstance(value, dict):
            value = value.get(str(step))
        elif isinstance(value, list) and isinstance(step, int):
            value = value[step]
        else:
            return None
    return value


def of_type(resources: Resources, kind: str) -> dict[str, JsonValue]:
    return {name: at(spec, "Properties") for name, spec in resources.items() if at(spec, "Type") == kind}


def the_only(resources: Resources, kind: str) -> JsonValue:
    (found,) = of_type(resources, kind).values()
    return found


def several(value: list[str] | str) -> list[str]:
    return value if isinstance(value, list) else [value]


def grants(resources: Resources, role: str) -> set[tuple[str, str]]:
    """Every (action, resource) that a role permits."""
    document = at(resources[role], "Properties", "Policies", 0, "PolicyDocument", "Statement")
    statements = TypeAdapter(list[Statement]).validate_python(document)
    assert {statement.Effect for statement in statements} == {"Allow"}
    return {
        (action, target.replace("${", "").replace("}", ""))
        for statement in statements
        for action in several(statement.Action)
        for target in several(statement.Resource)
    }


def test_the_api_may_do_this_and_nothing_else(resources: Resources) -> None:
    assert grants(resources, "ApiRole") == {
        ("dynamodb:GetItem", JOBS),
        ("dynamodb:BatchGetItem", JOBS),
        ("dynamodb:PutItem", JOBS),
        ("dynamodb:Query", f"{JOBS}/index/owner-index"),
        ("dynamodb:Query", f"{JOBS}/index/wake-index"),
        ("dynamodb:Query", f"{JOBS}/index/ended-index"),
        ("dynamodb:Query", f"{JOBS}/index/failed-index"),
        ("dynamodb:GetItem", USERS),
        ("dynamodb:PutItem", USERS),
        ("dynamodb:Query", f"{USERS}/index/email-index"),
        ("dynamodb:PutItem", EMAILS),
        ("dynamodb:DeleteItem", EMAILS),
        ("logs:CreateLogStream", "ApiLogGroup.Arn"),
        ("logs:PutLogEvents", "ApiLogGroup.Arn"),
    }


def test_the_worker_may_neither_scan_nor_delete_nor_search(resources: Resources) -> None:
    assert grants(resources, "WorkerRole") == {
        ("dynamodb:GetItem", JOBS),
        ("dynamodb:PutItem", JOBS),
        ("dynamodb:DescribeStream", f"{JOBS}/stream/*"),
        ("dynamodb:GetRecords", f"{JOBS}/stream/*"),
        ("dynamodb:GetShardIterator", f"{JOBS}/stream/*"),
        ("dynamodb:ListStreams", f"{JOBS}/stream/*"),
        ("sqs:SendMessage", "OnFailureQueue.Arn"),
        ("logs:CreateLogStream", "WorkerLogGroup.Arn"),
        ("logs:PutLogEvents", "WorkerLogGroup.Arn"),
    }


def test_the_sweeper_may_read_one_index_and_write_jobs(resources: Resources) -> None:
    assert grants(resources, "SweeperRole") == {
        ("dynamodb:GetItem", JOBS),
        ("dynamodb:PutItem", JOBS),
        ("dynamodb:Query", f"{JOBS}/index/wake-index"),
        ("logs:CreateLogStream", "SweeperLogGroup.Arn"),
        ("logs:PutLogEvents", "SweeperLogGroup.Arn"),
    }


def test_nobody_may_scan_and_nothing_is_granted_on_everything(resources: Resources) -> None:
    text = json.dumps(of_type(resources, "AWS::IAM::Role"))
    assert "Scan" not in text
    assert '"Resource": "*"' not in text
    assert "dynamodb:*" not in text
    # AWS's own policy for CodeDeploy's role; the functions have none of AWS's.
    managed = {name for name, role in of_type(resources, "AWS::IAM::Role").items() if at(role, "ManagedPolicyArns")}
    assert managed == {"CodeDeployServiceRole"}


def test_the_mapping_has_a_filter_finite_limits_partial_responses_and_a_destination(resources: Resources) -> None:
    mapping = the_only(resources, "AWS::Lambda::EventSourceMapping")
    pattern = at(mapping, "FilterCriteria", "Filters", 0, "Pattern")
    assert json.loads(str(pattern)) == {"dynamodb": {"NewImage": {"status": {"S": ["queued"]}}}}
    assert 0 < int(str(at(mapping, "MaximumRetryAttempts"))) <= 10
    assert 0 < int(str(at(mapping, "MaximumRecordAgeInSeconds"))) <= 86_400
    assert at(mapping, "BisectBatchOnFunctionError") is True
    assert at(mapping, "FunctionResponseTypes") == ["ReportBatchItemFailures"]
    assert at(mapping, "DestinationConfig") == {"OnFailure": {"Destination": "OnFailureQueue.Arn"}}
    assert at(mapping, "StartingPosition") == "TRIM_HORIZON"


def test_every_table_is_kept_protected_encrypted_and_recoverable_and_has_ttl_or_a_reason(resources: Resources) -> None:
    tables = of_type(resources, "AWS::DynamoDB::Table")
    assert len(tables) == 3
    for name, table in tables.items():
        assert at(resources[name], "DeletionPolicy") == at(resources[name], "UpdateReplacePolicy") == "Retain"
        assert at(table, "DeletionProtectionEnabled") is True
        assert at(table, "PointInTimeRecoverySpecification", "PointInTimeRecoveryEnabled") is True
        assert at(table, "SSESpecification", "SSEEnabled") is True
        assert at(table, "TimeToLiveSpecification", "Enabled") or at(resources[name], "Metadata", "WithoutTtl")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_has_a_role_a_log_group_an_alias_and_a_rollback_alarm(resources: Resources, name: str) -> None:
    function = of_type(resources, "AWS::Lambda::Function")[f"{name}Function"]
    assert at(function, "Role") == f"{name}Role.Arn"
    assert at(function, "LoggingConfig") == {"LogFormat": "JSON", "LogGroup": f"{name}LogGroup"}
    assert at(resources[f"{name}LogGroup"], "Properties", "RetentionInDays") == "30"
    assert at(resources[f"{name}FunctionAliaslive"], "Properties", "Name") == "live"
    watched = at(resources[f"{name}FunctionDeploymentGroup"], "Properties", "AlarmConfiguration", "Alarms")
    assert isinstance(watched, list)
    assert {"Name": f"{name}ErrorsAlarm"} in watched
    assert (at(function, "Runtime"), at(function, "Architectures")) == ("python3.13", ["arm64"])


def test_there_are_no_other_functions(resources: Resources) -> None:
    assert set(of_type(resources, "AWS::Lambda::Function")) == {f"{name}Function" for name in FUNCTIONS}


def test_every_alarm_is_published_when_it_starts_and_when_it_ends(resources: Resources) -> None:
    alarms = of_type(resources, "AWS::CloudWatch::Alarm")
    assert len(alarms) == 10, "as many as are free of charge"
    for alarm in alarms.values():
        assert at(alarm, "AlarmActions") == at(alarm, "OKActions") == ["AlarmTopic"]
        assert at(alarm, "AlarmDescription")


def test_the_dashboard_is_json(resources: Resources) -> None:
    body = at(the_only(resources, "AWS::CloudWatch::Dashboard"), "DashboardBody")
    assert len(json.loads(str(body))["widgets"]) == 6


def test_requests_are_limited_and_logged_without_their_query(resources: Resources) -> None:
    stage = the_only(resources, "AWS::ApiGatewayV2::Stage")
    assert at(stage, "DefaultRouteSettings") == {"ThrottlingRateLimit": "100", "ThrottlingBurstLimit": "200"}
    logged = json.loads(str(at(stage, "AccessLogSettings", "Format")))
    assert "$context.path" in logged.values()
    assert not any("claims" in value or "query" in value.lower() for value in logged.values())


def test_by_default_nothing_is_reserved_restored_from_a_snapshot_or_mailed(resources: Resources) -> None:
    for function in of_type(resources, "AWS::Lambda::Function").values():
        assert at(function, "ReservedConcurrentExecutions") is None
        assert at(function, "SnapStart", "ApplyOn") == "None"
    assert not of_type(resources, "AWS::SNS::Subscription")


def test_parameters_turn_it_on() -> None:
    resources = deployed(
        WorkerReservedConcurrency="5", ApiReservedConcurrency="10", SnapStart="on", AlarmEmail="ops@example.com",
        DeletionProtection="off", Architecture="x86_64",
    )  # fmt: skip
    functions = of_type(resources, "AWS::Lambda::Function")
    assert at(functions["WorkerFunction"], "ReservedConcurrentExecutions") == "5"
    assert at(functions["ApiFunction"], "ReservedConcurrentExecutions") == "10"
    for function in functions.values():
        assert at(function, "SnapStart", "ApplyOn") == "PublishedVersions"
        assert at(function, "Architectures") == ["x86_64"]
    assert at(the_only(resources, "AWS::SNS::Subscription"), "Endpoint") == "ops@example.com"
    for table in of_type(resources, "AWS::DynamoDB::Table").values():
        assert at(table, "DeletionProtectionEnabled") is False


def test_no_resource_waits_for_itself() -> None:
    """CloudFormation refuses circles; cfn-lint does not follow the references of an UpdatePolicy."""
    template = translated(TEMPLATE, PARAMETERS, "s3://bucket/code")
    resources = mapping(template["Resources"])
    waits = {name: named_in(spec, frozenset(resources)) - {name} for name, spec in resources.items()}
    # Raises CycleError, with the circle.
    assert set(TopologicalSorter(waits).static_order()) == set(resources)


def named_in(value: JsonValue, names: frozenset[str]) -> set[str]:
    """The resources that `value` refers to, by any intrinsic function or by DependsOn."""
    match value:
        case {"Ref": str(name)} if name in names:
            return {name}
        case {"Fn::GetAtt": [str(name), *_]} if name in names:
            return {name}
        case {"Fn::Sub": str(text)}:
            return set(re.findall(r"\$\{(\w+)", text)) & names
        case dict():
            depends = value.get("DependsOn")
            listed = {str(name) for name in depends} if isinstance(depends, list) else {str(depends)}
            return set().union(listed & names, *(named_in(member, names) for member in value.values()))
        case list():
            return set().union(*(named_in(member, names) for member in value))
        case _:
            return set()
