"""Lists of jobs: what an entry of a list holds, and what the domain asks of the store that lists.

Apart from `JobRepository`, because only the API lists: workers and the sweeper need no key for page cursors.
One conformance suite (`tests/contract/test_job_listing.py`) holds every implementation to these docstrings.
"""

import json
from datetime import datetime
from typing import Literal, Protocol

from pydantic import AwareDatetime

from domain.jobs.filtering import EVERY_JOB, UNFINISHED, JobFilter
from domain.jobs.job import (
    BlobRef,
    Cancelled,
    Failed,
    HistoryEntry,
    Job,
    JobError,
    Notify,
    Parent,
    Progress,
    Retrying,
    Running,
    Scheduled,
    Status,
    Succeeded,
    WaitFor,
    Waiting,
    documents_of,
)
from domain.jobs.transitions import legal_for_a_client
from domain.paging import Page, PageRequest
from domain.ports import Clock
from domain.results import BadCursor, StorageUnavailable
from headrace.authoring.frozen import Frozen, declared
from headrace.authoring.json_text import JsonText

PAGE_BYTES = 4 * 1024 * 1024
"""A page ends before its entries pass this many bytes of answer. Lambda answers at most 6 MB; one job always fits."""

_FRAME_BYTES = 512
"""What an entry's links, names and separators add to its own fields, at most."""

PREVIEW = 120
"""Characters of a payload's JSON that a preview has."""

Document = Literal["payload", "result"]
Include = frozenset[Document | Literal["preview"]]
"""Which documents a list brings along; or how the payload begins."""

SUMMARIES: Include = frozenset()
INCLUDED: Include = frozenset({"payload", "result", "preview"})
DOCUMENTS: frozenset[Document] = frozenset({"payload", "result"})


class JobSummary(Frozen):
    """A job without its documents, or with those that were asked for."""

    id: str
    owner_id: str
    type: str
    payload_version: int
    status: Status
    version: int
    attempt: int
    max_attempts: int
    error: JobError | None
    reason: str | None
    """Why no further attempt is made, when it failed."""
    progress: Progress | None
    cancel_requested: bool
    run_at: AwareDatetime | None
    """When a scheduled or retrying job is due, or a waiting one goes on at the latest."""
    created_at: AwareDatetime
    updated_at: AwareDatetime
    started_at: AwareDatetime | None
    finished_at: AwareDatetime | None
    expires_at: AwareDatetime
    tags: dict[str, str]
    lane: str | None = None
    priority: int | None = None
    """In its lane."""
    history: tuple[HistoryEntry, ...]
    actions: tuple[Literal["cancel", "retry"], ...]
    """What its owner may do with it now."""
    payload: JsonText | None
    """None when it was not asked for."""
    preview: str | None = None
    """How the payload begins; None when it was not asked for, or when the payload is not in the item."""
    result: JsonText | None
    """None when it was not requested, or when the job has none."""
    payload_ref: BlobRef | None = None
    """Where the payload is, if it is not in the item: lists never load it."""
    result_ref: BlobRef | None = None
    notify: Notify | None = None
    steps: int = 0
    """How many steps and signals it remembers; 1 or more once a worker died."""
    waiting_for: tuple[WaitFor, ...] = ()
    parent: Parent | None = None
    """Whose child it is."""
    traceparent: str | None = None


class JobListing(Protocol):
    """Pages of jobs, eventually consistent.

    A page may be short and still have a cursor: it ends at `PAGE_BYTES`, and after a bounded amount of reading.
    An item that cannot be read as a job is left out.
    """

    async def list_by_owner(
        self, owner_id: str, filter: JobFilter, page: PageRequest, now: datetime, include: Include = SUMMARIES
    ) -> Page[JobSummary] | BadCursor | StorageUnavailable:
        """An owner's unexpired jobs: the last created first; of failed and cancelled ones, the last to end."""

    async def list_unfinished(
        self, filter: JobFilter, page: PageRequest, now: datetime, include: Include = SUMMARIES
    ) -> Page[JobSummary] | BadCursor | StorageUnavailable:
        """The unfinished, unexpired jobs of every owner, in the order in which the sweeper would examine them.

        That order is of `wake_at`, the next due first: a job that moves on between two pages may be on both, or none.
        """

    async def list_failed(
        self,
        type: str,
        page: PageRequest,
        now: datetime,
        include: Include = SUMMARIES,
        filter: JobFilter = EVERY_JOB,
    ) -> Page[JobSummary] | BadCursor | StorageUnavailable:
        """The failed, unexpired jobs of one type, of every owner, that fit the filter; the last to fail first."""


class NotListed(Frozen):
    """No index holds such jobs of all owners; `status` is what was asked for, perhaps among others."""

    status: Status


class JobListService:
    """The use case of the API's lists of jobs. The caller decides whose jobs may be seen."""

    def __init__(self, listing: JobListing, clock: Clock) -> None:
        self._listing = listing
        self._clock = clock

    async def list(
        self, owner_id: str, filter: JobFilter, page: PageRequest, include: Include = SUMMARIES
    ) -> Page[JobSummary] | BadCursor | StorageUnavailable:
        """A page of an owner's jobs."""
        return await self._listing.list_by_owner(owner_id, filter, page, self._clock(), include)

    async def list_all(
        self, filter: JobFilter, page: PageRequest, include: Include = SUMMARIES
    ) -> Page[JobSummary] | BadCursor | StorageUnavailable | NotListed:
        """A page of every owner's jobs: the unfinished ones, or the failed ones of one type."""
        match filter:
            case JobFilter(statuses=("failed",), types=(type,)):
                return await self._listing.list_failed(type, page, self._clock(), include, filter)
            case JobFilter(statuses=statuses) if ended := sorted(set(statuses) - UNFINISHED):
                return NotListed(status=ended[-1])
            case _:
                return await self._listing.list_unfinished(filter, page, self._clock(), include)


def summary_of(job: Job, include: Include = SUMMARIES) -> JobSummary:
    """The job as an entry of a list, with the documents of `include`."""
    state = job.state
    documents = documents_of(job)
    refs = {f"{name}_ref": declared(each) for name, each in documents.items() if isinstance(each, BlobRef)}
    inline = {name: each for name, each in documents.items() if not isinstance(each, BlobRef)}
    texts = {name: each for name, each in inline.items() if name in include}
    return JobSummary(
        **job.model_dump(include=_SHARED),
        status=job.status,
        tags=job.tags,
        lane=job.lane.name if job.lane else None,
        priority=job.lane.priority if job.lane else None,
        history=tuple(declared(entry) for entry in job.history),
        error=declared(state.error) if isinstance(state, Retrying | Failed) else None,
        reason=state.reason if isinstance(state, Failed) else None,
        progress=declared(state.progress) if isinstance(state, Running) and state.progress else None,
        cancel_requested=isinstance(state, Running) and state.cancel_requested,
        run_at=due_at(job),
        finished_at=state.finished_at if isinstance(state, Succeeded | Failed | Cancelled) else None,
        actions=legal_for_a_client(job),
        payload=texts.get("payload"),
        preview=_preview(inline.get("payload")) if "preview" in include else None,
        result=texts.get("result"),
        payload_ref=refs.get("payload_ref"),
        result_ref=refs.get("result_ref"),
        notify=declared(job.notify) if job.notify else None,
        waiting_for=tuple(declared(each) for each in state.waits_for) if isinstance(state, Waiting) else (),
        parent=declared(job.parent) if job.parent else None,
    )


def documents_for(include: Include) -> frozenset[Document]:
    """The documents that have to be read for it."""
    return frozenset(name for name in DOCUMENTS if name in include or (name == "payload" and "preview" in include))


def _preview(payload: JsonText | None) -> str | None:
    if payload is None or len(payload) <= PREVIEW:
        return payload
    return f"{payload[: PREVIEW - 1]}…"


def due_at(job: Job) -> datetime | None:
    """When a waiting job is due."""
    match job.state:
        case Scheduled(run_at=due) | Retrying(retry_at=due) | Waiting(until=due):
            return due
        case _:
            return None


def answer_bytes(summary: JobSummary) -> int:
    """At most how many bytes the entry takes in Lambda's answer.

    There the body is a string within JSON: quotes and backslashes are escaped once more, and a runtime may write
    whatever is not ASCII as an escape of six. So this can be three times the bytes that are stored.
    """
    rest = summary.model_dump_json(exclude={"payload", "result"})
    return _FRAME_BYTES + sum(len(json.dumps(text)) for text in (rest, summary.payload, summary.result) if text)


_SHARED = {
    "id", "owner_id", "type", "payload_version", "version", "attempt", "max_attempts",
    "created_at", "updated_at", "started_at", "expires_at", "steps", "traceparent",
}  # fmt: skip
