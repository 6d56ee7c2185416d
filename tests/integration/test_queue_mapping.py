"""The event source mapping between a queue of MiniStack and a function."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import aioboto3
import pytest
from pydantic import JsonValue
from types_aiobotocore_sqs.client import SQSClient

from headrace.emulator.execution_environment import FunctionFailed, Result, Returned
from headrace.emulator.queue_mapping import QueuePump, kept_messages
from headrace.emulator.queue_template import Queue, QueueMapping, queue_arn
from headrace.emulator.queues import ensure_queues
from tests.conftest import new_id

HANDLED = Returned(payload={"batchItemFailures": []})
CRASH = FunctionFailed(error_type="Runtime.ExitError", message="signal 9")
PATIENCE = 5


class Function:
    """Records the batches that it is invoked with, and answers as its test says."""

    def __init__(self) -> None:
        self.batches: list[list[dict[str, JsonValue]]] = []
        self.answer: Callable[[list[dict[str, JsonValue]]], Result] = lambda _: HANDLED
        self.running = 0
        self.most_running = 0
        self.seconds = 0.0

    async def __call__(self, event: JsonValue) -> Result:
        assert isinstance(event, dict)
        records = event["Records"]
        assert isinstance(records, list)
        batch = [record for record in records if isinstance(record, dict)]
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        await asyncio.sleep(self.seconds)
        self.running -= 1
        self.batches.append(batch)
        return self.answer(batch)

    @property
    def bodies(self) -> list[str]:
        return [str(record["body"]) for batch in self.batches for record in batch]


class Setup:
    """A new queue with a dead-letter queue, a function, and the event source mapping between them."""

    def __init__(self, client: SQSClient, url: str, dead_url: str, function: Function, pump: QueuePump) -> None:
        self.client, self.url, self.dead_url, self.function, self.pump = client, url, dead_url, function, pump

    async def send(self, *bodies: str) -> None:
        entries = [{"Id": str(number), "MessageBody": body} for number, body in enumerate(bodies)]
        await self.client.send_message_batch(QueueUrl=self.url, Entries=entries)  # type: ignore[arg-type]

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not condition():  # noqa: ASYNC110 - the function sets no event
                await asyncio.sleep(0.02)

    async def count(self, name: str) -> int:
        answer = await self.client.get_queue_attributes(QueueUrl=self.url, AttributeNames=["All"])
        return int(answer["Attributes"][name])  # type: ignore[index]


@asynccontextmanager
async def pumping(
    url: str, *, pollers: int = 2, seconds: float = 0, hidden: int = 1, **settings: object
) -> AsyncIterator[Setup]:
    name, dead = f"Q{new_id()}", f"D{new_id()}"
    redrive = json.dumps({"deadLetterTargetArn": queue_arn(dead), "maxReceiveCount": 2})
    queues = [
        Queue(name=name, attributes={"VisibilityTimeout": str(hidden), "RedrivePolicy": redrive}),
        Queue(name=dead, attributes={}),
    ]
    mapping = QueueMapping.model_validate({
        "queue": name, "function": "F", "report_batch_item_failures": True, **settings,
    })  # fmt: skip
    function = Function()
    function.seconds = seconds
    async with aioboto3.Session().client("sqs", endpoint_url=url) as client:
        await ensure_queues(client, queues)
        urls = [(await client.get_queue_url(QueueName=each))["QueueUrl"] for each in (name, dead)]
        pump = QueuePump(client, urls[0], mapping, function, pollers)
        task = asyncio.create_task(pump.run())
        try:
            yield Setup(client, urls[0], urls[1], function, pump)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_messages_are_delivered_in_lambdas_form_and_deleted(ministack_url: str) -> None:
    async with pumping(ministack_url) as setup:
        await setup.send("a")
        await setup.until(lambda: bool(setup.function.batches))
        assert await setup.pump.drain(PATIENCE)
        ((record,),) = setup.function.batches
        assert {"messageId", "receiptHandle", "body", "attributes", "messageAttributes", "md5OfBody"} <= set(record)
        assert (record["body"], record["eventSource"], record["awsRegion"]) == ("a", "aws:sqs", "us-east-1")
        assert str(record["eventSourceARN"]).startswith("arn:aws:sqs:us-east-1:000000000000:Q")
        attributes = record["attributes"]
        assert isinstance(attributes, dict)
        assert attributes["ApproximateReceiveCount"] == "1"
        assert await setup.count("ApproximateNumberOfMessagesNotVisible") == 0


async def test_only_what_a_function_names_is_delivered_again_and_in_the_end_put_aside(ministack_url: str) -> None:
    async with pumping(ministack_url) as setup:

        def fail_b(batch: list[dict[str, JsonValue]]) -> Result:
            failed = [{"itemIdentifier": record["messageId"]} for record in batch if record["body"] == "b"]
            return Returned(payload={"batchItemFailures": list[JsonValue](failed)})

        setup.function.answer = fail_b
        await setup.send("a", "b", "c")
        received = await setup.client.receive_message(QueueUrl=setup.dead_url, WaitTimeSeconds=PATIENCE)
        while "Messages" not in received:
            received = await setup.client.receive_message(QueueUrl=setup.dead_url, WaitTimeSeconds=PATIENCE)
        assert [message["Body"] for message in received["Messages"]] == ["b"]
        assert sorted(setup.function.bodies) == ["a", "b", "b", "c"], "twice, as maxReceiveCount says"


async def test_after_a_failed_invocation_every_message_comes_again(ministack_url: str) -> None:
    async with pumping(ministack_url) as setup:
        answers = iter([CRASH])
        setup.function.answer = lambda _: next(answers, HANDLED)
        await setup.send("a", "b")
        await setup.until(lambda: len(setup.function.bodies) >= 4)
        assert sorted(setup.function.bodies) == ["a", "a", "b", "b"]


async def test_batches_and_concurrency_have_their_limits(ministack_url: str) -> None:
    async with pumping(ministack_url, batch_size=3, maximum_concurrency=2, pollers=8, seconds=0.1) as setup:
        for _ in range(2):
            await setup.send(*(str(number) for number in range(10)))
        await setup.until(lambda: len(setup.function.bodies) >= 20)
        assert max(map(len, setup.function.batches)) <= 3
        assert setup.function.most_running == 2


async def test_a_batching_window_gathers(ministack_url: str) -> None:
    window = {"maximum_batching_window_in_seconds": 1.0, "batch_size": 20}
    async with pumping(ministack_url, pollers=1, hidden=30, **window) as setup:
        for number in range(3):
            await setup.send(str(number))
            await asyncio.sleep(0.15)
        await setup.until(lambda: bool(setup.function.batches))
        assert sorted(setup.function.bodies) == ["0", "1", "2"]
        assert len(setup.function.batches) == 1


async def test_a_drain_waits_for_what_is_under_way_and_not_for_ever(ministack_url: str) -> None:
    async with pumping(ministack_url, seconds=0.5) as setup:
        await setup.send("a")
        await setup.until(lambda: setup.function.running == 1)
        assert not await setup.pump.drain(0.1)
        assert await setup.pump.drain(PATIENCE)
        assert setup.function.bodies == ["a"]


async def test_the_templates_attributes_replace_those_of_a_queue_that_exists(ministack_url: str) -> None:
    name = f"Q{new_id()}"
    async with aioboto3.Session().client("sqs", endpoint_url=ministack_url) as client:
        for seconds in ("7", "8", "8"):
            await ensure_queues(client, [Queue(name=name, attributes={"VisibilityTimeout": seconds})])
        url = (await client.get_queue_url(QueueName=name))["QueueUrl"]
        answer = await client.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])
        assert answer["Attributes"]["VisibilityTimeout"] == "8"


IDS = ["1", "2", "3"]


@pytest.mark.parametrize(
    "payload", [None, {}, {"batchItemFailures": []}, {"batchItemFailures": None}, "", [], {"x": 1}]
)
def test_a_null_or_empty_response_keeps_nothing(payload: JsonValue) -> None:
    assert kept_messages(IDS, Returned(payload=payload), reporting=True) == set()


@pytest.mark.parametrize(
    "payload",
    [
        {"batchItemFailures": {}}, {"batchItemFailures": "1"}, {"batchItemFailures": [{}]},
        {"batchItemFailures": ["1"]},
        {"batchItemFailures": [{"itemIdentifier": ""}]}, {"batchItemFailures": [{"itemIdentifier": "4"}]},
        {"batchItemFailures": [{"itemIdentifier": "1"}, {"itemIdentifier": None}]}, "done", ["1"], 0,
    ],
)  # fmt: skip
def test_an_invalid_response_keeps_the_whole_batch(payload: JsonValue) -> None:
    assert kept_messages(IDS, Returned(payload=payload), reporting=True) == set(IDS)


def test_what_is_named_is_kept_unless_nothing_is_reported() -> None:
    named = Returned(payload={"batchItemFailures": [{"itemIdentifier": "2"}, {"itemIdentifier": "2"}]})
    assert kept_messages(IDS, named, reporting=True) == {"2"}
    assert kept_messages(IDS, named, reporting=False) == set()
    assert kept_messages(IDS, CRASH, reporting=True) == kept_messages(IDS, CRASH, reporting=False) == set(IDS)
