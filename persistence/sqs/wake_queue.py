"""The wake queue on Amazon SQS: batches of ten messages, each held back by its own `DelaySeconds`."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Protocol

from domain.jobs.wake_queue import LONGEST_DELAY, Unsent
from domain.results import StorageUnavailable
from persistence.dynamodb.client import CONFIG, STORAGE_ERRORS, as_result, session_for
from persistence.sqs.wake_messages import body_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractAsyncContextManager
    from datetime import datetime

    from types_aiobotocore_sqs.client import SQSClient
    from types_aiobotocore_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

    from domain.jobs.wake_queue import Wake

BATCH = 10
"""Messages that one `SendMessageBatch` takes."""
CONCURRENCY = 4
"""Batches under way for one `send`: a sweep has eight of these, one for each shard."""
TRIES = 2
"""Of what a batch that succeeded left out; a call that failed is tried again by the SDK."""


class QueueSource(Protocol):
    """Gives the client of the running event loop, made at the first call."""

    async def __call__(self) -> SQSClient: ...


def open_queue_client(endpoint_url: str | None = None) -> AbstractAsyncContextManager[SQSClient]:
    """A client for an endpoint as of DynamoDB's `open_client`.

    None is AWS, or the endpoint that the SDK's own variable `AWS_ENDPOINT_URL_SQS` names.
    """
    session, url = session_for(endpoint_url)
    return session.client("sqs", endpoint_url=url, config=CONFIG)


class SqsWakeQueue:
    """The `WakeQueue` on a queue's URL; without one (as in `sam local`) nothing is sent."""

    def __init__(self, client: QueueSource, queue_url: str) -> None:
        self._client = client
        self._queue_url = queue_url

    async def send(self, wakes: Sequence[Wake], now: datetime) -> tuple[Unsent, ...]:
        if not self._queue_url:
            missing = StorageUnavailable(reason="rejected", detail="there is no wake queue")
            return tuple(Unsent(wake=wake, problem=missing) for wake in wakes)
        slots = asyncio.Semaphore(CONCURRENCY)

        async def sent(batch: Sequence[Wake]) -> tuple[Unsent, ...]:
            async with slots:
                return await self._send(batch, now)

        batches = [wakes[start : start + BATCH] for start in range(0, len(wakes), BATCH)]
        return tuple(unsent for each in await asyncio.gather(*map(sent, batches)) for unsent in each)

    async def _send(self, batch: Sequence[Wake], now: datetime) -> tuple[Unsent, ...]:
        unsent: tuple[Unsent, ...] = ()
        for _ in range(TRIES):
            unsent = await self._try(batch, now)
            if not any(each.problem.reason == "server" for each in unsent):
                return unsent
            batch = tuple(each.wake for each in unsent)
        return unsent

    async def _try(self, batch: Sequence[Wake], now: datetime) -> tuple[Unsent, ...]:
        try:
            client = await self._client()
            answer = await client.send_message_batch(QueueUrl=self._queue_url, Entries=_entries(batch, now))
        except STORAGE_ERRORS as error:
            problem = as_result(error)
            return tuple(Unsent(wake=wake, problem=problem) for wake in batch)
        return tuple(
            Unsent(
                wake=batch[int(failed["Id"])],
                problem=StorageUnavailable(
                    reason="rejected" if failed["SenderFault"] else "server", detail=failed["Code"]
                ),
            )
            for failed in sorted(answer.get("Failed", []), key=lambda failed: int(failed["Id"]))
        )


def _entries(batch: Sequence[Wake], now: datetime) -> list[SendMessageBatchRequestEntryTypeDef]:
    return [_entry(str(number), wake, now) for number, wake in enumerate(batch)]


def _entry(id: str, wake: Wake, now: datetime) -> SendMessageBatchRequestEntryTypeDef:
    entry: SendMessageBatchRequestEntryTypeDef = {
        "Id": id, "MessageBody": body_of(wake), "DelaySeconds": delay_seconds(wake, now),
    }  # fmt: skip
    # "Fair queues" (Amazon SQS Developer Guide): of a standard queue's backlog, quiet groups are delivered first.
    return entry if wake.owner_id is None else {**entry, "MessageGroupId": wake.owner_id}


def delay_seconds(wake: Wake, now: datetime) -> int:
    """Whole seconds, rounded up, so that no message comes before its job is due."""
    return delay_seconds_until(wake.due, now)


def delay_seconds_until(due: datetime, now: datetime) -> int:
    """The same, until a moment."""
    delay = min(max((due - now).total_seconds(), 0), LONGEST_DELAY.total_seconds())
    return math.ceil(delay)
