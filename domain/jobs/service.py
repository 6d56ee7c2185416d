"""What a person can do with jobs: submit, read, cancel, retry. Lists are in `listing.py`."""

import hashlib
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, JsonValue

from domain.flaws import Flaw, Flaws, read_document
from headrace.authoring.frozen import Frozen
from domain.jobs import transitions
from domain.jobs.fingerprint import fingerprint, is_replay
from domain.jobs.job import Job
from headrace.authoring.job_type import Catalogue, Policy
from domain.jobs.repository import (
    JobExists,
    JobNotFound,
    JobRepository,
    JobUnreadable,
    VersionConflict,
)
from domain.jobs.submission import Submission
from domain.jobs.transitions import IllegalTransition, NewJob
from headrace.authoring.json_text import JsonText, NotJson, byte_length, to_json_text
from domain.ports import Clock, NewId
from domain.results import ItemTooLarge, StaleVersion, StorageUnavailable
from domain.users.user import User

MAX_PAYLOAD_BYTES = 256 * 1024
"""Of the payload's JSON. Below DynamoDB's 400 KB, so that attempts, history and a result fit beside it."""

MAX_DELAY = timedelta(days=365)
MAX_CONFLICTS = 5


class Submitted(Frozen):
    """The accepted job; `replayed` when an idempotency key brought back an earlier one."""

    job: Job
    replayed: bool = False


class UnknownJobType(Frozen):
    """No job type has this name."""

    type: str
    known: tuple[str, ...]


class InvalidPayload(Frozen):
    """The submission cannot be accepted as it is: the first flaws, and how many there are."""

    flaws: tuple[Flaw, ...]
    count: int = 1


class PayloadTooLarge(Frozen):
    """The payload passes the limit."""

    size: int
    limit: int


class IdempotencyMismatch(Frozen):
    """The idempotency key stands for another submission."""

    key: str


class Contended(Frozen):
    """The job changed under every one of several tries; trying again later is safe."""

    job_id: str


SubmitResult = (
    Submitted
    | UnknownJobType
    | InvalidPayload
    | PayloadTooLarge
    | IdempotencyMismatch
    | JobUnreadable
    | StorageUnavailable
)
ReadResult = Job | JobNotFound | JobUnreadable | StorageUnavailable
ChangeResult = ReadResult | IllegalTransition | StaleVersion | Contended


class JobService:
    """The use cases of the API. Who may see a job is decided here: its owner, and admins."""

    def __init__(self, jobs: JobRepository, catalogue: Catalogue, clock: Clock, new_id: NewId) -> None:
        self._jobs = jobs
        self._catalogue = catalogue
        self._clock = clock
        self._new_id = new_id

    async def submit(self, submission: Submission, owner: User, idempotency_key: str | None = None) -> SubmitResult:
        """Accept a job with one conditional write; nothing is written for a flawed submission."""
        now = self._clock()
        definition = self._catalogue.definition(submission.type)
        if definition is None:
            return UnknownJobType(type=submission.type, known=self._catalogue.names())
        payload = _payload_text(submission.payload, definition.payload)
        if not isinstance(payload, str):
            return payload
        run_at = _start(submission, now)
        if isinstance(run_at, InvalidPayload):
            return run_at
        new = NewJob(
            id=_keyed_id(owner.id, idempotency_key) if idempotency_key else self._new_id(),
            owner_id=owner.id,
            type=definition.name,
            payload=payload,
            payload_version=definition.version,
            tags=submission.tags,
            max_attempts=submission.max_attempts or definition.policy.max_attempts,
            run_at=run_at,
            fingerprint=fingerprint(submission, payload) if idempotency_key else None,
        )
        stored = await self._jobs.add(transitions.submit(new, definition.policy, now), now)
        match stored:
            case Job():
                return Submitted(job=stored)
            case JobExists(current=current):
                if current.owner_id == owner.id and is_replay(current, submission, payload, definition):
                    return Submitted(job=current, replayed=True)
                return IdempotencyMismatch(key=idempotency_key or "")
            case ItemTooLarge(size=size, limit=limit):
                return PayloadTooLarge(size=size, limit=limit)
            case JobUnreadable() | StorageUnavailable():
                return stored

    async def get(self, job_id: str, reader: User) -> ReadResult:
        """A job that the reader may see; another tenant's is answered as one that does not exist."""
        found = await self._jobs.get(job_id, self._clock())
        if isinstance(found, Job) and not _may_see(found, reader):
            return JobNotFound(job_id=job_id)
        return found

    async def cancel(self, job_id: str, actor: User, expected: frozenset[int] | None = None) -> ChangeResult:
        """Cancel a waiting job, or ask a running one to stop; only at a version in `expected`, unless it is None."""
        return await self._change(job_id, actor, "cancel", expected)

    async def retry(self, job_id: str, actor: User, expected: frozenset[int] | None = None) -> ChangeResult:
        """Queue a failed or cancelled job again, with all its attempts; likewise."""
        return await self._change(job_id, actor, "retry", expected)

    async def _change(
        self, job_id: str, actor: User, action: Literal["cancel", "retry"], expected: frozenset[int] | None
    ) -> ChangeResult:
        found = await self.get(job_id, actor)
        for _ in range(MAX_CONFLICTS):
            if not isinstance(found, Job):
                return found
            if expected is not None and found.version not in expected:
                return StaleVersion(current_version=found.version)
            changed = self._moved(found, action)
            if isinstance(changed, IllegalTransition) or changed == found:
                return changed
            written = await self._jobs.replace(changed, found.version)
            match written:
                case VersionConflict(current=current):
                    found = current or JobNotFound(job_id=job_id)
                case ItemTooLarge(size=size):
                    return StorageUnavailable(reason="rejected", detail=f"item of {size} bytes cannot be written")
                case Job() | JobUnreadable() | StorageUnavailable():
                    return written
        return Contended(job_id=job_id)

    def _moved(self, job: Job, action: Literal["cancel", "retry"]) -> Job | IllegalTransition:
        policy: Policy = self._catalogue.policy(job.type)
        move = transitions.cancel if action == "cancel" else transitions.retry_by_hand
        return move(job, policy, self._clock())


def _may_see(job: Job, reader: User) -> bool:
    return job.owner_id == reader.id or reader.role == "admin"


def _start(submission: Submission, now: datetime) -> datetime | InvalidPayload | None:
    """When the job should start; None for at once."""
    if submission.delay_seconds is None:
        run_at, field = submission.run_at, "run_at"
        seconds = (run_at - now).total_seconds() if run_at else 0
    else:
        seconds, field = submission.delay_seconds, "delay_seconds"
    if seconds > MAX_DELAY.total_seconds():
        too_far = f"the job would start more than {MAX_DELAY.days} days from now"
        return InvalidPayload(flaws=(Flaw(path=(field,), message=too_far),))
    return submission.run_at if submission.delay_seconds is None else now + timedelta(seconds=seconds)


def _payload_text(payload: JsonValue, model: type[BaseModel]) -> JsonText | InvalidPayload | PayloadTooLarge:
    """The payload as it will be stored: exactly as given, after its model accepted it."""
    try:
        text = to_json_text(payload)
    except NotJson as error:
        return InvalidPayload(flaws=(Flaw(path=("payload",), message=str(error)),))
    size = byte_length(text)
    if size > MAX_PAYLOAD_BYTES:
        return PayloadTooLarge(size=size, limit=MAX_PAYLOAD_BYTES)
    read = read_document(model, text)
    if isinstance(read, Flaws):
        return InvalidPayload(flaws=read.below("payload").first, count=read.count)
    return text


def _keyed_id(owner_id: str, key: str) -> str:
    """The job id that an owner's idempotency key stands for, so that the table decides races."""
    digest = hashlib.sha256(f"{owner_id}\n{key}".encode()).digest()
    # By form a name-based UUID; Python 3.11's uuid does not write version 8, which RFC 9562 has for this.
    return str(UUID(bytes=digest[:16], version=5))
