"""Request and response models of the lane routes."""

from datetime import timedelta
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from domain.lanes.lane import LaneSettings, Mode
from domain.lanes.service import LaneStatus
from functions.api.http.forms import Form
from functions.api.http.times import Moment
from headrace.authoring.job_type import MAX_LIMIT
from headrace.authoring.rate import LONGEST_PERIOD, Rate


class RateForm(BaseModel):
    """How many jobs may start in a time, evenly spaced; at most 50 a second."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    count: Annotated[int, Field(strict=True, ge=1)]
    per_seconds: Annotated[float, Field(strict=True, gt=0, le=LONGEST_PERIOD.total_seconds(), allow_inf_nan=False)]

    @model_validator(mode="after")
    def _possible(self) -> "RateForm":
        self.rate()
        return self

    def rate(self) -> Rate:
        """The same for the domain; raises `ValueError` for one that is too high."""
        return Rate(self.count, per=timedelta(seconds=self.per_seconds))


class ChangeLane(Form):
    """The changes to make; absent members stay unchanged, and null leaves it to the job types."""

    limit: Annotated[int, Field(strict=True, ge=0, le=MAX_LIMIT)] | None = None
    rate: RateForm | None = None

    def settings(self, before: LaneSettings) -> LaneSettings:
        """The settings with these changes."""
        given = self.model_fields_set
        rate = None if self.rate is None else self.rate.rate()
        return LaneSettings(
            limit=self.limit if "limit" in given else before.limit,
            rate=rate if "rate" in given else before.rate,
            mode=before.mode,
            version=before.version,
        )


class RateView(BaseModel):
    """How many jobs may start in a time, evenly spaced."""

    count: int
    per_seconds: float


class PlaceView(BaseModel):
    """A place that a running job has taken."""

    job_id: str
    since: Moment


class LaneView(BaseModel):
    """A lane: what an admin has decided about it, and its state."""

    name: str
    limit: int | None = Field(description="Null: as the job types say")
    rate: RateView | None = Field(description="Null: as the job types say")
    mode: Mode = Field(description="paused: starts nothing; draining: takes no new jobs")
    version: int
    running: int
    waiting: int = Field(description="Jobs in line, counted up to 1,000")
    places: list[PlaceView] = Field(description="Taken by running jobs; the first 100")


class LaneList(BaseModel):
    """Lanes that an admin has changed, or in which jobs wait, by name."""

    items: list[LaneView]
    next: str | None = Field(description="Pass it as `after` for more")


MAX_PLACES = 100


def lane_view(status: LaneStatus) -> LaneView:
    """Convert a lane to its response model."""
    lane, settings = status.lane, status.lane.settings
    rate = settings.rate
    return LaneView(
        name=lane.name,
        limit=settings.limit,
        rate=None if rate is None else RateView(count=rate.count, per_seconds=rate.per.total_seconds()),
        mode=settings.mode,
        version=settings.version,
        running=len(lane.places),
        waiting=status.waiting,
        places=[PlaceView(job_id=place.holder, since=place.since) for place in lane.places[:MAX_PLACES]],
    )
