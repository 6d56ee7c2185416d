"""What the API answers, as frozen data. A member that this version does not know is kept in `raw`."""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

from headrace_client.json_values import JsonObject, JsonValue, maybe, moment, nested, number, several, take, texts

FINAL: Final = frozenset({"succeeded", "failed", "cancelled"})
"""The statuses that a job ends in."""
Document = Literal["payload", "result"]


@dataclass(frozen=True)
class Progress:
    """What a running job reported last."""

    fraction: float
    """From 0 to 1."""
    message: str
    at: datetime | None = None

    @staticmethod
    def of(raw: JsonObject) -> "Progress":
        """Read it from JSON; raises `WrongForm`."""
        return Progress(number(raw, "fraction"), take(raw, "message", str), moment(raw, "at"))


@dataclass(frozen=True)
class Frame:
    """A place in a handler's code that an exception passed."""

    file: str
    line: int
    function: str

    @staticmethod
    def of(raw: JsonObject) -> "Frame":
        """Read it from JSON; raises `WrongForm`."""
        return Frame(take(raw, "file", str), take(raw, "line", int), take(raw, "function", str))


@dataclass(frozen=True)
class JobError:
    """Why the last attempt failed."""

    code: str
    message: str
    reason: str | None = None
    """Why no further attempt is made, such as `exhausted`; None while there may be one."""
    frames: tuple[Frame, ...] = ()
    """The outermost first, the one that raised last."""

    @staticmethod
    def of(raw: JsonObject) -> "JobError":
        """Read it from JSON; raises `WrongForm`."""
        return JobError(
            take(raw, "code", str), take(raw, "message", str), maybe(raw, "reason", str),
            several(raw, "frames", Frame.of),
        )  # fmt: skip


@dataclass(frozen=True)
class DocumentRef:
    """A payload or result that is too large to be part of the response; `Client.document` reads it."""

    size: int
    """Bytes of JSON."""
    href: str

    @staticmethod
    def of(raw: JsonObject) -> "DocumentRef":
        """Read it from JSON; raises `WrongForm`."""
        return DocumentRef(take(raw, "size", int), take(raw, "href", str))


@dataclass(frozen=True)
class Change:
    """One change of a job's status."""

    status: str
    at: datetime | None
    attempt: int
    code: str | None = None
    """Of the error of the attempt that it ended, if one failed."""
    message: str | None = None
    """The first 200 characters of what the error says."""
    frame: Frame | None = None
    """Where the handler raised it."""

    @staticmethod
    def of(raw: JsonObject) -> "Change":
        """Read it from JSON; raises `WrongForm`."""
        return Change(
            take(raw, "status", str), moment(raw, "at"), maybe(raw, "attempt", int) or 0,
            maybe(raw, "code", str), maybe(raw, "message", str), nested(raw, "frame", Frame.of),
        )  # fmt: skip


@dataclass(frozen=True)
class Parent:
    """The job that a child belongs to."""

    job_id: str
    group: str
    """The name of the parent's `call` or `map`."""
    place: int
    """Among the group's payloads, from 0."""

    @staticmethod
    def of(raw: JsonObject) -> "Parent":
        """Read it from JSON; raises `WrongForm`."""
        return Parent(take(raw, "job_id", str), take(raw, "group", str), take(raw, "place", int))


@dataclass(frozen=True)
class ChildGroup:
    """The children of one `call` or `map` of a job, as far as their ends were counted."""

    name: str
    type: str
    size: int
    """How many there are to be."""
    ended: int
    failed: int
    """Of those that have ended, with those that were cancelled."""

    @staticmethod
    def of(raw: JsonObject) -> "ChildGroup":
        """Read it from JSON; raises `WrongForm`."""
        return ChildGroup(
            take(raw, "name", str), take(raw, "type", str), take(raw, "size", int), take(raw, "ended", int),
            take(raw, "failed", int),
        )  # fmt: skip


@dataclass(frozen=True)
class Job:
    """A job as it was when it was read. A newer server may know a `status` that is not listed here."""

    id: str
    type: str
    status: str
    """`scheduled`, `blocked`, `queued`, `running`, `retrying`, `waiting`, `succeeded`, `failed` or `cancelled`."""
    attempt: int
    max_attempts: int
    version: int = 0
    """One higher after each change."""
    owner_id: str = ""
    tags: dict[str, str] = field(default_factory=dict, hash=False)
    cancel_requested: bool = False
    created_at: datetime | None = None
    updated_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    run_at: datetime | None = None
    traceparent: str | None = None
    """The trace that it was submitted in."""
    expires_at: datetime | None = None
    """When the finished job is deleted."""
    progress: Progress | None = None
    error: JobError | None = None
    payload: JsonValue = field(default=None, hash=False)
    """None also where it was not asked for (a list), and where `payload_ref` stands for it."""
    result: JsonValue = field(default=None, hash=False)
    payload_ref: DocumentRef | None = None
    result_ref: DocumentRef | None = None
    history: tuple[Change, ...] = ()
    parent: Parent | None = None
    children: tuple[ChildGroup, ...] = ()
    """Its groups of children, where it was read alone; at most the last 50."""
    raw: JsonObject = field(default_factory=dict, repr=False, compare=False)
    """The whole response."""

    @property
    def is_final(self) -> bool:
        """Whether it has ended."""
        return self.status in FINAL

    @staticmethod
    def of(raw: JsonObject) -> "Job":
        """Read it from JSON; raises `WrongForm` with the place of the first member of another form."""
        return Job(
            id=take(raw, "id", str),
            type=take(raw, "type", str),
            status=take(raw, "status", str),
            attempt=take(raw, "attempt", int),
            max_attempts=take(raw, "max_attempts", int),
            version=maybe(raw, "version", int) or 0,
            owner_id=maybe(raw, "owner_id", str) or "",
            tags=texts(raw, "tags"),
            cancel_requested=maybe(raw, "cancel_requested", bool) or False,
            created_at=moment(raw, "created_at"),
            updated_at=moment(raw, "updated_at"),
            started_at=moment(raw, "started_at"),
            finished_at=moment(raw, "finished_at"),
            run_at=moment(raw, "run_at"),
            traceparent=maybe(raw, "traceparent", str),
            expires_at=moment(raw, "expires_at"),
            progress=nested(raw, "progress", Progress.of),
            error=nested(raw, "error", JobError.of),
            payload=raw.get("payload"),
            result=raw.get("result"),
            payload_ref=nested(raw, "payload_ref", DocumentRef.of),
            result_ref=nested(raw, "result_ref", DocumentRef.of),
            history=several(raw, "history", Change.of),
            parent=nested(raw, "parent", Parent.of),
            children=several(raw, "children", ChildGroup.of),
            raw=raw,
        )


@dataclass(frozen=True)
class Step:
    """Something that a job remembers."""

    name: str
    kind: str
    """`step`; `time` or `signal` for a wait that began; `received` or `timed_out` for a signal's end."""
    began_at: datetime | None = None
    ended_at: datetime | None = None
    until: datetime | None = None
    """When a wait ends at the latest."""
    value: JsonValue = field(default=None, hash=False)
    value_size: int | None = None
    """Bytes of a value that is too large to be part of the response."""
    raw: JsonObject = field(default_factory=dict, repr=False, compare=False)

    @staticmethod
    def of(raw: JsonObject) -> "Step":
        """Read it from JSON; raises `WrongForm`."""
        return Step(
            take(raw, "name", str), take(raw, "kind", str), moment(raw, "began_at"), moment(raw, "ended_at"),
            moment(raw, "until"), raw.get("value"), maybe(raw, "value_size", int), raw,
        )  # fmt: skip


@dataclass(frozen=True)
class StepPage:
    """Some of what a job remembers, and the cursor of the next page; None at the end."""

    items: tuple[Step, ...]
    next: str | None

    @staticmethod
    def of(raw: JsonObject) -> "StepPage":
        """Read it from JSON; raises `WrongForm`."""
        take(raw, "items", list)
        return StepPage(several(raw, "items", Step.of), maybe(raw, "next", str))


@dataclass(frozen=True)
class Page:
    """Some of a list's jobs, and the cursor of the next page; None at the end."""

    items: tuple[Job, ...]
    next: str | None

    @staticmethod
    def of(raw: JsonObject) -> "Page":
        """Read it from JSON; raises `WrongForm`."""
        take(raw, "items", list)
        return Page(several(raw, "items", Job.of), maybe(raw, "next", str))


@dataclass(frozen=True)
class UploadLink:
    """The request that uploads a file; the address is a secret until it expires."""

    method: str
    url: str = field(repr=False)
    headers: dict[str, str]

    @staticmethod
    def of(raw: JsonObject) -> "UploadLink":
        """Read it from JSON; raises `WrongForm`."""
        return UploadLink(take(raw, "method", str), take(raw, "url", str), texts(raw, "headers"))


@dataclass(frozen=True)
class File:
    """An uploaded file. A payload names it as `file.ref`."""

    id: str
    raw: JsonObject = field(default_factory=dict, repr=False, compare=False)

    @property
    def ref(self) -> dict[str, str]:
        """What a payload has where its model has a file."""
        return {"id": self.id}


@dataclass(frozen=True)
class Downloaded:
    """A file that has been written."""

    size: int
    name: str | None
    """What the file is called, if the response says it."""
    path: Path | None = None
    """Where it is, if it was written to a path."""
