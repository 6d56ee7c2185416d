"""The event source mapping of a queue: receives messages, invokes a function with them, deletes those that it handled.

The rules are those of the Lambda Developer Guide ("Using Lambda with Amazon SQS", error handling and partial batch
responses):

- What was handled is deleted. After a failed invocation nothing is: the messages appear again when their visibility
  timeout has passed, and after `maxReceiveCount` deliveries the queue itself moves them to its dead-letter queue.
- With `ReportBatchItemFailures`, only the messages that are named stay. A null or empty response is success. An
  identifier that is empty or not of this batch fails the whole batch. So does a response of any other form, on which
  the guide is silent.
- No more than `MaximumConcurrency` invocations at once.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from headrace.emulator.cloudformation import REGION
from headrace.emulator.execution_environment import FunctionFailed
from headrace.emulator.queue_template import MOST_MESSAGES, queue_arn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import JsonValue
    from types_aiobotocore_sqs.client import SQSClient
    from types_aiobotocore_sqs.type_defs import MessageTypeDef

    from headrace.emulator.delivery import Invoke
    from headrace.emulator.execution_environment import Result
    from headrace.emulator.queue_template import QueueMapping

LONG_POLL_SECONDS = 20
OUTAGE_SECONDS = 1
"""Pause after a failed call to the queue."""
DRAIN_POLL_SECONDS = 0.1


class QueuePump:
    """Polls a queue; each poller has one invocation under way at a time, so that there are never more of these."""

    def __init__(
        self, client: SQSClient, queue_url: str, mapping: QueueMapping, invoke: Invoke, max_pollers: int
    ) -> None:
        self._client = client
        self._queue_url = queue_url
        self._mapping = mapping
        self._invoke = invoke
        self._pollers = min(mapping.maximum_concurrency or max_pollers, max_pollers)
        self._under_way = 0

    async def run(self) -> None:
        """Deliver until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self._pollers):
                group.create_task(self._poll())

    async def drain(self, seconds: float) -> bool:
        """Wait until no message is visible or being handled, for at most `seconds`; False when one still was.

        Delayed ones stay: the next start of the stack delivers them, or sends them anew.
        """
        loop = asyncio.get_running_loop()
        ends = loop.time() + seconds
        while True:
            if self._under_way == 0 and await self._visible() == 0:
                return True
            if loop.time() >= ends:
                return False
            await asyncio.sleep(DRAIN_POLL_SECONDS)

    async def _visible(self) -> int:
        try:
            answer = await self._client.get_queue_attributes(
                QueueUrl=self._queue_url, AttributeNames=["ApproximateNumberOfMessages"]
            )
        except (ClientError, BotoCoreError):
            return 1
        return int(answer["Attributes"]["ApproximateNumberOfMessages"])

    async def _poll(self) -> None:
        while True:
            try:
                batch = await self._collect()
                if batch:
                    await self._deliver(batch)
            except (ClientError, BotoCoreError):
                await asyncio.sleep(OUTAGE_SECONDS)

    async def _collect(self) -> tuple[MessageTypeDef, ...]:
        """The next batch: up to `BatchSize` messages, collected for at most the batching window."""
        loop = asyncio.get_running_loop()
        batch = await self._receive(self._mapping.batch_size, LONG_POLL_SECONDS)
        ends = loop.time() + self._mapping.maximum_batching_window_in_seconds
        while batch and len(batch) < self._mapping.batch_size and (left := ends - loop.time()) > 0:
            more = await self._receive(self._mapping.batch_size - len(batch), int(left))
            batch = (*batch, *more)
            if not more:
                await asyncio.sleep(min(left, DRAIN_POLL_SECONDS))
        return batch

    async def _receive(self, most: int, seconds: int) -> tuple[MessageTypeDef, ...]:
        answer = await self._client.receive_message(
            QueueUrl=self._queue_url,
            MaxNumberOfMessages=min(most, MOST_MESSAGES),
            WaitTimeSeconds=seconds,
            AttributeNames=["All"],
        )
        return tuple(answer.get("Messages", ()))

    async def _deliver(self, batch: tuple[MessageTypeDef, ...]) -> None:
        self._under_way += 1
        try:
            result = await self._invoke({"Records": [_record(message, self._mapping.queue) for message in batch]})
            ids = [message["MessageId"] for message in batch]
            kept = kept_messages(ids, result, reporting=self._mapping.report_batch_item_failures)
            await self._delete([message for message in batch if message["MessageId"] not in kept])
        finally:
            self._under_way -= 1

    async def _delete(self, messages: Sequence[MessageTypeDef]) -> None:
        for start in range(0, len(messages), MOST_MESSAGES):
            part = messages[start : start + MOST_MESSAGES]
            await self._client.delete_message_batch(
                QueueUrl=self._queue_url,
                Entries=[
                    {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
                    for number, message in enumerate(part)
                ],
            )


def kept_messages(ids: Sequence[str], result: Result, *, reporting: bool) -> frozenset[str]:
    """Which messages of a batch are not deleted, after what the function answered."""
    if isinstance(result, FunctionFailed):
        return frozenset(ids)
    if not reporting:
        return frozenset()
    match result.payload:
        case {"batchItemFailures": list(failures)}:
            named = [entry.get("itemIdentifier") if isinstance(entry, dict) else None for entry in failures]
            if any(name not in ids for name in named):
                return frozenset(ids)
            return frozenset(str(name) for name in named)
        case {"batchItemFailures": failures} if failures is not None:
            return frozenset(ids)
        case None | dict() | "" | []:
            return frozenset()
        case _:
            return frozenset(ids)


def _record(message: MessageTypeDef, queue: str) -> dict[str, JsonValue]:
    """A message as Lambda delivers it."""
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": {str(name): value for name, value in message.get("Attributes", {}).items()},
        "messageAttributes": {},
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn(queue),
        "awsRegion": REGION,
    }
