"""An order from its submission to its end, with time that passes at once, and with crashes at every await."""

from collections.abc import Iterator

import pytest
from headrace.testing import Effect, JobStack, run_job, survives_crashes

from order import provider
from order.take import SHOP, Approval, Order, Receipt, take_order

ORDER = Order(id="7", customer="ada", cents=1200, items=["book", "lamp"])
CHARGE, LABEL, REFUND = Effect(provider.charge), Effect(provider.label), Effect(provider.refund)


@pytest.fixture
def watched() -> Iterator[None]:
    """The handler's effects are noted."""
    SHOP.charge, SHOP.label, SHOP.refund = CHARGE, LABEL, REFUND
    yield
    SHOP.charge, SHOP.label, SHOP.refund = provider.charge, provider.label, provider.refund


async def test_an_order_cools_off_is_approved_and_ships(job_stack: JobStack) -> None:
    job = await job_stack.submit("order.take", ORDER)
    await job_stack.drain()
    assert job_stack.job(job.id).waits_for == ("cooling-off",)
    await job_stack.travel(days=1)
    assert job_stack.job(job.id).waits_for == ("approved",)
    await job_stack.signal(job.id, "approved", Approval(by="Grace"))
    await job_stack.drain()
    receipt = job_stack.job(job.id).result
    assert isinstance(receipt, Receipt)
    assert (receipt.approved_by, len(receipt.labels)) == ("Grace", 2)
    assert [each.status for each in job_stack.submitted("order.thank")] == ["succeeded"]


async def test_an_order_that_nobody_approves_is_refunded(job_stack: JobStack) -> None:
    job = await job_stack.submit("order.take", ORDER)
    await job_stack.travel(days=9)
    assert job_stack.job(job.id).status == "failed"
    assert job_stack.submitted("order.thank") == ()


def test_one_attempt_ends_where_the_handler_sleeps() -> None:
    run = run_job(take_order, ORDER)
    assert (run.status, run.waits_for, list(run.remembered)) == ("waiting", ("cooling-off",), ["charge"])


@pytest.mark.usefixtures("watched")
def test_no_crash_charges_or_ships_twice() -> None:
    assert survives_crashes(take_order, ORDER, effects=[CHARGE, LABEL], signals={"approved": {"by": "Grace"}})
