"""Pays an order through a payment provider."""

from typing import Protocol

from headrace import JobContext, JobType
from pydantic import BaseModel


class Order(BaseModel):
    """What is paid, in cents."""

    amount: int


class Paid(BaseModel):
    """The provider's receipt."""

    receipt: str


class Provider(Protocol):
    """Takes payments; of one key, one."""

    async def charge(self, amount: int, idempotency_key: str) -> str:
        """Returns the number of the receipt."""


class Pay:
    """Charges an order once, in however many attempts."""

    definition = JobType[Order, Paid](name="orders.pay", summary="Pay an order", payload=Order, result=Paid)

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    async def run(self, order: Order, context: JobContext) -> Paid:
        """Every attempt charges under the same key."""
        receipt = await self._provider.charge(order.amount, context.idempotency_key)
        return Paid(receipt=receipt)
