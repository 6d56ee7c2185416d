"""Submitting a job: one conditional write, or a reason why not."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from domain.flaws import MAX_FLAWS, Flaw
from domain.jobs.catalogue import Catalogue
from domain.jobs.change import Companion
from domain.jobs.checking import (
    MAX_DELAY,
    MAX_PAYLOAD_BYTES,
    Checked,
    InvalidPayload,
    PayloadTooLarge,
    checked,
    keyed_id,
    read_payload,
)
from domain.jobs.documents import Documents
from domain.jobs.entering import Entrance
from domain.jobs.fingerprint import is_recognised, is_replay
from domain.jobs.job import Job
from domain.jobs.repository import CompanionRefused, JobExists, JobRepository, JobUnreadable
from domain.jobs.submission import Submission
from domain.jobs.transitions import NewJob
from domain.lanes.lanes import LaneClosed, Lanes
from domain.ports import Clock, NewId
from domain.quotas.quotas import QuotaExceeded, Quotas
from domain.results import ItemTooLarge, StorageUnavailable
from domain.users.user import User
from domain.webhooks.repository import SignerNotFound, SignerRepository
from headrace.authoring.files import File
from headrace.authoring.frozen import Frozen

if TYPE_CHECKING:
    from domain.files.service import FileService

__all__ = [
    "MAX_DELAY", "MAX_PAYLOAD_BYTES", "IdempotencyMismatch", "InvalidPayload", "PayloadTooLarge", "SubmissionService",
    "SubmitResult", "Submitted", "UnknownJobType", "keyed_id",
]  # fmt: skip


class Submitted(Frozen):
    """The accepted job; `replayed` when an idempotency key brought back an earlier one."""

    job: Job
    replayed: bool = False


class UnknownJobType(Frozen):
    """No job type has this name."""

    type: str
    known: tuple[str, ...]


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
    | QuotaExceeded
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
        quotas: Quotas | None = None,
    ) -> None:
        self._jobs = jobs
        self._entrance = Entrance(jobs, lanes)
        self._catalogue = catalogue
        self._clock = clock
        self._new_id = new_id
        self._documents = documents or Documents()
        self._files = files
        self._signers = signers
        self._quotas = quotas

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
        definition = self._catalogue.definition(submission.type)
        if definition is None:
            return UnknownJobType(type=submission.type, known=self._catalogue.names())
        files: list[File] = []
        read = read_payload(submission.payload, definition.payload, files)
        if isinstance(read, InvalidPayload | PayloadTooLarge):
            return read
        return await self._refused_files(files, owner, starts) if files else None

    async def submit_with(
        self,
        submission: Submission,
        owner: User,
        idempotency_key: str | None = None,
        companions: tuple[Companion, ...] = (),
    ) -> SubmitResult | CompanionRefused:
        """As `submit`; the job is committed with `companions`, or `CompanionRefused` and not at all."""
        now = self._clock()
        definition = self._catalogue.definition(submission.type)
        if definition is None:
            return UnknownJobType(type=submission.type, known=self._catalogue.names())
        asked = checked(submission, definition, owner, idempotency_key, self._entrance.owner_limit, now)
        if not isinstance(asked, Checked):
            return asked
        if asked.files and (refused := await self._refused_files(asked.files, owner, asked.run_at or now)) is not None:
            return await self._earlier(asked) or refused
        if submission.notify is not None and (unsigned := await self._unsigned(owner)) is not None:
            return unsigned
        if self._quotas is not None and (exceeded := await self._quotas.refusal(owner)) is not None:
            # What was accepted before is answered as ever.
            return await self._earlier(asked) or exceeded
        job_id = asked.id or self._new_id()
        # Before the item, under a key of this submission's own: a job never refers to what is not there.
        kept = await self._documents.keep(job_id, "payload", self._new_id, asked.payload)
        if isinstance(kept, StorageUnavailable):
            return kept
        new = asked.as_job(job_id, kept, counted=self._quotas is not None and self._quotas.counts(owner))
        return await self._stored(asked, new, now, companions)

    async def _stored(
        self, asked: Checked, new: NewJob, now: datetime, companions: tuple[Companion, ...]
    ) -> SubmitResult | CompanionRefused:
        stored = await self._entrance.store(new, asked.definition.policy, now, companions)
        if isinstance(stored, JobExists | ItemTooLarge | CompanionRefused | LaneClosed | JobUnreadable):
            await self._documents.discard(new.payload)
        match stored:
            case Job():
                return Submitted(job=stored)
            case JobExists(current=current):
                return await self._replayed(current, asked)
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
        self, files: Sequence[File], owner: User, starts: datetime
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

    async def _earlier(self, asked: Checked) -> Submitted | None:
        """The job that this very submission has made before, when its files were still there."""
        if asked.keyed is None:
            return None
        now = self._clock()
        found = await (self._entrance.holder(asked.keyed, now) if asked.unique else self._jobs.get(asked.keyed, now))
        if not isinstance(found, Job):
            return None
        replayed = await self._replayed(found, asked)
        return replayed if isinstance(replayed, Submitted) else None

    async def _replayed(self, job: Job, asked: Checked) -> Submitted | IdempotencyMismatch | StorageUnavailable:
        """What a submission means whose key has a job already."""
        mismatch = IdempotencyMismatch(key=asked.key or "")
        if job.owner_id != asked.owner_id:
            return mismatch
        if is_recognised(job, asked.submission, asked.payload):
            return Submitted(job=job, replayed=True)
        whole = await self._documents.with_payload(job)
        if isinstance(whole, StorageUnavailable):
            return whole
        if isinstance(whole, Job) and is_replay(whole, asked.submission, asked.payload, asked.definition):
            return Submitted(job=job, replayed=True)
        return mismatch
