"""What AWS would deploy: template.yaml, transformed by AWS's own translator and resolved."""

import json
import re
from collections.abc import Mapping
from datetime import timedelta
from graphlib import TopologicalSorter

import pytest
from pydantic import BaseModel, JsonValue, TypeAdapter

from domain.jobs.due_steps import INTERVAL, WAKE_PATIENCE
from domain.jobs.job import BlobRef, Job, Succeeded
from domain.jobs.submitting import MAX_DELAY
from domain.jobs.transitions import LEASE_GRACE, MAX_REDRIVE_DOUBLINGS, TRIGGER_PATIENCE
from domain.jobs.wake_queue import LONGEST_DELAY
from functions.job_types import load_job_types
from headrace.emulator.cloudformation import ROOT, TEMPLATE, InvalidParameter, mapping, resolved, translated
from headrace.emulator.filtering import passes
from headrace.emulator.schedule import interval_seconds
from headrace.emulator.template import Stack
from persistence.converters.dynamo_to_domain import job_to_item
from tests.conftest import FUNCTIONS, PARAMETERS
from tests.factories import in_every_state, queued, succeeded

Resources = Mapping[str, JsonValue]
Properties = dict[str, JsonValue]
JOBS, USERS, EMAILS = ("JobsTable.Arn", "UsersTable.Arn", "UserEmailsTable.Arn")
HOOKS, SECRETS = ("WebhooksTable.Arn", "WebhookSecretsTable.Arn")
BLOBS, FILES = "BlobBucket.Arn", "FilesTable.Arn"
STEPS = "JobStepsTable.Arn"
STATS = "StatsTable.Arn"
LANES, PRINCIPALS = "LanesTable.Arn", "PrincipalsTable.Arn"
POSITIONS, SCHEDULES = "StreamPositionsTable.Arn", "SchedulesTable.Arn"
LONGEST_RETRIES = timedelta(days=100)
"""A hundred attempts, each a day after the last (`MAX_RETRY_AFTER`)."""
VPC = {"WorkerSubnetIds": "subnet-0a1b2c3d,subnet-1a2b3c4d", "WorkerSecurityGroupIds": "sg-0a1b2c3d"}


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
    """Return the value at `path` below `value`, or None."""
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


def stream_mappings(resources: Resources) -> dict[str, JsonValue]:
    found = of_type(resources, "AWS::Lambda::EventSourceMapping")
    return {name: mapping for name, mapping in found.items() if at(mapping, "StartingPosition")}


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
        ("dynamodb:Query", f"{JOBS}/index/lane-index"),
        ("dynamodb:Query", f"{LANES}/index/changed-index"),
        *(
            (f"dynamodb:{action}", LANES)
            for action in ("Query", "GetItem", "PutItem", "UpdateItem", "DeleteItem", "ConditionCheckItem")
        ),
        *((f"dynamodb:{action}", STEPS) for action in ("GetItem", "Query", "PutItem")),
        ("dynamodb:GetItem", USERS),
        ("dynamodb:PutItem", USERS),
        ("dynamodb:DeleteItem", USERS),
        ("dynamodb:Query", f"{USERS}/index/email-index"),
        ("dynamodb:Query", f"{USERS}/index/role-index"),
        ("dynamodb:GetItem", PRINCIPALS),
        ("dynamodb:PutItem", PRINCIPALS),
        ("dynamodb:DeleteItem", PRINCIPALS),
        ("dynamodb:PutItem", EMAILS),
        ("dynamodb:DeleteItem", EMAILS),
        ("s3:GetObject", f"{BLOBS}/jobs/*"),
        ("s3:PutObject", f"{BLOBS}/jobs/*"),
        ("s3:DeleteObject", f"{BLOBS}/jobs/*"),
        ("s3:GetObject", f"{BLOBS}/files/*"),
        ("s3:PutObject", f"{BLOBS}/files/*"),
        ("s3:ListBucket", BLOBS),
        ("dynamodb:GetItem", FILES),
        ("dynamodb:PutItem", FILES),
        ("dynamodb:GetItem", SCHEDULES),
        ("dynamodb:BatchGetItem", SCHEDULES),
        ("dynamodb:PutItem", SCHEDULES),
        ("dynamodb:DeleteItem", SCHEDULES),
        ("dynamodb:Query", f"{SCHEDULES}/index/owner-index"),
        ("sqs:SendMessage", "WakeQueue.Arn"),
        *(
            (f"dynamodb:{action}", table)
            for action in ("GetItem", "PutItem", "DeleteItem")
            for table in (HOOKS, SECRETS)
        ),
        ("dynamodb:Query", STATS),
        ("dynamodb:Query", f"{HOOKS}/index/list-index"),
        ("logs:CreateLogStream", "ApiLogGroup.Arn"),
        ("logs:PutLogEvents", "ApiLogGroup.Arn"),
    }


def test_the_worker_may_not_scan_delete_or_query(resources: Resources) -> None:
    assert grants(resources, "WorkerRole") == {
        ("dynamodb:GetItem", JOBS),
        ("dynamodb:PutItem", JOBS),
        ("dynamodb:Query", f"{JOBS}/index/lane-index"),
        *((f"dynamodb:{action}", LANES) for action in ("Query", "PutItem", "DeleteItem")),
        ("dynamodb:ConditionCheckItem", JOBS),
        ("dynamodb:BatchGetItem", JOBS),
        *((f"dynamodb:{action}", STEPS) for action in ("Query", "PutItem", "UpdateItem", "BatchWriteItem")),
        ("dynamodb:DescribeStream", f"{JOBS}/stream/*"),
        ("dynamodb:GetRecords", f"{JOBS}/stream/*"),
        ("dynamodb:GetShardIterator", f"{JOBS}/stream/*"),
        ("dynamodb:ListStreams", f"{JOBS}/stream/*"),
        ("dynamodb:PutItem", POSITIONS),
        ("sqs:SendMessage", "OnFailureQueue.Arn"),
        ("sqs:SendMessage", "StandardRunnerQueue.Arn"),
        ("sqs:ReceiveMessage", "WakeQueue.Arn"),
        ("sqs:DeleteMessage", "WakeQueue.Arn"),
        ("sqs:GetQueueAttributes", "WakeQueue.Arn"),
        ("s3:GetObject", f"{BLOBS}/jobs/*"),
        ("s3:PutObject", f"{BLOBS}/jobs/*"),
        ("s3:DeleteObject", f"{BLOBS}/jobs/*"),
        ("s3:GetObject", f"{BLOBS}/files/*"),
        ("s3:PutObject", f"{BLOBS}/files/*"),
        ("s3:AbortMultipartUpload", f"{BLOBS}/files/*"),
        ("s3:ListBucket", BLOBS),
        ("dynamodb:GetItem", FILES),
        ("dynamodb:PutItem", FILES),
        ("dynamodb:GetItem", SCHEDULES),
        ("dynamodb:PutItem", SCHEDULES),
        ("dynamodb:GetItem", USERS),
        ("sqs:SendMessage", "WakeQueue.Arn"),
        ("logs:CreateLogStream", "WorkerLogGroup.Arn"),
        ("logs:PutLogEvents", "WorkerLogGroup.Arn"),
    }


IN_ACCOUNT = "us-east-1:000000000000"


@pytest.mark.parametrize(
    ("store", "grant"),
    [
        ("ParameterStore", ("ssm:GetParameter", f"arn:aws:ssm:{IN_ACCOUNT}:parameter/headrace/headrace/*")),
        (
            "SecretsManager",
            ("secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:{IN_ACCOUNT}:secret:/headrace/headrace/*"),
        ),
    ],
)
def test_only_what_runs_jobs_may_read_the_secrets_of_this_stack(
    resources: Resources, store: str, grant: tuple[str, str]
) -> None:
    with_secrets = deployed(Secrets=store)
    roles = ("ApiRole", "WorkerRole", "StandardRunnerRole", "RecorderRole", "SweeperRole")
    more = {role: grants(with_secrets, role) - grants(resources, role) for role in roles}
    assert {role: new for role, new in more.items() if new} == {"WorkerRole": {grant}, "StandardRunnerRole": {grant}}


def test_a_runner_may_read_and_write_jobs_and_take_messages_from_its_queue(resources: Resources) -> None:
    assert grants(resources, "StandardRunnerRole") == {
        ("dynamodb:GetItem", JOBS),
        ("dynamodb:PutItem", JOBS),
        ("dynamodb:Query", f"{JOBS}/index/lane-index"),
        *((f"dynamodb:{action}", LANES) for action in ("Query", "PutItem", "DeleteItem")),
        ("dynamodb:ConditionCheckItem", JOBS),
        ("dynamodb:BatchGetItem", JOBS),
        *((f"dynamodb:{action}", STEPS) for action in ("Query", "PutItem", "UpdateItem")),
        ("sqs:ReceiveMessage", "StandardRunnerQueue.Arn"),
        ("sqs:DeleteMessage", "StandardRunnerQueue.Arn"),
        ("sqs:GetQueueAttributes", "StandardRunnerQueue.Arn"),
        ("s3:GetObject", f"{BLOBS}/jobs/*"),
        ("s3:PutObject", f"{BLOBS}/jobs/*"),
        ("s3:DeleteObject", f"{BLOBS}/jobs/*"),
        ("s3:GetObject", f"{BLOBS}/files/*"),
        ("s3:PutObject", f"{BLOBS}/files/*"),
        ("s3:AbortMultipartUpload", f"{BLOBS}/files/*"),
        ("s3:ListBucket", BLOBS),
        ("dynamodb:PutItem", FILES),
        ("dynamodb:GetItem", HOOKS),
        ("dynamodb:PutItem", HOOKS),
        ("dynamodb:GetItem", SECRETS),
        ("logs:CreateLogStream", "StandardRunnerLogGroup.Arn"),
        ("logs:PutLogEvents", "StandardRunnerLogGroup.Arn"),
    }


def test_the_sweeper_may_read_the_wake_indexes_and_write_jobs(resources: Resources) -> None:
    assert grants(resources, "SweeperRole") == {
        ("dynamodb:GetItem", JOBS),
        ("dynamodb:BatchGetItem", JOBS),
        ("dynamodb:PutItem", JOBS),
        ("dynamodb:Query", f"{JOBS}/index/wake-index"),
        ("dynamodb:Query", f"{JOBS}/index/lane-index"),
        *((f"dynamodb:{action}", LANES) for action in ("Query", "PutItem", "DeleteItem")),
        ("dynamodb:Query", POSITIONS),
        ("dynamodb:Query", f"{SCHEDULES}/index/wake-index"),
        ("sqs:SendMessage", "WakeQueue.Arn"),
        ("logs:CreateLogStream", "SweeperLogGroup.Arn"),
        ("logs:PutLogEvents", "SweeperLogGroup.Arn"),
    }


def test_the_recorder_may_read_the_stream_send_messages_and_add_jobs(resources: Resources) -> None:
    """It reads endpoints, and no secret of any."""
    alone = {
        ("dynamodb:DescribeStream", f"{JOBS}/stream/*"),
        ("dynamodb:GetRecords", f"{JOBS}/stream/*"),
        ("dynamodb:GetShardIterator", f"{JOBS}/stream/*"),
        ("dynamodb:ListStreams", f"{JOBS}/stream/*"),
        ("sqs:SendMessage", "WakeQueue.Arn"),
        ("sqs:SendMessage", "StandardRunnerQueue.Arn"),
        ("sqs:SendMessage", "OnFailureQueue.Arn"),
        ("dynamodb:PutItem", JOBS),
        ("dynamodb:GetItem", JOBS),
        *((f"dynamodb:{action}", STEPS) for action in ("Query", "PutItem", "UpdateItem")),
        *((f"dynamodb:{action}", STATS) for action in ("GetItem", "PutItem", "DeleteItem", "Query")),
        ("dynamodb:Query", f"{HOOKS}/index/list-index"),
        ("logs:CreateLogStream", "RecorderLogGroup.Arn"),
        ("logs:PutLogEvents", "RecorderLogGroup.Arn"),
    }
    assert grants(resources, "RecorderRole") == alone
    with_bus = grants(deployed(EventBus="told"), "RecorderRole") - alone
    assert {action for action, _ in with_bus} == {"events:PutEvents"}
    assert all(resource.endswith(":event-bus/told") for _, resource in with_bus)


def test_the_schedule_may_invoke_the_sweepers_alias(resources: Resources) -> None:
    assert grants(resources, "SweeperFunctionEveryMinuteRole") == {("lambda:InvokeFunction", "SweeperFunction")}


@pytest.mark.parametrize("role", ["ApiRole", "WorkerRole", "StandardRunnerRole", "RecorderRole", "SweeperRole"])
def test_a_function_may_write_traces_only_where_they_are_on(role: str) -> None:
    more = grants(deployed(XRay="on"), role) - grants(deployed(), role)
    assert more == {("xray:PutTraceSegments", "*"), ("xray:PutTelemetryRecords", "*")}
    modes = {"on": "Active", "off": "PassThrough"}
    for value, mode in modes.items():
        functions = of_type(deployed(XRay=value), "AWS::Lambda::Function").values()
        assert {at(each, "TracingConfig", "Mode") for each in functions} == {mode}


def test_no_role_may_scan_and_no_action_is_granted_on_every_resource(resources: Resources) -> None:
    text = json.dumps(of_type(resources, "AWS::IAM::Role"))
    assert "Scan" not in text
    assert '"Resource": "*"' not in text
    assert "dynamodb:*" not in text
    # AWS's own policy for CodeDeploy's role; the functions have none of AWS's.
    managed = {name for name, role in of_type(resources, "AWS::IAM::Role").items() if at(role, "ManagedPolicyArns")}
    assert managed == {"CodeDeployServiceRole"}


@pytest.mark.parametrize(
    ("name", "statuses"),
    [("WorkerFunctionQueuedJobs", ["queued"]), ("RecorderFunctionChangedJobs", ["scheduled", "retrying", "waiting"])],
)
def test_a_stream_mapping_has_a_filter_finite_limits_partial_responses_and_a_destination(
    resources: Resources, name: str, statuses: list[str]
) -> None:
    mapping = stream_mappings(resources)[name]
    pattern = at(mapping, "FilterCriteria", "Filters", 0, "Pattern")
    assert json.loads(str(pattern)) == {"dynamodb": {"NewImage": {"status": {"S": statuses}}}}
    # What the recorder misses of webhooks nobody finds again: it tries as long as the stream has the change.
    assert 0 < int(str(at(mapping, "MaximumRetryAttempts"))) <= (10 if name.startswith("Worker") else 10_000)
    assert 0 < int(str(at(mapping, "MaximumRecordAgeInSeconds"))) <= 86_400
    assert at(mapping, "BisectBatchOnFunctionError") is True
    assert at(mapping, "FunctionResponseTypes") == ["ReportBatchItemFailures"]
    assert at(mapping, "DestinationConfig") == {"OnFailure": {"Destination": "OnFailureQueue.Arn"}}
    assert at(mapping, "StartingPosition") == "TRIM_HORIZON"


def test_the_recorder_sees_final_states_but_not_those_of_deliveries(resources: Resources) -> None:
    filters = at(stream_mappings(resources)["RecorderFunctionChangedJobs"], "FilterCriteria", "Filters")
    assert isinstance(filters, list)
    patterns = tuple(mapping(json.loads(str(at(each, "Pattern")))) for each in filters)

    def seen(job: Job) -> bool:
        image: JsonValue = json.loads(json.dumps(job_to_item(job, "w")))
        return passes(patterns, {"eventName": "MODIFY", "dynamodb": {"NewImage": image}})

    told = {"scheduled", "retrying", "waiting", "succeeded", "failed", "cancelled"}
    assert {job.status for job in in_every_state() if seen(job)} == told
    assert {job.status for job in in_every_state(type="webhook.deliver") if seen(job)} == {
        "scheduled",
        "retrying",
        "waiting",
    }


def test_a_stream_has_no_more_consumers_than_aws_permits(resources: Resources) -> None:
    assert len(stream_mappings(resources)) == 2


def test_every_queue_is_encrypted(resources: Resources) -> None:
    queues = of_type(resources, "AWS::SQS::Queue")
    assert set(queues) == {"OnFailureQueue", "WakeQueue", "WakeDeadLetterQueue", "StandardRunnerQueue"}
    assert all(at(queue, "SqsManagedSseEnabled") is True for queue in queues.values())


@pytest.mark.parametrize("seconds", ["30", "90", "900"])
def test_a_message_is_hidden_for_long_enough_and_put_aside_before_it_expires(seconds: str) -> None:
    """Lambda Developer Guide, "Using Lambda with Amazon SQS": six times the function's timeout, five receives."""
    resources = deployed(WorkerTimeoutSeconds=seconds)
    queue = at(resources["WakeQueue"], "Properties")
    hidden, receives = int(str(at(queue, "VisibilityTimeout"))), int(str(at(queue, "RedrivePolicy", "maxReceiveCount")))
    assert hidden >= 6 * int(seconds)
    assert receives >= 5
    assert LONGEST_DELAY.total_seconds() + hidden * receives < int(str(at(queue, "MessageRetentionPeriod")))
    mapping = at(resources["WorkerFunctionDueJobs"], "Properties")
    assert at(mapping, "FunctionResponseTypes") == ["ReportBatchItemFailures"]
    assert at(mapping, "ScalingConfig") == {"MaximumConcurrency": "100"}


def test_the_sweeps_tile_the_time_that_they_look_ahead_over(resources: Resources, stack: Stack) -> None:
    (schedule,) = stack.schedules
    assert interval_seconds(schedule.expression) == INTERVAL.total_seconds()
    given = json.loads(str(at(resources["SweeperFunctionEveryMinute"], "Properties", "Target", "Input")))
    assert given["time"] == "<aws.scheduler.scheduled-time>"


def test_the_alarm_on_due_jobs_starts_before_the_sweeper_stops_relying_on_the_wake_queue(resources: Resources) -> None:
    alarm = at(resources["OldestDueJobAlarm"], "Properties")
    assert timedelta(seconds=int(str(at(alarm, "Threshold")))) < WAKE_PATIENCE


def test_the_worker_gets_deleted_jobs_if_they_have_blobs_and_no_others(stack: Stack) -> None:
    (mapping,) = (each for each in stack.mappings if each.function == "WorkerFunction")
    ref = BlobRef(key="jobs/1/x", size=9000, sha256="0" * 64)
    small, done = queued(), succeeded()
    assert isinstance(done.state, Succeeded)
    large = small.model_copy(update={"payload": ref})
    answered = done.model_copy(update={"state": done.state.model_copy(update={"result": ref})})

    def brought(name: str, images: Mapping[str, Job]) -> bool:
        shown = {kind: json.loads(json.dumps(job_to_item(job, "w"))) for kind, job in images.items()}
        return passes(mapping.patterns, {"eventName": name, "dynamodb": shown})

    assert brought("INSERT", {"NewImage": large})
    assert [brought("REMOVE", {"OldImage": job}) for job in (large, answered, small, done)] == [
        True,
        True,
        False,
        False,
    ]
    assert brought("REMOVE", {"OldImage": done.model_copy(update={"steps": 1})})
    finished = large.model_copy(update={"state": done.state})
    assert not brought("MODIFY", {"OldImage": large, "NewImage": finished})


def test_every_table_is_encrypted_and_has_ttl_or_a_reason(resources: Resources) -> None:
    tables = of_type(resources, "AWS::DynamoDB::Table")
    assert len(tables) == 12
    for name, table in tables.items():
        assert at(table, "SSESpecification", "SSEEnabled") is True
        assert at(table, "BillingMode") == "PAY_PER_REQUEST"
        assert at(table, "TimeToLiveSpecification", "Enabled") or at(resources[name], "Metadata", "WithoutTtl")


def test_every_table_is_kept_protected_and_recoverable_or_has_a_reason(resources: Resources) -> None:
    tables = of_type(resources, "AWS::DynamoDB::Table")
    unprotected = {name for name in tables if at(resources[name], "Metadata", "Unprotected")}
    assert unprotected == {"StreamPositionsTable", "StatsTable"}
    for name in set(tables) - unprotected:
        # Kept, but for those of a first deployment that failed: nothing was written to them.
        assert at(resources[name], "DeletionPolicy") == "RetainExceptOnCreate"
        assert at(resources[name], "UpdateReplacePolicy") == "Retain"
        assert at(tables[name], "DeletionProtectionEnabled") is True
        assert at(tables[name], "PointInTimeRecoverySpecification", "PointInTimeRecoveryEnabled") is True


def test_blobs_are_encrypted_private_reached_by_tls_alone_and_kept_with_the_tables(resources: Resources) -> None:
    bucket, policy = resources["BlobBucket"], the_only(resources, "AWS::S3::BucketPolicy")
    encryption = at(bucket, "Properties", "BucketEncryption", "ServerSideEncryptionConfiguration", 0)
    assert at(encryption, "ServerSideEncryptionByDefault", "SSEAlgorithm") == "AES256"
    blocked = at(bucket, "Properties", "PublicAccessBlockConfiguration")
    assert isinstance(blocked, dict)
    assert (len(blocked), set(blocked.values())) == (4, {True})
    ownership = at(bucket, "Properties", "OwnershipControls", "Rules")
    assert ownership == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    statement = at(policy, "PolicyDocument", "Statement", 0)
    assert (at(statement, "Effect"), at(statement, "Action")) == ("Deny", "s3:*")
    assert at(statement, "Condition") == {"Bool": {"aws:SecureTransport": "false"}}
    assert (at(bucket, "DeletionPolicy"), at(bucket, "UpdateReplacePolicy")) == ("RetainExceptOnCreate", "Retain")


def test_what_no_job_refers_to_ends_by_the_buckets_lifecycle(resources: Resources) -> None:
    rules = at(resources["BlobBucket"], "Properties", "LifecycleConfiguration", "Rules")
    assert isinstance(rules, list)
    days = {at(rule, "Prefix"): at(rule, "ExpirationInDays") for rule in rules if at(rule, "ExpirationInDays")}
    assert days == {"jobs/": "730", "files/": "30"}
    assert {at(rule, "AbortIncompleteMultipartUpload", "DaysAfterInitiation") for rule in rules} == {None, 1}
    # A job may start in a year, and is then kept for its retention.
    assert int(str(days["jobs/"])) > MAX_DELAY.days + LONGEST_RETRIES.days + 30


def test_the_positions_of_the_stream_are_found_by_stream_and_environment(resources: Resources) -> None:
    table = at(resources["StreamPositionsTable"], "Properties")
    assert at(table, "KeySchema") == [
        {"AttributeName": "stream", "KeyType": "HASH"},
        {"AttributeName": "environment", "KeyType": "RANGE"},
    ]
    assert at(table, "TimeToLiveSpecification") == {"AttributeName": "expires_at", "Enabled": True}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_has_a_role_a_log_group_and_an_alias(resources: Resources, name: str) -> None:
    function, name = of_type(resources, "AWS::Lambda::Function")[name], name.removesuffix("Function")
    assert at(function, "Role") == f"{name}Role.Arn"
    assert at(function, "LoggingConfig", "LogFormat") == "JSON"
    assert at(function, "LoggingConfig", "LogGroup") == f"{name}LogGroup"
    assert at(resources[f"{name}LogGroup"], "Properties", "RetentionInDays") == "30"
    assert at(resources[f"{name}FunctionAliaslive"], "Properties", "Name") == "live"
    assert (at(function, "Runtime"), at(function, "Architectures")) == ("python3.13", ["arm64"])


def test_every_function_that_is_invoked_is_watched_while_it_is_deployed(resources: Resources, stack: Stack) -> None:
    assert stack.invoked >= {"ApiFunction", "RecorderFunction", "WorkerFunction", "SweeperFunction"}
    for name in stack.invoked:
        watched = at(resources[f"{name}DeploymentGroup"], "Properties", "AlarmConfiguration", "Alarms")
        assert isinstance(watched, list)
        assert {"Name": f"{name.removesuffix('Function')}ErrorsAlarm"} in watched


def test_every_alarm_is_published_when_it_starts_and_when_it_ends(resources: Resources) -> None:
    alarms = of_type(resources, "AWS::CloudWatch::Alarm")
    assert len(alarms) == 17
    metrics = [at(alarm, "Metrics") or [{}] for alarm in alarms.values()]
    billed = sum(not at(metric, "Expression") for listed in metrics if isinstance(listed, list) for metric in listed)
    assert billed == 19, (
        "CloudWatch charges an alarm for each metric that it reads; docs/deploy.md says what these cost"
    )
    for alarm in alarms.values():
        assert at(alarm, "AlarmActions") == at(alarm, "OKActions") == ["AlarmTopic"]
        assert at(alarm, "AlarmDescription")


def test_every_alarm_is_on_the_dashboard_and_in_the_runbook(resources: Resources) -> None:
    body = json.loads(str(at(the_only(resources, "AWS::CloudWatch::Dashboard"), "DashboardBody")))
    (shown,) = (widget["properties"]["alarms"] for widget in body["widgets"] if widget["type"] == "alarm")
    alarms = set(of_type(resources, "AWS::CloudWatch::Alarm"))
    assert {name.removeprefix("${").split(".")[0] for name in shown} == alarms
    runbook = (ROOT / "docs" / "operations.md").read_text()
    assert {name for name in alarms if f"| `{name}` |" not in runbook} == set()


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


def test_a_table_is_warmed_where_every_job_writes_and_only_if_one_says_so(resources: Resources) -> None:
    assert "WarmThroughput" not in json.dumps(resources)
    table = at(deployed(WarmWriteUnits="15000")["JobsTable"], "Properties")
    indexes = at(table, "GlobalSecondaryIndexes")
    assert isinstance(indexes, list)
    warmed = {at(index, "IndexName"): at(index, "WarmThroughput") for index in indexes if at(index, "WarmThroughput")}
    warm = {"WriteUnitsPerSecond": "15000"}
    assert warmed == {"owner-index": warm, "wake-index": warm}, "the other indexes are those of few jobs"
    assert at(table, "WarmThroughput") == warm


def test_parameters_turn_it_on() -> None:
    resources = deployed(
        WorkerReservedConcurrency="5", ApiReservedConcurrency="10", SnapStart="on", AlarmEmail="ops@example.com",
        DeletionProtection="off", Architecture="x86_64", WorkerBatchSize="3", WorkerParallelization="2",
        WorkerTimeoutSeconds="300", WorkerWakeConcurrency="7",
    )  # fmt: skip
    functions = of_type(resources, "AWS::Lambda::Function")
    assert at(functions["WorkerFunction"], "ReservedConcurrentExecutions") == "5"
    assert at(functions["ApiFunction"], "ReservedConcurrentExecutions") == "10"
    for function in functions.values():
        assert at(function, "SnapStart", "ApplyOn") == "PublishedVersions"
        assert at(function, "Architectures") == ["x86_64"]
    assert at(the_only(resources, "AWS::SNS::Subscription"), "Endpoint") == "ops@example.com"
    tables = of_type(resources, "AWS::DynamoDB::Table")
    assert not any(at(table, "DeletionProtectionEnabled") for table in tables.values())
    stream = stream_mappings(resources)["WorkerFunctionQueuedJobs"]
    assert (at(stream, "BatchSize"), at(stream, "ParallelizationFactor")) == ("3", "2")
    due = at(resources["WorkerFunctionDueJobs"], "Properties")
    assert (at(due, "BatchSize"), at(due, "ScalingConfig")) == ("3", {"MaximumConcurrency": "7"})
    worker = functions["WorkerFunction"]
    assert at(worker, "Timeout") == at(worker, "Environment", "Variables", "FUNCTION_TIMEOUT_SECONDS") == "300"


@pytest.mark.parametrize(
    ("level", "filtered"), [("DEBUG", "DEBUG"), ("INFO", "INFO"), ("WARNING", "INFO"), ("ERROR", "INFO")]
)
def test_lambdas_own_filter_lets_through_what_the_logger_writes_and_never_drops_metrics(
    level: str, filtered: str
) -> None:
    """Lambda counts a line without a level as INFO; metrics (embedded metric format) are such lines."""
    for function in of_type(deployed(LogLevel=level), "AWS::Lambda::Function").values():
        assert at(function, "LoggingConfig", "ApplicationLogLevel") == filtered
        assert at(function, "Environment", "Variables", "POWERTOOLS_LOG_LEVEL") == level


def test_a_failed_sweep_is_not_retried(resources: Resources) -> None:
    """Invoked through the alias: what is configured for another qualifier does not count."""
    invocation = the_only(resources, "AWS::Lambda::EventInvokeConfig")
    assert at(invocation, "Qualifier") == at(resources["SweeperFunctionAliaslive"], "Properties", "Name") == "live"
    assert (at(invocation, "MaximumRetryAttempts"), at(invocation, "MaximumEventAgeInSeconds")) == (0, 60)
    template = mapping(translated(TEMPLATE, PARAMETERS, "s3://bucket/code")["Resources"])
    target = at(template["SweeperFunctionEveryMinute"], "Properties", "Target", "Arn")
    assert target == {"Ref": "SweeperFunctionAliaslive"}


def test_the_worker_runs_in_a_vpc_only_when_subnets_are_given(resources: Resources) -> None:
    assert at(resources["WorkerFunction"], "Properties", "VpcConfig") is None
    inside = deployed(**VPC)
    assert at(inside["WorkerFunction"], "Properties", "VpcConfig") == {
        "SubnetIds": ["subnet-0a1b2c3d", "subnet-1a2b3c4d"],
        "SecurityGroupIds": ["sg-0a1b2c3d"],
    }
    more = grants(inside, "WorkerRole") - grants(resources, "WorkerRole")
    assert {action.split(":")[0] for action, _ in more} == {"ec2"}
    assert len(more) == 6
    for name in ("ApiRole", "RecorderRole", "SweeperRole"):
        assert grants(inside, name) == grants(resources, name)


def test_a_deployment_is_watched_by_the_alarms_of_its_function_unless_they_are_turned_off(resources: Resources) -> None:
    def watching(resources: Resources, name: str) -> JsonValue:
        return at(resources[f"{name}FunctionDeploymentGroup"], "Properties", "AlarmConfiguration")

    assert watching(resources, "Worker") == {
        "Enabled": True,
        "Alarms": [
            {"Name": "WorkerErrorsAlarm"}, {"Name": "FailedAttemptsAlarm"}, {"Name": "VersionFailedAttemptsAlarm"},
        ],
    }  # fmt: skip
    silent = deployed(DeploymentAlarms="off")
    groups = of_type(silent, "AWS::CodeDeploy::DeploymentGroup").values()
    assert [at(group, "AlarmConfiguration") for group in groups] == [{} for _ in groups]


@pytest.mark.parametrize(
    ("name", "dimensions"),
    [("FailedAttemptsAlarm", ["service"]), ("VersionFailedAttemptsAlarm", ["service", "version"])],
)
def test_the_percentage_of_failed_attempts_needs_ten_attempts(
    resources: Resources, name: str, dimensions: list[str]
) -> None:
    alarm = at(resources[name], "Properties")
    assert at(alarm, "Metrics", 0, "Expression") == "IF(ended >= 10, 100 * FILL(failed, 0) / ended, 0)"
    metrics = {str(at(alarm, "Metrics", number, "Id")): at(alarm, "Metrics", number, "MetricStat") for number in (1, 2)}
    assert at(metrics["ended"], "Metric", "MetricName") == "AttemptsEnded"
    assert at(metrics["failed"], "Metric", "MetricName") == "AttemptsFailed"
    for metric in metrics.values():
        listed = at(metric, "Metric", "Dimensions")
        assert isinstance(listed, list)
        assert [at(dimension, "Name") for dimension in listed] == dimensions
    assert at(alarm, "Threshold") == "50"
    assert at(deployed(FailedAttemptsPercent="0")[name], "Properties", "Threshold") == 101, "more than there is"


def test_each_deployment_points_the_alarm_at_the_version_that_it_publishes(resources: Resources) -> None:
    dimension = at(
        resources["VersionFailedAttemptsAlarm"], "Properties", "Metrics", 1, "MetricStat", "Metric", "Dimensions", 1
    )
    (published,) = (name for name in of_type(resources, "AWS::Lambda::Version") if name.startswith("Worker"))
    assert dimension == {"Name": "version", "Value": f"{published}.Version"}


def test_the_alarm_on_waiting_jobs_covers_every_examination(resources: Resources) -> None:
    """A job whose triggers are lost is examined at intervals that grow, by a sweep each minute."""
    job_types = load_job_types("job_types")
    longest = max(job_types.policy(name).timeout for name in job_types.names())
    between = TRIGGER_PATIENCE * 2**MAX_REDRIVE_DOUBLINGS + longest + LEASE_GRACE + timedelta(minutes=1)
    alarm = at(resources["OldestQueuedJobAlarm"], "Properties")
    period = int(str(at(alarm, "Period")))
    assert timedelta(seconds=period) > between
    assert period % 60 == 0
    assert (at(alarm, "EvaluationPeriods"), at(alarm, "Threshold"), at(alarm, "Statistic")) == (1, 300, "Maximum")


def test_health_and_documentation_answer_head_as_well_as_get(stack: Stack) -> None:
    opened = [route for route in stack.routes if route.authorizer == "none" and route.methods != {"OPTIONS"}]
    assert all(not route.methods or route.methods >= {"GET", "HEAD"} for route in opened)


def test_every_path_answers_a_preflight_request_which_no_authorizer_would_let_pass(stack: Stack) -> None:
    answered = {route.path for route in stack.routes if route.authorizer == "none" and "OPTIONS" in route.methods}
    opened = {route.path for route in stack.routes if route.authorizer == "none" and not route.methods}
    assert {route.path for route in stack.routes} == answered | opened


def test_no_name_outgrows_what_aws_permits_however_long_the_stacks_name_is() -> None:
    limits = {"LogGroupName": 512, "DashboardName": 255, "Name": 64}
    own: dict[str, JsonValue] = {}
    for logical_id, spec in deployed().items():
        properties = at(spec, "Properties")
        named = {key: at(properties, key) for key in limits if at(spec, "Type") != "AWS::Lambda::Alias"}
        own |= {f"{logical_id}.{key}": value for key, value in named.items() if isinstance(value, str)}
    longest = {key: len(str(value)) - len("headrace") + 128 for key, value in own.items()}
    assert {key for key, length in longest.items() if length > limits[key.split(".")[1]]} == set()


@pytest.mark.parametrize("issuer", ["http://issuer.example.com", "issuer.example.com", ""])
def test_an_issuer_without_https_is_refused(issuer: str) -> None:
    with pytest.raises(InvalidParameter, match="JwtIssuer must begin with https"):
        deployed(JwtIssuer=issuer)


def test_only_versions_are_retained_when_a_resource_is_replaced(resources: Resources) -> None:
    """Beside what holds data: a mapping or a schedule that was retained after its replacement would keep running."""
    kept = {at(spec, "Type") for spec in resources.values() if at(spec, "UpdateReplacePolicy") == "Retain"}
    assert kept == {
        "AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::Lambda::Function", "AWS::Lambda::Version",
        "AWS::Lambda::Alias", "AWS::Lambda::Permission", "AWS::Lambda::EventInvokeConfig",
    }  # fmt: skip


def test_the_stream_of_a_restored_table_can_be_given(resources: Resources) -> None:
    arn = "arn:aws:dynamodb:eu-central-1:123456789012:table/jobs/stream/2026-11-26T00:00:00.000"
    assert {at(each, "EventSourceArn") for each in stream_mappings(resources).values()} == {"JobsTable.StreamArn"}
    restored = deployed(JobsStreamArn=arn)
    assert {at(each, "EventSourceArn") for each in stream_mappings(restored).values()} == {arn}


def test_no_resource_waits_for_itself() -> None:
    """CloudFormation refuses circular dependencies; cfn-lint does not follow the references of an UpdatePolicy."""
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
