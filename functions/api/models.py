"""What goes over the wire: input and output models, apart from the domain's own."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, PlainSerializer

from domain.jobs.job import FailureReason, Job, Status
from domain.jobs.job_type import AnyJobType
from domain.jobs.listing import DOCUMENTS, Document, Include, JobSummary, summary_of
from domain.json_text import JsonText, from_json_text
from domain.users.user import MAX_EMAIL, Role, User


def _rfc3339(moment: datetime) -> str:
    return f"{moment.astimezone(UTC).isoformat(timespec='microseconds')[:26]}Z"


def _only_text(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError("must be an RFC 3339 date and time with an offset, as a string")  # noqa: TRY004 - pydantic's
    return value


Moment = Annotated[AwareDatetime, PlainSerializer(_rfc3339, return_type=str)]
MomentIn = Annotated[AwareDatetime, BeforeValidator(_only_text, json_schema_input_type=str)]
TagName = Annotated[str, Field(min_length=1, max_length=64)]
TagValue = Annotated[str, Field(max_length=256)]


class _Input(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SubmitJob(_Input):
    """A job to run, now or later."""

    type: Annotated[str, Field(strict=True, min_length=1, max_length=64)]
    payload: JsonValue
    run_at: MomentIn | None = None
    delay_seconds: Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)] | None = None
    max_attempts: Annotated[int, Field(strict=True, ge=1, le=100)] | None = None
    tags: Annotated[dict[TagName, TagValue], Field(max_length=20)] = Field(default_factory=dict)


class CreateUser(_Input):
    """A user to add."""

    email: Annotated[str, Field(strict=True, max_length=2 * MAX_EMAIL)]
    name: Annotated[str, Field(strict=True, min_length=1, max_length=200)]
    role: Role = "member"


class ChangeUser(_Input):
    """What to change of a user; what is absent stays."""

    email: Annotated[str, Field(strict=True, max_length=2 * MAX_EMAIL)] | None = None
    name: Annotated[str, Field(strict=True, min_length=1, max_length=200)] | None = None
    role: Role | None = None


class ErrorView(BaseModel):
    """What went wrong in an attempt."""

    code: str
    message: str
    attempt: int
    at: Moment
    reason: FailureReason | None = Field(default=None, description="Why no further attempt is made")


class ProgressView(BaseModel):
    """How far a running job says that it is."""

    fraction: float
    message: str
    at: Moment


class HistoryView(BaseModel):
    """One change of status."""

    status: Status
    at: Moment
    attempt: int
    code: str | None = None


class JobSummaryView(BaseModel):
    """A job without its documents."""

    id: str
    type: str
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
    history: list[HistoryView]
    owner_id: str
    links: dict[str, str] = Field(description="What is legal now")


class ListedJobView(JobSummaryView):
    """A job in a list."""

    payload: JsonValue = Field(default=None, description="Present only with include=payload")
    result: JsonValue = Field(default=None, description="Present only with include=result")


class JobView(JobSummaryView):
    """A job as its owner sees it."""

    payload: JsonValue
    result: JsonValue


class JobPage(BaseModel):
    """Some jobs, newest first, and the cursor for more; a page may be shorter than asked for."""

    items: list[ListedJobView]
    next: str | None


class JobTypeView(BaseModel):
    """A registered job type, with JSON Schema of what it takes and gives."""

    name: str
    summary: str
    max_attempts: int
    timeout_seconds: float
    payload_schema: dict[str, JsonValue]
    result_schema: dict[str, JsonValue]


class JobTypePage(BaseModel):
    """Registered job types in alphabetical order, and the cursor for more."""

    items: list[JobTypeView]
    next: str | None


class UserView(BaseModel):
    """A user."""

    id: str
    email: str
    name: str
    role: Role
    version: int
    created_at: Moment
    updated_at: Moment


class UserList(BaseModel):
    """The users that a search found: none or one."""

    items: list[UserView]


class Health(BaseModel):
    """Whether the API can reach its store."""

    status: Literal["ok"]


def job_view(job: Job) -> JobView:
    """A job for its owner's eyes."""
    whole = summary_of(job, DOCUMENTS)
    return JobView.model_validate(_shared(whole) | _documents(whole, DOCUMENTS))


def summary_view(summary: JobSummary) -> JobSummaryView:
    """A job for its owner's eyes, without its documents."""
    return JobSummaryView.model_validate(_shared(summary))


def listed_job_view(summary: JobSummary, include: Include) -> ListedJobView:
    """A job in a list; a document that is not in `include` has no member at all."""
    return ListedJobView.model_validate(_shared(summary) | _documents(summary, include))


def job_type_view(definition: AnyJobType) -> JobTypeView:
    """A job type for those who submit jobs."""
    return JobTypeView(
        name=definition.name,
        summary=definition.summary,
        max_attempts=definition.policy.max_attempts,
        timeout_seconds=definition.policy.timeout.total_seconds(),
        payload_schema=definition.payload.model_json_schema(),
        result_schema=definition.result.model_json_schema(mode="serialization"),
    )


def user_view(user: User) -> UserView:
    """A user for itself and for admins."""
    return UserView.model_construct(**dict(user))


def _shared(summary: JobSummary) -> dict[str, object]:
    self_link = f"/v1/jobs/{summary.id}"
    own = {name: value for name, value in summary if name not in DOCUMENTS}
    return own | {
        "error": _error_view(summary),
        "progress": ProgressView(**dict(summary.progress)) if summary.progress else None,
        "history": [HistoryView.model_construct(**dict(entry)) for entry in summary.history],
        "links": {"self": self_link} | {action: f"{self_link}/{action}" for action in summary.actions},
    }


def _documents(summary: JobSummary, include: Include) -> dict[str, object]:
    texts: dict[Document, JsonText | None] = {"payload": summary.payload, "result": summary.result}
    return {name: from_json_text(text) if text is not None else None for name, text in texts.items() if name in include}


def _error_view(summary: JobSummary) -> ErrorView | None:
    return ErrorView(**dict(summary.error), reason=summary.reason) if summary.error else None
