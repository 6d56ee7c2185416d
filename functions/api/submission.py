"""From the body of a submission to the domain's, alone or in a batch."""

import asyncio
import re
from http import HTTPStatus
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from domain.jobs.listing import summary_of
from domain.jobs.service import Flaw, InvalidPayload, JobService, Submission, Submitted
from domain.users.user import User
from functions.api.models import JobSummaryView, SubmitJob, summary_view
from functions.api.problems import Problem, Refused, problem, problem_of

MAX_BATCH: Final = 25
_KEY = re.compile(r"[\x20-\x7e]{1,255}")


class SubmitBatch(BaseModel):
    """Several jobs; each entry is what POST /v1/jobs takes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    jobs: Annotated[
        list[JsonValue],
        Field(
            min_length=1,
            max_length=MAX_BATCH,
            json_schema_extra={"items": {"$ref": "#/components/schemas/SubmitJob"}},
        ),
    ]


class BatchResult(BaseModel):
    """What became of one entry: `job` (without payload and result) where it was accepted, else `problem`."""

    status: int
    job: JobSummaryView | None = None
    problem: Problem | None = None


class BatchAnswer(BaseModel):
    """One result for each entry, in the order of the entries."""

    results: list[BatchResult]


def check_key(key: str | None) -> None:
    """Refuse an Idempotency-Key that is not 1 to 255 printable ASCII characters."""
    if key is not None and not _KEY.fullmatch(key):
        detail = "Idempotency-Key has 1 to 255 printable ASCII characters."
        raise Refused(problem(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_idempotency_key", detail))


def submission_of(body: SubmitJob) -> Submission | InvalidPayload:
    """The domain's submission of a body whose form was checked."""
    if body.run_at is not None and body.delay_seconds is not None:
        flaw = Flaw(path=("delay_seconds",), message="give run_at or delay_seconds, not both")
        return InvalidPayload(flaws=(flaw,))
    return Submission.model_construct(**dict(body))


async def submit_entries(jobs: JobService, entries: list[JsonValue], owner: User, key: str | None) -> list[BatchResult]:
    """Submit each entry on its own; with a key, each entry has one of its own by its place."""

    async def submit(place: int, entry: JsonValue) -> BatchResult:
        submission = _entry(entry)
        if isinstance(submission, InvalidPayload):
            return _refused(problem_of(submission))
        # No client's key holds a line feed, so a place's key is nobody else's.
        submitted = await jobs.submit(submission, owner, f"{key}\n{place}" if key else None)
        if isinstance(submitted, Submitted):
            return BatchResult(status=HTTPStatus.ACCEPTED, job=summary_view(summary_of(submitted.job)))
        return _refused(problem_of(submitted))

    return list(await asyncio.gather(*(submit(place, entry) for place, entry in enumerate(entries))))


def _entry(entry: JsonValue) -> Submission | InvalidPayload:
    try:
        return submission_of(SubmitJob.model_validate(entry))
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        return InvalidPayload(flaws=tuple(Flaw(path=flaw["loc"], message=flaw["msg"]) for flaw in found))


def _refused(told: Problem) -> BatchResult:
    return BatchResult(status=told.status, problem=told)
