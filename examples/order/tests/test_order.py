"""An order from its submission to its end, with time that passes at once, and with crashes at every await."""

from collections.abc import Iterator

import pytest
from headrace.testing import Effect, JobStack, run_job, survives_crashes

from order import provider
from order.ship import make_label, make_thumbnail
from order.take import SHOP, Approval, Order, Receipt, take_order

ORDER = Order(id="7", customer="ada", cents=1200, items=["book", "lamp"], pages=3)
CHARGE, REFUND = Effect(provider.charge), Effect(provider.refund)


@pytest.fixture
def watched() -> Iterator[None]:
    """The handler's effects are noted."""
    SHOP.charge, SHOP.refund = CHARGE, REFUND
    yield
    SHOP.charge, SHOP.refund = provider.charge, provider.refund


async def test_an_order_cools_off_has_its_children_work_and_is_approved(job_stack: JobStack) -> None:
    job = await job_stack.submit("order.take", ORDER)
    await job_stack.drain()
    assert job_stack.job(job.id).waits_for == ("cooling-off",)
    await job_stack.travel(days=1)
    await job_stack.drain()  # the label and the thumbnails
    assert job_stack.job(job.id).waits_for == ("approved",)
    assert [each.status for each in job_stack.submitted("order.thumbnail")] == ["succeeded"] * 3
    await job_stack.signal(job.id, "approved", Approval(by="Grace"))
    await job_stack.drain()
    receipt = job_stack.job(job.id).result
    assert isinstance(receipt, Receipt)
    assert (receipt.approved_by, receipt.pages, receipt.label[:4]) == ("Grace", 3, "7-2-")
    assert [each.status for each in job_stack.submitted("order.thank")] == ["succeeded"]


async def test_an_order_that_nobody_approves_is_refunded(job_stack: JobStack) -> None:
    job = await job_stack.submit("order.take", ORDER)
    await job_stack.travel(days=9)
    assert job_stack.job(job.id).status == "failed"
    assert job_stack.submitted("order.thank") == ()


async def test_a_page_that_cannot_be_drawn_fails_the_order_and_says_which(job_stack: JobStack) -> None:
    job = await job_stack.submit("order.take", ORDER.model_copy(update={"pages": 251}))
    await job_stack.travel(days=1)
    await job_stack.drain()
    ended = job_stack.job(job.id)
    assert ended.error is not None
    assert (ended.status, ended.error.code) == ("failed", "child_failed")
    assert "no_page" in ended.error.message


def test_one_attempt_ends_where_the_handler_sleeps() -> None:
    run = run_job(take_order, ORDER)
    assert (run.status, run.waits_for, list(run.remembered)) == ("waiting", ("cooling-off",), ["charge"])


@pytest.mark.usefixtures("watched")
def test_no_crash_charges_twice() -> None:
    signals = {"approved": {"by": "Grace"}}
    assert survives_crashes(take_order, ORDER, effects=[CHARGE], signals=signals, children=[make_label, make_thumbnail])
