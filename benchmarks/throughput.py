"""Jobs a second through the local stack's worker, a bare client loop and the tutorial's functions, on one server."""

import asyncio
import os
import statistics
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, cast

import aioboto3
import httpx
from aiobotocore.config import AioConfig
from aws_lambda_powertools.utilities.data_classes.dynamo_db_stream_event import DynamoDBRecord
from pydantic import JsonValue

from benchmarks.cold_start import PARAMETERS, sample
from benchmarks.meter import Meter
from benchmarks.scale import costs
from domain.frozen import Frozen
from domain.jobs import transitions
from domain.jobs.job import Job
from domain.jobs.transitions import NewJob
from domain.json_text import JsonText, to_json_text
from functions.runtime import LazyClient, job_repository, user_repository
from job_types.csv_profile import CSV_PROFILE, CsvDocument, profile
from local.cloudformation import ROOT
from local.database import embedded_database, local_credentials
from local.event_source_mapping import StreamPump
from local.execution_environment import Answered, Result
from local.function_pool import FunctionPool
from local.stack import EMBEDDED_POLL_SECONDS, MAX_API_CONCURRENCY, settings
from local.tables import ensure_tables
from local.template import EventSourceMapping, LambdaFunction, Stack, Table, load_stack
from persistence.converters.dynamo_to_domain import string_of
from scripts.generate import sample_user, stream_record

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb.client import DynamoDBClient
    from types_aiobotocore_dynamodb.type_defs import UniversalAttributeValueTypeDef as Attribute
    from types_aiobotocore_dynamodbstreams.client import DynamoDBStreamsClient

ROUNDS = 9
SUBMITTERS = 16
LANES = 32
"""Jobs that the bare loop has under way at once."""
DOCUMENTS = {"iowa-electricity.csv": 1500, "us-employment.csv": 500}
"""A document of each job, and how many jobs: 1.5 KB with 0.2 ms of work, 18 KB with 3 ms."""
SUBMISSIONS = 600
PROCESSES = ("database", "functions", "this")
"""This one is the bare loop, or the event source mapping."""
EFFICIENCY_TARGET = 0.8
TUTORIAL_TARGET = 2.0
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
"""Jobs by id and by owner, as tutorials declare it: indexes with all attributes."""


class Drained(Frozen):
    """Jobs a second from the stream to the outcome, a figure for each round; the contenders took turns."""

    document: str
    rates: dict[str, tuple[float, ...]]
    cpu: dict[str, float]
    """Milliseconds of CPU for a job, by contender and process: the medians."""

    def median(self, contender: str) -> float:
        """Jobs a second of the median round."""
        return statistics.median(self.rates[contender])

    def against(self, other: str) -> float:
        """Headrace's jobs a second as a multiple of another's: the median of the rounds' ratios."""
        pairs = zip(self.rates["headrace"], self.rates[other], strict=True)
        return statistics.median(ours / theirs for ours, theirs in pairs)


class Run(Frozen):
    """One round of one contender."""

    rate: float
    """Jobs a second."""
    cpu: dict[str, float]
    """Milliseconds for a job, by process."""


class Throughput(Frozen):
    """Everything that was measured."""

    drained: tuple[Drained, ...]
    submitted: float
    """Submissions a second."""
    submitted_tutorial: float
    units: float
    """Write units of one job from submission to result, indexes included."""
    units_tutorial: float

    @property
    def multiple(self) -> float:
        """Headrace's submissions a second as a multiple of the tutorial's."""
        return self.submitted / self.submitted_tutorial


class Bench:
    """One server, its clients, and the functions that run on it."""

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
        """The event source mapping's own client of the streams: it changes how answers are read."""
        self.environment = {**stack.functions["ApiFunction"].environment, **local_credentials(),
                            "AWS_ENDPOINT_URL_DYNAMODB": url}  # fmt: skip

    async def fresh(self, *tables: Table) -> None:
        """Empty tables with empty streams, and nothing else on the server.

        MiniStack keeps the streams of deleted tables: with each round its garbage collections took longer, up to
        a second, and met one contender more often than another.
        """
        async with httpx.AsyncClient() as http:
            (await http.post(f"{self.url}/_ministack/reset")).raise_for_status()
        await ensure_tables(self.client, tables)

    async def stream(self) -> str:
        """The ARN of the table's stream."""
        return (await self.client.describe_table(TableName="JobsTable"))["Table"]["LatestStreamArn"]

    @asynccontextmanager
    async def pool(self, function: LambdaFunction, size: int) -> AsyncIterator[FunctionPool]:
        """Warm environments of a function."""
        pool = FunctionPool(function, self.environment, self.folder / f"{function.name}.log", size)
        await asyncio.gather(*(pool.warm_up() for _ in range(size)))
        try:
            yield pool
        finally:
            await pool.stop()


async def measure() -> Throughput:
    """All on one MiniStack; the contenders take turns, so that a busy minute of the machine meets all alike."""
    os.environ.update(local_credentials())
    stack = load_stack(PARAMETERS)
    async with AsyncExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory()))
        database = await running.enter_async_context(embedded_database(None, folder / "database.log"))
        session = aioboto3.Session()
        client = await running.enter_async_context(
            session.client("dynamodb", endpoint_url=database.url, config=BARE_CONFIG)
        )
        streams, pumped = [
            await running.enter_async_context(session.client("dynamodbstreams", endpoint_url=database.url))
            for _ in range(2)
        ]
        bench = Bench(stack, database.url, folder, client, streams, pumped)
        drained = [await _drains(bench, document, jobs) for document, jobs in DOCUMENTS.items()]
        submitted, submitted_tutorial = await _submissions(bench)
        units, units_tutorial = await _units(bench)
    return Throughput(
        drained=tuple(drained),
        submitted=submitted,
        submitted_tutorial=submitted_tutorial,
        units=units,
        units_tutorial=units_tutorial,
    )


# ---- from the stream to the outcome -----------------------------------------------------------------------------


async def _drains(bench: Bench, document: str, jobs: int) -> Drained:
    text = (ROOT / "examples" / "data" / document).read_text()
    mapping = bench.stack.mappings[0]
    runs: dict[str, list[Run]] = {"bare": [], "headrace": [], "tutorial": []}
    ours = bench.stack.functions[mapping.function]
    async with (
        bench.pool(ours, mapping.parallelization_factor) as pool,
        bench.pool(_tutorial(bench, "worker", "benchmarks.naive.profile_worker.handler"), 1) as tutorial,
    ):
        # The first round opens clients and is not counted.
        for number in range(ROUNDS + 1):
            await _fill(bench, text, jobs)
            runs["bare"].append(await _timed(_bare_loop(bench, jobs), jobs))
            await _fill(bench, text, jobs)
            runs["headrace"].append(await _timed(_through(bench, mapping, pool, jobs), jobs))
            await _fill_tutorial(bench, text, jobs)
            runs["tutorial"].append(await _timed(_through(bench, TUTORIAL_MAPPING, tutorial, jobs), jobs))
            told = ", ".join(f"{name} {found[number].rate:.0f}" for name, found in runs.items())
            print(f"{document}: {told} jobs/s", flush=True)
    return Drained(
        document=document,
        rates={name: tuple(run.rate for run in found[1:]) for name, found in runs.items()},
        cpu={
            f"{name} {process}": statistics.median(run.cpu[process] for run in found[1:])
            for name, found in runs.items()
            for process in PROCESSES
        },
    )


async def _timed(draining: Awaitable[None], jobs: int) -> Run:
    before, began = _cpu_seconds(), time.perf_counter()
    await draining
    seconds, after = time.perf_counter() - began, _cpu_seconds()
    return Run(rate=jobs / seconds, cpu={name: (after[name] - before[name]) / jobs * 1000 for name in PROCESSES})


def _cpu_seconds() -> dict[str, float]:
    """CPU time so far of this process, of the database and of the functions; the latter two where there is a /proc."""
    found = {"this": time.process_time(), "database": 0.0, "functions": 0.0}
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            fields = (process / "stat").read_text().rsplit(")", 1)[1].split()
            if int(fields[1]) == os.getpid():
                kind = "functions" if b"AWS_LAMBDA_RUNTIME_API" in (process / "environ").read_bytes() else "database"
                found[kind] += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return found


TUTORIAL_MAPPING = EventSourceMapping(
    table="JobsTable",
    function="Tutorial",
    patterns=({"eventName": ["INSERT"]},),
    report_batch_item_failures=True,
)
"""Lambda's defaults: batches of 100, one at a time for each shard."""


def _tutorial(bench: Bench, name: str, handler: str) -> LambdaFunction:
    worker = bench.stack.functions["WorkerFunction"]
    return worker.model_copy(update={"name": f"Tutorial-{name}", "handler": handler})


async def _fill(bench: Bench, document: str, jobs: int) -> None:
    """A fresh table with queued jobs, and their doorbells in its stream."""
    await bench.fresh(bench.stack.tables["JobsTable"])
    lazy = LazyClient(bench.url)
    repository = job_repository(settings(bench.stack, bench.url), lazy)
    payload = to_json_text({"csv": document})

    async def add() -> None:
        now = datetime.now(UTC)
        stored = await repository.add(transitions.submit(_new(payload), CSV_PROFILE.policy, now), now)
        if not isinstance(stored, Job):
            raise TypeError(f"not stored: {stored}")

    await _many(add, jobs)
    await lazy.close()


async def _fill_tutorial(bench: Bench, document: str, jobs: int) -> None:
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

    await _many(add, jobs)


async def _bare_loop(bench: Bench, jobs: int) -> None:
    """A loop on a client, as its author would write it: read the shard; claim, run, finish, 32 at a time."""
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
        answer = await streams.get_records(ShardIterator=iterator)
        iterator = answer["NextShardIterator"]
        for record in answer["Records"]:
            image = record["dynamodb"]["NewImage"]
            if image["status"] == {"S": "queued"}:
                seen += 1
                queue.put_nowait(cast("Mapping[str, Attribute]", image))
    async with asyncio.timeout(300):
        await queue.join()
    for each in lanes:
        each.cancel()
    await asyncio.gather(*lanes, return_exceptions=True)


async def _through(bench: Bench, mapping: EventSourceMapping, pool: FunctionPool, jobs: int) -> None:
    """Bring all that is in the stream to a function, by the local stack's event source mapping."""
    left = jobs
    done = asyncio.Event()

    async def invoke(event: JsonValue) -> Result:
        nonlocal left
        result = await pool.invoke(event)
        if not isinstance(result, Answered) or result.payload != {"batchItemFailures": []}:
            raise ValueError(f"a batch failed: {result}")
        left -= len(cast("dict[str, list[JsonValue]]", event)["Records"])
        if left == 0:
            done.set()
        return result

    arn = await bench.stream()
    pump = StreamPump(bench.pumped, arn, mapping, invoke, bench.folder / "failed", EMBEDDED_POLL_SECONDS)
    running = asyncio.create_task(pump.run())
    ended = asyncio.create_task(done.wait())
    await asyncio.wait({running, ended}, return_when=asyncio.FIRST_COMPLETED)
    if running.done():
        running.result()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


# ---- from the request to the table ------------------------------------------------------------------------------


async def _submissions(bench: Bench) -> tuple[float, float]:
    """Submissions a second, 16 at a time, through as many warm environments as the local stack keeps; both APIs."""
    await bench.fresh(*bench.stack.tables.values())
    lazy = LazyClient(bench.url)
    await user_repository(settings(bench.stack, bench.url), lazy).add(sample_user())
    await lazy.close()
    event = sample("api_submit")
    found: dict[str, list[float]] = {"headrace": [], "tutorial": []}
    async with (
        bench.pool(bench.stack.functions["ApiFunction"], MAX_API_CONCURRENCY) as headrace,
        bench.pool(_tutorial(bench, "api", "benchmarks.naive.api.handler"), MAX_API_CONCURRENCY) as tutorial,
    ):
        for number in range(ROUNDS + 1):
            for name, pool in (("headrace", headrace), ("tutorial", tutorial)):

                async def submit(pool: FunctionPool = pool) -> None:
                    result = await pool.invoke(event)
                    if not isinstance(result, Answered) or cast("dict[str, int]", result.payload)["statusCode"] != 202:  # noqa: PLR2004
                        raise ValueError(f"not accepted: {result}")

                began = time.perf_counter()
                await _many(submit, SUBMISSIONS)
                if number > 0:
                    found[name].append(SUBMISSIONS / (time.perf_counter() - began))
    return statistics.median(found["headrace"]), statistics.median(found["tutorial"])


async def _many(work: Callable[[], Awaitable[None]], times: int) -> None:
    left = iter(range(times))

    async def lane() -> None:
        for _ in left:
            await work()

    await asyncio.gather(*(lane() for _ in range(SUBMITTERS)))


# ---- write units ------------------------------------------------------------------------------------------------


async def _units(bench: Bench) -> tuple[float, float]:
    """Write units of one job from submission to result, indexes included: Headrace's and the tutorial's."""
    await bench.fresh(bench.stack.tables["JobsTable"])
    lazy = LazyClient(bench.url)
    found = await costs(Meter(await lazy()), job_repository(settings(bench.stack, bench.url), lazy))
    await lazy.close()
    await bench.fresh(TUTORIAL_TABLE)
    os.environ.update(bench.environment)
    # They make their clients when they are imported, as tutorials do.
    from benchmarks.naive import api, worker

    request = api.JobRequest(type="csv.profile", payload=api.CsvPayload(csv="city,people\nBergen,291940\n"))
    created = await Meter(api.dynamodb.meta.client).cost_of(asyncio.to_thread(api.create_job, request, "owner"))
    item = (await bench.client.scan(TableName="JobsTable"))["Items"][0]
    record = DynamoDBRecord(stream_record("1", "INSERT", "id", new=cast("dict[str, JsonValue]", item)))
    ran = await Meter(worker.dynamodb.meta.client).cost_of(asyncio.to_thread(worker.record_handler, record))
    return sum(found[name].writes for name in ("submit", "claim", "finish")), created.writes + ran.writes


def _new(payload: JsonText) -> NewJob:
    return NewJob(id=str(uuid.uuid4()), owner_id="owner", type="csv.profile", payload=payload, max_attempts=3)


def table(found: Throughput) -> str:
    """As Markdown."""
    return "\n".join((
        "| jobs a second, medians | Headrace | bare loop | of it | target | tutorial | multiple | target |",
        "|---|---|---|---|---|---|---|---|",
        *(
            f"| drained, `{each.document}` | {each.median('headrace'):.0f} | {each.median('bare'):.0f} "
            f"| {each.against('bare'):.2f} | {EFFICIENCY_TARGET} | {each.median('tutorial'):.0f} "
            f"| {each.against('tutorial'):.1f} | {TUTORIAL_TARGET} |"
            for each in found.drained
        ),
        f"| submitted | {found.submitted:.0f} | | | | {found.submitted_tutorial:.0f} | {found.multiple:.1f} | |",
        f"| write units of a job | {found.units:g} | | | 6 | {found.units_tutorial:g} | | |",
        "",
        "| CPU ms for a drained job | database | client or mapping | functions | together |",
        "|---|---|---|---|---|",
        *(
            f"| {name}, `{each.document}` | {each.cpu[f'{key} database']:.1f} | {each.cpu[f'{key} this']:.1f} "
            f"| {each.cpu[f'{key} functions']:.1f} | {sum(each.cpu[f'{key} {process}'] for process in PROCESSES):.1f} |"
            for each in found.drained
            for key, name in (("bare", "bare loop"), ("headrace", "Headrace"), ("tutorial", "tutorial"))
        ),
    ))  # fmt: skip


if __name__ == "__main__":
    print(table(asyncio.run(measure())))
