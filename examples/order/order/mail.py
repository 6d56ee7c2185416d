"""Thanks for an order."""

from headrace import job_type
from pydantic import BaseModel


class Thanks(BaseModel):
    """Whom to thank for what."""

    customer: str
    order: str


class Mailed(BaseModel):
    """The mail's text."""

    text: str


@job_type("order.thank")
async def thank(thanks: Thanks) -> Mailed:
    """Mail a customer."""
    return Mailed(text=f"Thank you, {thanks.customer}, for order {thanks.order}.")
