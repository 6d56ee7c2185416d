"""Job types that do what the page has to show: fail, take time, wait in a line, return much."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field

from headrace import Backoff, Fail, JobContext, Retry, Stopped, job_type

from .bakery import bake, loaf

QUICKLY = Backoff(base=timedelta(milliseconds=300), cap=timedelta(seconds=1))


class Order(BaseModel):
    """An order of flour."""

    order_id: str = Field(description="As the shop calls it", max_length=64)
    grain: Literal["rye", "wheat", "oats"] = "rye"
    kilograms: float = Field(default=25, gt=0, description="Of flour")
    express: bool = False
    notes: str | None = None
    prices: dict[str, float] = Field(default_factory=dict)
    switch: str = ""
    """A file; as long as it is not there, milling fails."""


class Milled(BaseModel):
    """What came of it."""

    order_id: str
    sacks: int
    cost: float


@job_type("mill.grind", max_attempts=2, backoff=QUICKLY)
async def grind(order: Order, context: JobContext) -> Milled:
    """Grind the grain of an order into flour, and fill it into sacks of 25 kg."""
    await context.report_progress(0.5, "grinding")
    return Milled(order_id=order.order_id, sacks=sacks_of(order), cost=price_of(order))


def sacks_of(order: Order) -> int:
    return max(1, round(order.kilograms / 25))


def price_of(order: Order) -> float:
    if order.switch and not Path(order.switch).exists():
        return order.prices[order.grain] * order.kilograms
    return order.prices.get(order.grain, 1.0) * order.kilograms


class Errand(BaseModel):
    """How long something takes."""

    seconds: float = 5
    steps: int = 10


class Done(BaseModel):
    """It is over."""


@job_type("mill.deliver", timeout=timedelta(seconds=80), max_attempts=3)
async def deliver(errand: Errand, context: JobContext) -> Done | Stopped:
    """Deliver sacks to customers, and report how far it is."""
    for step in range(errand.steps):
        await context.report_progress(step / errand.steps, f"stop {step + 1} of {errand.steps}")
        await asyncio.sleep(errand.seconds / errand.steps)
        if await context.cancel_requested():
            return Stopped()
    return Done()


@job_type("mill.stone", timeout=timedelta(seconds=80), limit=1)
async def stone(errand: Errand, context: JobContext) -> Done:
    """Dress the millstone, of which there is one."""
    await context.report_progress(0.1, "dressing")
    await asyncio.sleep(errand.seconds)
    return Done()


class Complaint(BaseModel):
    """What a customer says."""

    text: str


@job_type("mill.complain", max_attempts=1)
async def complain(complaint: Complaint) -> Done | Fail:
    """Answer a complaint; nobody has managed to yet."""
    return Fail(reason=complaint.text)


@job_type("mill.weigh", max_attempts=5, backoff=Backoff(base=timedelta(minutes=5), cap=timedelta(minutes=20)))
async def weigh(errand: Errand) -> Done | Retry:
    """Weigh what is in the store; the scales are out of order until tomorrow."""
    return Retry(reason=f"the scales need {errand.seconds} s to settle")


class Ledger(BaseModel):
    """Every sack of a year."""

    rows: int = 100


class Entries(BaseModel):
    """The ledger's lines."""

    lines: list[dict[str, str | int | float | None]]


@job_type("mill.books_of_the_year_by_customer_and_grain_and_all_corrections")
async def keep_books(ledger: Ledger) -> Entries:
    """Write the ledger of a year, line by line."""
    lines = [{"sack": row, "grain": "rye", "weight": 25.0 + row / 7, "note": None} for row in range(ledger.rows)]
    return Entries.model_validate({"lines": lines})


class Approval(BaseModel):
    """What the miller says."""

    by: str


async def reserve(order: Order) -> str:
    """Set sacks aside."""
    return f"{sacks_of(order)} sacks for {order.order_id}"


@job_type("mill.order", timeout=timedelta(seconds=30))
async def take_order(order: Order, context: JobContext) -> Milled | Fail:
    """Reserve sacks, wait for the miller's word, and mill."""
    await context.step("reserve", reserve, order)
    approval = await context.signal("approved", Approval, timeout=timedelta(hours=1))
    if approval is None:
        return Fail(reason="nobody approved")
    return Milled(order_id=f"{order.order_id} by {approval.by}", sacks=sacks_of(order), cost=price_of(order))


JOB_TYPES = (grind, deliver, stone, complain, weigh, keep_books, take_order, loaf, bake)
