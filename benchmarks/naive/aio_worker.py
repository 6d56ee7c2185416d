"""The tutorial's worker on Headrace's packages: aioboto3's resource, opened for each invocation."""

import csv
import io
import os
from datetime import UTC, datetime

import aioboto3
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch import (
    AsyncBatchProcessor,
    EventType,
    async_process_partial_response,
)
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.dynamo_db_stream_event import DynamoDBRecord
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel

logger = Logger(service="naive")
metrics = Metrics(namespace="Naive", service="naive")
session = aioboto3.Session()
processor = AsyncBatchProcessor(event_type=EventType.DynamoDBStreams)


class CsvPayload(BaseModel):
    csv: str


class Job(BaseModel):
    id: str
    type: str
    status: str
    payload: CsvPayload


async def record_handler(record: DynamoDBRecord) -> None:
    """Claim the job, run it, store its result."""
    job = Job.model_validate(record.dynamodb.new_image if record.dynamodb else None)
    async with session.resource("dynamodb") as dynamodb:
        table = await dynamodb.Table(os.environ["JOBS_TABLE"])
        await table.update_item(
            Key={"id": job.id},
            UpdateExpression="SET #s = :running, started_at = :now",
            ConditionExpression="#s = :queued",
            ExpressionAttributeNames={"#s": "status"},
            ExpressionAttributeValues={
                ":running": "running", ":queued": "queued", ":now": datetime.now(UTC).isoformat()
            },
        )  # fmt: skip
        rows = list(csv.reader(io.StringIO(job.payload.csv)))
        await table.update_item(
            Key={"id": job.id},
            UpdateExpression="SET #s = :done, #r = :result, finished_at = :now",
            ExpressionAttributeNames={"#s": "status", "#r": "result"},
            ExpressionAttributeValues={
                ":done": "succeeded", ":result": {"rows": len(rows) - 1}, ":now": datetime.now(UTC).isoformat()
            },
        )  # fmt: skip
    logger.info("job finished", extra={"job_id": job.id})
    metrics.add_metric(name="JobsFinished", unit=MetricUnit.Count, value=1)


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, object], context: LambdaContext) -> PartialItemFailureResponse:
    """Lambda's entry point."""
    return async_process_partial_response(
        event=event, record_handler=record_handler, processor=processor, context=context
    )
