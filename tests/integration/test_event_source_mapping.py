"""The event source mapping between the stream of a real table and a function."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aioboto3
import pytest
from pydantic import JsonValue

from functions.runtime import LazyClient
from headrace.emulator.event_source_mapping import IDLE_POLL_SECONDS, StreamPump
from headrace.emulator.execution_environment import FunctionFailed, Result, Returned
from headrace.emulator.tables import ensure_tables
from headrace.emulator.template import EventSourceMapping, Table
from tests.conftest import new_id


class Function:
    """Records the events that it is invoked with."""

    def __init__(self) -> None:
        self.batches: list[list[dict[str, JsonValue]]] = []
        self.running = 0
        self.most_running = 0
        self.poison: str | None = None
        self.free = asyncio.Event()
        self.free.set()

    async def __call__(self, event: JsonValue) -> Result:
        assert isinstance(event, dict)
        records = event["Records"]
        assert isinstance(records, list)
        batch = [record for record in records if isinstance(record, dict)]
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        await asyncio.sleep(0.02)
        await self.free.wait()
        self.running -= 1
        if self.poison is not None and self.poison in json.dumps(batch):
            return FunctionFailed(error_type="Crash", message="poison")
        self.batches.append(batch)
        return Returned(payload=None)

    def values(self) -> list[tuple[str, int]]:
        """(id, n) of every record, in order of delivery."""
        images = [record["dynamodb"]["NewImage"] for batch in self.batches for record in batch]  # type: ignore[index,call-overload]
        return [(str(image["id"]["S"]), int(str(image["n"]["N"]))) for image in images]  # type: ignore[index,call-overload]


class Setup:
    """A new table, a function, and the event source mapping between them."""

    def __init__(self, client: LazyClient, table: str, function: Function, pump: StreamPump, on_failure: Path) -> None:
        self.reads = 0
        self.client = client
        self.table = table
        self.function = function
        self.pump = pump
        self.on_failure = on_failure

    async def put(self, id: str, n: int, status: str = "queued") -> None:
        item = {"id": {"S": id}, "n": {"N": str(n)}, "status": {"S": status}}
        await (await self.client()).put_item(TableName=self.table, Item=item)


@asynccontextmanager
async def pumping(
    client: LazyClient,
    url: str,
    tmp_path: Path,
    concurrency: int = 10,
    poll_seconds: float = 0.02,
    **settings: object,
) -> AsyncIterator[Setup]:
    name = f"T{new_id()}"
    create: dict[str, JsonValue] = {
        "TableName": name,
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "BillingMode": "PAY_PER_REQUEST",
        "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    }
    await ensure_tables(await client(), (Table(name=name, create=create, ttl_attribute=None),))
    mapping = EventSourceMapping.model_validate({"table": name, "function": "F", **settings})
    described = await (await client()).describe_table(TableName=name)
    function, on_failure = Function(), tmp_path / "on-failure.jsonl"
    async with aioboto3.Session().client("dynamodbstreams", endpoint_url=url) as streams:
        pump = StreamPump(
            streams,
            described["Table"]["LatestStreamArn"],
            mapping,
            function,
            on_failure,
            poll_seconds,
            concurrency,
        )
        setup = Setup(client, name, function, pump, on_failure)

        def count(**_: object) -> None:
            setup.reads += 1

        streams.meta.events.register("before-call.dynamodb-streams.GetRecords", count)
        task = asyncio.create_task(pump.run())
        try:
            yield setup
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_changes_of_one_item_are_delivered_in_order_and_items_in_parallel(
    ministack_client: LazyClient, ministack_url: str, tmp_path: Path
) -> None:
    async with pumping(ministack_client, ministack_url, tmp_path, batch_size=3, parallelization_factor=4) as setup:
        # Held, so that more waits than a batch holds, however slowly it is written.
        setup.function.free.clear()
        for n in range(10):
            await asyncio.gather(*(setup.put(f"item-{k}", n) for k in range(8)))
        setup.function.free.set()
        await setup.pump.drain(10)
        for k in range(8):
            assert [n for id, n in setup.function.values() if id == f"item-{k}"] == list(range(10))
        assert max(len(batch) for batch in setup.function.batches) == 3
        assert 2 <= setup.function.most_running <= 4


async def test_an_idle_stream_is_read_seldom(ministack_client: LazyClient, ministack_url: str, tmp_path: Path) -> None:
    async with pumping(ministack_client, ministack_url, tmp_path) as setup:
        loop = asyncio.get_running_loop()
        began, before = loop.time(), setup.reads
        await asyncio.sleep(1)
        assert setup.reads - before <= (loop.time() - began) / IDLE_POLL_SECONDS + 1
        await setup.put("item", 1)
        while not setup.function.values():  # noqa: ASYNC110 - it is a list
            await asyncio.sleep(0.01)


async def test_an_idle_stream_is_read_at_once_when_an_invocation_has_ended(
    ministack_client: LazyClient, ministack_url: str, tmp_path: Path
) -> None:
    async with pumping(ministack_client, ministack_url, tmp_path, poll_seconds=3600) as setup:
        while not setup.pump._polls:  # noqa: ASYNC110 - it is a count
            await asyncio.sleep(0.01)
        await setup.put("item", 1)
        await asyncio.sleep(0.5)
        assert (setup.reads, setup.function.values()) == (1, [])
        setup.pump.hurry()
        async with asyncio.timeout(30):
            while not setup.function.values():  # noqa: ASYNC110 - it is a list
                await asyncio.sleep(0.01)


async def test_what_arrives_while_a_batch_waits_for_its_turn_goes_with_it(
    ministack_client: LazyClient, ministack_url: str, tmp_path: Path
) -> None:
    async with pumping(
        ministack_client, ministack_url, tmp_path, concurrency=1, batch_size=10, parallelization_factor=8
    ) as setup:
        setup.function.free.clear()
        await setup.put("item-0", 0)
        while not setup.function.running:  # noqa: ASYNC110 - it is a count
            await asyncio.sleep(0.01)
        for n in range(1, 6):
            await asyncio.gather(*(setup.put(f"item-{k}", n) for k in range(8)))
            await asyncio.sleep(0.1)
        setup.function.free.set()
        await setup.pump.drain(10)
        assert setup.function.most_running == 1
        assert len(setup.function.values()) == 41
        assert len(setup.function.batches) <= 9, "one for each lane, after the first"


async def test_a_filtered_record_is_never_delivered(
    ministack_client: LazyClient, ministack_url: str, tmp_path: Path
) -> None:
    patterns = [{"dynamodb": {"NewImage": {"status": {"S": ["queued"]}}}}]
    async with pumping(ministack_client, ministack_url, tmp_path, patterns=patterns) as setup:
        await setup.put("a", 1)
        await setup.put("a", 2, status="running")
        await setup.put("a", 3)
        await (await ministack_client()).delete_item(TableName=setup.table, Key={"id": {"S": "a"}})
        await setup.pump.drain(10)
        assert setup.function.values() == [("a", 1), ("a", 3)]


async def test_a_record_has_the_form_that_lambda_delivers(
    ministack_client: LazyClient, ministack_url: str, tmp_path: Path
) -> None:
    async with pumping(ministack_client, ministack_url, tmp_path) as setup:
        await setup.put("a", 1)
        await setup.pump.drain(10)
        ((record,),) = setup.function.batches
        assert record["eventName"] == "INSERT"
        assert str(record["eventSourceARN"]).startswith("arn:aws:dynamodb:")
        change = record["dynamodb"]
        assert isinstance(change, dict)
        assert isinstance(change["ApproximateCreationDateTime"], float | int)
        assert change["Keys"] == {"id": {"S": "a"}}


async def test_a_poison_record_is_discarded_to_the_on_failure_target_and_the_rest_arrives(
    ministack_client: LazyClient, ministack_url: str, tmp_path: Path
) -> None:
    async with pumping(
        ministack_client, ministack_url, tmp_path, batch_size=8,
        bisect_batch_on_function_error=True, maximum_retry_attempts=1, maximum_batching_window_in_seconds=0.3,
    ) as setup:  # fmt: skip
        setup.function.poison = '"item-3"'
        for k in range(8):
            await setup.put(f"item-{k}", k)
        await setup.pump.drain(10)
        assert [n for _, n in setup.function.values()] == [0, 1, 2, 4, 5, 6, 7]
        (message,) = [json.loads(line) for line in setup.on_failure.read_text().splitlines()]
        assert message["requestContext"]["condition"] == "RetryAttemptsExhausted"
        assert message["requestContext"]["approximateInvokeCount"] == 2
        assert message["DDBStreamBatchInfo"]["batchSize"] == 1
        assert "item-3" not in json.dumps(message), "metadata only"


async def test_it_reads_no_further_while_every_lane_has_a_batch_waiting(
    ministack_client: LazyClient, ministack_url: str, tmp_path: Path
) -> None:
    async with pumping(ministack_client, ministack_url, tmp_path, batch_size=2, parallelization_factor=2) as setup:
        setup.function.free.clear()
        await asyncio.gather(*(setup.put(f"item-{k}", k) for k in range(40)))
        await asyncio.sleep(0.5)
        before = setup.reads
        await asyncio.sleep(0.5)
        assert setup.reads == before
        setup.function.free.set()
        await setup.pump.drain(10)
        assert len(setup.function.values()) == 40


@pytest.mark.parametrize("window", [0.0, 0.4])
async def test_the_batching_window_gathers(
    ministack_client: LazyClient, ministack_url: str, tmp_path: Path, window: float
) -> None:
    async with pumping(ministack_client, ministack_url, tmp_path, maximum_batching_window_in_seconds=window) as setup:
        for n in range(3):
            await setup.put("a", n)
            await asyncio.sleep(0.08)
        await setup.pump.drain(10)
        assert (len(setup.function.batches) == 1) is (window > 0)
