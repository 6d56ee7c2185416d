"""Converts request bodies to the domain's submissions, one or a batch of them, and submits batches."""

import asyncio
from functools import partial
from http import HTTPStatus
from itertools import accumulate
from typing import Annotated, Final, Literal

from pydantic import BaseModel, Field, JsonValue

from domain.flaws import Flaw
from domain.jobs.checking import is_key
from domain.jobs.disclosure import Disclosure
from domain.jobs.job import BlobRef, Job, documents_of
from domain.jobs.submission import Submission
from domain.jobs.submitting import InvalidPayload, SubmissionService, Submitted
from domain.users.user import User
from functions.api.http.forms import Form, InvalidForm
from functions.api.http.problems import Problem, Refused, problem, problem_of
from functions.api.jobs.models import JobView, Shown, SubmitJob, job_view
from functions.api.webhooks.notify import notify_of
from headrace.authoring.json_text import byte_length
from headrace.authoring.trace import read_traceparent

MAX_BATCH: Final = 25
MAX_BATCH_DOCUMENTS: Final = 1024 * 1024
"""Bytes of payloads and results in one batch response; the entries beyond have theirs left out.

A Lambda response has at most 6 MB, and a byte of a document takes up to three (two-byte characters are escaped to six).
"""


class SubmitBatch(Form):
    """Several jobs to submit; each entry has the form of the body of POST /v1/jobs."""

    jobs: Annotated[
        list[JsonValue],
        Field(
            min_length=1,
            max_length=MAX_BATCH,
            json_schema_extra={"items": {"$ref": "#/components/schemas/SubmitJob"}},
        ),
    ]


class BatchResult(BaseModel):
    """The result of one entry: `job` if it was accepted, else `problem`."""

    status: int
    job: JobView | None = None
    omitted: list[Literal["payload", "result"]] = Field(
        default_factory=list,
        description="Members of `job` that are null because the response would be too large; GET the job for them",
    )
    problem: Problem | None = None


class BatchResponse(BaseModel):
    """One result for each entry, in the order of the entries."""

    results: list[BatchResult]


def check_key(key: str | None) -> None:
    """Refuse an Idempotency-Key that is not 1 to 255 printable ASCII characters."""
    if key is not None and not is_key(key):
        detail = "Idempotency-Key must be 1 to 255 printable ASCII characters."
        raise Refused(problem(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_idempotency_key", detail))


def submission_of(
    body: SubmitJob, traceparent: str | None = None, *, on_behalf: bool = False
) -> Submission | InvalidPayload:
    """Convert a validated body to the domain's submission; refuse one with both `run_at` and `delay_seconds`.

    `traceparent` is the request's header: an invalid one is ignored, as its standard says.
    """
    if body.run_at is not None and body.delay_seconds is not None:
        flaw = Flaw(path=("delay_seconds",), message="give run_at or delay_seconds, not both")
        return InvalidPayload(flaws=(flaw,))
    given = {**dict(body), "notify": notify_of(body.notify), "traceparent": read_traceparent(traceparent)}
    return Submission.model_construct(**given, on_behalf=on_behalf)


async def submit_entries(
    submissions: SubmissionService,
    disclosure: Disclosure,
    entries: list[JsonValue],
    owner: User,
    key: str | None,
    traceparent: str | None,
    *,
    on_behalf: bool,
) -> list[BatchResult]:
    """Submit each entry independently; with a key, each entry's own key is derived from it and the entry's place."""

    async def submit(place: int, entry: JsonValue) -> Job | Problem:
        submission = _entry(entry, traceparent, on_behalf)
        if isinstance(submission, InvalidPayload):
            return problem_of(submission)
        # A client's key cannot contain a line feed, so a derived key never equals a client's.
        submitted = await submissions.submit(submission, owner, f"{key}\n{place}" if key else None)
        return submitted.job if isinstance(submitted, Submitted) else problem_of(submitted)

    outcomes = await asyncio.gather(*(submit(place, entry) for place, entry in enumerate(entries)))
    spent = accumulate(_document_bytes(outcome) for outcome in outcomes)
    return [
        _result(outcome, partial(disclosure.to, owner), whole=total <= MAX_BATCH_DOCUMENTS)
        for outcome, total in zip(outcomes, spent, strict=True)
    ]


def _document_bytes(outcome: Job | Problem) -> int:
    """The bytes of an accepted job's payload and result (a replayed job may have one) that the answer brings along."""
    if isinstance(outcome, Problem):
        return 0
    return sum(byte_length(each) for each in documents_of(outcome).values() if not isinstance(each, BlobRef))


def _result(outcome: Job | Problem, shown: Shown, *, whole: bool) -> BatchResult:
    if isinstance(outcome, Problem):
        return BatchResult(status=outcome.status, problem=outcome)
    view = job_view(outcome, shown)
    if whole:
        return BatchResult(status=HTTPStatus.ACCEPTED, job=view)
    without = view.model_copy(update={"payload": None, "result": None})
    return BatchResult(status=HTTPStatus.ACCEPTED, job=without, omitted=["payload", "result"])


def _entry(entry: JsonValue, traceparent: str | None, on_behalf: bool) -> Submission | InvalidPayload:
    try:
        return submission_of(SubmitJob.model_validate(entry), traceparent, on_behalf=on_behalf)
    except InvalidForm as error:
        return InvalidPayload(flaws=error.flaws.first, count=error.flaws.count)
