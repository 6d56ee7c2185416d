"""Takes an order: charges, waits for the right to withdraw and for a person, ships each item, thanks."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta

from headrace import Fail, JobContext, job_type
from pydantic import BaseModel, Field

from order import provider
from order.mail import Thanks


class Order(BaseModel):
    """What a customer ordered."""

    id: str
    customer: str
    cents: int = Field(gt=0)
    items: list[str] = Field(min_length=1, max_length=20)
    cooling_off_seconds: float = Field(default=86_400, ge=0)


class Approval(BaseModel):
    """The body of the signal `approved`."""

    by: str


class Receipt(BaseModel):
    """What came of it."""

    charge: str
    approved_by: str
    labels: list[str]


Charger = Callable[[str, int, str], Coroutine[None, None, provider.Charge]]
Labeller = Callable[[str, str], Coroutine[None, None, str]]
Refunder = Callable[[str, str], Coroutine[None, None, str]]


class Shop:
    """What the handler does to the world; a test gives it functions of its own."""

    charge: Charger = staticmethod(provider.charge)
    label: Labeller = staticmethod(provider.label)
    refund: Refunder = staticmethod(provider.refund)


SHOP = Shop()


@job_type("order.take", timeout=timedelta(seconds=10))
async def take_order(order: Order, context: JobContext) -> Receipt | Fail:
    """Charge, cool off, wait for an approval, ship."""

    async def charge() -> provider.Charge:
        return await SHOP.charge(order.customer, order.cents, context.idempotency_key)

    async def label(item: str) -> str:
        return await SHOP.label(item, context.idempotency_key)

    async def refund(charged: provider.Charge) -> str:
        return await SHOP.refund(charged.id, context.idempotency_key)

    charged = await context.step("charge", charge)
    await context.sleep("cooling-off", timedelta(seconds=order.cooling_off_seconds))
    approval = await context.signal("approved", Approval, timeout=timedelta(days=7))
    if approval is None:
        await context.step("refund", refund, charged)
        return Fail(reason="nobody approved the order in a week; it was refunded")
    labels = await asyncio.gather(
        *(context.step(f"label-{number}", label, item) for number, item in enumerate(order.items))
    )
    context.submit("order.thank", Thanks(customer=order.customer, order=order.id), name="thank")
    return Receipt(charge=charged.id, approved_by=approval.by, labels=list(labels))
