"""Fixtures for several folders of tests: databases, and repositories on them."""

import asyncio
import os
import socket
import time
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

import httpx
import pytest
from aws_lambda_powertools import Logger

from domain.jobs.catalogue import Catalogue
from functions.adapters import job_repository
from functions.compose import Parts
from functions.runtime import LazyClient, LazyS3, Runtime
from functions.settings import Settings
from headrace.emulator.database import embedded_database, local_credentials
from headrace.emulator.queues import QUEUES_VARIABLE, ensure_queues
from headrace.emulator.tables import ensure_buckets, ensure_tables
from headrace.emulator.template import Stack, load_stack
from headrace.testing.clock import half
from persistence.cursors import CursorCodec
from persistence.dynamodb.repositories.job_listing import DynamoJobListing
from persistence.dynamodb.repositories.job_repository import DynamoJobRepository
from persistence.dynamodb.repositories.lane_repository import DynamoLaneRepository
from persistence.dynamodb.repositories.user_repository import DynamoUserRepository
from persistence.sqs.wake_queue import open_queue_client
from tests.companions import COMPANION_TABLES, PLACES
from tests.fakes.job_listing import CURSOR_KEY

PARAMETERS = {"JwtIssuer": "https://issuer.test", "JwtAudience": "headrace", "CursorKey": CURSOR_KEY.decode()}

STACK = load_stack(PARAMETERS)
"""The template, with the parameters of a test."""
(BUCKET,) = STACK.buckets
FUNCTIONS = tuple(STACK.functions)
"""Every function of the template, by its logical id."""

# The entry points of the functions read their environment when they are imported, as on Lambda.
os.environ.update(local_credentials())
for _function in STACK.functions.values():
    os.environ.update(_function.environment)
# Never AWS's own: where a test has a queue, it names its service.
os.environ[QUEUES_VARIABLE] = "http://127.0.0.1:1"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--seed", type=int, default=None, help="the one seed that the simulation runs")


WAITING = ("reliability", "e2e")
"""Folders whose tests wait more than they compute."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start the longest files first; the others use the time that they wait."""
    items.sort(key=lambda item: not any(folder in item.path.parts for folder in WAITING))


@pytest.fixture(scope="session")
def stack() -> Stack:
    """The template, with the parameters of a test."""
    return STACK


@pytest.fixture(scope="module")
def moto_url() -> Iterator[str]:
    """moto's server, in a thread of this process; empty for each file, because a query of moto examines every item."""
    from moto.server import ThreadedMotoServer

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = ThreadedMotoServer("127.0.0.1", port, verbose=False)
    server.start()
    url = f"http://127.0.0.1:{port}"
    yield url
    httpx.post(f"{url}/moto-api/reset").raise_for_status()
    server.stop()


@pytest.fixture(scope="session")
async def ministack_url(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """MiniStack, in its own process."""
    folder: Path = tmp_path_factory.mktemp("ministack")
    async with embedded_database(None, folder / "database.log") as database:
        yield database.url


@pytest.fixture(scope="module")
async def wake_queue_url(ministack_url: str, stack: Stack) -> AsyncIterator[str]:
    """The template's wake queue on MiniStack, empty; for a while the SDK finds its queues there."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv(QUEUES_VARIABLE, ministack_url)
        async with open_queue_client() as client:
            await ensure_queues(client, stack.queues.values())
            url = (await client.get_queue_url(QueueName="WakeQueue"))["QueueUrl"]
            await client.purge_queue(QueueUrl=url)
            yield url


def a_settings(url: str) -> Settings:
    """Settings for the tables of the template, under their local names."""
    return Settings(
        jobs_table="JobsTable",
        lanes_table="LanesTable",
        steps_table="JobStepsTable",
        endpoint_url=url,
        runners={"standard": ""},
    )


def parts_on(runtime: Runtime, job_types: Catalogue, environment: Mapping[str, str] = os.environ) -> Parts:
    """The parts of any function, on the tables of the template; `environment` holds the function's own settings."""
    settings = a_settings("")
    jobs = job_repository(settings, runtime.client)
    return Parts(environment, settings, Logger("tests"), runtime, jobs, job_types)


async def tables_on(url: str, stack: Stack) -> AsyncIterator[LazyClient]:
    """A client for `url`, with the template's tables created."""
    client = LazyClient(url)
    await ensure_tables(await client(), (*stack.tables.values(), PLACES))
    yield client
    await client.close()


@pytest.fixture(scope="module")
async def moto_client(moto_url: str, stack: Stack) -> AsyncIterator[LazyClient]:
    async for client in tables_on(moto_url, stack):
        yield client


@pytest.fixture(scope="session")
async def ministack_client(ministack_url: str, stack: Stack) -> AsyncIterator[LazyClient]:
    async for client in tables_on(ministack_url, stack):
        yield client


async def buckets_on(url: str, stack: Stack) -> AsyncIterator[LazyS3]:
    """A client for `url`, with the template's buckets created."""
    client = LazyS3(url)
    await ensure_buckets(await client(), stack.buckets)
    yield client
    await client.close()


@pytest.fixture(scope="module")
async def moto_s3(moto_url: str, stack: Stack) -> AsyncIterator[LazyS3]:
    async for client in buckets_on(moto_url, stack):
        yield client


@pytest.fixture(scope="session")
async def ministack_s3(ministack_url: str, stack: Stack) -> AsyncIterator[LazyS3]:
    async for client in buckets_on(ministack_url, stack):
        yield client


def job_repository_on(client: LazyClient) -> DynamoJobRepository:
    return DynamoJobRepository(client, "JobsTable", new_id, COMPANION_TABLES)


def lane_repository_on(client: LazyClient) -> DynamoLaneRepository:
    return DynamoLaneRepository(client, "LanesTable", "JobsTable")


def job_listing_on(client: LazyClient) -> DynamoJobListing:
    return DynamoJobListing(client, "JobsTable", CursorCodec(CURSOR_KEY), half, asyncio.sleep, time.monotonic)


def user_repository_on(client: LazyClient) -> DynamoUserRepository:
    return DynamoUserRepository(client, "UsersTable", "UserEmailsTable", "PrincipalsTable", new_id)


def new_id() -> str:
    return str(uuid.uuid4())
