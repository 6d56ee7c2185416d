"""`run_job`: one attempt of a job type, as a worker runs it but for the time limit, without a stack."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Literal, Protocol, TypeVar, cast
from uuid import uuid4

from pydantic import BaseModel

from domain.children.stores import ChildStores
from domain.durable.attempts import JobSteps
from domain.durable.durable import Durable
from domain.files.attempts import JobFiles
from domain.files.service import FileService
from domain.jobs import transitions
from domain.jobs.attempt import Attempt
from domain.jobs.attempt_ports import FilesSource
from domain.jobs.catalogue import Catalogue
from domain.jobs.change import OF_USERS, Change, FollowUp, Moved
from domain.jobs.documents import Documents
from domain.jobs.following import Checker, FollowUps
from domain.jobs.guard import outcome_of
from domain.jobs.job import Failed, Job, Retrying, Running, Succeeded, Waiting, loaded
from domain.jobs.outcomes import Done, Outcome, Raised
from domain.jobs.submission import Submission
from domain.jobs.submitting import SubmissionService
from domain.jobs.transitions import IllegalTransition
from domain.secrets.hidden import Hidden
from domain.secrets.store import SecretSource
from headrace.authoring.job_type import Handler, JobType, Policy
from headrace.authoring.json_text import from_json_text
from headrace.authoring.writes import Write
from headrace.testing.any_type import any_type
from headrace.testing.blob_store import FakeBlobStore
from headrace.testing.captured import Captured, captured
from headrace.testing.child_repository import FakeChildReader, FakeCountRepository
from headrace.testing.clock import numbered_ids
from headrace.testing.file_repository import FakeFileRepository
from headrace.testing.files import FILE_LIFETIME, given_files, saved_files
from headrace.testing.job_repository import FakeJobRepository
from headrace.testing.job_run import JobRun, ProgressReport, SubmittedJob
from headrace.testing.observing import declared_settings, noting
from headrace.testing.own_thread import blocking
from headrace.testing.payloads import Payload, a_user, accepted, document_of
from headrace.testing.secret_store import secrets_of
from headrace.testing.step_repository import FakeStepRepository
from headrace.testing.steps import given_children, given_steps, values_of

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
    signals: Mapping[str, object] | None = None,
    remembered: Mapping[str, object] | None = None,
    children: Mapping[str, object] | None = None,
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
        signals: The values of signals that the job has been sent, by name.
        remembered: The values of steps that earlier attempts have made, by name. What the job remembers in the end
            is in `JobRun.remembered`. A handler that sleeps or waits ends as `waiting`; `job_stack` goes on with it.
        children: What children came to, by the name of the `call` (a value) or the `map` (a list): models, their JSON,
            or `ChildFailed`. The children of other groups are in `JobRun.submitted`, and the handler waits for them.
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
    steps = FakeStepRepository(jobs)
    given_steps(jobs, job, remembered or {}, signals or {}, _now())
    given_children(jobs, job, children or {}, _now())
    noted = declared_settings(observed.definition, settings or {})
    stores = ChildStores(jobs, FakeChildReader(jobs), FakeCountRepository(jobs), documents, lambda: str(uuid4()))
    of_steps = JobSteps(steps, documents, _now, lambda: str(uuid4()), stores)
    of_secrets = secrets_of(owner, secrets or {})
    context = _NotedAttempt(jobs, job, noted, cancel_after, lambda: of_jobs, of_secrets, of_steps)
    with captured(log_level) as lines:
        outcome = await outcome_of(observed, whole, context, timeout or _UNLIMITED)
    # Read again: progress was written, and perhaps a person's wish to cancel.
    current = jobs.find(job.id)
    assert current is not None
    finished = _legal(
        transitions.finish(current, observed.definition.policy, _TOKEN, outcome, _now(), 1.0, context.known)
    )
    hidden = context.hidden
    lines.logs[:] = [replace(line, text=hidden.text(line.text)) for line in lines.logs]
    lines.printed[:] = [hidden.beginning("".join(lines.printed))]
    run = _run_of(handler.definition.result, finished, outcome, context, lines, errors)
    kept = values_of(await steps.remembered(job.life), blobs)
    submitted = (*run.submitted, *(_submitted(each) for each in jobs.stored if each.parent is not None))
    saved = saved_files(files or {}, owner, blobs, described)
    return replace(run, saved=saved, remembered=kept, submitted=submitted)


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
        status=cast("Literal['succeeded', 'retrying', 'waiting', 'queued', 'failed', 'cancelled']", job.status),
        error=state.error if isinstance(state, Retrying | Failed) else None,
        retry_after=state.retry_at - job.updated_at if isinstance(state, Retrying) else None,
        exception=errors[0] if errors and isinstance(outcome, Raised) else None,
        waits_for=tuple(each.name for each in state.waits_for) if isinstance(state, Waiting) else (),
        writes=_writes_of(outcome),
        submitted=_submitted_in(outcome),
        progress=tuple(context.reports),
        logs=tuple(lines.logs),
        printed="".join(lines.printed),
        returned=result.model_validate_json(loaded(state.result)) if isinstance(state, Succeeded) else None,
    )


def _submitted_in(outcome: Outcome) -> tuple[SubmittedJob, ...]:
    writes = outcome.writes if isinstance(outcome, Done) else ()
    return tuple(_submitted(each.job) for each in writes if isinstance(each, FollowUp))


def _submitted(job: Job) -> SubmittedJob:
    return SubmittedJob(job.id, job.type, from_json_text(loaded(job.payload)))


def _writes_of(outcome: Outcome) -> tuple[Write, ...]:
    writes = (
        [each for each in outcome.writes if not isinstance(each, FollowUp | Moved)] if isinstance(outcome, Done) else []
    )
    return tuple(each.model_copy(update={"table": each.table.removeprefix(OF_USERS)}) for each in writes)


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
        steps: JobSteps,
    ) -> None:
        assert isinstance(job.state, Running)
        ends = transitions.attempt_ends(job.state.lease)

        def durable(job: Job, ended: "asyncio.Future[Outcome]", hidden: Hidden) -> Durable:
            checker = Checker(job, hidden, any_type, _now, 0)
            return steps.of(job, ended, hidden, Policy(), ends, is_first=False, checker=checker)

        def follow_ups(job: Job, hidden: Hidden) -> FollowUps:
            return FollowUps(job, Checker(job, hidden, any_type, _now, 0), _now)

        super().__init__(jobs, _now, job, ends, settings, files, secrets, durable, follow_ups)
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
