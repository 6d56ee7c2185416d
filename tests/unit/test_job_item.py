"""`headrace.job_item`: validates as the API does, and gives one write, without an AWS SDK."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import BaseModel

import headrace
from domain.jobs.checking import keyed_id
from domain.jobs.job import Job, Queued, Scheduled, loaded
from headrace import File, JobContext, JobItem, JobRefused, job_item, job_type
from headrace.transaction import MAX_INLINE_BYTES
from persistence.converters.dynamo_to_domain import item_to_job

OWNER = "00000000-0000-4000-8000-000000000001"
TABLE = "JobsTable"


class Order(BaseModel):
    number: int
    note: str = ""


class Shipped(BaseModel):
    number: int


@job_type("orders.ship", aliases=("orders.send",))
async def ship(order: Order, context: JobContext) -> Shipped:
    """Ship an order."""
    return Shipped(number=order.number)


@job_type("orders.pack", lane="packing", limit=2)
async def pack(order: Order) -> Shipped:
    """Pack an order."""
    return Shipped(number=order.number)


class Label(BaseModel):
    file: File


@job_type("orders.label")
async def label(_label: Label) -> Shipped:
    """Print a label."""
    return Shipped(number=1)


def job_of(item: JobItem) -> Job:
    job = item_to_job(item.write["Put"]["Item"])
    assert isinstance(job, Job)
    assert job.id == item.id
    return job


def test_the_write_is_the_job_that_the_api_would_write() -> None:
    item = job_item(ship, Order(number=7), owner=OWNER, tags={"order": "7"}, max_attempts=3, jobs_table=TABLE)
    job, put = job_of(item), item.write["Put"]
    assert (job.type, job.owner_id, job.tags, job.max_attempts) == ("orders.ship", OWNER, {"order": "7"}, 3)
    assert loaded(job.payload) == '{"number":7,"note":""}'
    assert isinstance(job.state, Queued)
    assert put["TableName"] == TABLE
    assert put.get("ConditionExpression") == "attribute_not_exists(id) OR expires_at <= :now"


@pytest.mark.parametrize("given", ["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "invalid", None])
def test_a_job_is_part_of_the_trace_that_is_given(given: str | None) -> None:
    job = job_of(job_item(ship, Order(number=7), owner=OWNER, jobs_table=TABLE, traceparent=given))
    assert job.traceparent == (None if given == "invalid" else given)


def test_names_and_documents_do_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOB_TYPES", "job_types")
    monkeypatch.setenv("JOBS_TABLE", TABLE)
    item = job_item("csv.profile", {"csv": "a\n1\n"}, owner=OWNER)
    assert job_of(item).type == "csv.profile"
    assert item.write["Put"]["TableName"] == TABLE
    monkeypatch.delenv("JOBS_TABLE")
    with pytest.raises(JobRefused, match="give jobs_table, or set the environment variable JOBS_TABLE"):
        job_item("csv.profile", {"csv": "a\n1\n"}, owner=OWNER)


def test_a_definition_is_enough() -> None:
    assert job_of(job_item(ship.definition, {"number": 1}, owner=OWNER, jobs_table=TABLE)).type == "orders.ship"


def test_a_key_is_the_one_of_the_api() -> None:
    item = job_item(ship, {"number": 1}, owner=OWNER, idempotency_key="order-1", jobs_table=TABLE)
    assert item.id == keyed_id(OWNER, "order-1")
    assert job_of(item).fingerprint is not None


def test_a_job_of_later_is_scheduled() -> None:
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    at = job_of(job_item(ship, {"number": 1}, owner=OWNER, run_at=tomorrow, jobs_table=TABLE))
    after = job_of(job_item(ship, {"number": 1}, owner=OWNER, delay_seconds=60, jobs_table=TABLE))
    assert at.state == Scheduled(run_at=tomorrow)
    assert isinstance(after.state, Scheduled)


def test_a_job_of_a_lane_is_queued_for_who_claims_it_finds_the_place() -> None:
    job = job_of(job_item(pack, {"number": 1}, owner=OWNER, priority=9, jobs_table=TABLE))
    assert isinstance(job.state, Queued)
    assert job.lane is not None
    assert (job.lane.name, job.lane.priority) == ("packing", 9)


def test_the_owners_own_lane_is_that_of_the_deployment(monkeypatch: pytest.MonkeyPatch) -> None:
    def lane() -> str | None:
        job = job_of(job_item(ship, {"number": 1}, owner=OWNER, jobs_table=TABLE))
        return job.lane.name if job.lane else None

    assert job_of(job_item(ship, {"number": 1}, owner=OWNER, lane="mine", jobs_table=TABLE)).lane is not None
    monkeypatch.delenv("OWNER_CONCURRENCY", raising=False)
    assert lane() is None
    monkeypatch.setenv("OWNER_CONCURRENCY", "3")
    assert lane() == f"owner:{OWNER}"
    with pytest.raises(JobRefused, match="only admins may choose lanes"):
        job_item(ship, {"number": 1}, owner=OWNER, lane="another", jobs_table=TABLE)
    monkeypatch.setenv("OWNER_CONCURRENCY", "many")
    with pytest.raises(JobRefused, match="OWNER_CONCURRENCY must be a whole number up to 1000"):
        lane()


REFUSALS: list[tuple[object, dict[str, object], str]] = [
    ({"number": "seven"}, {}, "payload/number: Input should be a valid integer"),
    ({"number": 1, "note": "x" * MAX_INLINE_BYTES}, {}, r"the limit within a transaction is 65536: keep what is large"),
    ({"number": 1, "note": "x" * 6_000_000}, {}, "the limit is 5242880"),
    ({"number": float("nan")}, {}, "payload: "),
    ({"number": 1}, {"max_attempts": 0}, "max_attempts: "),
    ({"number": 1}, {"tags": {"": "x"}}, "tags"),
    ({"number": 1}, {"priority": 10}, "priority: "),
    ({"number": 1}, {"lane": "a\nb"}, "lane: "),
    ({"number": 1}, {"delay_seconds": -1}, "delay_seconds: "),
    ({"number": 1}, {"delay_seconds": 1e9}, "delay_seconds: the job would start more than 365 days from now"),
    ({"number": 1}, {"delay_seconds": 1, "run_at": datetime.now(UTC)}, "give run_at or delay_seconds, not both"),
    ({"number": 1}, {"run_at": datetime(2030, 1, 1)}, "run_at: "),  # noqa: DTZ001 - that is what is refused
    ({"number": 1}, {"idempotency_key": "ø"}, "idempotency_key must be 1 to 255 printable ASCII characters"),
    ({"number": 1}, {"owner": "ann@example.com"}, "owner must be the id of a user"),
]


@pytest.mark.parametrize(("payload", "arguments", "why"), REFUSALS)
def test_what_the_api_refuses_is_refused(payload: object, arguments: dict[str, object], why: str) -> None:
    given = {"owner": OWNER, "jobs_table": TABLE} | arguments
    with pytest.raises(JobRefused, match=why) as refused:
        job_item(ship, payload, **given)  # type: ignore[arg-type]  # what a caller without types may give
    assert "seven" not in str(refused.value)


def test_what_one_write_cannot_do_is_refused() -> None:
    with pytest.raises(JobRefused, match="the payload names files, which only the API can look up"):
        job_item(label, {"file": {"id": OWNER}}, owner=OWNER, jobs_table=TABLE)


def test_an_unknown_type_is_refused() -> None:
    with pytest.raises(JobRefused, match=r"no job type is named 'orders.burn'; known are: .*csv.profile"):
        job_item("orders.burn", {}, owner=OWNER, jobs_table=TABLE)
    with pytest.raises(JobRefused, match=r"webhook.deliver"):
        job_item("webhook.deliver", {}, owner=OWNER, jobs_table=TABLE)
    with pytest.raises(JobRefused, match=r"is no job type, but of type object"):
        job_item(object(), {}, owner=OWNER, jobs_table=TABLE)  # type: ignore[arg-type]


def test_headrace_has_nothing_else_that_is_imported_late() -> None:
    with pytest.raises(AttributeError, match="module 'headrace' has no attribute 'nothing'"):
        _ = headrace.nothing  # type: ignore[attr-defined]


def test_headrace_stays_cheap_to_import_and_job_item_needs_no_sdk() -> None:
    code = """
import sys
import headrace
assert not {'domain', 'functions', 'persistence'} & {name.split('.')[0] for name in sys.modules}
headrace.job_item('csv.profile', {'csv': 'a'}, owner='00000000-0000-4000-8000-000000000001', jobs_table='t')
sdk = {'boto3', 'botocore', 'aioboto3', 'aiobotocore', 'fastapi', 'aws_lambda_powertools'}
assert not sdk & {name.split('.')[0] for name in sys.modules}
"""
    subprocess.run([sys.executable, "-c", code], check=True)
