"""Submitting a job: one conditional write, or a reason why not."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from pydantic import BaseModel

from domain.flaws import MAX_FLAWS, Flaw, Flaws, read_document
from domain.jobs.catalogue import Catalogue
from domain.jobs.change import Companion
from domain.jobs.documents import Documents
from domain.jobs.entering import Entrance
from domain.jobs.fingerprint import fingerprint, is_recognised, is_replay
from domain.jobs.job import Job
from domain.jobs.repository import CompanionRefused, JobExists, JobRepository, JobUnreadable
from domain.jobs.submission import Submission
from domain.jobs.transitions import NewJob
from domain.lanes.lanes import LaneClosed, Lanes
from domain.lanes.naming import lane_of
from domain.ports import Clock, NewId
from domain.results import ItemTooLarge, StorageUnavailable
from domain.users.user import User
from domain.webhooks.repository import SignerNotFound, SignerRepository
from headrace.authoring.files import FILES_FOUND, File
from headrace.authoring.frozen import Frozen
from headrace.authoring.job_type import AnyJobType
from headrace.authoring.json_text import JsonText, NotJson, byte_length, to_json_text

if TYPE_CHECKING:
    from domain.files.service import FileService

MAX_PAYLOAD_BYTES = 5 * 1024 * 1024
"""Of the payload's JSON. Lambda takes requests of 6 MB, in which its quotes and line feeds are escaped once more."""

MAX_DELAY = timedelta(days=365)


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
    """The idempotency key was used for another submission."""

    key: str


SubmitResult = (
    Submitted
    | UnknownJobType
    | InvalidPayload
    | PayloadTooLarge
    | IdempotencyMismatch
    | LaneClosed
    | JobUnreadable
    | StorageUnavailable
)


class SubmissionService:
    """Accepts jobs."""

    def __init__(
        self,
        jobs: JobRepository,
        catalogue: Catalogue,
        clock: Clock,
        new_id: NewId,
        documents: Documents | None = None,
        files: "FileService | None" = None,
        lanes: Lanes | None = None,
        signers: SignerRepository | None = None,
    ) -> None:
        self._jobs = jobs
        self._entrance = Entrance(jobs, lanes)
        self._catalogue = catalogue
        self._clock = clock
        self._new_id = new_id
        self._documents = documents or Documents()
        self._files = files
        self._signers = signers

    async def submit(self, submission: Submission, owner: User, idempotency_key: str | None = None) -> SubmitResult:
        """Accept a job with one conditional write; nothing is written for a flawed submission."""
        submitted = await self.submit_with(submission, owner, idempotency_key)
        if isinstance(submitted, CompanionRefused):
            return StorageUnavailable(reason="throttled", detail="contended")
        return submitted

    async def refusal(
        self, submission: Submission, owner: User, starts: datetime
    ) -> UnknownJobType | InvalidPayload | PayloadTooLarge | StorageUnavailable | None:
        """Why a job like this that starts then would not be accepted; None if it would be. Nothing is written."""
        read = _read(submission, self._catalogue)
        if not isinstance(read, _Read):
            return read
        return await self._refused_files(read.files, owner, starts) if read.files else None

    async def submit_with(
        self,
        submission: Submission,
        owner: User,
        idempotency_key: str | None = None,
        companions: tuple[Companion, ...] = (),
    ) -> SubmitResult | CompanionRefused:
        """As `submit`; the job is committed with `companions`, or `CompanionRefused` and not at all."""
        now = self._clock()
        read = _read(submission, self._catalogue)
        if not isinstance(read, _Read):
            return read
        definition, payload, files = read.definition, read.payload, read.files
        run_at = _start(submission, now)
        if isinstance(run_at, InvalidPayload):
            return run_at
        lane = lane_of(submission, definition, read.document, owner, self._entrance.owner_limit)
        if isinstance(lane, Flaw):
            return InvalidPayload(flaws=(lane,))
        unique = keyed_id(owner.id, idempotency_key) if idempotency_key and submission.unique else None
        if submission.unique and unique is None:
            return InvalidPayload(flaws=(Flaw(path=("unique",), message="needs an Idempotency-Key"),))
        if files and (refused := await self._refused_files(files, owner, run_at or now)) is not None:
            replayed = await self._earlier(submission, payload, definition, owner, idempotency_key)
            return replayed or refused
        if submission.notify is not None and (unsigned := await self._unsigned(owner)) is not None:
            return unsigned
        job_id = keyed_id(owner.id, idempotency_key) if idempotency_key and unique is None else self._new_id()
        # Before the item, under a key of this submission's own: a job never refers to what is not there.
        kept = await self._documents.keep(job_id, "payload", self._new_id, payload)
        if isinstance(kept, StorageUnavailable):
            return kept
        new = NewJob(
            id=job_id,
            owner_id=owner.id,
            type=submission.type,  # An alias is kept: older workers, which run beside this version, know no other name.
            payload=kept,
            payload_version=definition.payload_version,
            tags=submission.tags,
            max_attempts=submission.max_attempts or definition.policy.max_attempts,
            run_at=run_at,
            fingerprint=fingerprint(submission, payload) if idempotency_key else None,
            lane=lane,
            unique=unique,
            notify=submission.notify,
            traceparent=submission.traceparent,
        )
        stored = await self._entrance.store(new, definition.policy, now, companions)
        if isinstance(stored, JobExists | ItemTooLarge | CompanionRefused | LaneClosed | JobUnreadable):
            await self._documents.discard(kept)
        match stored:
            case Job():
                return Submitted(job=stored)
            case JobExists(current=current):
                if current.owner_id != owner.id:
                    return IdempotencyMismatch(key=idempotency_key or "")
                return await self._replayed(current, submission, payload, definition, idempotency_key or "")
            case ItemTooLarge(size=size, limit=limit):
                return PayloadTooLarge(size=size, limit=limit)
            case CompanionRefused() | JobUnreadable() | LaneClosed() | StorageUnavailable():
                return stored

    async def _unsigned(self, owner: User) -> InvalidPayload | StorageUnavailable | None:
        """Why the owner cannot be told anything: what is not signed could come from anyone."""
        if self._signers is None:
            return StorageUnavailable(reason="rejected", detail="no webhooks here")
        signer = await self._signers.get(owner.id)
        match signer:
            case StorageUnavailable():
                return signer
            case SignerNotFound():
                first = "needs your secret, by which deliveries are signed: make it with POST /v1/notify-secret"
                return InvalidPayload(flaws=(Flaw(path=("notify",), message=first),))
            case _:
                return None

    async def _refused_files(
        self, files: list[File], owner: User, starts: datetime
    ) -> InvalidPayload | StorageUnavailable | None:
        if self._files is None:
            return StorageUnavailable(reason="rejected", detail="no files here")
        flaws = await self._files.flaws(files, owner, starts)
        match flaws:
            case StorageUnavailable():
                return flaws
            case ():
                return None
            case _:
                return InvalidPayload(flaws=flaws[:MAX_FLAWS], count=len(flaws))

    async def _earlier(
        self, submission: Submission, payload: JsonText, definition: AnyJobType, owner: User, key: str | None
    ) -> Submitted | None:
        """The job that this very submission has made before, when its files were still there."""
        if key is None:
            return None
        keyed, now = keyed_id(owner.id, key), self._clock()
        found = await (self._entrance.holder(keyed, now) if submission.unique else self._jobs.get(keyed, now))
        if not isinstance(found, Job) or found.owner_id != owner.id:
            return None
        replayed = await self._replayed(found, submission, payload, definition, key)
        return replayed if isinstance(replayed, Submitted) else None

    async def _replayed(
        self, job: Job, submission: Submission, payload: JsonText, definition: AnyJobType, key: str
    ) -> Submitted | IdempotencyMismatch | StorageUnavailable:
        """What a submission means whose key has a job already."""
        if is_recognised(job, submission, payload):
            return Submitted(job=job, replayed=True)
        whole = await self._documents.with_payload(job)
        if isinstance(whole, StorageUnavailable):
            return whole
        if isinstance(whole, Job) and is_replay(whole, submission, payload, definition):
            return Submitted(job=job, replayed=True)
        return IdempotencyMismatch(key=key)


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


@dataclass(frozen=True)
class _Read:
    """A submission as its job type accepted it."""

    definition: AnyJobType
    payload: JsonText
    """As it will be stored: exactly as given."""
    document: BaseModel
    files: list[File]
    """Those that the payload names."""


def _read(submission: Submission, catalogue: Catalogue) -> _Read | UnknownJobType | InvalidPayload | PayloadTooLarge:
    definition = catalogue.definition(submission.type)
    if definition is None:
        return UnknownJobType(type=submission.type, known=catalogue.names())
    try:
        text = to_json_text(submission.payload)
    except NotJson as error:
        return InvalidPayload(flaws=(Flaw(path=("payload",), message=str(error)),))
    size = byte_length(text)
    if size > MAX_PAYLOAD_BYTES:
        return PayloadTooLarge(size=size, limit=MAX_PAYLOAD_BYTES)
    files: list[File] = []
    document = read_document(definition.payload, text, {FILES_FOUND: files})
    if isinstance(document, Flaws):
        return InvalidPayload(flaws=document.below("payload").first, count=document.count)
    return _Read(definition, text, document, files)


def keyed_id(owner_id: str, key: str) -> str:
    """The job id of an owner's idempotency key, so that the table decides races."""
    digest = hashlib.sha256(f"{owner_id}\n{key}".encode()).digest()
    # By form a name-based UUID; Python 3.11's uuid does not write version 8, which RFC 9562 has for this.
    return str(UUID(bytes=digest[:16], version=5))
