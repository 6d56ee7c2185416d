"""Takes an order: charges, waits a day and for a person, ships."""

from datetime import timedelta

from headrace import Fail, JobContext, job_type
from pydantic import BaseModel


class Order(BaseModel):
    """What is ordered."""

    id: str
    cents: int


class Charge(BaseModel):
    """What the payment provider answers."""

    id: str


class Approval(BaseModel):
    """What a person sends."""

    by: str


class Receipt(BaseModel):
    """What was charged and shipped."""

    charge: str
    label: str


async def charge(order: Order, context: JobContext) -> Charge:
    """Charge the customer; your provider takes the key."""
    return Charge(id=f"charge of {order.cents} under {context.idempotency_key}")


async def ship(order: Order, context: JobContext) -> str:
    """Order a label."""
    return f"label for {order.id} under {context.idempotency_key}"


@job_type("shop.order", timeout=timedelta(seconds=10))
async def take_order(order: Order, context: JobContext) -> Receipt | Fail:
    """Charge, wait a day and for an approval, ship."""
    charged = await context.step("charge", charge, order, context)
    await context.sleep("cooling-off", timedelta(days=1))
    approval = await context.signal("approved", Approval, timeout=timedelta(days=7))
    if approval is None:
        return Fail(reason="nobody approved")
    label = await context.step("ship", ship, order, context)
    return Receipt(charge=charged.id, label=label)
