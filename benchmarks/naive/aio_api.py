"""The tutorial's API on Headrace's packages: aioboto3's resource, opened for each request."""

import os
import uuid
from datetime import UTC, datetime
from typing import Annotated

import aioboto3
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from boto3.dynamodb.conditions import Key
from fastapi import Depends, FastAPI, HTTPException, Request
from mangum import Mangum
from pydantic import BaseModel, Field

logger = Logger(service="naive")
metrics = Metrics(namespace="Naive", service="naive")
session = aioboto3.Session()
app = FastAPI(title="Jobs")


class CsvPayload(BaseModel):
    csv: str


class JobRequest(BaseModel):
    type: str = Field(min_length=1, max_length=64)
    payload: CsvPayload


class JobResponse(BaseModel):
    id: str
    type: str
    status: str
    owner_id: str
    created_at: datetime


async def current_user(request: Request) -> str:
    """The id of the user that the token names."""
    claims = request.scope["aws.event"]["requestContext"]["authorizer"]["jwt"]["claims"]
    async with session.resource("dynamodb") as dynamodb:
        table = await dynamodb.Table(os.environ["USERS_TABLE"])
        found = await table.query(IndexName="email-index", KeyConditionExpression=Key("email").eq(claims["email"]))
    if not found["Items"]:
        raise HTTPException(status_code=403, detail="unknown user")
    return str(found["Items"][0]["id"])


@app.post("/v1/jobs", status_code=202)
async def create_job(body: JobRequest, user_id: Annotated[str, Depends(current_user)]) -> JobResponse:
    """Store a job; the table's stream starts the worker."""
    job = JobResponse(
        id=str(uuid.uuid4()), type=body.type, status="queued", owner_id=user_id, created_at=datetime.now(UTC)
    )
    async with session.resource("dynamodb") as dynamodb:
        table = await dynamodb.Table(os.environ["JOBS_TABLE"])
        await table.put_item(Item={**job.model_dump(mode="json"), "payload": body.payload.model_dump()})
    logger.info("job created", extra={"job_id": job.id})
    metrics.add_metric(name="JobsCreated", unit=MetricUnit.Count, value=1)
    return job


_mangum = Mangum(app, lifespan="off")


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, object], context: LambdaContext) -> dict[str, object]:
    """Lambda's entry point."""
    return _mangum(event, context)  # type: ignore[arg-type]  # Mangum's name for the same thing
