"""Response models of the step routes."""

from pydantic import BaseModel, Field, JsonValue

from domain.durable.step import Step
from domain.jobs.job import BlobRef
from domain.paging import Page
from functions.api.http.times import Moment
from headrace.authoring.json_text import from_json_text


class StepView(BaseModel):
    """Something that a job remembers."""

    name: str
    kind: str = Field(
        description="step; time, signal or children for a wait that began; received or timed_out for a signal's end,"
        " results for that of a group of children"
    )
    attempt: int
    began_at: Moment
    ended_at: Moment | None
    until: Moment | None = Field(description="When the wait ends at the latest")
    value: JsonValue = Field(description="Of a step, or of a signal that was received")
    value_size: int | None = Field(description="Bytes of a value that is too large to be shown")


class StepPage(BaseModel):
    """A page of what a job remembers, by name, signals last, and the cursor for the next page."""

    items: list[StepView]
    next: str | None


def step_page(page: Page[Step]) -> StepPage:
    """Convert a page to its response model."""
    return StepPage(items=[step_view(step) for step in page.items], next=page.next)


def step_view(step: Step) -> StepView:
    """Convert a step to its response model; it brings no large value along."""
    shown = {name: value for name, value in step if name in StepView.model_fields and name != "value"}
    match step.value:
        case BlobRef(size=size):
            return StepView.model_validate({**shown, "value": None, "value_size": size})
        case None:
            return StepView.model_validate({**shown, "value": None, "value_size": None})
        case str() as text:
            return StepView.model_validate({**shown, "value": from_json_text(text), "value_size": None})
