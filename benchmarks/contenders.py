"""The contenders of `throughput.py`: Headrace's functions, a bare client loop, and the tutorial's functions."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, cast

import httpx
from aiobotocore.config import AioConfig
from pydantic import JsonValue

from domain.jobs import transitions
from domain.jobs.job import Job
from domain.jobs.transitions import NewJob
from functions.adapters import job_repository
from functions.runtime import LazyClient
from headrace.authoring.json_text import JsonText, to_json_text
from headrace.emulator.background import EMBEDDED_POLL_SECONDS
from headrace.emulator.database import local_credentials
from headrace.emulator.event_source_mapping import StreamPump
from headrace.emulator.execution_environment import Result, Returned
from headrace.emulator.function_pool import FunctionPool
from headrace.emulator.stack import settings
from headrace.emulator.tables import ensure_tables
from headrace.emulator.template import EventSourceMapping, LambdaFunction, Stack, Table
from job_types.csv_profile import CSV_PROFILE, CsvDocument, profile
from persistence.converters.attributes import string_of

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb.client import DynamoDBClient
    from types_aiobotocore_dynamodb.type_defs import UniversalAttributeValueTypeDef as Attribute
    from types_aiobotocore_dynamodbstreams.client import DynamoDBStreamsClient

SUBMITTERS = 16
LANES = 32
"""How many jobs the bare loop runs concurrently."""
BARE_CONFIG = AioConfig(max_pool_connections=LANES)

TUTORIAL_TABLE = Table(
    name="JobsTable",
    create={
        "TableName": "JobsTable",
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [
            {"AttributeName": name, "AttributeType": "S"} for name in ("id", "owner_id", "created_at")
        ],
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "GlobalSecondaryIndexes": [
            {
                "IndexName": "owner-index",
                "KeySchema": [
                    {"AttributeName": "owner_id", "KeyType": "HASH"},
                    {"AttributeName": "created_at", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
        "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    },
    ttl_attribute=None,
)
"""A table of jobs by id and by owner, as tutorials declare it: its index projects all attributes."""


TUTORIAL_MAPPING = EventSourceMapping(
    table="JobsTable",
    function="Tutorial",
    patterns=({"eventName": ["INSERT"]},),
    report_batch_item_failures=True,
)
"""Lambda's defaults: batches of 100, one at a time per shard."""


class Bench:
    """A database server, its clients, and the functions that run on it."""

    def __init__(
        self,
        stack: Stack,
        url: str,
        folder: Path,
        client: "DynamoDBClient",
        streams: "DynamoDBStreamsClient",
        pumped: "DynamoDBStreamsClient",
    ) -> None:
        self.stack = stack
        self.url = url
        self.folder = folder
        self.client = client
        self.streams = streams
        self.pumped = pumped
        """A separate client for the event source mapping, which changes how this client parses responses."""
        self.environment = {**stack.functions["ApiFunction"].environment, **local_credentials(),
                            "AWS_ENDPOINT_URL_DYNAMODB": url}  # fmt: skip

    async def fresh(self, *tables: Table) -> None:
        """Reset the server to these tables, empty, with empty streams.

        MiniStack keeps the streams of deleted tables; without a reset its garbage collections grew to a second over
        the rounds, and hit some contenders more often than others.
        """
        async with httpx.AsyncClient() as http:
            (await http.post(f"{self.url}/_ministack/reset")).raise_for_status()
        await ensure_tables(self.client, tables)

    async def stream(self) -> str:
        """The ARN of the table's stream."""
        return (await self.client.describe_table(TableName="JobsTable"))["Table"]["LatestStreamArn"]

    @asynccontextmanager
    async def pool(self, function: LambdaFunction, size: int) -> AsyncIterator[FunctionPool]:
        """Yield a pool of `size` warm environments of a function."""
        pool = FunctionPool(function, self.environment, self.folder / f"{function.name}.log", size)
        await asyncio.gather(*(pool.warm_up() for _ in range(size)))
        try:
            yield pool
        finally:
            await pool.stop()


def tutorial_function(bench: Bench, name: str, handler: str) -> LambdaFunction:
    """A function of the tutorial, with the memory and timeout of Headrace's worker."""
    worker = bench.stack.functions["WorkerFunction"]
    return worker.model_copy(update={"name": f"Tutorial-{name}", "handler": handler})


async def fill(bench: Bench, document: str, jobs: int) -> None:
    """Fill a fresh table with queued jobs, whose stream records are the worker's triggers."""
    await bench.fresh(bench.stack.tables["JobsTable"])
    lazy = LazyClient(bench.url)
    repository = job_repository(settings(bench.stack, bench.url), lazy)
    payload = to_json_text({"csv": document})

    async def add() -> None:
        now = datetime.now(UTC)
        stored = await repository.add(transitions.submit(_new(payload), CSV_PROFILE.policy, now), now)
        if not isinstance(stored, Job):
            raise TypeError(f"not stored: {stored}")

    await many(add, jobs)
    await lazy.close()


async def fill_tutorial(bench: Bench, document: str, jobs: int) -> None:
    """Fill the tutorial's table, freshly created, with queued jobs."""
    await bench.fresh(TUTORIAL_TABLE)

    async def add() -> None:
        item: dict[str, Attribute] = {
            "id": {"S": str(uuid.uuid4())},
            "type": {"S": "csv.profile"},
            "status": {"S": "queued"},
            "owner_id": {"S": "owner"},
            "created_at": {"S": datetime.now(UTC).isoformat()},
            "payload": {"M": {"csv": {"S": document}}},
        }
        await bench.client.put_item(TableName="JobsTable", Item=item)

    await many(add, jobs)


async def bare_loop(bench: Bench, jobs: int) -> None:
    """The least code on a client that does the work: read the shard; claim, run and finish, 32 jobs concurrently."""
    client, streams, stream = bench.client, bench.streams, await bench.stream()
    queue: asyncio.Queue[Mapping[str, Attribute]] = asyncio.Queue()

    async def lane() -> None:
        while True:
            image = await queue.get()
            await client.put_item(
                TableName="JobsTable",
                Item={**image, "status": {"S": "running"}, "version": {"N": "2"}},
                ConditionExpression="version = :expected",
                ExpressionAttributeValues={":expected": {"N": "1"}},
            )
            document = CsvDocument.model_validate_json(string_of(image, "payload") or "")
            result = profile(document).model_dump_json()
            done = {"status": {"S": "succeeded"}, "version": {"N": "3"}, "result": {"S": result}}
            await client.put_item(
                TableName="JobsTable",
                Item=cast("dict[str, Attribute]", {**image, **done}),
                ConditionExpression="version = :expected",
                ExpressionAttributeValues={":expected": {"N": "2"}},
            )
            queue.task_done()

    lanes = [asyncio.create_task(lane()) for _ in range(LANES)]
    shard = (await streams.describe_stream(StreamArn=stream))["StreamDescription"]["Shards"][0]["ShardId"]
    start = await streams.get_shard_iterator(StreamArn=stream, ShardId=shard, ShardIteratorType="TRIM_HORIZON")
    iterator, seen = start["ShardIterator"], 0
    while seen < jobs:
        page = await streams.get_records(ShardIterator=iterator)
        iterator = page["NextShardIterator"]
        for record in page["Records"]:
            image = record["dynamodb"]["NewImage"]
            if image["status"] == {"S": "queued"}:
                seen += 1
                queue.put_nowait(cast("Mapping[str, Attribute]", image))
    async with asyncio.timeout(300):
        await queue.join()
    for each in lanes:
        each.cancel()
    await asyncio.gather(*lanes, return_exceptions=True)


async def through(bench: Bench, mapping: EventSourceMapping, pool: FunctionPool, jobs: int) -> None:
    """Deliver all records of the stream to a function, with the local stack's event source mapping."""
    left = jobs
    done = asyncio.Event()

    async def invoke(event: JsonValue) -> Result:
        nonlocal left
        result = await pool.invoke(event)
        if not isinstance(result, Returned) or result.payload != {"batchItemFailures": []}:
            raise ValueError(f"a batch failed: {result}")
        left -= len(cast("dict[str, list[JsonValue]]", event)["Records"])
        if left == 0:
            done.set()
        return result

    arn = await bench.stream()
    failed, limit = bench.folder / "failed", pool.max_concurrency
    pump = StreamPump(bench.pumped, arn, mapping, invoke, failed, EMBEDDED_POLL_SECONDS, limit)
    running = asyncio.create_task(pump.run())
    ended = asyncio.create_task(done.wait())
    await asyncio.wait({running, ended}, return_when=asyncio.FIRST_COMPLETED)
    if running.done():
        running.result()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def many(work: Callable[[], Awaitable[None]], times: int) -> None:
    """Run `work` so many times, 16 concurrently."""
    left = iter(range(times))

    async def lane() -> None:
        for _ in left:
            await work()

    await asyncio.gather(*(lane() for _ in range(SUBMITTERS)))


def _new(payload: JsonText) -> NewJob:
    return NewJob(id=str(uuid.uuid4()), owner_id="owner", type="csv.profile", payload=payload, max_attempts=3)
