"""Checks a submission without asking anybody: its payload, its start, its lane, its key. Pure."""

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from pydantic import BaseModel, JsonValue

from domain.flaws import Flaw, Flaws, read_document
from domain.jobs.fingerprint import fingerprint
from domain.jobs.job import InLane, JobDocument, Parent
from domain.jobs.submission import Submission
from domain.jobs.transitions import NewJob
from domain.lanes.naming import lane_of
from domain.secrets.store import SHARED
from domain.users.user import User
from headrace.authoring.files import FILES_FOUND, File
from headrace.authoring.frozen import Frozen
from headrace.authoring.job_type import AnyJobType
from headrace.authoring.json_text import JsonText, NotJson, byte_length, to_json_text
from headrace.authoring.secrets import MAX_SECRETS, SECRETS_FOUND, Secret

MAX_PAYLOAD_BYTES = 5 * 1024 * 1024
"""Of the payload's JSON. Lambda takes requests of 6 MB, in which its quotes and line feeds are escaped once more."""

MAX_DELAY = timedelta(days=365)

_KEY = re.compile(r"[\x20-\x7e]{1,255}")


class InvalidPayload(Frozen):
    """The submission cannot be accepted as it is: the first flaws, and how many there are."""

    flaws: tuple[Flaw, ...]
    count: int = 1


class PayloadTooLarge(Frozen):
    """The payload passes the limit."""

    size: int
    limit: int


@dataclass(frozen=True)
class Checked:
    """A submission that nothing is wrong with, as far as it can be judged by itself."""

    submission: Submission
    definition: AnyJobType
    owner_id: str
    key: str | None
    """The idempotency key."""
    payload: JsonText
    files: tuple[File, ...]
    """Those that the payload names, which the caller looks up."""
    run_at: datetime | None
    lane: InLane | None

    @property
    def keyed(self) -> str | None:
        """The id that the idempotency key stands for."""
        return keyed_id(self.owner_id, self.key) if self.key else None

    @property
    def unique(self) -> str | None:
        """The key under which no other job may be unfinished."""
        return self.keyed if self.submission.unique else None

    @property
    def id(self) -> str | None:
        """The job's id, where its key says it."""
        return None if self.submission.unique else self.keyed

    def as_job(self, id: str, payload: JobDocument, *, counted: bool = False, parent: Parent | None = None) -> NewJob:
        """The new job, with this id and its payload as it is kept; `counted` against its owner's quota."""
        submission, definition = self.submission, self.definition
        return NewJob(
            id=id,
            owner_id=self.owner_id,
            type=submission.type,  # An alias is kept: older workers, which run beside this version, know no other name.
            payload=payload,
            payload_version=definition.payload_version,
            tags=submission.tags,
            max_attempts=submission.max_attempts or definition.policy.max_attempts,
            run_at=self.run_at,
            fingerprint=fingerprint(submission, self.payload) if self.key else None,
            lane=self.lane,
            unique=self.unique,
            notify=submission.notify,
            counted=counted,
            traceparent=submission.traceparent,
            parent=parent,
        )


def checked(
    submission: Submission, definition: AnyJobType, owner: User, key: str | None, owner_limit: int, now: datetime
) -> Checked | InvalidPayload | PayloadTooLarge:
    """The submission with all that follows from it alone; `owner_limit` is that of the lanes of owners, 0 for none."""
    files: list[File] = []
    secrets: list[Secret] = []
    read = read_payload(submission.payload, definition.payload, files, secrets)
    if isinstance(read, InvalidPayload | PayloadTooLarge):
        return read
    payload, document = read
    if (refused := _refused_secrets(submission, secrets)) is not None:
        return InvalidPayload(flaws=(refused,))
    run_at = _start(submission, now)
    if isinstance(run_at, InvalidPayload):
        return run_at
    lane = lane_of(submission, definition, document, owner, owner_limit)
    if isinstance(lane, Flaw):
        return InvalidPayload(flaws=(lane,))
    if submission.unique and not key:
        return InvalidPayload(flaws=(Flaw(path=("unique",), message="needs an Idempotency-Key"),))
    return Checked(submission, definition, owner.id, key, payload, tuple(files), run_at, lane)


def _refused_secrets(submission: Submission, secrets: list[Secret]) -> Flaw | None:
    names = sorted({secret.secret for secret in secrets})
    if len(names) > MAX_SECRETS:
        return Flaw(path=("payload",), message=f"names {len(names)} secrets, the limit is {MAX_SECRETS}")
    own = [name for name in names if not name.startswith(SHARED)]
    if submission.on_behalf and own:
        told = f"names the owner's secret {own[0]!r}: who submits on behalf of an owner may name {SHARED}… alone"
        return Flaw(path=("payload",), message=told)
    return None


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


def read_payload(
    payload: JsonValue, model: type[BaseModel], files: list[File], secrets: list[Secret] | None = None
) -> tuple[JsonText, BaseModel] | InvalidPayload | PayloadTooLarge:
    """The payload as it will be stored, exactly as given, and as its model accepted it; notes its files and secrets."""
    try:
        text = to_json_text(payload)
    except NotJson as error:
        return InvalidPayload(flaws=(Flaw(path=("payload",), message=str(error)),))
    size = byte_length(text)
    if size > MAX_PAYLOAD_BYTES:
        return PayloadTooLarge(size=size, limit=MAX_PAYLOAD_BYTES)
    read = read_document(model, text, {FILES_FOUND: files, SECRETS_FOUND: secrets})
    if isinstance(read, Flaws):
        return InvalidPayload(flaws=read.below("payload").first, count=read.count)
    return text, read


def is_key(text: str) -> bool:
    """Whether a client may use the text as idempotency key: 1 to 255 printable ASCII characters."""
    return _KEY.fullmatch(text) is not None


def keyed_id(owner_id: str, key: str) -> str:
    """The job id of an owner's idempotency key, so that the table decides races."""
    digest = hashlib.sha256(f"{owner_id}\n{key}".encode()).digest()
    # By form a name-based UUID; Python 3.11's uuid does not write version 8, which RFC 9562 has for this.
    return str(UUID(bytes=digest[:16], version=5))
