"""Takes an order: charges, waits for the right to withdraw, has a label and thumbnails made, waits for a person."""

from collections.abc import Callable, Coroutine
from datetime import timedelta

from headrace import Fail, JobContext, job_type
from pydantic import BaseModel, Field

from order import provider
from order.mail import Thanks
from order.ship import Label, LabelFor, Page, Thumbnail


class Order(BaseModel):
    """What a customer ordered."""

    id: str
    customer: str
    cents: int = Field(gt=0)
    items: list[str] = Field(min_length=1, max_length=20)
    pages: int = Field(default=3, ge=0, le=1000, description="Of the catalogue that goes with it")
    cooling_off_seconds: float = Field(default=86_400, ge=0)


class Approval(BaseModel):
    """The body of the signal `approved`."""

    by: str


class Receipt(BaseModel):
    """What came of it."""

    charge: str
    label: str
    pages: int
    approved_by: str


Charger = Callable[[str, int, str], Coroutine[None, None, provider.Charge]]
Refunder = Callable[[str, str], Coroutine[None, None, str]]


class Shop:
    """What the handler does to the world; a test gives it functions of its own."""

    charge: Charger = staticmethod(provider.charge)
    refund: Refunder = staticmethod(provider.refund)


SHOP = Shop()


@job_type("order.take", timeout=timedelta(seconds=10))
async def take_order(order: Order, context: JobContext) -> Receipt | Fail:
    """Charge, cool off, have a label and thumbnails made, wait for an approval."""

    async def charge() -> provider.Charge:
        return await SHOP.charge(order.customer, order.cents, context.idempotency_key)

    async def refund(charged: provider.Charge) -> str:
        return await SHOP.refund(charged.id, context.idempotency_key)

    charged = await context.step("charge", charge)
    await context.sleep("cooling-off", timedelta(seconds=order.cooling_off_seconds))
    label = await context.call("label", "order.label", LabelFor(order=order.id, items=order.items), returns=Label)
    pages = [Page(number=number) for number in range(order.pages)]
    thumbnails = await context.map("thumbnails", "order.thumbnail", pages, returns=Thumbnail)
    approval = await context.signal("approved", Approval, timeout=timedelta(days=7))
    if approval is None:
        await context.step("refund", refund, charged)
        return Fail(reason="nobody approved the order in a week; it was refunded")
    context.submit("order.thank", Thanks(customer=order.customer, order=order.id), name="thank")
    return Receipt(charge=charged.id, label=label.number, pages=len(thumbnails), approved_by=approval.by)
