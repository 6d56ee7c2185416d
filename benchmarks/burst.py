"""How fast a burst of due jobs is handed over and started, on MiniStack.

`python -m benchmarks.burst [JOBS STARTED]`; without numbers, a hundred thousand of each. The sweeper and the worker run
as on the local stack, in processes of their own.
"""

import asyncio
import os
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import aioboto3
from aiobotocore.config import AioConfig
from pydantic import JsonValue

from domain.jobs import transitions
from domain.jobs.due_steps import INTERVAL, WAKE_PATIENCE
from domain.jobs.transitions import NewJob
from domain.jobs.wake_queue import LONGEST_DELAY
from functions.runtime import LazyClient
from functions.settings import ENDPOINT_VARIABLE
from headrace.authoring.frozen import Frozen
from headrace.authoring.job_type import Policy
from headrace.authoring.json_text import JsonText
from headrace.emulator.background import MAX_WORKER_CONCURRENCY
from headrace.emulator.database import DATABASE_AND_S3, QUEUES_AND_S3, embedded_database, local_credentials
from headrace.emulator.execution_environment import Returned
from headrace.emulator.function_pool import FunctionPool
from headrace.emulator.queue_mapping import QueuePump
from headrace.emulator.queues import QUEUES_VARIABLE, ensure_queues
from headrace.emulator.tables import ensure_tables
from headrace.emulator.template import Stack, Table, load_stack
from persistence.converters.attributes import string_of
from persistence.converters.dynamo_to_domain import job_to_item
from persistence.dynamodb.client import CONFIG

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb.client import DynamoDBClient

JOBS = 100_000
BY_WRITES = 2_000
"""For the rate of a sweep that queues by writes."""
PARAMETERS = {"JwtIssuer": "https://issuer.example.com", "JwtAudience": "headrace", "CursorKey": "0" * 64}
BATCH, WRITERS, READ = 25, 8, 100
FILLED_A_SECOND = 1000
"""Jobs written, at the least: jobs are due when they have all been written."""
MAX_SWEEPS = 5
PATIENCE = 3600
"""Seconds for the workers."""
PATIENT = AioConfig(read_timeout=60)
"""For writing the jobs, and reading how they ended."""


class Handed(Frozen):
    """What the sweeper handed over: messages, or jobs queued. More than jobs, where a sweep ended before its work."""

    jobs: int
    sweeps: int
    seconds: float
    """In the sweeps."""


class Burst(Frozen):
    """The results."""

    ahead: Handed
    """Messages for jobs that fall due in a quarter of an hour."""
    overdue: Handed
    """Messages for jobs that are due."""
    by_writes: Handed
    """Jobs that were queued by writes, as there was no wake queue."""
    started: int
    """Of those due: jobs that the workers ran."""
    started_once: int
    seconds: float
    """For running them."""


class Bench:
    """The template's tables on one MiniStack, its queues on another, and its functions."""

    def __init__(self, stack: Stack, url: str, queues_url: str, folder: Path, client: LazyClient) -> None:
        self._stack = stack
        self._url = url
        self._queues_url = queues_url
        self._folder = folder
        self._client = client

    async def fill(self, number: int, due: datetime) -> tuple[str, ...]:
        """Store jobs that fall due in the minute before `due`; returns their ids."""
        client = await self._client()
        ids = tuple(str(uuid.uuid4()) for _ in range(number))
        starts = iter(range(0, number, BATCH))

        async def lane() -> None:
            for start in starts:
                part = range(start, min(start + BATCH, number))
                moments = [due - INTERVAL * (1 - (place + 1) / number) for place in part]
                await _write(client, [ids[place] for place in part], moments)

        await asyncio.gather(*(lane() for _ in range(WRITERS)))
        return ids

    async def sweep(self, counted: str, tick: datetime, most: int, queue_url: str | None = None) -> Handed:
        """Run the sweeper at `tick`, and each minute from then on until a sweep has ended before its time did.

        At most `most` sweeps; a burst that lies ahead is one sweep's work, as the next one looks at another minute.
        """
        function = self._stack.functions["SweeperFunction"]
        environment = {} if queue_url is None else {"WAKE_QUEUE_URL": queue_url}
        pool = FunctionPool(function, self._variables() | environment, self._folder / "sweeper.log", 1)
        await pool.warm_up()
        handed, sweeps, seconds, complete = 0, 0, 0.0, False
        try:
            while not complete and sweeps < most:
                await _until(tick)
                event: JsonValue = {"source": "headrace.schedule", "time": tick.isoformat()}
                began = time.monotonic()
                result = await pool.invoke(event)
                seconds += time.monotonic() - began
                if not isinstance(result, Returned) or not isinstance(result.payload, dict):
                    raise TypeError(result)
                handed, sweeps = handed + int(str(result.payload[counted])), sweeps + 1
                complete, tick = result.payload["complete"] is True, tick + INTERVAL
        finally:
            await pool.stop()
        print(f"{handed:,} {counted} in {sweeps} sweeps, {seconds:.1f} s", file=sys.stderr, flush=True)
        return Handed(jobs=handed, sweeps=sweeps, seconds=seconds)

    async def work(self) -> None:
        """Run workers on the wake queue until it is empty."""
        (mapping,) = (each for each in self._stack.queue_mappings if each.function == "WorkerFunction")
        function = self._stack.functions[mapping.function]
        pool = FunctionPool(function, self._variables(), self._folder / "worker.log", MAX_WORKER_CONCURRENCY)
        async with aioboto3.Session().client("sqs", endpoint_url=self._queues_url) as sqs:
            url = (await sqs.get_queue_url(QueueName=mapping.queue))["QueueUrl"]
            pump = QueuePump(sqs, url, mapping, pool.invoke, MAX_WORKER_CONCURRENCY)
            running = asyncio.create_task(pump.run())
            try:
                async with asyncio.timeout(PATIENCE):
                    while not await pump.drain(5):
                        pass
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
                await pool.stop()

    async def ended(self, ids: Sequence[str]) -> tuple[int, int]:
        """How many of the jobs have succeeded, and how many of these with one attempt and the fewest changes."""
        client = await self._client()
        done, once = 0, 0
        for start in range(0, len(ids), READ):
            keys = [{"id": {"S": id}} for id in ids[start : start + READ]]
            answer = await client.batch_get_item(RequestItems={"JobsTable": {"Keys": keys}})
            for item in answer["Responses"]["JobsTable"]:
                if string_of(item, "status") == "succeeded":
                    done += 1
                    once += item["attempt"] == {"N": "1"} and item["version"] == {"N": "3"}
        return done, once

    def _variables(self) -> dict[str, str]:
        return {**local_credentials(), ENDPOINT_VARIABLE: self._url, QUEUES_VARIABLE: self._queues_url}


@asynccontextmanager
async def _bench(stack: Stack) -> AsyncIterator[Bench]:
    """A bench with MiniStacks of its own: two, since each is one thread, and AWS's services do not wait for each other.

    The table has no stream: nothing reads it here, and MiniStack keeps all its records in memory.
    """
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        async with (
            embedded_database(None, folder / "database.log", DATABASE_AND_S3) as database,
            embedded_database(None, folder / "queues.log", QUEUES_AND_S3) as queues,
        ):
            client = LazyClient(database.url, CONFIG.merge(PATIENT))
            await ensure_tables(await client(), tuple(map(_without_stream, stack.tables.values())))
            async with aioboto3.Session().client("sqs", endpoint_url=queues.url) as sqs:
                await ensure_queues(sqs, stack.queues.values())
            try:
                yield Bench(stack, database.url, queues.url, folder, client)
            finally:
                await client.close()


def _without_stream(table: Table) -> Table:
    created = {name: value for name, value in table.create.items() if name != "StreamSpecification"}
    return table.model_copy(update={"create": created})


async def measure(jobs: int = JOBS, started: int = JOBS) -> Burst:
    """Hand over `jobs` ahead; hand over and start `started`; queue some by writes."""
    os.environ.update(local_credentials())
    stack = load_stack(PARAMETERS)
    async with _bench(stack) as bench:
        tick = _filled(jobs)
        await bench.fill(jobs, tick + LONGEST_DELAY)
        ahead = await bench.sweep("woken", tick, 1)
    async with _bench(stack) as bench:
        tick = _filled(started)
        ids = await bench.fill(started, tick)
        overdue = await bench.sweep("woken", tick, MAX_SWEEPS)
        began = time.monotonic()
        await bench.work()
        seconds = time.monotonic() - began
        done, once = await bench.ended(ids)
    async with _bench(stack) as bench:
        tick = _filled(BY_WRITES)
        await bench.fill(BY_WRITES, tick - WAKE_PATIENCE)
        by_writes = await bench.sweep("moved", tick, 1, queue_url="")
    return Burst(ahead=ahead, overdue=overdue, by_writes=by_writes, started=done, started_once=once, seconds=seconds)


def _filled(jobs: int) -> datetime:
    """When so many jobs will have been written."""
    return datetime.now(UTC) + timedelta(seconds=5 + jobs / FILLED_A_SECOND)


async def _until(moment: datetime) -> None:
    left = moment - datetime.now(UTC)
    if left < -INTERVAL:
        raise RuntimeError("the jobs were written too slowly: they have been due for too long")
    await asyncio.sleep(max(left.total_seconds(), 0))


async def _write(client: "DynamoDBClient", ids: Sequence[str], moments: Sequence[datetime]) -> None:
    requests = [{"PutRequest": {"Item": _item(id, due)}} for id, due in zip(ids, moments, strict=True)]
    written = await client.batch_write_item(RequestItems={"JobsTable": requests})  # type: ignore[dict-item]
    if written["UnprocessedItems"]:
        raise RuntimeError("the database left items unprocessed")


def _item(id: str, due: datetime) -> dict[str, object]:
    new = NewJob(
        id=id,
        owner_id="bench",
        type="csv.profile",
        payload=JsonText('{"csv":"a,b\\n1,x\\n"}'),
        max_attempts=3,
        run_at=due,
    )
    return dict(job_to_item(transitions.submit(new, Policy(), due - timedelta(hours=1)).job, "w"))


def table(burst: Burst) -> str:
    """The rates as a table of Markdown."""
    rows = "\n".join(
        f"| {name} | {handed.jobs:,} | {handed.sweeps} | {handed.jobs / handed.seconds:,.0f} |"
        for name, handed in (
            ("looking ahead, messages", burst.ahead),
            ("overdue, messages", burst.overdue),
            ("overdue, writes (without a wake queue)", burst.by_writes),
        )
    )
    return f"""| | handed over | sweeps | a second |
|---|---|---|---|
{rows}

Of the overdue jobs, {burst.started:,} were run in {burst.seconds:.0f} s, {burst.started_once:,} exactly once."""


if __name__ == "__main__":
    handed, run = map(int, sys.argv[1:]) if sys.argv[1:] else (JOBS, JOBS)
    print(table(asyncio.run(measure(handed, run))))
