"""The member `notify` of a submission, and what endpoints share with it; every cold start imports it."""

from typing import Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from domain.jobs.job import Notify
from domain.webhooks.endpoint import FINAL_STATUSES, Include, ToldStatus
from headrace.http.url import split_url

T = TypeVar("T")
MAX_URL = 2048


def _http_url(url: str) -> str:
    split_url(url)
    return url


Url = Annotated[str, Field(strict=True, max_length=MAX_URL, examples=["https://example.com/hooks"])]
CheckedUrl = Annotated[Url, AfterValidator(_http_url)]
Statuses = Annotated[
    list[ToldStatus],
    Field(min_length=1, max_length=5, description="Of which changes to tell; by default the final statuses"),
]
Includes = Annotated[
    list[Include], Field(max_length=2, description="Documents to deliver too; a large one is a link to the API")
]


class NotifyForm(BaseModel):
    """Who is to be told of the job's changes. Deliveries are signed by the secret of POST /v1/notify-secret."""

    model_config = ConfigDict(frozen=True, extra="forbid")  # no Form: the paths of errors begin at the submission's

    url: CheckedUrl
    statuses: Statuses = Field(default_factory=lambda: list(FINAL_STATUSES))
    include: Includes = Field(default_factory=list)


class NotifyView(BaseModel):
    """Who is told of the job's changes."""

    url: str
    statuses: list[str]
    include: list[str]


def notify_of(form: NotifyForm | None) -> Notify | None:
    """Convert a form to the domain's model; what is said twice counts once."""
    if form is None:
        return None
    return Notify(url=form.url, statuses=once(form.statuses), include=once(form.include))


def once(values: list[T]) -> tuple[T, ...]:
    """The values in their order; what is said twice counts once."""
    return tuple(dict.fromkeys(values))
