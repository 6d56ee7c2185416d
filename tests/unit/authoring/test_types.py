"""What authors write is typed: a line that mypy must refuse has an ignore, and `make types` refuses unused ones."""

from pydantic import BaseModel

from domain.jobs.catalogue import Catalogue
from headrace import Fail, Handler, JobContext, JobType, SyncJobContext, job_type
from tests.fakes.context import FakeContext


class Order(BaseModel):
    id: int


class Receipt(BaseModel):
    total: int


@job_type("order.charge")
async def charge(order: Order, context: JobContext) -> Receipt | Fail:
    """Charge an order."""
    return Receipt(total=order.id + context.attempt)


@job_type("order.print")
def print_order(order: Order, context: SyncJobContext) -> Receipt:
    """Print an order."""
    return Receipt(total=order.id)


@job_type("order.count")
async def count(order: Order) -> Receipt:
    """Count an order."""
    return Receipt(total=order.id)


class Ship:
    definition = JobType[Order, Receipt](name="order.ship", summary="Ship an order", payload=Order, result=Receipt)

    async def run(self, order: Order, context: JobContext) -> Receipt:
        return Receipt(total=order.id)


JOB_TYPES: tuple[Handler, ...] = (charge, print_order, count, Ship())
WRONG: tuple[Handler, ...] = (Order(id=1),)  # type: ignore[assignment]


def test_every_form_is_a_member_of_job_types() -> None:
    assert Catalogue(JOB_TYPES).names() == ("order.charge", "order.count", "order.print", "order.ship")


async def test_a_call_takes_what_the_function_takes() -> None:
    context = FakeContext()
    assert await charge(Order(id=1), context) == Receipt(total=2)
    assert await count(Order(id=1)) == Receipt(total=1)
    assert print_order.definition.payload is Order


async def calls_that_are_refused(context: JobContext) -> None:
    await charge(Receipt(total=1), context)  # type: ignore[arg-type]
    await count(Order(id=1), context)  # type: ignore[call-arg]
