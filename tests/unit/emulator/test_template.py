"""What template.yaml declares and requires."""

import pytest

from domain.jobs.transitions import LEASE_GRACE
from functions.attempts.running import CONCURRENCY
from functions.job_types import load_job_types
from functions.worker.handler import RESERVE
from headrace.emulator.cloudformation import UnsupportedTemplate
from headrace.emulator.schedule import interval_seconds
from headrace.emulator.template import Stack, load_stack


def test_every_functions_entry_point_exists(stack: Stack) -> None:
    handlers = {function.handler for function in stack.functions.values()}
    assert handlers == {f"functions.{name}.handler.handler" for name in ("api", "worker", "sweeper")}


def test_the_stream_mapping_is_finite_filtered_and_has_a_destination(stack: Stack) -> None:
    (mapping,) = stack.mappings
    assert (mapping.table, mapping.function) == ("JobsTable", "WorkerFunction")
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


def test_only_health_and_documentation_are_open(stack: Stack) -> None:
    opened = {route.path for route in stack.routes if not route.needs_token}
    assert opened == {"/", "/docs", "/healthz", "/openapi.json"}


def test_the_sweeper_runs_each_minute(stack: Stack) -> None:
    (schedule,) = stack.schedules
    assert schedule.function == "SweeperFunction"
    assert interval_seconds(schedule.expression) == 60


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
