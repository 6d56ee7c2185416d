"""The conformance suite of `TickQueue`, for the fake and for MiniStack's SQS; and what a message is taken for."""

import asyncio
from datetime import timedelta

import pytest

from domain.jobs.wake_queue import Wake
from domain.results import StorageUnavailable
from domain.schedules.tick_queue import TickWake
from functions.runtime import Lazy, now
from persistence.sqs.tick_queue import SqsTickQueue, tick_of
from persistence.sqs.wake_messages import body_of
from persistence.sqs.wake_queue import open_queue_client
from tests.conftest import new_id
from tests.factories import NOW
from tests.fakes.schedule_repository import FakeTickQueue

SECOND = timedelta(seconds=1)


async def test_the_fake_brings_a_tick_in_whole_seconds_and_not_before_its_time() -> None:
    queue = FakeTickQueue()
    ticks = (TickWake(schedule_id="1", due=NOW), TickWake(schedule_id="2", due=NOW + 1.5 * SECOND))
    assert await queue.send(ticks, NOW) is None
    assert queue.take(NOW) == ticks[:1]
    assert queue.take(NOW + 1.9 * SECOND) == ()
    assert queue.take(NOW + 2 * SECOND) == ticks[1:]


async def test_ministack_does_the_same(wake_queue_url: str) -> None:
    client = Lazy(open_queue_client)
    queue, sqs, start = SqsTickQueue(client, wake_queue_url), await client(), now()
    # More than a batch.
    ticks = tuple(TickWake(schedule_id=new_id(), due=start - SECOND) for _ in range(11))
    late = TickWake(schedule_id=new_id(), due=start + SECOND)
    assert await queue.send((*ticks, late), start) is None

    async def received() -> set[TickWake]:
        found: set[TickWake] = set()
        while messages := (
            await sqs.receive_message(QueueUrl=wake_queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=0)
        ).get("Messages"):
            found |= {tick for each in messages if (tick := tick_of(each["Body"]))}
        return found

    assert await received() == set(ticks)
    await asyncio.sleep(1.2)
    assert await received() == {late}
    await client.close()


async def test_what_was_not_taken_is_told(wake_queue_url: str) -> None:
    client = Lazy(open_queue_client)
    tick = TickWake(schedule_id="1", due=NOW)
    assert isinstance(await SqsTickQueue(client, "").send((tick,), NOW), StorageUnavailable)
    missing = SqsTickQueue(client, f"{wake_queue_url}-missing")
    assert isinstance(await missing.send((tick,), NOW), StorageUnavailable)
    await client.close()


@pytest.mark.parametrize(
    "body",
    [
        None,
        7,
        "",
        "{}",
        '{"schedule_id": 7}',
        '{"schedule_id": "1", "due": "soon"}',
        body_of(Wake(job_id="1", due=NOW)),
    ],
)
def test_what_is_about_no_schedule_is_none_of_ours(body: object) -> None:
    assert tick_of(body) is None


def test_a_message_is_read_as_it_was_written_also_that_of_a_newer_version() -> None:
    tick = TickWake(schedule_id="1", due=NOW)
    assert tick_of(tick.model_dump_json()) == tick
    newer = tick_of(tick.model_dump_json()[:-1] + ',"more":1}')
    assert newer is not None
    assert newer.schedule_id == "1"
