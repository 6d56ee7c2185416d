"""Which jobs a request is about: the query parameters of lists, and the members of bodies."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Final

from fastapi import Query
from pydantic import BeforeValidator, Field, model_validator

from domain.flaws import Flaw
from domain.jobs.filtering import EVERY_JOB, JobFilter
from domain.jobs.job import Status
from domain.jobs.submission import LaneName, Priority, TagName, TagValue
from functions.api.http.forms import Form
from functions.api.http.problems import Refused, invalid
from functions.api.http.times import MomentIn

MOST: Final = 20
"""Values of one member."""
MAX_ATTEMPT: Final = 1000
SEVERAL: Final = "Of one of these: separated by commas, or given several times"
TAG: Final = "^[^=]+=.*$"

Text = Annotated[str, Field(strict=True, min_length=1, max_length=200)]
Type = Annotated[str, Field(strict=True, min_length=1, max_length=64)]
AFew: Final = Field(min_length=1, max_length=MOST)
Statuses = Annotated[list[Status], AFew]
Types = Annotated[list[Type], AFew]
LaneNames = Annotated[list[LaneName], AFew]
Priorities = Annotated[list[Priority], AFew]


def _one_or(values: object) -> BeforeValidator:
    """A single value stands for a list of it; so a flaw is named by its place, not by a member of a union."""
    return BeforeValidator(lambda given: [given] if isinstance(given, str | int) else given, values)


def _split(given: object) -> object:
    """The values of a parameter that was given several times, or with commas in it."""
    if not isinstance(given, Sequence) or isinstance(given, str):
        return given
    return [value for each in given for value in (each.split(",") if isinstance(each, str) else [each])]


def filter_of_query(
    status: Annotated[list[Status] | None, BeforeValidator(_split), Query(max_length=MOST, description=SEVERAL)] = None,
    type: Annotated[
        list[Annotated[str, Field(max_length=64)]] | None,
        BeforeValidator(_split),
        Query(max_length=MOST, description=SEVERAL),
    ] = None,
    tag: Annotated[
        list[Annotated[str, Field(pattern=TAG, max_length=321)]] | None,
        Query(max_length=MOST, description="NAME=VALUE; given several times, with all of them"),
    ] = None,
    lane: Annotated[
        list[LaneName] | None, Query(max_length=MOST, description="In one of these: may be given several times")
    ] = None,
    priority: Annotated[
        list[Annotated[int, Field(ge=0, le=9)]] | None,
        BeforeValidator(_split),
        Query(max_length=MOST, description=SEVERAL),
    ] = None,
    min_attempt: Annotated[int, Query(ge=0, le=MAX_ATTEMPT, description="Attempted at least so often")] = 0,
    created_from: Annotated[MomentIn | None, Query(description="Created then or later")] = None,
    created_to: Annotated[MomentIn | None, Query(description="Created before")] = None,
    error_code: Annotated[str | None, Query(min_length=1, max_length=200, description="Of its last error")] = None,
    reverse: Annotated[bool, Query(description="The order the other way round: oldest, or last due, first")] = False,
) -> JobFilter:
    """The filter that the request's parameters make."""
    return JobFilter(
        statuses=tuple(status or ()),
        types=tuple(type or ()),
        tags=_tags_of(tag or []),
        lanes=tuple(lane or ()),
        priorities=tuple(priority or ()),
        min_attempt=min_attempt,
        created_from=created_from,
        created_to=created_to,
        error_code=error_code,
        reverse=reverse,
    )


def query_of(filter: JobFilter) -> Mapping[str, str | int | list[str] | None]:
    """The parameters that make this filter, for a link to the next page."""
    return {
        "status": ",".join(filter.statuses) or None,
        "type": ",".join(filter.types) or None,
        "tag": [f"{name}={value}" for name, value in filter.tags.items()],
        "lane": list(filter.lanes),
        "priority": ",".join(map(str, filter.priorities)) or None,
        "min_attempt": filter.min_attempt or None,
        "created_from": filter.created_from.isoformat() if filter.created_from else None,
        "created_to": filter.created_to.isoformat() if filter.created_to else None,
        "error_code": filter.error_code,
        "reverse": "true" if filter.reverse else None,
    }


class BulkFilter(Form):
    """Which jobs: at least one member besides `owner`, so that not everything is changed by accident."""

    status: Annotated[Statuses, _one_or(Status | Statuses)] | None = None
    type: Annotated[Types, _one_or(Type | Types)] | None = None
    error_code: Text | None = None
    tags: Annotated[dict[TagName, TagValue], Field(max_length=20)] | None = Field(
        default=None, description="A job must have all of these"
    )
    lane: Annotated[LaneNames, _one_or(LaneName | LaneNames)] | None = None
    priority: Annotated[Priorities, _one_or(Priority | Priorities)] | None = None
    min_attempt: Annotated[int, Field(strict=True, ge=1, le=MAX_ATTEMPT)] | None = None
    created_from: MomentIn | None = None
    created_to: MomentIn | None = None
    owner: Text | None = Field(default=None, description="Another user's id, or * for all users; admins only")

    @model_validator(mode="after")
    def _not_empty(self) -> "BulkFilter":
        if self.as_filter() == EVERY_JOB:
            raise ValueError("say which jobs: name a status, a type, tags or another member besides owner")
        return self

    def as_filter(self) -> JobFilter:
        """The jobs that it is about, of whomever."""
        return JobFilter(
            statuses=tuple(self.status or ()),
            types=tuple(self.type or ()),
            tags=self.tags or {},
            lanes=tuple(self.lane or ()),
            priorities=tuple(self.priority or ()),
            min_attempt=self.min_attempt or 0,
            created_from=self.created_from,
            created_to=self.created_to,
            error_code=self.error_code,
        )


def _tags_of(texts: Sequence[str]) -> dict[str, str]:
    pairs = [text.split("=", 1) for text in texts]
    tags = {name: value for name, value in pairs}  # noqa: C416 - for mypy, which knows no length of a list
    if any(tags[name] != value for name, value in pairs):
        flaw = Flaw(path=("tag",), message="a job has one value of a tag: the same name is given with two")
        raise Refused(invalid("invalid_request", "The request does not have the form that is documented", [flaw], 1))
    return tags
