"""Sends signals to jobs: before their handlers wait for them, or while they do."""

import hashlib
import json
from typing import Final

from pydantic import JsonValue

from domain.durable.repository import StepRepository
from domain.durable.step import MAX_SIGNALS, RECEIVED, TIMED_OUT, Step, expiry_of, is_name, signal_key, step_put
from domain.jobs import transitions
from domain.jobs.catalogue import Catalogue
from domain.jobs.change import Change
from domain.jobs.documents import Documents
from domain.jobs.job import BlobRef, Job
from domain.jobs.repository import CompanionRefused, JobNotFound, JobRepository, JobUnreadable, VersionConflict
from domain.jobs.service import Contended, JobService
from domain.jobs.transitions import IllegalTransition
from domain.ports import Clock, NewId
from domain.results import ItemTooLarge, StorageUnavailable
from domain.users.user import User
from headrace.authoring.frozen import Frozen
from headrace.authoring.json_text import JsonText, NotJson, byte_length, to_json_text

MAX_SIGNAL_BYTES: Final = 256 * 1024
"""Of a signal's JSON."""
MAX_CONFLICTS: Final = 10
"""A running job changes now and then; each try is a transaction."""


class Signalled(Frozen):
    """The job has the signal; `replayed` when it had it before."""

    job: Job
    replayed: bool = False


class InvalidSignal(Frozen):
    """The signal cannot be sent to any job."""

    reason: str


class SignalRefused(Frozen):
    """The job cannot have this signal (any more)."""

    reason: str


SignalResult = (
    Signalled
    | InvalidSignal
    | SignalRefused
    | IllegalTransition
    | Contended
    | JobNotFound
    | JobUnreadable
    | StorageUnavailable
)


class SignalService:
    """Commits a signal together with the job's next version, so that no job waits for what it has."""

    def __init__(
        self,
        jobs: JobRepository,
        service: JobService,
        steps: StepRepository,
        documents: Documents,
        catalogue: Catalogue,
        clock: Clock,
        new_id: NewId,
    ) -> None:
        self._jobs = jobs
        self._service = service
        self._steps = steps
        self._documents = documents
        self._catalogue = catalogue
        self._clock = clock
        self._new_id = new_id

    async def send(self, job_id: str, name: str, value: JsonValue, actor: User) -> SignalResult:
        """Send a job that the actor may see a signal. The same again is accepted again, also when the job has ended."""
        text = _text_of(name, value)
        if isinstance(text, InvalidSignal):
            return text
        digest = _digest(value)
        found, refused = await self._service.get(job_id, actor), False
        for _ in range(MAX_CONFLICTS):
            if not isinstance(found, Job):
                return found
            # The job's first attempt may have taken the signal's place, of which the job itself knows when that ends.
            if (found.steps or refused) and (earlier := await self._earlier(found, name, digest)) is not None:
                return earlier
            sent = await self._sent(found, name, text, digest)
            if not isinstance(sent, CompanionRefused | VersionConflict):
                return sent
            refused = isinstance(sent, CompanionRefused)
            found = await self._service.get(job_id, actor)
        return Contended(job_id=job_id)

    async def _earlier(self, job: Job, name: str, digest: str) -> Signalled | SignalRefused | StorageUnavailable | None:
        """What stands in the signal's place already."""
        standing = await self._steps.find(job.life, signal_key(name))
        match standing:
            case None | StorageUnavailable():
                return standing
            case Step(kind=kind) if kind == TIMED_OUT:
                return SignalRefused(reason=f"the job no longer waits for the signal {name}: its time was over")
            case Step() if standing.digest == digest:
                return Signalled(job=job, replayed=True)
            case Step():
                return SignalRefused(reason=f"the job has been sent a signal {name} with another value")

    async def _sent(
        self, job: Job, name: str, text: JsonText, digest: str
    ) -> SignalResult | CompanionRefused | VersionConflict:
        now, policy = self._clock(), self._catalogue.policy(job.type)
        moved = transitions.signal(job, policy, name, now)
        if isinstance(moved, IllegalTransition):
            return moved
        if job.signals - job.rounds >= MAX_SIGNALS:
            return SignalRefused(reason=f"the job has been sent {MAX_SIGNALS} signals, which is the most")
        value = await self._documents.keep(job.id, "signal", self._new_id, text)
        if isinstance(value, StorageUnavailable):
            return value
        step = Step(
            job_id=job.life, name=name, kind=RECEIVED, attempt=job.attempt, began_at=now, ended_at=now, value=value,
            digest=digest,
        )  # fmt: skip
        put = step_put(step, expiry_of(job, policy, now))
        written = await self._jobs.replace(Change(moved.job, (*moved.companions, put)), job.version)
        if not isinstance(written, Job | StorageUnavailable) and isinstance(value, BlobRef):
            await self._documents.discard(value)
        match written:
            case Job():
                return Signalled(job=written)
            case ItemTooLarge(size=size):
                return StorageUnavailable(reason="rejected", detail=f"item of {size} bytes cannot be written")
            case _:
                return written


def _text_of(name: str, value: JsonValue) -> JsonText | InvalidSignal:
    if not is_name(name):
        return InvalidSignal(reason="a signal's name has up to 100 letters, digits and _.:-")
    try:
        text = to_json_text(value)
    except NotJson as error:
        return InvalidSignal(reason=str(error))
    if (size := byte_length(text)) > MAX_SIGNAL_BYTES:
        return InvalidSignal(reason=f"the signal has {size} bytes of JSON, the limit is {MAX_SIGNAL_BYTES}")
    return text


def _digest(value: JsonValue) -> str:
    """Of the value, however its members are ordered."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
