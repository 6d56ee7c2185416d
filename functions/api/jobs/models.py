"""Request and response models of the job routes, separate from the domain's models."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, Field, JsonValue

from domain.jobs.job import BlobRef, FailureReason, HistoryEntry, Job, Status
from domain.jobs.listing import DOCUMENTS, INCLUDED, PREVIEW, Document, Include, JobSummary, summary_of
from domain.jobs.submission import DelaySeconds, LaneName, MaxAttempts, Priority, Tags, TypeName
from functions.api.children.views import GroupView, ParentView
from functions.api.http.forms import Form
from functions.api.http.links import link
from functions.api.http.times import Moment, MomentIn
from functions.api.webhooks.notify import NotifyForm, NotifyView
from headrace.authoring.json_text import JsonText, from_json_text


class SubmitJob(Form):
    """A job to run, now or later."""

    type: TypeName
    payload: JsonValue
    run_at: MomentIn | None = None
    delay_seconds: DelaySeconds | None = None
    max_attempts: MaxAttempts | None = None
    tags: Tags = Field(default_factory=dict)
    lane: (
        Annotated[
            LaneName,
            Field(description="Jobs of one owner and lane run one at a time, or as many as an admin has set"),
        ]
        | None
    ) = None
    priority: Annotated[Priority | None, Field(description="In its lane; the highest goes first")] = None
    unique: Literal["while-unfinished"] | None = Field(
        default=None, description="The Idempotency-Key is free again when the job has ended"
    )
    notify: NotifyForm | None = None


class FrameView(BaseModel):
    """One line of the handler's code that an exception passed."""

    file: str
    line: int
    function: str
    source: str | None = Field(default=None, description="The line's text, where it is known; for admins")


class ErrorView(BaseModel):
    """What went wrong in an attempt."""

    code: str
    message: str
    attempt: int
    at: Moment
    reason: str | None = Field(
        default=None, description=f"Why no further attempt is made: {', '.join(get_args(FailureReason))}"
    )
    frames: list[FrameView] = Field(
        default_factory=list,
        description="Where the handler raised an exception, innermost last; empty if it raised none, or if the job type"
        " hides it",
    )


class DocumentRef(BaseModel):
    """A payload or result that is not part of this response."""

    size: int = Field(description="Bytes of JSON")
    href: str = Field(description="GET it for the document, which may be a redirect to a link that expires")


class ProgressView(BaseModel):
    """The progress that a running job reported last."""

    fraction: float
    message: str
    at: Moment


class HistoryView(BaseModel):
    """One change of status, with the error of the attempt that it ended, if one failed."""

    status: str
    at: Moment
    attempt: int
    code: str | None = None
    message: str | None = Field(default=None, description="The first 200 characters of the error's message")
    frame: FrameView | None = Field(default=None, description="Where the handler raised it, without the line's text")


class WaitView(BaseModel):
    """Something that a handler waits for."""

    kind: str = Field(description="time, signal or children")
    name: str


class JobSummaryView(BaseModel):
    """A job without its documents."""

    id: str
    type: str
    payload_version: int = Field(description="The version of its type's payload that it was submitted with")
    status: Status
    version: int
    error: ErrorView | None
    attempt: int
    max_attempts: int
    progress: ProgressView | None
    cancel_requested: bool
    run_at: Moment | None
    created_at: Moment
    updated_at: Moment
    started_at: Moment | None
    finished_at: Moment | None
    expires_at: Moment
    tags: dict[str, str]
    lane: str | None = Field(description="What limits how many jobs run at once with this one")
    priority: int | None = Field(description="In its lane, from 0 to 9")
    history: list[HistoryView]
    owner_id: str
    notify: NotifyView | None = Field(default=None, description="Who is told of its changes, if it was submitted so")
    steps: int = Field(default=0, description="How many steps and signals it remembers; 1 or more once a worker died")
    waiting_for: list[WaitView] = Field(default_factory=list, description="What a waiting job waits for")
    parent: ParentView | None = Field(default=None, description="Whose child it is, if it is one")
    traceparent: str | None = Field(default=None, description="The trace that it was submitted in (W3C Trace Context)")
    links: dict[str, str] = Field(description="The job itself, and the actions that its status allows")


class ListedJobView(JobSummaryView):
    """A job in a list. It has `payload_ref` or `result_ref` for a document too large to be listed."""

    payload: JsonValue = Field(default=None, description="Present only with include=payload")
    payload_preview: str | None = Field(
        default=None,
        description=f"Present only with include=preview: the first {PREVIEW} characters of the payload's JSON; null for"
        " a payload that has a payload_ref",
    )
    result: JsonValue = Field(default=None, description="Present only with include=result")
    payload_ref: DocumentRef | None = None
    result_ref: DocumentRef | None = None


class JobView(JobSummaryView):
    """A job with its payload and result."""

    payload: JsonValue
    result: JsonValue
    payload_ref: DocumentRef | None = Field(default=None, description="Where the payload is, if it is not included")
    result_ref: DocumentRef | None = Field(default=None, description="Where the result is, if it is not included")
    children: list[GroupView] = Field(
        default_factory=list, description="Where the job alone is read: its groups of children, at most the last 50"
    )


class JobPage(BaseModel):
    """A page of jobs, newest first, and the cursor for the next page; it may have fewer jobs than requested."""

    items: list[ListedJobView]
    next: str | None


Shown = Callable[[JobSummary], JobSummary]
"""What the caller may see of a job (`domain/jobs/disclosure.py`)."""


def job_view(
    job: Job,
    shown: Shown,
    loaded: Mapping[Document, JsonText] = MappingProxyType({}),
    children: Sequence[GroupView] = (),
) -> JobView:
    """Convert a job to its response model, with those large documents that were `loaded`."""
    summary = shown(summary_of(job, DOCUMENTS))
    brought = {f"{name}_ref": None for name in loaded} | dict(loaded)
    whole = summary.model_copy(update=brought)
    return JobView.model_validate(_shared(whole) | _documents(whole, DOCUMENTS) | {"children": list(children)})


def summary_view(summary: JobSummary) -> JobSummaryView:
    """Convert a job's summary to its response model, which has no payload and result."""
    return JobSummaryView.model_validate(_shared(summary))


def listed_job_view(summary: JobSummary, include: Include) -> ListedJobView:
    """Convert a job for a list; a document that is not in `include` has no member at all."""
    preview = {"payload_preview": summary.preview} if "preview" in include else {}
    return ListedJobView.model_validate(_shared(summary) | _documents(summary, include) | preview)


def _shared(summary: JobSummary) -> dict[str, object]:
    self_link = link(f"/v1/jobs/{summary.id}")
    own = {name: value for name, value in summary if name not in INCLUDED and not name.endswith("_ref")}
    refs: dict[Document, BlobRef | None] = {"payload": summary.payload_ref, "result": summary.result_ref}
    own |= {f"{name}_ref": DocumentRef(size=ref.size, href=f"{self_link}/{name}") for name, ref in refs.items() if ref}
    return own | {
        "error": _error_view(summary),
        "notify": NotifyView.model_validate(summary.notify.model_dump()) if summary.notify else None,
        "waiting_for": [WaitView(kind=each.kind, name=each.name) for each in summary.waiting_for],
        "parent": _parent_view(summary),
        "progress": ProgressView(**dict(summary.progress)) if summary.progress else None,
        "history": [_history_view(entry) for entry in summary.history],
        "links": {"self": self_link} | {action: f"{self_link}/{action}" for action in summary.actions},
    }


def _history_view(entry: HistoryEntry) -> HistoryView:
    frame = FrameView.model_construct(**dict(entry.frame)) if entry.frame else None
    return HistoryView.model_construct(**{**dict(entry), "frame": frame})


def _documents(summary: JobSummary, include: Include) -> dict[str, object]:
    texts: dict[Document, JsonText | None] = {"payload": summary.payload, "result": summary.result}
    return {name: from_json_text(text) if text is not None else None for name, text in texts.items() if name in include}


def _parent_view(summary: JobSummary) -> ParentView | None:
    parent = summary.parent
    return ParentView(job_id=parent.job_id, group=parent.group, place=parent.place) if parent else None


def _error_view(summary: JobSummary) -> ErrorView | None:
    if summary.error is None:
        return None
    frames = [FrameView.model_validate(dict(each)) for each in summary.error.frames]
    return ErrorView(**{**dict(summary.error), "frames": frames}, reason=summary.reason)
