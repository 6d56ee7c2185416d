"""A worker as tutorials write it: Powertools' batch processor, boto3's resource, one record after the other."""

import csv
import io
import os
from datetime import UTC, datetime
from decimal import Decimal

import boto3
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.dynamo_db_stream_event import DynamoDBRecord
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel

logger = Logger(service="naive")
metrics = Metrics(namespace="Naive", service="naive")
dynamodb = boto3.resource("dynamodb")
table = dynamodb.Table(os.environ["JOBS_TABLE"])
processor = BatchProcessor(event_type=EventType.DynamoDBStreams)


class CsvPayload(BaseModel):
    csv: str


class Job(BaseModel):
    id: str
    type: str
    status: str
    payload: CsvPayload


def run(job: Job) -> dict[str, int | Decimal]:
    """Count rows and columns: a minimal job."""
    rows = list(csv.reader(io.StringIO(job.payload.csv)))
    return {"rows": len(rows) - 1, "columns": len(rows[0])}


def record_handler(record: DynamoDBRecord) -> None:
    """Claim the job, run it, store its result."""
    image = record.dynamodb.new_image if record.dynamodb else None
    job = Job.model_validate(image)
    table.update_item(
        Key={"id": job.id},
        UpdateExpression="SET #s = :running, started_at = :now",
        ConditionExpression="#s = :queued",
        ExpressionAttributeNames={"#s": "status"},
        ExpressionAttributeValues={":running": "running", ":queued": "queued", ":now": datetime.now(UTC).isoformat()},
    )
    result = run(job)
    table.update_item(
        Key={"id": job.id},
        UpdateExpression="SET #s = :done, #r = :result, finished_at = :now",
        ExpressionAttributeNames={"#s": "status", "#r": "result"},
        ExpressionAttributeValues={":done": "succeeded", ":result": result, ":now": datetime.now(UTC).isoformat()},
    )
    logger.info("job finished", extra={"job_id": job.id})
    metrics.add_metric(name="JobsFinished", unit=MetricUnit.Count, value=1)


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, object], context: LambdaContext) -> PartialItemFailureResponse:
    """Lambda's entry point."""
    return process_partial_response(event=event, record_handler=record_handler, processor=processor, context=context)
