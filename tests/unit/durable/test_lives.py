"""A job that takes the id of an expired one, by its idempotency key: nothing that was remembered is its own."""

from datetime import timedelta

from pydantic import BaseModel

from headrace import JobContext, job_type
from headrace.testing import JobStack
from headrace.testing.clock import START
from tests.unit.durable.test_durable_handlers import Approval, Order, Receipt, World


class Mail(BaseModel):
    """What a job submits."""


@job_type("mail", retention=timedelta(days=60))
async def mail(_: Mail, __: JobContext) -> Receipt:
    """Is kept for longer than what submits it."""
    return Receipt()


@job_type("mailing")
async def mailing(_: Order, context: JobContext) -> Receipt:
    """Submit a job."""
    context.submit("mail", Mail(), name="thanks")
    return Receipt()


async def test_steps_and_signals_of_an_expired_job_are_not_those_of_the_next_one_of_its_id() -> None:
    charges: list[str] = []

    async def charge(order: Order) -> str:
        charges.append(order.id)
        return f"charge of {order.id}"

    async def work(order: Order, context: JobContext) -> Receipt:
        charged = await context.step("charge", charge, order)
        approval = await context.signal("approved", Approval)
        return Receipt(text=f"{charged} by {approval.by}")

    stack = World(work).stack
    for name in ("old", "new"):
        job = await stack.submit("order", Order(id=name), key="k")
        await stack.drain()
        assert stack.job(job.id).status == "waiting"
        await stack.signal(job.id, "approved", {"by": name})
        await stack.drain()
        assert stack.job(job.id).result == Receipt(text=f"charge of {name} by {name}")
        await stack.travel(days=8)
    assert charges == ["old", "new"]


async def test_jobs_that_an_expired_job_submitted_are_not_those_of_the_next_one_of_its_id() -> None:
    stack = JobStack((mail, mailing), START)
    for _ in range(2):
        job = await stack.submit("mailing", Order(), key="k")
        await stack.drain()
        assert stack.job(job.id).status == "succeeded"
        await stack.travel(days=8)
    assert len(stack.submitted("mail")) == 2
