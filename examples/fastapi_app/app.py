"""A FastAPI application: profiling a CSV document is a job, whose result is asked for later."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, HTTPException, Request
from pydantic import BaseModel, Field, JsonValue

from headrace_client import AsyncClient, InvalidRequest, Job, NotFound


class Table(BaseModel):
    """What is to be profiled."""

    name: str = Field(pattern="^[a-z0-9-]{1,64}$")
    csv: str


class Report(BaseModel):
    """How far it is."""

    id: str
    status: str
    result: JsonValue = None


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """One client for the application's life, so that connections are reused."""
    async with AsyncClient(os.environ["HEADRACE_URL"], token=lambda: os.environ["HEADRACE_TOKEN"]) as client:
        app.state.headrace = client
        yield


app = FastAPI(lifespan=lifespan)


@app.post("/reports", status_code=202)
async def order_report(table: Table, request: Request) -> Report:
    """Submit the job. The table's name is its key, so that a table is profiled once, however often it is posted."""
    client: AsyncClient = request.app.state.headrace
    try:
        job = await client.submit("csv.profile", {"csv": table.csv}, key=f"report-{table.name}")
    except InvalidRequest as refused:
        raise HTTPException(422, refused.problem.detail) from refused
    return _report(job)


@app.get("/reports/{id}")
async def read_report(id: str, request: Request) -> Report:
    """Say how far it is, with the result when it is there."""
    client: AsyncClient = request.app.state.headrace
    try:
        return _report(await client.get(id))
    except NotFound as error:
        raise HTTPException(404, "There is no such report.") from error


def _report(job: Job) -> Report:
    return Report(id=job.id, status=job.status, result=job.result)
