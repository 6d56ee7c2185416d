"""What the wake queue does when SQS takes only some messages, or none."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import cast

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from pydantic import JsonValue

from domain.jobs.wake_queue import Wake
from persistence.sqs.wake_queue import BATCH, CONCURRENCY, QueueSource, SqsWakeQueue, delay_seconds
from tests.factories import NOW

Answer = dict[str, list[dict[str, JsonValue]]]
WAKES = tuple(Wake(job_id=str(number), due=NOW) for number in range(25))


class Sqs:
    """A client that answers each batch as its test says."""

    def __init__(self, answer: Callable[[Sequence[dict[str, JsonValue]], int], Answer]) -> None:
        self._answer = answer
        self.batches: list[list[str]] = []
        self.under_way = 0
        self.most = 0

    async def __call__(self) -> "Sqs":
        return self

    async def send_message_batch(self, QueueUrl: str, Entries: Sequence[dict[str, JsonValue]]) -> Answer:
        assert QueueUrl == "https://queue"
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        await asyncio.sleep(0)
        self.under_way -= 1
        self.batches.append([str(entry["MessageBody"]) for entry in Entries])
        return self._answer(Entries, len(self.batches))


def on(sqs: Sqs, url: str = "https://queue") -> SqsWakeQueue:
    return SqsWakeQueue(cast("QueueSource", sqs), url)


def failing(ids: Sequence[int], *, sender: bool) -> Answer:
    return {"Failed": [{"Id": str(id), "SenderFault": sender, "Code": "InternalError"} for id in ids]}


async def test_messages_go_in_batches_of_ten_a_few_at_once() -> None:
    sqs = Sqs(lambda _entries, _number: {})
    assert await on(sqs).send(WAKES * 4, NOW) == ()
    assert [len(batch) for batch in sqs.batches] == [BATCH] * 10
    assert sqs.most == CONCURRENCY


async def test_what_a_batch_left_out_is_sent_once_more() -> None:
    sqs = Sqs(lambda _entries, number: failing([7, 2], sender=False) if number == 1 else {})
    assert await on(sqs).send(WAKES[:10], NOW) == ()
    assert len(sqs.batches) == 2
    assert ['"2"' in sqs.batches[1][0], '"7"' in sqs.batches[1][1]] == [True, True]


async def test_what_is_left_out_again_is_returned_in_order() -> None:
    sqs = Sqs(lambda entries, _number: failing(range(len(entries)), sender=False))
    unsent = await on(sqs).send(WAKES, NOW)
    assert [each.wake for each in unsent] == list(WAKES)
    assert {each.problem.reason for each in unsent} == {"server"}
    assert len(sqs.batches) == 6


async def test_what_is_refused_for_the_senders_fault_is_not_sent_again() -> None:
    sqs = Sqs(lambda _entries, _number: failing([1], sender=True))
    (unsent,) = await on(sqs).send(WAKES[:3], NOW)
    assert (unsent.wake, unsent.problem.reason, unsent.problem.detail) == (WAKES[1], "rejected", "InternalError")
    assert len(sqs.batches) == 1


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ReadTimeoutError(endpoint_url="x"), "timeout"),
        (ClientError({"Error": {"Code": "AWS.SimpleQueueService.NonExistentQueue"}}, "SendMessageBatch"), "rejected"),
    ],
)
async def test_a_call_that_fails_leaves_its_batch_unsent_and_no_other(error: Exception, reason: str) -> None:
    def second_fails(entries: Sequence[dict[str, JsonValue]], _number: int) -> Answer:
        if any('"12"' in str(entry["MessageBody"]) for entry in entries):
            raise error
        return {}

    unsent = await on(Sqs(second_fails)).send(WAKES, NOW)
    assert [each.wake for each in unsent] == list(WAKES[10:20])
    assert {each.problem.reason for each in unsent} == {reason}


async def test_without_a_queue_nothing_is_sent() -> None:
    unsent = await on(Sqs(lambda _entries, _number: {}), url="").send(WAKES[:2], NOW)
    assert [(each.wake, each.problem.reason) for each in unsent] == [(wake, "rejected") for wake in WAKES[:2]]


@pytest.mark.parametrize(
    ("milliseconds", "seconds"), [(-5000, 0), (0, 0), (1, 1), (1000, 1), (1001, 2), (900_000, 900), (900_001, 900)]
)
def test_a_delay_is_in_whole_seconds_and_never_too_short(milliseconds: int, seconds: int) -> None:
    wake = Wake(job_id="1", due=NOW + timedelta(milliseconds=milliseconds))
    assert delay_seconds(wake, NOW) == seconds
