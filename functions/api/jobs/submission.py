"""From the body of a submission to the domain's, alone or in a batch."""

import asyncio
import re
from http import HTTPStatus
from itertools import accumulate
from typing import Annotated, Final, Literal

from pydantic import BaseModel, Field, JsonValue

from domain.flaws import Flaw
from domain.jobs.job import Job, Succeeded
from domain.jobs.submission import Submission
from domain.jobs.submitting import InvalidPayload, SubmissionService, Submitted
from domain.users.user import User
from functions.api.http.forms import Form, InvalidForm
from functions.api.http.problems import Problem, Refused, problem, problem_of
from functions.api.jobs.models import JobView, SubmitJob, job_view
from headrace.authoring.json_text import byte_length

MAX_BATCH: Final = 25
MAX_BATCH_DOCUMENTS: Final = 1024 * 1024
"""Bytes of payloads and results that one answer carries; later entries are answered without theirs.

Lambda answers at most 6 MB, in which a byte of a document takes up to three (a sign of two bytes is escaped to six).
"""

_KEY = re.compile(r"[\x20-\x7e]{1,255}")


class SubmitBatch(Form):
    """Several jobs; each entry is what POST /v1/jobs takes."""

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
    job: JobView | None = None
    omitted: list[Literal["payload", "result"]] = Field(
        default_factory=list,
        description="Members of `job` that are null because the answer would be too large; the job itself has them",
    )
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


async def submit_entries(
    submissions: SubmissionService, entries: list[JsonValue], owner: User, key: str | None
) -> list[BatchResult]:
    """Submit each entry on its own; with a key, each entry has one of its own by its place."""

    async def submit(place: int, entry: JsonValue) -> Job | Problem:
        submission = _entry(entry)
        if isinstance(submission, InvalidPayload):
            return problem_of(submission)
        # No client's key holds a line feed, so a place's key is nobody else's.
        submitted = await submissions.submit(submission, owner, f"{key}\n{place}" if key else None)
        return submitted.job if isinstance(submitted, Submitted) else problem_of(submitted)

    outcomes = await asyncio.gather(*(submit(place, entry) for place, entry in enumerate(entries)))
    spent = accumulate(_document_bytes(outcome) for outcome in outcomes)
    return [
        _result(outcome, whole=total <= MAX_BATCH_DOCUMENTS) for outcome, total in zip(outcomes, spent, strict=True)
    ]


def _document_bytes(outcome: Job | Problem) -> int:
    """Bytes of the payload and the result of an accepted job (a replayed one may have a result)."""
    if isinstance(outcome, Problem):
        return 0
    result = outcome.state.result if isinstance(outcome.state, Succeeded) else ""
    return byte_length(outcome.payload) + byte_length(result)


def _result(outcome: Job | Problem, *, whole: bool) -> BatchResult:
    if isinstance(outcome, Problem):
        return BatchResult(status=outcome.status, problem=outcome)
    view = job_view(outcome)
    if whole:
        return BatchResult(status=HTTPStatus.ACCEPTED, job=view)
    without = view.model_copy(update={"payload": None, "result": None})
    return BatchResult(status=HTTPStatus.ACCEPTED, job=without, omitted=["payload", "result"])


def _entry(entry: JsonValue) -> Submission | InvalidPayload:
    try:
        return submission_of(SubmitJob.model_validate(entry))
    except InvalidForm as error:
        return InvalidPayload(flaws=error.flaws.first, count=error.flaws.count)
