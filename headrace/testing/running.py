"""`run_job`: one attempt of a job type, as a worker runs it but for the time limit, without a stack."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Literal, Protocol, TypeVar, cast
from uuid import uuid4

from pydantic import BaseModel

from domain.files.attempts import JobFiles
from domain.files.service import FileService
from domain.jobs import transitions
from domain.jobs.attempt import Attempt, FilesSource
from domain.jobs.catalogue import Catalogue
from domain.jobs.change import Change
from domain.jobs.documents import Documents
from domain.jobs.guard import outcome_of
from domain.jobs.job import Failed, Job, Retrying, Running, Succeeded, loaded
from domain.jobs.outcomes import Outcome, Raised
from domain.jobs.submission import Submission
from domain.jobs.submitting import SubmissionService
from domain.jobs.transitions import IllegalTransition
from domain.secrets.store import SecretSource
from headrace.authoring.job_type import Handler, JobType, Policy
from headrace.testing.blob_store import FakeBlobStore
from headrace.testing.captured import Captured, captured
from headrace.testing.clock import numbered_ids
from headrace.testing.file_repository import FakeFileRepository
from headrace.testing.files import FILE_LIFETIME, given_files, saved_files
from headrace.testing.job_repository import FakeJobRepository
from headrace.testing.job_run import JobRun, ProgressReport
from headrace.testing.observing import declared_settings, noting
from headrace.testing.own_thread import blocking
from headrace.testing.payloads import Payload, a_user, accepted, document_of
from headrace.testing.secret_store import secrets_of

Result_co = TypeVar("Result_co", bound=BaseModel, covariant=True)
_UNLIMITED = timedelta(days=1)
_TOKEN = "test"  # noqa: S105 - of a lease that nobody else can take


class HandlerOf(Protocol[Result_co]):
    """A job type, in either form, with the model of its result."""

    @property
    def definition(self) -> JobType[BaseModel, Result_co]: ...

    @property
    def run(self) -> object: ...


async def run_job_async(
    handler: HandlerOf[Result_co],
    payload: Payload,
    *,
    attempt: int = 1,
    max_attempts: int | None = None,
    settings: Mapping[str, str] | None = None,
    owner: str = "somebody",
    tags: Mapping[str, str] | None = None,
    cancel_after: int | None = None,
    timeout: timedelta | None = None,  # noqa: ASYNC109 - it is that of a policy
    log_level: str = "INFO",
    files: Mapping[str, bytes] | None = None,
    secrets: Mapping[str, str] | None = None,
    traceparent: str | None = None,
) -> JobRun[Result_co]:
    """Run one attempt of a job type to its end, on the running event loop.

    `run_job` is the same for plain and `async` tests alike, without `await`: there the attempt has an event loop of its
    own, in a thread where one runs already, and the caller's waits. A handler that shares something with the test's
    loop needs this one.

    Args:
        handler: A function with `@job_type`, or an instance of a class with `definition` and `run`.
        payload: The payload's model, or its document.
        attempt: Which attempt it is.
        max_attempts: How many the job has; by default those of its type, or `attempt` if that is more.
        settings: What the handler may read as `context.settings`, each of which its job type must declare.
        owner: The id of the user whose job it is.
        tags: The job's tags.
        cancel_after: A person asks to cancel after so many calls of `cancel_requested()`: with 0, the first is true.
        timeout: Stops the attempt after this time, as the job type's own does in a worker. By default nothing stops it,
            so that a debugger may take its time; `context.deadline` is the job type's.
        log_level: From which level on log records are noted.
        files: The content of the owner's files, by the ids that the payload names. What is saved is in `JobRun.saved`.
        secrets: The values of the owner's secrets, by the names that the payload has for them.
        traceparent: What the handler finds as `context.traceparent`.

    Raises:
        SubmissionRefused: The API would not accept the payload.
        TypeError: The handler is no job type.
    """
    errors: list[BaseException] = []
    observed = noting(cast("Handler", handler), timeout, errors)
    limit = max_attempts or max(attempt, observed.definition.policy.max_attempts)
    submission = Submission(
        type=observed.definition.name,
        payload=document_of(payload),
        max_attempts=limit,
        tags=dict(tags or {}),
        traceparent=traceparent,
    )
    jobs, blobs, described = FakeJobRepository(), FakeBlobStore(), FakeFileRepository()
    documents = Documents(blobs)
    await given_files(files or {}, owner, blobs, described, _now())
    service = SubmissionService(
        jobs, Catalogue((observed,)), _now, numbered_ids(), documents,
        FileService(described, blobs, _now, numbered_ids(), FILE_LIFETIME),
    )  # fmt: skip
    job = await _claimed(jobs, service, observed, submission, attempt, owner)
    whole = await documents.with_payload(job)
    assert isinstance(whole, Job), whole
    of_jobs = JobFiles(described, blobs, _now, lambda: str(uuid4()), FILE_LIFETIME)
    noted = declared_settings(observed.definition, settings or {})
    context = _NotedAttempt(jobs, job, noted, cancel_after, lambda: of_jobs, secrets_of(owner, secrets or {}))
    with captured(log_level) as lines:
        outcome = await outcome_of(observed, whole, context, timeout or _UNLIMITED)
    # Read again: progress was written, and perhaps a person's wish to cancel.
    (current,) = jobs.stored
    finished = _legal(transitions.finish(current, observed.definition.policy, _TOKEN, outcome, _now(), 1.0))
    hidden = context.hidden
    lines.logs[:] = [replace(line, text=hidden.text(line.text)) for line in lines.logs]
    lines.printed[:] = [hidden.beginning("".join(lines.printed))]
    run = _run_of(handler.definition.result, finished, outcome, context, lines, errors)
    return replace(run, saved=saved_files(files or {}, owner, blobs, described))


run_job = blocking(run_job_async, "run_job")
"""Runs one attempt of a job type to its end, as `run_job_async` does, which says more."""


async def _claimed(
    jobs: FakeJobRepository,
    service: SubmissionService,
    handler: Handler,
    submission: Submission,
    attempt: int,
    owner: str,
) -> Job:
    """The submitted job in the given attempt, as its handler gets it."""
    submitted = accepted(await service.submit(submission, a_user(owner, _now())))
    waiting = submitted.model_copy(update={"attempt": attempt - 1})
    policy = handler.definition.policy
    claim = transitions.claim(waiting, policy, _TOKEN, _now() + policy.timeout, _now())
    running = await jobs.replace(Change(_legal(claim)), submitted.version)
    assert isinstance(running, Job), running
    return running


def _run_of(
    result: type[Result_co],
    job: Job,
    outcome: Outcome,
    context: "_NotedAttempt",
    lines: Captured,
    errors: list[BaseException],
) -> JobRun[Result_co]:
    state = job.state
    assert not isinstance(state, Running)
    return JobRun(
        status=cast("Literal['succeeded', 'retrying', 'failed', 'cancelled']", job.status),
        error=state.error if isinstance(state, Retrying | Failed) else None,
        retry_after=state.retry_at - job.updated_at if isinstance(state, Retrying) else None,
        exception=errors[0] if errors and isinstance(outcome, Raised) else None,
        progress=tuple(context.reports),
        logs=tuple(lines.logs),
        printed="".join(lines.printed),
        returned=result.model_validate_json(loaded(state.result)) if isinstance(state, Succeeded) else None,
    )


class _NotedAttempt(Attempt):
    """A context that notes every report, and whose job a person cancels when a test says so."""

    def __init__(
        self,
        jobs: FakeJobRepository,
        job: Job,
        settings: Mapping[str, str],
        cancel_after: int | None,
        files: FilesSource,
        secrets: SecretSource,
    ) -> None:
        assert isinstance(job.state, Running)
        super().__init__(jobs, _now, job, transitions.attempt_ends(job.state.lease), settings, files, secrets)
        self.reports: list[ProgressReport] = []
        self._cancel_after = cancel_after
        self._asked = 0

    async def report_progress(self, fraction: float, message: str = "") -> None:
        self.reports.append(ProgressReport(fraction, self.hidden.text(message)))
        await super().report_progress(fraction, message)

    async def cancel_requested(self) -> bool:
        if self._asked == self._cancel_after:
            current = await self._jobs.get(self.job_id, _now())
            assert isinstance(current, Job)
            await self._jobs.replace(Change(_legal(transitions.cancel(current, Policy(), _now()))), current.version)
        self._asked += 1
        return await super().cancel_requested()


def _now() -> datetime:
    return datetime.now(UTC)


def _legal(moved: Change | IllegalTransition) -> Job:
    assert isinstance(moved, Change), moved
    return moved.job
