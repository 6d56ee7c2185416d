"""Undecodable records, and the on-failure queue that receives them."""

import json
from collections.abc import AsyncIterator

import aioboto3
import pytest

from functions.worker.dead_letters import dead_letter
from persistence.dynamodb.stream_records import Undecodable
from tests.factories import NOW

FUNCTION = "arn:aws:lambda:eu-central-1:123456789012:function:worker"
RECORD = Undecodable(
    sequence_number="100000000000000000005",
    event_id="5",
    stream_arn="arn:aws:dynamodb:eu-central-1:123456789012:table/jobs/stream/2026-11-23T00:00:00.000",
    job_id="7f8e2a90-0d4a-4c43-b9a4-5c1f8e6d7b33",
    detail="version: not a number",
)
NUMBERLESS = RECORD.model_copy(update={"sequence_number": None})


@pytest.fixture
async def queue_url(moto_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", moto_url)
    async with aioboto3.Session().client("sqs") as client:
        created = await client.create_queue(QueueName="on-failure")
        yield created["QueueUrl"]
        await client.delete_queue(QueueUrl=created["QueueUrl"])


async def test_the_message_has_the_records_position_and_not_its_contents(queue_url: str) -> None:
    assert await dead_letter(queue_url, (RECORD, NUMBERLESS), "invocation-1", FUNCTION, NOW) == ()
    async with aioboto3.Session().client("sqs") as client:
        received = await client.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10)
    messages = [json.loads(message["Body"]) for message in received["Messages"]]
    assert len(messages) == 2
    (message,) = (each for each in messages if each["DDBStreamBatchInfo"]["startSequenceNumber"])
    assert message == {
        "requestContext": {
            "requestId": "invocation-1",
            "functionArn": FUNCTION,
            "condition": "RecordUndecodable",
            "approximateInvokeCount": 1,
        },
        "version": "1.0",
        "timestamp": NOW.isoformat(),
        "DDBStreamBatchInfo": {
            "startSequenceNumber": RECORD.sequence_number,
            "endSequenceNumber": RECORD.sequence_number,
            "batchSize": 1,
            "streamArn": RECORD.stream_arn,
        },
        "jobId": RECORD.job_id,
        "detail": RECORD.detail,
    }


async def test_messages_that_cannot_be_sent_are_handed_back(queue_url: str) -> None:
    missing = queue_url + "-that-is-not-there"
    assert await dead_letter(missing, (RECORD, NUMBERLESS), "invocation-1", FUNCTION, NOW) == (RECORD.sequence_number,)


async def test_without_a_queue_everything_is_handed_back() -> None:
    assert await dead_letter("", (RECORD, NUMBERLESS), "invocation-1", FUNCTION, NOW) == (RECORD.sequence_number,)


async def test_the_queue_is_not_called_when_every_record_was_decoded() -> None:
    assert await dead_letter("http://127.0.0.1:1/never", (), "invocation-1", FUNCTION, NOW) == ()
