"""Stands for the payment provider and the carrier. Both take a key, and do under one key one thing."""

from pydantic import BaseModel


class Charge(BaseModel):
    """What the provider charged."""

    id: str
    cents: int


async def charge(customer: str, cents: int, idempotency_key: str) -> Charge:
    """Charge a customer."""
    return Charge(id=f"ch_{customer}_{idempotency_key[-8:]}", cents=cents)


async def refund(charge_id: str, idempotency_key: str) -> str:
    """Give it back."""
    return f"re_{charge_id}_{idempotency_key[-8:]}"


async def label(order: str, items: int, idempotency_key: str) -> str:
    """Order a label for a parcel."""
    return f"{order}-{items}-{idempotency_key[-8:]}"
