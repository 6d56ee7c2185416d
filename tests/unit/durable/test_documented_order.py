"""The order of docs/durable.md, from its submission to its end."""

from datetime import timedelta

from headrace.testing import JobStack
from headrace.testing.clock import START
from tests.documented.order import Order, Receipt, take_order
from tests.documented.transfer import Transfer, transfer


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


async def test_a_transfer_waits_until_there_is_money() -> None:
    stack = JobStack((transfer,), START)
    stack.settings["ACCOUNTS_TABLE"] = "accounts"
    stack.put("accounts", {"id": "a"}, {"cents": 10})
    stack.put("accounts", {"id": "b"}, {"cents": 0})
    job = await stack.submit("bank.transfer", Transfer(source="a", target="b", cents=30))
    await stack.drain()
    assert stack.job(job.id).status == "retrying"
    stack.put("accounts", {"id": "a"}, {"cents": 50})
    await stack.travel(minutes=1)
    assert stack.job(job.id).status == "succeeded"
    assert (stack.item("accounts", {"id": "a"}), stack.item("accounts", {"id": "b"})) == (
        {"id": "a", "cents": 20},
        {"id": "b", "cents": 30},
    )
