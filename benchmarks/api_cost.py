"""CPU time of a warm `POST /v1/jobs` in the function, compared with a bare route; the database is a fake.

The bare route is FastAPI on Mangum: it validates the same body and returns the same view of a job.
"""

import asyncio
import json
import os
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus

from aws_lambda_powertools import Logger
from fastapi import FastAPI
from mangum import Mangum
from pydantic import JsonValue

from domain.jobs import transitions
from domain.jobs.change import Change
from domain.jobs.job import Job
from domain.jobs.transitions import NewJob
from functions.api.app import create_app
from functions.api.http.event import readable
from functions.api.jobs.models import JobView, SubmitJob, job_view
from functions.job_types import load_job_types
from functions.runtime import new_id, now
from headrace.authoring.frozen import Frozen
from headrace.authoring.job_type import Policy
from headrace.authoring.json_text import to_json_text
from headrace.emulator.cloudformation import ROOT
from headrace.emulator.template import load_stack
from headrace.testing.job_repository import FakeJobRepository
from scripts.generate import SAMPLE_OWNER_ID, sample_user
from tests.fakes.job_listing import FakeJobListing
from tests.fakes.user_repository import FakeUserRepository

CALLS = 400
ROUNDS = 9
TARGET = 2.0


class ApiCost(Frozen):
    """CPU microseconds per call: medians of the rounds."""

    bare: float
    headrace: float

    @property
    def ratio(self) -> float:
        """Headrace's time divided by that of the bare route."""
        return self.headrace / self.bare


class _AcceptingAll(FakeJobRepository):
    """Accepts every job and stores none."""

    async def add(self, change: Change, now: datetime) -> Job:
        del now
        return change.job


class _Context:
    aws_request_id = "benchmark"


def measure() -> ApiCost:
    """Measure both in turns, with one event, in one process."""
    parameters = {"JwtIssuer": "https://issuer.example.com", "JwtAudience": "headrace", "CursorKey": "0" * 64}
    os.environ.update(load_stack(parameters).functions["ApiFunction"].environment)
    event: dict[str, JsonValue] = json.loads((ROOT / "events" / "samples" / "api_submit.json").read_text())
    ours, bare = _headrace(), _bare()
    times: dict[str, list[float]] = {"ours": [], "bare": []}
    for _ in range(ROUNDS):
        times["ours"].append(_cpu_of(ours, event))
        times["bare"].append(_cpu_of(bare, event))
    # The first rounds are warm-up.
    return ApiCost(bare=statistics.median(times["bare"][2:]), headrace=statistics.median(times["ours"][2:]))


def _headrace() -> Callable[[dict[str, JsonValue]], object]:
    # Imported late, because the module builds its handler from the environment at import.
    from functions.api.handler import TEXT

    store, users = FakeJobRepository(), FakeUserRepository()
    asyncio.run(users.add(sample_user("member")))
    logger = Logger("benchmark", level="WARNING")
    app = create_app(_AcceptingAll(), FakeJobListing(store), users, load_job_types("job_types"), now, new_id, logger)
    mangum = Mangum(app, lifespan="off", text_mime_types=TEXT)
    return lambda event: mangum(readable(event), _Context())  # type: ignore[arg-type]


def _bare() -> Callable[[dict[str, JsonValue]], object]:
    app = FastAPI()

    @app.post("/v1/jobs", status_code=202)
    async def submit(body: SubmitJob) -> JobView:
        now = datetime.now(UTC)
        new = NewJob(
            id="job", owner_id=SAMPLE_OWNER_ID, type=body.type, payload=to_json_text(body.payload), max_attempts=5
        )
        return job_view(transitions.submit(new, Policy(), now).job, lambda summary: summary)

    mangum = Mangum(app, lifespan="off")
    return lambda event: mangum(event, _Context())  # type: ignore[arg-type]


def _cpu_of(call: Callable[[dict[str, JsonValue]], object], event: dict[str, JsonValue]) -> float:
    response = call(event)
    if not isinstance(response, dict) or response.get("statusCode") != HTTPStatus.ACCEPTED:
        raise ValueError(f"returned {response}")
    began = time.process_time()
    for _ in range(CALLS):
        call(event)
    return (time.process_time() - began) / CALLS * 1e6


def table(found: ApiCost) -> str:
    """Format the results as a Markdown table."""
    return "\n".join((
        "| CPU µs per call | bare route | Headrace | ratio | target |",
        "|---|---|---|---|---|",
        f"| warm `POST /v1/jobs` | {found.bare:.0f} | {found.headrace:.0f} | {found.ratio:.2f} | {TARGET} |",
    ))  # fmt: skip


if __name__ == "__main__":
    print(table(measure()))
