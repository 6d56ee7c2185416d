"""Every sample event is passed to its handler, on a database, as `sam local invoke` does."""

import asyncio
import importlib
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TypeVar

import pytest
from pydantic import JsonValue

from domain.jobs.change import Change
from domain.jobs.filtering import JobFilter
from domain.jobs.job import Job
from domain.jobs.listing import DOCUMENTS
from domain.paging import Page, PageRequest
from domain.schedules.schedule import Schedule, new_schedule
from domain.schedules.timing import Timing
from domain.stats.buckets import Leaf, leaf_key
from domain.stats.fact import aggregate_of, fact_of
from domain.users.user import Email, User
from domain.webhooks.endpoint import EndpointWishes, new_endpoint
from functions.job_types import load_job_types
from functions.runtime import LazyClient, Runtime, now
from headrace.authoring.json_text import JsonText
from headrace.emulator.cloudformation import ROOT
from headrace.emulator.tables import ensure_tables
from headrace.emulator.template import Stack
from persistence.dynamodb.repositories.schedule_repository import DynamoScheduleRepository
from persistence.dynamodb.repositories.stats_repository import DynamoStatsRepository
from persistence.dynamodb.repositories.webhook_repository import DynamoEndpointRepository
from persistence.dynamodb.stream_records import JobChanged, decode
from persistence.sqs.wake_messages import WakeMessage, decode_message
from persistence.sqs.wake_queue import open_queue_client
from scripts.generate import SAMPLE_JOB_ID, SAMPLE_OWNER_ID, SAMPLE_SCHEDULE_ID, sample_job
from scripts.sample_events import SAMPLE_EMAIL, SAMPLE_TIME
from tests.conftest import job_listing_on, job_repository_on, new_id, parts_on, user_repository_on
from tests.factories import NOW, UserFactory
from tests.fakes.lambda_context import FakeLambdaContext
from tests.schedules import a_spec

T = TypeVar("T")
SAMPLES = {path.stem: json.loads(path.read_text()) for path in (ROOT / "events/samples").glob("*.json")}


class Lambda:
    """The functions, in a thread with its own event loop, as in an execution environment."""

    def __init__(self, url: str) -> None:
        self._thread = ThreadPoolExecutor(1)
        self._runtime = self._thread.submit(Runtime, url).result()
        self._handlers: dict[str, Callable[..., object]] = {}

    def invoke(self, sample: str) -> dict[str, JsonValue]:
        """Invoke the function whose folder the sample's name begins with."""
        folder = sample.split("_", maxsplit=1)[0]
        if folder not in self._handlers:
            module = importlib.import_module(f"functions.{folder}.handler")
            self._handlers[folder] = module.build(parts_on(self._runtime, load_job_types("job_types")))
        handler = self._handlers[folder]
        answer = self._thread.submit(handler, SAMPLES[sample], FakeLambdaContext(120)).result()
        return json.loads(json.dumps(answer))  # type: ignore[no-any-return]

    def close(self) -> None:
        self._thread.submit(self._runtime.close).result()
        self._thread.shutdown()


@pytest.fixture(scope="module")
def functions_on_ministack(ministack_client: LazyClient, ministack_url: str, wake_queue_url: str) -> Iterator[Lambda]:
    functions = Lambda(ministack_url)
    yield functions
    functions.close()


@pytest.fixture
async def stored(ministack_client: LazyClient) -> Job:
    """Store the sample's job and its owner as they are when the stream delivers the record."""
    client = await ministack_client()
    users = user_repository_on(ministack_client)
    other = await users.get_by_email(Email(SAMPLE_EMAIL))
    if isinstance(other, User) and other.id != SAMPLE_OWNER_ID:
        # Another file's, on the same database.
        await users.remove(other)
    await users.add(UserFactory.build(id=SAMPLE_OWNER_ID, email=SAMPLE_EMAIL, role="admin"))
    await client.delete_item(TableName="JobsTable", Key={"id": {"S": SAMPLE_JOB_ID}})
    job = sample_job()
    assert await job_repository_on(ministack_client).add(Change(job), NOW) == job
    return job


async def found(client: LazyClient) -> Job:
    job = await job_repository_on(client).get(SAMPLE_JOB_ID, NOW)
    assert isinstance(job, Job)
    return job


def test_every_sample_is_tested_here() -> None:
    tried = {
        "api_submit", "api_read", "worker_queued_insert", "worker_redriven_modify", "worker_ttl_removal",
        "worker_poison_record", "worker_mixed_batch", "worker_due_job_message", "worker_schedule_tick_message",
        "runner_job_message", "recorder_retrying_modify", "recorder_succeeded_modify", "sweeper_schedule_tick",
    }  # fmt: skip
    assert set(SAMPLES) == tried


async def test_the_api_submits_and_reads_a_job(functions_on_ministack: Lambda, stored: Job) -> None:
    accepted = functions_on_ministack.invoke("api_submit")
    assert accepted["statusCode"] == 202
    body = json.loads(str(accepted["body"]))
    assert (body["type"], body["status"], body["owner_id"]) == ("csv.profile", "queued", SAMPLE_OWNER_ID)
    read = functions_on_ministack.invoke("api_read")
    assert read["statusCode"] == 200
    assert json.loads(str(read["body"]))["id"] == stored.id


@pytest.mark.parametrize(
    ("sample", "poison"),
    [
        ("worker_queued_insert", []),
        ("worker_redriven_modify", []),
        ("worker_due_job_message", []),
        ("runner_job_message", []),
        ("worker_mixed_batch", [{"itemIdentifier": "100000000000000000005"}]),
    ],
)
async def test_a_trigger_runs_the_job_once(
    functions_on_ministack: Lambda, ministack_client: LazyClient, stored: Job, sample: str, poison: list[JsonValue]
) -> None:
    assert functions_on_ministack.invoke(sample) == {"batchItemFailures": poison}
    job = await found(ministack_client)
    assert (job.status, job.attempt) == ("succeeded", 1)
    assert functions_on_ministack.invoke(sample) == {"batchItemFailures": poison}
    assert await found(ministack_client) == job


async def test_a_tick_of_a_schedule_makes_its_job_once_and_asks_for_the_next(
    functions_on_ministack: Lambda, ministack_client: LazyClient, stored: Job, wake_queue_url: str
) -> None:
    assert functions_on_ministack.invoke("worker_schedule_tick_message") == {"batchItemFailures": []}, "there is none"
    schedules = DynamoScheduleRepository(ministack_client, "SchedulesTable", new_id)
    timing, payload = Timing(every_seconds=60), JsonText('{"csv":"a\\n1\\n"}')
    spec = a_spec(timing=timing, type="csv.profile", payload=payload)
    schedule = new_schedule(SAMPLE_SCHEDULE_ID, SAMPLE_OWNER_ID, spec, now() - timedelta(seconds=90))
    assert await schedules.add(schedule) == schedule
    for _ in range(2):
        assert functions_on_ministack.invoke("worker_schedule_tick_message") == {"batchItemFailures": []}
    after = await schedules.get(SAMPLE_SCHEDULE_ID)
    assert isinstance(after, Schedule)
    assert after.last is not None
    assert (after.version, after.last.at) == (2, schedule.anchor + timedelta(seconds=60))
    job = await job_repository_on(ministack_client).get(after.last.job_id, NOW)
    assert isinstance(job, Job)
    assert (job.status, job.payload, job.owner_id) == ("queued", payload, SAMPLE_OWNER_ID)
    async with open_queue_client() as queue:
        waiting = await queue.get_queue_attributes(
            QueueUrl=wake_queue_url, AttributeNames=["ApproximateNumberOfMessagesDelayed"]
        )
    assert waiting["Attributes"]["ApproximateNumberOfMessagesDelayed"] == "1"
    await schedules.delete(SAMPLE_SCHEDULE_ID, 2)


async def test_a_removal_is_not_a_trigger(
    functions_on_ministack: Lambda, ministack_client: LazyClient, stored: Job
) -> None:
    assert functions_on_ministack.invoke("worker_ttl_removal") == {"batchItemFailures": []}
    assert await found(ministack_client) == stored


async def test_without_a_queue_a_poison_record_is_left_to_the_mappings_retries(
    functions_on_ministack: Lambda, ministack_client: LazyClient, stored: Job
) -> None:
    failures = functions_on_ministack.invoke("worker_poison_record")["batchItemFailures"]
    sequence_numbers = [record["dynamodb"]["SequenceNumber"] for record in SAMPLES["worker_poison_record"]["Records"]]
    assert failures == [{"itemIdentifier": number} for number in sequence_numbers]
    assert await found(ministack_client) == stored


async def test_a_poison_record_is_logged_and_counted_without_its_values(
    functions_on_ministack: Lambda, stored: Job, capsys: pytest.CaptureFixture[str]
) -> None:
    functions_on_ministack.invoke("worker_poison_record")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    assert any("UndecodableRecords" in line for line in lines)


async def test_a_retry_is_sent_to_the_wake_queue_and_without_one_is_handed_back(
    functions_on_ministack: Lambda, wake_queue_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert functions_on_ministack.invoke("recorder_retrying_modify") == {"batchItemFailures": []}
    async with open_queue_client() as queue:
        received = await queue.receive_message(QueueUrl=wake_queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=5)
    (message,) = [decode_message({"messageId": "1", "body": each["Body"]}) for each in received["Messages"]]
    assert isinstance(message, WakeMessage)
    assert message.wake.job_id == SAMPLE_JOB_ID
    monkeypatch.setenv("WAKE_QUEUE_URL", "")
    elsewhere = Lambda("http://127.0.0.1:1")
    unsent = elsewhere.invoke("recorder_retrying_modify")
    elsewhere.close()
    assert unsent == {"batchItemFailures": [{"itemIdentifier": "100000000000000000003"}]}


async def test_a_final_state_is_told_to_an_endpoint_once(
    wake_queue_url: str, ministack_url: str, ministack_client: LazyClient
) -> None:
    endpoint = new_endpoint(new_id(), EndpointWishes(url="https://example.com/hooks"), SAMPLE_TIME)
    endpoints = DynamoEndpointRepository(ministack_client, "WebhooksTable", new_id)
    await endpoints.add(endpoint)
    functions = Lambda(ministack_url)
    for _ in range(2):
        assert functions.invoke("recorder_succeeded_modify") == {"batchItemFailures": []}
    functions.close()
    page = await job_listing_on(ministack_client).list_by_owner(
        endpoint.id, JobFilter(), PageRequest(limit=10), now(), DOCUMENTS
    )
    await endpoints.delete(endpoint.id)
    assert isinstance(page, Page)
    (delivery,) = page.items
    assert (delivery.type, delivery.status) == ("webhook.deliver", "queued")
    assert delivery.tags == {"job_id": SAMPLE_JOB_ID, "event": "job.succeeded"}


async def test_a_final_state_is_counted_once(
    wake_queue_url: str, ministack_url: str, ministack_client: LazyClient, stack: Stack
) -> None:
    await _emptied(ministack_client, stack, "StatsTable")  # other samples are counted in the same ten seconds
    stats = DynamoStatsRepository(ministack_client, "StatsTable")
    (record,) = [decode(each) for each in SAMPLES["recorder_succeeded_modify"]["Records"]]
    assert isinstance(record, JobChanged)
    fact = fact_of(record.after, record.before)
    assert fact is not None
    functions = Lambda(ministack_url)
    for _ in range(3):
        assert functions.invoke("recorder_succeeded_modify") == {"batchItemFailures": []}
    functions.close()
    leaf = await stats.leaf(leaf_key(fact))
    assert isinstance(leaf, Leaf)
    assert (leaf.whole, leaf.version) == (aggregate_of(fact), 1)


@pytest.fixture
async def jobs_of_this_test(ministack_client: LazyClient, stack: Stack) -> None:
    """No jobs of other files: some leave items that no sweep can read, and which files share a database varies."""
    await _emptied(ministack_client, stack, "JobsTable")


async def _emptied(database: LazyClient, stack: Stack, table: str) -> None:
    client = await database()
    await client.delete_table(TableName=table)
    await client.get_waiter("table_not_exists").wait(TableName=table, WaiterConfig={"Delay": 1})
    await ensure_tables(client, tuple(stack.tables.values()))


async def test_a_schedule_tick_starts_a_sweep(
    functions_on_ministack: Lambda, jobs_of_this_test: None, stored: Job
) -> None:
    answer = functions_on_ministack.invoke("sweeper_schedule_tick")
    assert answer["complete"] is True
    assert answer["problems"] == 0


async def test_a_hundred_warm_invocations_use_one_loop_and_one_client(
    functions_on_ministack: Lambda, stored: Job
) -> None:
    first = await asyncio.to_thread(functions_on_ministack.invoke, "api_read")
    client = await functions_on_ministack._runtime.client()
    answers = [functions_on_ministack.invoke("api_read")["statusCode"] for _ in range(100)]
    assert first["statusCode"] == 200
    assert set(answers) == {200}
    assert await functions_on_ministack._runtime.client() is client
