"""What an order has others do: a label for its parcel, and thumbnails of the catalogue that goes with it."""

from headrace import Fail, JobContext, job_type
from pydantic import BaseModel

from order import provider

PAGES = 250
"""Of the catalogue."""


class LabelFor(BaseModel):
    """Which parcel needs a label."""

    order: str
    items: list[str]


class Label(BaseModel):
    """The carrier's label."""

    number: str


class Page(BaseModel):
    """A page of the catalogue."""

    number: int


class Thumbnail(BaseModel):
    """A page, small."""

    page: int
    pixels: int


@job_type("order.label")
async def make_label(parcel: LabelFor, context: JobContext) -> Label:
    """Order a label from the carrier."""
    return Label(number=await provider.label(parcel.order, len(parcel.items), context.idempotency_key))


@job_type("order.thumbnail")
async def make_thumbnail(page: Page) -> Thumbnail | Fail:
    """Draw a page small."""
    if page.number >= PAGES:
        return Fail(reason=f"the catalogue has {PAGES} pages, and none with the number {page.number}", code="no_page")
    return Thumbnail(page=page.number, pixels=120)
