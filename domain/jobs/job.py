"""The Job aggregate. Its states are a discriminated union, so that invalid combinations cannot be built.

Where a job can go from a state, and who takes it there, is in `transitions.py`.
"""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from headrace.authoring.frozen import Frozen, Stored
from headrace.authoring.json_text import JsonText

Status = Literal["scheduled", "blocked", "queued", "running", "retrying", "waiting", "succeeded", "failed", "cancelled"]
FailureReason = Literal["exhausted", "permanent", "timeout", "expired"]

SCHEMA = 5
"""The newest form in which this version stores a job. It goes up when an older version could not read the new form:
such a version then leaves the item to a newer one. What it can read it acts on, so a new meaning needs a new status."""

FIRST_SCHEMA = 1
"""The form that every version reads: both documents lie in the item."""

REF_SCHEMA = 2
"""The form of a job with a `BlobRef` in place of a document."""

LANE_SCHEMA = 3
"""The form of a job in a lane. Versions that know no lanes cannot read it, and so cannot run it beside its limit."""


WAIT_SCHEMA = 4
"""The form of a job that has waited. Versions without steps cannot read it, and so do not run its handler anew."""


CHILDREN_SCHEMA = 5
"""The form of a job that has waited for children. Versions without children cannot read it, and so do not run it."""


class Frame(Stored):
    """One line of the handler's code that an exception passed: a place and its code, never a value."""

    file: str
    """Relative to the folder that it was imported from: `my_jobs/orders.py`."""
    line: int
    function: str
    """Its qualified name: `Orders.run`."""
    source: str | None = None
    """The line's text, where the worker had it. For admins."""


class BlobRef(Stored):
    """Stands for a document that is too large for the item: where it lies among the blobs, and how to recognise it."""

    key: str
    size: int
    """Bytes of its JSON."""
    sha256: str
    """Of these bytes, in hexadecimal digits."""


JobDocument = JsonText | BlobRef
"""A payload or a result as the job holds it; `domain/jobs/documents.py` brings back what lies elsewhere."""


def loaded(document: JobDocument) -> JsonText:
    """A document that has been loaded; raises `TypeError` for one that has not: a mistake in this code."""
    if isinstance(document, BlobRef):
        raise TypeError("the document has not been loaded")
    return document


class InLane(Stored):
    """The lane of a job, and the job's place in its order."""

    name: str
    priority: int = 5
    """From 0 to 9; the highest goes first, and of one priority the oldest."""


class Notify(Stored):
    """Where the job's submitter wants to be told of its changes (`domain/webhooks`)."""

    url: str
    statuses: tuple[str, ...] = ("succeeded", "failed", "cancelled")
    """Of what to tell."""
    include: tuple[str, ...] = ()
    """Which documents to tell along: `payload`, `result`."""


class Parent(Stored):
    """Where a child belongs (`domain/children`)."""

    life: str
    """Its parent's."""
    group: str
    """The name of the parent's `call` or `map`."""
    place: int
    """Among the group's children, from 0."""
    depth: int
    """How many ancestors the child has, from 1."""
    round: int = 0
    """In which its next end is counted; it goes up when the parent's retry gives it another turn."""
    index: int
    """Its number in the round, which has `size` children."""
    size: int
    keep_seconds: int
    """How long it stays readable after its end at the least, as its parent needs it."""

    @property
    def job_id(self) -> str:
        """The parent's id."""
        return self.life.partition("@")[0]


class JobError(Stored):
    """What went wrong in an attempt, in words for the job's owner."""

    code: str
    message: str
    attempt: int
    at: AwareDatetime
    frames: tuple[Frame, ...] = ()
    """Where an exception was raised, outermost frame first; empty for a failure that the handler returned."""


class Lease(Stored):
    """One worker's right to commit the outcome of one attempt."""

    token: str
    until: AwareDatetime
    place: int | None = None
    """The number of the place in its lane that the job has taken, if it is in one."""
    place_token: str | None = None
    """By which the place is given back, if the job held it before it ran; else that is by `token`."""


class HeldPlace(Stored):
    """A place in its lane that a job holds before it runs; its claim takes it over."""

    number: int
    token: str
    """By which it is given back."""


class Progress(Stored):
    """How far a handler says that it is."""

    fraction: float
    """From 0 to 1."""
    message: str
    at: AwareDatetime


class Scheduled(Frozen):
    """Waits for its time; the wake queue brings it to a worker at `run_at`."""

    status: Literal["scheduled"] = "scheduled"
    run_at: AwareDatetime
    in_slot: bool = False
    """Whether `run_at` is a start that the lane's rate allows, and that is this job's alone."""


class Blocked(Frozen):
    """Waits in line for a place in its lane, or for the lane's rate; whoever frees a place lets the next one go.

    It triggers nothing. The sweeper lets go whom nobody else did.
    """

    status: Literal["blocked"] = "blocked"
    since: AwareDatetime
    """Since when it could have started otherwise."""


class Queued(Frozen):
    """Waits for a worker: writing this state triggers one through the stream.

    The sweeper triggers it again (`redrives`) when the stream has passed the trigger and no worker claimed the job.
    """

    status: Literal["queued"] = "queued"
    queued_at: AwareDatetime
    redrives: int = 0
    place: HeldPlace | None = None
    """In its lane. None for a job that needs none, or that its claim has to find one for."""


class Running(Frozen):
    """Claimed by a worker; after `lease.until` the sweeper takes it back."""

    status: Literal["running"] = "running"
    lease: Lease
    progress: Progress | None = None
    cancel_requested: bool = False


class Retrying(Frozen):
    """An attempt failed and another is allowed; the wake queue brings it to a worker at `retry_at`."""

    status: Literal["retrying"] = "retrying"
    retry_at: AwareDatetime
    error: JobError


class WaitFor(Stored):
    """One thing that a handler waits for."""

    kind: str
    """`time`, `signal` or `children`; or one of a newer version."""
    name: str
    """That the handler gave it."""
    round: int | None = None
    """Of children: the one whose end goes on with the job."""


class Waiting(Frozen):
    """Its handler sleeps, or waits for a signal or children, and no function runs; what comes first goes on with it.

    The wake queue brings it to a worker at `until`; a signal queues it, and the end of its last child.
    """

    status: Literal["waiting"] = "waiting"
    since: AwareDatetime
    until: AwareDatetime
    """When it goes on at the latest: the earliest end of what it waits for."""
    waits_for: tuple[WaitFor, ...]


class Succeeded(Frozen):
    """Final: the result is committed and never changes."""

    status: Literal["succeeded"] = "succeeded"
    finished_at: AwareDatetime
    result: JobDocument


class Failed(Frozen):
    """Final, unless a person retries it: `reason` says why no further attempt is made."""

    status: Literal["failed"] = "failed"
    finished_at: AwareDatetime
    error: JobError
    reason: str
    """A `FailureReason`, or one that a newer version gave."""


class Cancelled(Frozen):
    """Final, unless a person retries it."""

    status: Literal["cancelled"] = "cancelled"
    finished_at: AwareDatetime


Final = Succeeded | Failed | Cancelled
State = Annotated[
    Scheduled | Blocked | Queued | Running | Retrying | Waiting | Succeeded | Failed | Cancelled,
    Field(discriminator="status"),
]


class HistoryEntry(Stored):
    """One transition, with the error of the attempt that it ended, if one failed."""

    status: str
    """A `Status`, or one of a newer version."""
    at: AwareDatetime
    attempt: int
    code: str | None = None
    message: str | None = None
    """The beginning of the error's message; None also in an entry of a version that did not note it."""
    frame: Frame | None = None
    """Where the handler raised it, without the line's text; None for a failure that the handler returned."""


class Job(Frozen):
    """A piece of work, from its submission to its last state; one DynamoDB item."""

    id: str
    owner_id: str
    type: str
    payload: JobDocument
    payload_version: int = 1
    """The version of its type (`JobType.payload_version`) that the payload was accepted for."""
    tags: dict[str, str]
    max_attempts: int
    version: int
    """Goes up by one with each committed change; every write is conditional on it."""
    attempt: int
    """Attempts claimed so far; a person's retry begins again at 0."""
    created_at: AwareDatetime
    updated_at: AwareDatetime
    started_at: AwareDatetime | None
    """When the latest attempt was claimed."""
    wake_at: AwareDatetime | None
    """Before this the sweeper need not examine the job; absent when it is final."""
    expires_at: AwareDatetime
    """When the job ceases to exist (TTL), in whole seconds."""
    lane: InLane | None = None
    """What limits how many jobs run at once, if the job is under such a limit."""
    unique: str | None = None
    """The key of which this was the only unfinished job when it was submitted, as the store names it."""
    fingerprint: str | None = None
    """Digest of the submission, where the id comes from an idempotency key: distinguishes a replay from another one."""
    counted: bool = False
    """Whether it counts, while it is unfinished, against the quota of its owner."""
    notify: Notify | None = None
    """Who is told of its changes, besides the endpoints that admins keep."""
    steps: int = 0
    """How many steps and signals are remembered of it, as of its last pause, signal or outcome; at least 1 of a job of
    which a worker died: nobody knows what that one remembered."""
    signals: int = 0
    """How many signals it has been sent, and how many ends of rounds of its children it was told of."""
    rounds: int = 0
    """How many of these were ends of rounds."""
    generation: int = 0
    """How often it was retried by a person, or for its parent's sake."""
    parent: Parent | None = None
    """Whose child it is, if it is one."""
    traceparent: str | None = None
    """The trace that it was submitted in (`headrace/authoring/trace.py`)."""
    history: tuple[HistoryEntry, ...]
    """The last transitions, oldest first."""
    state: State
    stored_schema: int = FIRST_SCHEMA
    """The form in which the job was stored last, if a newer version did that: it keeps its number."""
    unknown: dict[str, str] = Field(default_factory=dict)
    """Attributes of a newer version, opaque: the store's own form by name. Kept through every change."""

    @property
    def status(self) -> Status:
        """The discriminator of the state."""
        return self.state.status

    @property
    def life(self) -> str:
        """The id and the submission's time: an idempotency key gives the id of an expired job to another one."""
        since = self.created_at - datetime.fromtimestamp(0, UTC)
        return f"{self.id}@{since // timedelta(microseconds=1)}"


def documents_of(job: Job) -> "dict[Literal['payload', 'result'], JobDocument]":
    """The documents that the job has, by name."""
    if isinstance(job.state, Succeeded):
        return {"payload": job.payload, "result": job.state.result}
    return {"payload": job.payload}


def has_moved(job: Job) -> bool:
    """Whether the job's last change moved it to another status, or again to this one; a note or a signal does not."""
    return job.history[-1].at == job.updated_at


def is_final(job: Job) -> bool:
    """Whether nothing but a person's retry can move the job."""
    return isinstance(job.state, Final)


def is_expired(expires_at: datetime, now: datetime) -> bool:
    """Whether an item is absent to every reader, although DynamoDB may delete it days later."""
    return expires_at <= now
