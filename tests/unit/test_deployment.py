"""What AWS would deploy: template.yaml, transformed by AWS's own translator and resolved."""

import json
from collections.abc import Mapping

import pytest
from pydantic import JsonValue

from local.template import cloudformation
from tests.conftest import PARAMETERS

Resources = Mapping[str, Mapping[str, JsonValue]]
FUNCTIONS = ("Api", "Worker", "Sweeper")
JOBS, USERS, EMAILS = ("JobsTable.Arn", "UsersTable.Arn", "UserEmailsTable.Arn")


@pytest.fixture(scope="module")
def resources() -> Resources:
    return deployed()


def deployed(**parameters: str) -> Resources:
    return cloudformation({**PARAMETERS, **parameters})["Resources"]  # type: ignore[return-value]  # maps of maps


def of_type(resources: Resources, kind: str) -> dict[str, dict[str, JsonValue]]:
    return {name: spec.get("Properties", {}) for name, spec in resources.items() if spec["Type"] == kind}  # type: ignore[misc]


def grants(resources: Resources, role: str) -> set[tuple[str, str]]:
    """Every (action, resource) that a role permits."""
    found = set()
    for policy in resources[role]["Properties"]["Policies"]:  # type: ignore[index,call-overload]
        for statement in policy["PolicyDocument"]["Statement"]:
            assert statement["Effect"] == "Allow"
            actions, targets = statement["Action"], statement["Resource"]
            for action in actions if isinstance(actions, list) else [actions]:
                for target in targets if isinstance(targets, list) else [targets]:
                    found.add((action, target.replace("${", "").replace("}", "")))
    return found


def test_the_api_may_do_this_and_nothing_else(resources: Resources) -> None:
    assert grants(resources, "ApiRole") == {
        ("dynamodb:GetItem", JOBS),
        ("dynamodb:BatchGetItem", JOBS),
        ("dynamodb:PutItem", JOBS),
        ("dynamodb:Query", f"{JOBS}/index/owner-index"),
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
    managed = [
        spec["ManagedPolicyArns"]
        for spec in of_type(resources, "AWS::IAM::Role").values()
        if "ManagedPolicyArns" in spec
    ]
    assert managed == [
        [
            "arn:${AWS::Partition}:iam::aws:policy/service-role/AWSCodeDeployRoleForLambda".replace(
                "${AWS::Partition}", "aws"
            )
        ]
    ]


def test_the_mapping_has_a_filter_finite_limits_partial_responses_and_a_destination(resources: Resources) -> None:
    (mapping,) = of_type(resources, "AWS::Lambda::EventSourceMapping").values()
    assert mapping["FilterCriteria"] == {
        "Filters": [{"Pattern": '{"dynamodb": {"NewImage": {"status": {"S": ["queued"]}}}}'}]
    }
    assert 0 < int(str(mapping["MaximumRetryAttempts"])) <= 10
    assert 0 < int(str(mapping["MaximumRecordAgeInSeconds"])) <= 86_400
    assert mapping["BisectBatchOnFunctionError"] is True
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["DestinationConfig"] == {"OnFailure": {"Destination": "OnFailureQueue.Arn"}}
    assert mapping["StartingPosition"] == "TRIM_HORIZON"


def test_every_table_is_kept_protected_encrypted_and_recoverable_and_has_ttl_or_a_reason(resources: Resources) -> None:
    tables = of_type(resources, "AWS::DynamoDB::Table")
    assert len(tables) == 3
    for name, table in tables.items():
        assert resources[name]["DeletionPolicy"] == "Retain"
        assert resources[name]["UpdateReplacePolicy"] == "Retain"
        assert table["DeletionProtectionEnabled"] is True
        assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
        assert table["SSESpecification"] == {"SSEEnabled": True}
        metadata = resources[name].get("Metadata") or {}
        assert "TimeToLiveSpecification" in table or (isinstance(metadata, dict) and metadata["WithoutTtl"])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_has_a_role_a_log_group_an_alias_and_a_rollback_alarm(resources: Resources, name: str) -> None:
    function = of_type(resources, "AWS::Lambda::Function")[f"{name}Function"]
    assert function["Role"] == f"{name}Role.Arn"
    assert function["LoggingConfig"] == {"LogFormat": "JSON", "LogGroup": f"{name}LogGroup"}
    assert of_type(resources, "AWS::Logs::LogGroup")[f"{name}LogGroup"]["RetentionInDays"] == "30"
    assert of_type(resources, "AWS::Lambda::Alias")[f"{name}FunctionAliaslive"]["Name"] == "live"
    group = of_type(resources, "AWS::CodeDeploy::DeploymentGroup")[f"{name}FunctionDeploymentGroup"]
    assert {"Name": f"{name}ErrorsAlarm"} in group["AlarmConfiguration"]["Alarms"]  # type: ignore[index,call-overload,operator]
    assert (function["Runtime"], function["Architectures"]) == ("python3.13", ["arm64"])


def test_there_are_no_other_functions(resources: Resources) -> None:
    assert set(of_type(resources, "AWS::Lambda::Function")) == {f"{name}Function" for name in FUNCTIONS}


def test_every_alarm_is_published_when_it_starts_and_when_it_ends(resources: Resources) -> None:
    alarms = of_type(resources, "AWS::CloudWatch::Alarm")
    assert len(alarms) == 10, "as many as are free of charge"
    for alarm in alarms.values():
        assert alarm["AlarmActions"] == alarm["OKActions"] == ["AlarmTopic"]
        assert alarm["AlarmDescription"]


def test_the_dashboard_is_json(resources: Resources) -> None:
    (dashboard,) = of_type(resources, "AWS::CloudWatch::Dashboard").values()
    assert len(json.loads(str(dashboard["DashboardBody"]))["widgets"]) == 6


def test_requests_are_limited_and_logged_without_their_query(resources: Resources) -> None:
    (stage,) = of_type(resources, "AWS::ApiGatewayV2::Stage").values()
    assert stage["DefaultRouteSettings"] == {"ThrottlingRateLimit": "100", "ThrottlingBurstLimit": "200"}
    logged = json.loads(str(stage["AccessLogSettings"]["Format"]))  # type: ignore[index,call-overload]
    assert "$context.path" in logged.values()
    assert not {"$context.authorizer.claims.email", "$context.identity.userAgent"} & set(logged.values())


def test_by_default_nothing_is_reserved_restored_from_a_snapshot_or_mailed(resources: Resources) -> None:
    functions = of_type(resources, "AWS::Lambda::Function")
    assert not any("ReservedConcurrentExecutions" in function for function in functions.values())
    assert all(function["SnapStart"] == {"ApplyOn": "None"} for function in functions.values())
    assert not of_type(resources, "AWS::SNS::Subscription")


def test_parameters_turn_it_on() -> None:
    resources = deployed(
        WorkerReservedConcurrency="5", ApiReservedConcurrency="10", SnapStart="on", AlarmEmail="ops@example.com",
        DeletionProtection="off", Architecture="x86_64",
    )  # fmt: skip
    functions = of_type(resources, "AWS::Lambda::Function")
    assert functions["WorkerFunction"]["ReservedConcurrentExecutions"] == "5"
    assert functions["ApiFunction"]["ReservedConcurrentExecutions"] == "10"
    assert all(function["SnapStart"] == {"ApplyOn": "PublishedVersions"} for function in functions.values())
    assert all(function["Architectures"] == ["x86_64"] for function in functions.values())
    (subscription,) = of_type(resources, "AWS::SNS::Subscription").values()
    assert subscription["Endpoint"] == "ops@example.com"
    assert not any(table["DeletionProtectionEnabled"] for table in of_type(resources, "AWS::DynamoDB::Table").values())
