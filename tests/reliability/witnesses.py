"""The observers of `faults.py`: clients, which remember their responses, and a reader of the stream.

The reader takes the table's stream directly from the database and checks each change.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

import aioboto3
import httpx

from domain.jobs.job import Job, is_final
from headrace.authoring.frozen import Frozen
from persistence.converters.attributes import Unreadable
from persistence.converters.dynamo_to_domain import item_to_job
from tests.reliability.history import History, Violation

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb.client import DynamoDBClient
    from types_aiobotocore_dynamodbstreams.client import DynamoDBStreamsClient

CLIENTS = 16
PATIENCE_SECONDS = 900
"""What waits in a runner's queue is taken for lost, and sent again, after four minutes; that may be lost too."""


class Planned(Frozen):
    """A job to submit."""

    type: str
    payload: dict[str, str]
    tags: dict[str, str]


class Clients:
    """Submit each job with an idempotency key until it is accepted, and read jobs in between."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url
        self._headers = {"authorization": f"Bearer {token}"}
        self.accepted: dict[str, str] = {}
        """The job of each idempotency key."""
        self.shown: dict[str, set[str]] = {}
        """Final states in responses to clients, by job."""
        self.refused = 0

    async def submit_all(self, plans: tuple[Planned, ...]) -> None:
        """Submit everything, 16 at a time."""
        left = iter(enumerate(plans))
        async with httpx.AsyncClient(base_url=self._url, headers=self._headers, timeout=35) as client:

            async def one_client() -> None:
                for number, plan in left:
                    await self._submit(client, str(number), plan)

            await asyncio.gather(*(one_client() for _ in range(CLIENTS)))

    async def _submit(self, client: httpx.AsyncClient, key: str, plan: Planned) -> None:
        body = {"type": plan.type, "payload": plan.payload, "tags": plan.tags}
        while key not in self.accepted:
            response = await self._request(client, "POST", "/v1/jobs", {"idempotency-key": key}, body)
            if response is not None:
                if response.status_code not in {200, 202}:
                    raise Violation(f"I8: a submission got the response {response.status_code}: {response.text}")
                self.accepted[key] = str(response.json()["id"])
        earlier = list(self.accepted.values())[len(self.accepted) // 2]
        seen = await self._request(client, "GET", f"/v1/jobs/{earlier}", {}, None)
        if seen is not None:
            if seen.status_code != httpx.codes.OK:
                raise Violation(f"I1: a request for an accepted job got the response {seen.status_code}: {seen.text}")
            if seen.json()["status"] in {"succeeded", "failed", "cancelled"}:
                self.shown.setdefault(earlier, set()).add(str(seen.json()["status"]))

    async def _request(
        self, client: httpx.AsyncClient, method: str, path: str, headers: dict[str, str], body: object
    ) -> httpx.Response | None:
        """Return the response; None after a 5xx or no response, when the request should be repeated."""
        try:
            response = await client.request(method, path, headers=headers, json=body)
        except httpx.TransportError:
            response = None
        if response is not None and response.status_code < httpx.codes.INTERNAL_SERVER_ERROR:
            return response
        self.refused += 1
        await asyncio.sleep(0.2)
        return None


class Observer:
    """Follows the table's stream, directly from the database, and checks each change."""

    def __init__(self, client: "DynamoDBClient", streams: "DynamoDBStreamsClient") -> None:
        self.client = client
        self.history = History()
        self.jobs: dict[str, Job] = {}
        self.changes = 0
        self._streams = streams
        self._iterator: str | None = None
        self._empty_polls = 0

    async def follow_from_start(self) -> None:
        """Follow the table's current stream from its beginning."""
        arn = (await self.client.describe_table(TableName="JobsTable"))["Table"]["LatestStreamArn"]
        shards = (await self._streams.describe_stream(StreamArn=arn))["StreamDescription"]["Shards"]
        response = await self._streams.get_shard_iterator(
            StreamArn=arn, ShardId=shards[0]["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )
        self._iterator = response["ShardIterator"]

    async def run(self) -> None:
        """Read until cancelled."""
        while True:
            iterator = self._iterator
            if iterator is None:
                await asyncio.sleep(0.1)
                continue
            response = await self._streams.get_records(ShardIterator=iterator)
            records = cast("list[dict[str, dict[str, object]]]", response["Records"])
            for record in records:
                self._check(record["dynamodb"])
            self._empty_polls = 0 if records else self._empty_polls + 1
            if self._iterator == iterator:
                self._iterator = response["NextShardIterator"]
            if not records:
                await asyncio.sleep(0.2)

    async def caught_up(self) -> None:
        """Wait until every write has been read from the stream, then stop reading."""
        # The slowest call in progress is written after its timeout.
        await asyncio.sleep(4)
        self._empty_polls = 0
        await until(lambda: self._empty_polls > 1)
        self._iterator = None

    def all_final(self, ids: set[str]) -> bool:
        """Whether each of these jobs has ended."""
        return all(job_id in self.jobs and is_final(self.jobs[job_id]) for job_id in ids)

    def unfinished(self) -> str:
        """Describe the jobs that have not ended, for the failure message."""
        return str([(job.id, job.status, job.attempt) for job in self.jobs.values() if not is_final(job)][:10])

    def _check(self, change: Mapping[str, object]) -> None:
        before, after = (_job(change.get(image)) for image in ("OldImage", "NewImage"))
        if after is None:
            raise Violation("I1: a job was deleted")
        self.changes += 1
        self.jobs[after.id] = after
        self.history.committed(None, before, after, datetime.now(UTC))


def _job(image: object) -> Job | None:
    if not isinstance(image, dict):
        return None
    job = item_to_job(image)
    if isinstance(job, Unreadable):
        raise Violation(f"I3: an item cannot be read: {job.detail}")
    return job


@asynccontextmanager
async def observing(url: str) -> AsyncIterator[Observer]:
    session = aioboto3.Session()
    async with (
        session.client("dynamodb", endpoint_url=url) as client,
        session.client("dynamodbstreams", endpoint_url=url) as streams,
    ):
        observer = Observer(client, streams)
        await observer.follow_from_start()
        running = asyncio.create_task(observer.run())
        try:
            yield observer
            if running.done():
                running.result()
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def table_of(client: "DynamoDBClient") -> dict[str, Job]:
    """Read the whole table; only tests scan it."""
    jobs: dict[str, Job] = {}
    async for page in client.get_paginator("scan").paginate(TableName="JobsTable", ConsistentRead=True):
        for item in page["Items"]:
            job = _job(item)
            if job is not None:
                jobs[job.id] = job
    return jobs


async def until(condition: Callable[[], bool], details: Callable[[], str] = lambda: "") -> None:
    ends = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > ends:
            raise Violation(f"I1: not ended after {PATIENCE_SECONDS} s: {details()}")
        await asyncio.sleep(0.2)
