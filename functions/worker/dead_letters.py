"""Where undecodable records go: the queue that also gets what the event source mapping discards.

The message has the shape of Lambda's own on-failure record for a stream (Lambda Developer Guide, "Retain discarded
records for a DynamoDB event source"), so that one consumer reads both; `condition` distinguishes them.
It names the record's position in the stream, never its content.
"""

import json
from collections.abc import Sequence
from datetime import datetime

import aioboto3

from persistence.dynamodb.client import CONFIG, STORAGE_ERRORS
from persistence.dynamodb.stream_records import Undecodable

CONDITION = "RecordUndecodable"


async def dead_letter(
    queue_url: str, records: Sequence[Undecodable], request_id: str, function_arn: str, now: datetime
) -> tuple[str, ...]:
    """Send one message for each record; the sequence numbers of those for which that failed.

    They are handed back, and after its retries the mapping itself sends them to the queue. So does one
    whose function has no queue (`queue_url` is empty), as on the local stack. A record without a sequence
    number cannot be handed back.
    """
    if not records:
        return ()
    unsent = tuple(record.sequence_number for record in records if record.sequence_number)
    if not queue_url:
        return unsent
    messages = [json.dumps(_message(record, request_id, function_arn, now)) for record in records]
    try:
        # A client for each time: this should never happen, so nothing is kept for it.
        async with aioboto3.Session().client("sqs", config=CONFIG) as queue:
            for message in messages:
                await queue.send_message(QueueUrl=queue_url, MessageBody=message)
    except STORAGE_ERRORS:
        return unsent
    return ()


def _message(record: Undecodable, request_id: str, function_arn: str, now: datetime) -> dict[str, object]:
    return {
        "requestContext": {
            "requestId": request_id,
            "functionArn": function_arn,
            "condition": CONDITION,
            "approximateInvokeCount": 1,
        },
        "version": "1.0",
        "timestamp": now.isoformat(),
        "DDBStreamBatchInfo": {
            "startSequenceNumber": record.sequence_number,
            "endSequenceNumber": record.sequence_number,
            "batchSize": 1,
            "streamArn": record.stream_arn,
        },
        "jobId": record.job_id,
        "detail": record.detail,
    }
