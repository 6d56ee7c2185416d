"""Charges an order."""

from typing import Any

from headrace import job_type
from pydantic import BaseModel, ConfigDict


class Order(BaseModel):
    """What is charged, in cents. In version 1 the member was `total`, in units."""

    model_config = ConfigDict(extra="forbid")

    amount: int


class Charged(BaseModel):
    """The order is charged."""

    amount: int


def from_v1(order: dict[str, Any]) -> dict[str, Any]:
    """A payload of version 1, as one of version 2."""
    return {"amount": order["total"] * 100}


@job_type("orders.charge", payload_version=2, upcasts={1: from_v1}, aliases=("shop.charge",))
def charge(order: Order) -> Charged:
    """Charge an order."""
    return Charged(amount=order.amount)
