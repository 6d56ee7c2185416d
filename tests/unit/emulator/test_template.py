"""What template.yaml declares and requires."""

import json
from datetime import UTC, datetime

import pytest
from pydantic import JsonValue

from domain.jobs.transitions import LEASE_GRACE
from functions.attempts.invocation import RESERVE
from functions.attempts.running import CONCURRENCY
from functions.job_types import load_job_types
from functions.settings import read_settings
from headrace.emulator.cloudformation import InvalidParameter, UnsupportedTemplate
from headrace.emulator.queue_template import Queue, QueueMapping, queue_arn, queue_mapping_of
from headrace.emulator.schedule import input_at, interval_seconds
from headrace.emulator.template import Stack, load_stack
from tests.conftest import FUNCTIONS, PARAMETERS


def test_every_functions_entry_point_exists(stack: Stack) -> None:
    handlers = {function.handler for function in stack.functions.values()}
    assert handlers == {
        f"functions.{name}.handler.handler" for name in ("api", "worker", "runner", "recorder", "sweeper")
    }


def test_the_stream_mapping_is_finite_filtered_and_has_a_destination(stack: Stack) -> None:
    mapping, recorded = sorted(stack.mappings, key=lambda each: each.function, reverse=True)
    assert (mapping.table, mapping.function) == ("JobsTable", "WorkerFunction")
    assert (recorded.table, recorded.function, recorded.on_failure) == (
        "JobsTable",
        "RecorderFunction",
        "OnFailureQueue",
    )
    assert mapping.patterns
    assert mapping.report_batch_item_failures
    assert mapping.bisect_batch_on_function_error
    assert 0 < mapping.maximum_retry_attempts <= 10
    assert 0 < mapping.maximum_record_age_in_seconds <= 86_400
    assert mapping.on_failure == "OnFailureQueue"
    assert mapping.batch_size <= CONCURRENCY, "every job of a batch starts at once"


def test_a_whole_attempt_of_every_job_type_fits_into_the_worker_twice(stack: Stack) -> None:
    job_types = load_job_types("job_types")
    longest = max(job_types.policy(name).timeout for name in job_types.names())
    seconds = (longest + LEASE_GRACE + RESERVE).total_seconds()
    assert stack.functions["WorkerFunction"].timeout >= 2 * seconds


def test_jobs_expire_by_ttl_and_their_changes_are_streamed(stack: Stack) -> None:
    jobs = stack.tables["JobsTable"]
    assert jobs.ttl_attribute == "expires_at"
    assert jobs.create["StreamSpecification"] == {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}


def test_only_health_documentation_and_the_routes_of_keys_are_open(stack: Stack) -> None:
    opened = {route.path for route in stack.routes if route.authorizer == "none"}
    options = {"/v1/{proxy+}", "/iam/v1/{proxy+}"}
    assert opened == {"/", "/docs", "/healthz", "/openapi.json", "/ui", "/ui/{proxy+}", "/key/v1/{proxy+}"} | options
    assert {route.methods for route in stack.routes if route.path in options and route.authorizer == "none"} == {
        frozenset({"OPTIONS"})
    }
    assert [route.path for route in stack.routes if route.authorizer == "iam"] == ["/iam/v1/{proxy+}"]


def test_pages_of_other_origins_may_call_the_api_only_if_a_parameter_names_them(stack: Stack) -> None:
    assert stack.cors is None
    cors = load_stack({**PARAMETERS, "CorsOrigins": "https://a.example.com,http://localhost:3000"}).cors
    assert cors is not None
    assert cors.allow_origins == ("https://a.example.com", "http://localhost:3000")
    assert not cors.allow_credentials
    assert {"location", "etag", "retry-after", "x-request-id", "link"} <= set(cors.expose_headers)
    assert {"authorization", "content-type", "idempotency-key", "if-match", "traceparent"} <= set(cors.allow_headers)
    assert set(cors.allow_methods) == {"GET", "HEAD", "POST", "PATCH", "DELETE"}


@pytest.mark.parametrize("origins", ["*", "https://a.example.com/", "a.example.com", "https://a,", "HTTPS://a"])
def test_what_is_no_origin_is_refused(origins: str) -> None:
    with pytest.raises(InvalidParameter, match="CorsOrigins must be origins"):
        load_stack({**PARAMETERS, "CorsOrigins": origins})


def test_the_sweeper_runs_each_minute(stack: Stack) -> None:
    (schedule,) = stack.schedules
    assert schedule.function == "SweeperFunction"
    assert interval_seconds(schedule.expression) == 60


def test_the_wake_queue_starts_the_worker_and_has_a_dead_letter_queue(stack: Stack) -> None:
    assert stack.queue_mappings[0] == QueueMapping(
        queue="WakeQueue",
        function="WorkerFunction",
        batch_size=10,
        maximum_concurrency=100,
        report_batch_item_failures=True,
    )
    queue = stack.queues["WakeQueue"]
    assert queue.visibility_timeout == 900
    redrive = json.loads(queue.attributes["RedrivePolicy"])
    assert redrive == {"deadLetterTargetArn": queue_arn("WakeDeadLetterQueue"), "maxReceiveCount": 5}


def test_the_standard_runner_takes_one_job_an_invocation_from_a_queue_of_its_own(stack: Stack) -> None:
    assert stack.queue_mappings[1] == QueueMapping(
        queue="StandardRunnerQueue",
        function="StandardRunnerFunction",
        batch_size=1,
        maximum_concurrency=100,
        report_batch_item_failures=True,
    )
    (url,) = {read_settings(stack.functions[name].environment).runners["standard"] for name in FUNCTIONS}
    assert url.endswith("/000000000000/StandardRunnerQueue")
    assert stack.functions["StandardRunnerFunction"].environment["RUNNER"] == "standard"


def test_only_a_queue_that_is_polled_has_a_url_here(stack: Stack) -> None:
    for name in ("RecorderFunction", "SweeperFunction"):
        assert stack.functions[name].environment["WAKE_QUEUE_URL"].endswith("/000000000000/WakeQueue")
    assert stack.functions["WorkerFunction"].environment["ON_FAILURE_QUEUE_URL"] == ""


SPEC: dict[str, JsonValue] = {"EventSourceArn": "Q.Arn", "FunctionName": "F", "BatchSize": 10}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"BatchSize": 11}, "a batch of 11 messages needs a batching window"),
        ({"ScalingConfig": {"MaximumConcurrency": 1}}, "must be 2 or more"),
        ({"FilterCriteria": {"Filters": []}}, "does not support filters"),
    ],
)
def test_a_queues_mapping_that_lambda_refuses_is_refused(change: dict[str, JsonValue], why: str) -> None:
    queues = {"Q": Queue(name="Q", attributes={})}
    assert queue_mapping_of(SPEC, queues, {"F": 30}).queue == "Q"
    with pytest.raises(UnsupportedTemplate, match=why):
        queue_mapping_of({**SPEC, **change}, queues, {"F": 30})
    window: dict[str, JsonValue] = {"BatchSize": 11, "MaximumBatchingWindowInSeconds": 1}
    assert queue_mapping_of({**SPEC, **window}, queues, {"F": 30}).batch_size == 11


def test_messages_must_be_hidden_for_as_long_as_the_function_may_take() -> None:
    with pytest.raises(UnsupportedTemplate, match="Q has a visibility timeout below the time limit of F"):
        queue_mapping_of(SPEC, {"Q": Queue(name="Q", attributes={})}, {"F": 31})


def test_a_schedules_input_is_given_the_time_for_which_it_is_planned() -> None:
    planned = datetime(2026, 11, 27, 4, 5, 6, 789, tzinfo=UTC)
    given: JsonValue = {"time": "<aws.scheduler.scheduled-time>", "source": "x"}
    assert input_at(given, planned) == {"time": "2026-11-27T04:05:06Z", "source": "x"}


@pytest.mark.parametrize(
    ("expression", "seconds"), [("rate(1 minute)", 60), ("rate(2 hours)", 7200), ("rate(5 seconds)", 5)]
)
def test_rates_are_read(expression: str, seconds: int) -> None:
    assert interval_seconds(expression) == seconds


def test_an_unsupported_schedule_is_reported() -> None:
    with pytest.raises(UnsupportedTemplate, match="cron"):
        interval_seconds("cron(0 12 * * ? *)")


def test_a_parameter_without_a_value_is_named() -> None:
    with pytest.raises(UnsupportedTemplate, match="CursorKey"):
        load_stack({"JwtIssuer": "https://x", "JwtAudience": "y"})
