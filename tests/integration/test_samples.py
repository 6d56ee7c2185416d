"""Every sample event through its handler, on a database, as `sam local invoke` does it."""

import asyncio
import json
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest
from aws_lambda_powertools import Logger
from pydantic import JsonValue

import functions.api.handler
import functions.sweeper.handler
import functions.worker.handler
from domain.jobs.catalogue import Catalogue
from domain.jobs.job import Job
from domain.users.user import Email, User
from functions.runtime import LazyClient, Runtime
from functions.settings import read_api_settings, read_sweeper_settings, read_worker_settings
from headrace.emulator.cloudformation import ROOT
from job_types import catalogue
from scripts.generate import SAMPLE_EMAIL, SAMPLE_JOB_ID, SAMPLE_OWNER_ID, sample_job
from tests.conftest import a_settings, job_listing_on, job_repository_on, user_repository_on
from tests.factories import NOW, UserFactory
from tests.fakes.lambda_context import FakeLambdaContext

T = TypeVar("T")
SAMPLES = {path.stem: json.loads(path.read_text()) for path in (ROOT / "events/samples").glob("*.json")}


def build_api(runtime: Runtime, logger: Logger, job_types: Catalogue) -> Callable[..., object]:
    listing = job_listing_on(runtime.client)
    return functions.api.handler.build(runtime, listing, logger, job_types, read_api_settings(os.environ))


def build_worker(runtime: Runtime, logger: Logger, job_types: Catalogue) -> Callable[..., object]:
    return functions.worker.handler.build(runtime, logger, job_types, read_worker_settings(os.environ))


def build_sweeper(runtime: Runtime, logger: Logger, job_types: Catalogue) -> Callable[..., object]:
    return functions.sweeper.handler.build(runtime, logger, job_types, read_sweeper_settings(os.environ))


BUILD: Mapping[str, Callable[[Runtime, Logger, Catalogue], Callable[..., object]]] = {
    "api": build_api,
    "worker": build_worker,
    "sweeper": build_sweeper,
}


class Lambda:
    """The three functions, in a thread with a loop of its own, as in an execution environment."""

    def __init__(self, url: str) -> None:
        self._thread = ThreadPoolExecutor(1)
        self._runtime = self._thread.submit(Runtime, a_settings(url)).result()
        self._handlers = {name: build(self._runtime, Logger("samples"), catalogue()) for name, build in BUILD.items()}

    def invoke(self, sample: str) -> dict[str, JsonValue]:
        handler = self._handlers[sample.split("_", maxsplit=1)[0]]
        answer = self._thread.submit(handler, SAMPLES[sample], FakeLambdaContext(120)).result()
        return json.loads(json.dumps(answer))  # type: ignore[no-any-return]

    def close(self) -> None:
        self._thread.submit(self._runtime.close).result()
        self._thread.shutdown()


@pytest.fixture(scope="module")
def functions_on_ministack(ministack_client: LazyClient, ministack_url: str) -> Iterator[Lambda]:
    functions = Lambda(ministack_url)
    yield functions
    functions.close()


@pytest.fixture
async def stored(ministack_client: LazyClient) -> Job:
    """The sample's job and its owner, as they stand when the stream record is on its way."""
    client = await ministack_client()
    users = user_repository_on(ministack_client)
    other = await users.get_by_email(Email(SAMPLE_EMAIL))
    if isinstance(other, User) and other.id != SAMPLE_OWNER_ID:
        # Another file's, on the same database.
        await client.delete_item(TableName="UsersTable", Key={"id": {"S": other.id}})
        await client.delete_item(TableName="UserEmailsTable", Key={"email": {"S": SAMPLE_EMAIL}})
    await users.add(UserFactory.build(id=SAMPLE_OWNER_ID, email=SAMPLE_EMAIL, role="admin"))
    await client.delete_item(TableName="JobsTable", Key={"id": {"S": SAMPLE_JOB_ID}})
    job = sample_job()
    assert await job_repository_on(ministack_client).add(job, NOW) == job
    return job


async def found(client: LazyClient) -> Job:
    job = await job_repository_on(client).get(SAMPLE_JOB_ID, NOW)
    assert isinstance(job, Job)
    return job


def test_every_sample_is_tried_here() -> None:
    tried = {"api_submit", "api_read", "worker_queued_insert", "worker_redriven_modify", "worker_ttl_removal",
             "worker_poison_record", "worker_mixed_batch", "sweeper_schedule_tick"}  # fmt: skip
    assert set(SAMPLES) == tried


async def test_api_submit_and_read(functions_on_ministack: Lambda, stored: Job) -> None:
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
        ("worker_mixed_batch", [{"itemIdentifier": "100000000000000000005"}]),
    ],
)
async def test_a_doorbell_runs_the_job_once(
    functions_on_ministack: Lambda, ministack_client: LazyClient, stored: Job, sample: str, poison: list[JsonValue]
) -> None:
    assert functions_on_ministack.invoke(sample) == {"batchItemFailures": poison}
    job = await found(ministack_client)
    assert (job.status, job.attempt) == ("succeeded", 1)
    assert functions_on_ministack.invoke(sample) == {"batchItemFailures": poison}
    assert await found(ministack_client) == job


async def test_a_removal_is_no_doorbell(
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


async def test_a_tick_sweeps(functions_on_ministack: Lambda, stored: Job) -> None:
    answer = functions_on_ministack.invoke("sweeper_schedule_tick")
    assert answer["complete"] is True
    assert answer["problems"] == 0


async def test_a_hundred_warm_invocations_use_one_loop_and_one_client(
    functions_on_ministack: Lambda, stored: Job
) -> None:
    first = await asyncio.to_thread(functions_on_ministack.invoke, "api_read")
    client = functions_on_ministack._runtime.client._clients[0]
    answers = [functions_on_ministack.invoke("api_read")["statusCode"] for _ in range(100)]
    assert first["statusCode"] == 200
    assert set(answers) == {200}
    assert functions_on_ministack._runtime.client._clients == [client]
