"""The order of docs/durable.md, from its submission to its end."""

from datetime import timedelta

from headrace.testing import JobStack
from headrace.testing.clock import START
from tests.documented.order import Order, Receipt, take_order


async def test_an_order_is_charged_cools_off_is_approved_and_shipped() -> None:
    stack = JobStack((take_order,), START)
    job = await stack.submit("shop.order", Order(id="7", cents=1200))
    await stack.drain()
    assert (stack.job(job.id).waits_for, stack.job(job.id).due) == (("cooling-off",), START + timedelta(days=1))
    await stack.travel(days=2)
    assert stack.job(job.id).waits_for == ("approved",)
    await stack.signal(job.id, "approved", {"by": "Ann"})
    await stack.drain()
    key = job.id
    assert stack.job(job.id).result == Receipt(
        charge=f"charge of 1200 under {key}:charge", label=f"label for 7 under {key}:ship"
    )


async def test_an_order_that_nobody_approves_fails() -> None:
    stack = JobStack((take_order,), START)
    job = await stack.submit("shop.order", Order(id="7", cents=1200))
    await stack.travel(days=9)
    assert stack.job(job.id).status == "failed"
