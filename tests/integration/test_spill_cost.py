"""What a job costs by the size of its documents: write units, and requests to S3."""

import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator

import pytest
from pydantic import BaseModel

from domain.jobs.catalogue import Catalogue
from domain.jobs.documents import Documents
from domain.jobs.execution import JobExecutor
from domain.jobs.execution_results import Executed
from domain.jobs.job import Job
from domain.jobs.submission import Submission
from domain.jobs.submitting import SubmissionService, Submitted
from functions.runtime import LazyClient, LazyS3, new_random, now
from headrace.authoring.context import JobContext
from headrace.emulator.cloudformation import ROOT
from persistence.s3.blob_store import S3BlobStore
from tests.conftest import BUCKET, job_repository_on, new_id
from tests.factories import UserFactory
from tests.fakes.handlers import Count, Text, a_handler
from tests.integration.metering import Meter
from tests.integration.test_write_units import SECOND

KB = 1024


class Echo(Count):
    """A result of a chosen size."""

    text: str


class S3Meter:
    """Counts the requests to S3 by their operations."""

    def __init__(self) -> None:
        self.requests: Counter[str] = Counter()

    def note(self, model: object, **_: object) -> None:
        self.requests[str(getattr(model, "name", ""))] += 1


@pytest.fixture
async def metered(ministack_s3: LazyS3, ministack_url: str, ministack_client: LazyClient) -> AsyncIterator["Setup"]:
    setup = Setup(ministack_url)
    await setup.start()
    yield setup
    await setup.close()


class Setup:
    """Submits and runs a job of any size on MiniStack, and measures it."""

    def __init__(self, url: str) -> None:
        self.tables, self.s3 = LazyClient(url), LazyS3(url)
        self.units, self.requests = Meter(), S3Meter()
        self.opened = False

    async def start(self) -> None:
        events = (await self.tables()).meta.events
        events.register("provide-client-params.dynamodb", self.units.ask)  # type: ignore[arg-type]  # it may return
        events.register("after-call.dynamodb", self.units.note)

    async def close(self) -> None:
        await self.tables.close()
        await self.s3.close()

    async def source(self) -> object:
        client = await self.s3()
        if not self.opened:
            client.meta.events.register("before-call.s3", self.requests.note)
        self.opened = True
        return client

    async def run(self, payload: int, result: int) -> tuple[float, dict[str, int], Job]:
        """Write units, requests to S3 and the finished job for documents of about so many bytes."""
        self.units.take()
        self.requests.requests.clear()

        async def echo(_document: Text, _context: JobContext) -> BaseModel:
            return Echo(text="x" * result)

        documents = Documents(S3BlobStore(self.source, BUCKET))  # type: ignore[arg-type]  # the same client
        jobs, catalogue = job_repository_on(self.tables), Catalogue([a_handler(run=echo)])
        service = SubmissionService(jobs, catalogue, now, new_id, documents)
        executor = JobExecutor(jobs, catalogue, now, new_id, new_random, {}, documents=documents)
        submission = Submission(type="text.word_count", payload={"text": "x" * payload})
        submitted = await service.submit(submission, UserFactory.build(id=new_id()))
        assert isinstance(submitted, Submitted)
        executed = await executor.execute(submitted.job, now() + 120 * SECOND)
        assert isinstance(executed, Executed)
        assert executed.outcome == "succeeded"
        return sum(units for _, units in self.units.take()), dict(self.requests.requests), executed.job


async def test_a_small_job_costs_six_units_and_no_request_and_opens_no_client_of_s3(metered: Setup) -> None:
    units, requests, _ = await metered.run(150, 10)
    assert (units, requests, metered.opened) == (6, {}, False)


@pytest.mark.parametrize("size", [100 * KB, 4000 * KB])
async def test_a_large_payload_costs_the_units_of_a_small_one_a_put_and_a_get(metered: Setup, size: int) -> None:
    units, requests, _ = await metered.run(size, 10)
    assert units <= 6
    assert requests == {"PutObject": 1, "GetObject": 1}


async def test_a_large_result_costs_a_put_more(metered: Setup) -> None:
    units, requests, _ = await metered.run(100 * KB, 100 * KB)
    assert units <= 6
    assert requests == {"PutObject": 2, "GetObject": 1}


@pytest.mark.parametrize("function", ["api", "worker"])
def test_starting_a_function_loads_nothing_of_s3(function: str) -> None:
    code = (
        f"import functions.{function}.handler, sys;"
        "print([name for name in sys.modules if name.startswith(('aioboto3.s3', 's3transfer', 'boto3.s3'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.splitlines()[-1] == "[]"
