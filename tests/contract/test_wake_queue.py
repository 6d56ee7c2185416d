"""The conformance suite of `WakeQueue`, for the fake and for MiniStack's SQS."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from domain.jobs.wake_queue import LONGEST_DELAY, Wake
from functions.runtime import Lazy, now
from headrace.testing.clock import FakeClock
from headrace.testing.wake_queue import FakeWakeQueue
from persistence.sqs.wake_messages import WakeMessage, decode_message
from persistence.sqs.wake_queue import QueueSource, SqsWakeQueue, open_queue_client
from tests.conftest import new_id

SECOND = timedelta(seconds=1)


class OnFake:
    def __init__(self) -> None:
        self.queue = FakeWakeQueue()
        self.clock = FakeClock()

    async def received(self) -> list[Wake]:
        return list(self.queue.take(self.clock()))

    async def wait(self, delay: timedelta) -> None:
        self.clock.forward(delay)


class OnMiniStack:
    def __init__(self, client: QueueSource, url: str) -> None:
        self._client = client
        self._url = url
        self.queue = SqsWakeQueue(client, url)
        self.clock = now

    async def received(self) -> list[Wake]:
        client, found = await self._client(), list[Wake]()
        while True:
            answer = await client.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10)
            messages = [decode_message({"messageId": "1", "body": each["Body"]}) for each in answer.get("Messages", [])]
            found += [message.wake for message in messages if isinstance(message, WakeMessage)]
            if not messages:
                return found

    async def wait(self, delay: timedelta) -> None:
        await asyncio.sleep(delay.total_seconds())


@pytest.fixture(params=["fake", "ministack"])
async def tried(request: pytest.FixtureRequest, wake_queue_url: str) -> AsyncIterator[OnFake | OnMiniStack]:
    client = Lazy(open_queue_client)
    yield OnFake() if request.param == "fake" else OnMiniStack(client, wake_queue_url)
    await client.close()


async def test_a_job_that_is_due_is_brought_at_once_and_others_not_before_their_time(
    tried: OnFake | OnMiniStack,
) -> None:
    sent_at = tried.clock()
    overdue, soon = Wake(job_id=new_id(), due=sent_at - SECOND), Wake(job_id=new_id(), due=sent_at + 1.2 * SECOND)
    assert await tried.queue.send((overdue, soon), sent_at) == ()
    assert await tried.received() == [overdue]
    await tried.wait(0.5 * SECOND)
    assert await tried.received() == []
    await tried.wait(1.7 * SECOND)
    assert await tried.received() == [soon]


async def test_many_messages_are_sent_at_once_each_with_its_job_and_time(tried: OnFake | OnMiniStack) -> None:
    sent_at = tried.clock()
    wakes = [Wake(job_id=new_id(), due=sent_at - number * SECOND) for number in range(35)]
    assert await tried.queue.send(wakes, sent_at) == ()
    received = await tried.received()
    assert sorted(received, key=lambda wake: wake.due, reverse=True) == wakes


async def test_what_is_further_than_a_queue_can_hold_back_is_accepted(tried: OnFake | OnMiniStack) -> None:
    sent_at = tried.clock()
    assert await tried.queue.send([Wake(job_id=new_id(), due=sent_at + 2 * LONGEST_DELAY)], sent_at) == ()
    assert await tried.received() == []


async def test_nothing_to_send_is_nothing_sent(tried: OnFake | OnMiniStack) -> None:
    assert await tried.queue.send((), tried.clock()) == ()
    assert await tried.received() == []
