"""What the job type `orders.pay` promises."""

from datetime import timedelta

import pytest
from headrace import Handler
from headrace.testing import Effect, JobStack, run_job, survives_crashes

from tests.documented.pay import Paid, Pay


class FakeProvider:
    """Takes no money."""

    def __init__(self) -> None:
        self.charge = Effect(self._charge, name="charge")

    async def _charge(self, amount: int, idempotency_key: str) -> str:
        return f"receipt for {amount}"


def test_an_order_that_is_paid_has_its_receipt() -> None:
    run = run_job(Pay(FakeProvider()), {"amount": 700})
    assert run.result.receipt == "receipt for 700"


def test_nothing_makes_it_charge_twice() -> None:
    provider = FakeProvider()
    survives_crashes(Pay(provider), {"amount": 700}, effects=[provider.charge])


@pytest.fixture
def job_types() -> tuple[Handler, ...]:
    """The job types of `job_stack`."""
    return (Pay(FakeProvider()),)


async def test_a_delayed_payment_is_made_in_its_time(job_stack: JobStack) -> None:
    job = await job_stack.submit("orders.pay", {"amount": 700}, delay=timedelta(hours=3))
    await job_stack.travel(hours=3)
    assert job_stack.job(job.id).result == Paid(receipt="receipt for 700")
