"""`survives_crashes` of handlers with steps, sleeps and signals."""

from datetime import timedelta

import pytest
from pydantic import BaseModel

from headrace import Fail, JobContext, job_type
from headrace.testing import Effect, run_job, survives_crashes


class Order(BaseModel):
    id: str = "7"
    cents: int = 100


class Charge(BaseModel):
    id: str


class Approval(BaseModel):
    by: str


class Receipt(BaseModel):
    charge: str
    label: str


class Shop:
    """A provider that charges again under another key, or under none."""

    def __init__(self) -> None:
        self.charges: dict[str, Charge] = {}

    async def charge(self, cents: int, idempotency_key: str) -> Charge:
        return self.charges.setdefault(idempotency_key, Charge(id=f"ch_{cents}"))

    async def ship(self, order: Order, idempotency_key: str) -> str:
        return f"label of {order.id} under {idempotency_key}"

    async def mail(self, text: str) -> None:
        """Has no key."""


SHOP = Shop()
CHARGE, SHIP, MAIL = Effect(SHOP.charge), Effect(SHOP.ship), Effect(SHOP.mail)


@job_type("order.keyed")
async def keyed(order: Order, context: JobContext) -> Receipt | Fail:
    """Charge, wait a day, wait for a person, ship."""

    async def charge() -> Charge:
        return await CHARGE(order.cents, context.idempotency_key)

    async def ship() -> str:
        return await SHIP(order, context.idempotency_key)

    charged = await context.step("charge", charge)
    await context.sleep("cooling-off", timedelta(days=1))
    if not await context.signal("approved", Approval, timeout=timedelta(days=7)):
        return Fail(reason="nobody approved")
    label = await context.step("ship", ship)
    return Receipt(charge=charged.id, label=label)


@job_type("order.unkeyed")
async def unkeyed(order: Order, context: JobContext) -> Receipt:
    """Mail in a step, without a key."""
    await context.step("mail", MAIL, f"order {order.id}")
    return Receipt(charge="", label="")


def test_a_durable_handler_survives_a_crash_at_every_await() -> None:
    tried = survives_crashes(keyed, Order(), effects=[CHARGE, SHIP], signals={"approved": Approval(by="Ann")})
    assert tried > 20


def test_an_effect_in_a_step_without_a_key_may_be_made_twice_and_is_reported() -> None:
    with pytest.raises(AssertionError, match=r"crash after mail") as told:
        survives_crashes(unkeyed, Order(), effects=[MAIL])
    assert "order.unkeyed does not survive" in str(told.value)


def test_one_attempt_ends_where_the_handler_sleeps() -> None:
    run = run_job(keyed, Order())
    assert (run.status, run.waits_for, run.remembered) == ("waiting", ("cooling-off",), {"charge": {"id": "ch_100"}})


def test_one_attempt_goes_on_with_what_is_remembered() -> None:
    @job_type("order.short")
    async def short(order: Order, context: JobContext) -> Receipt:
        """Charge and wait for a person."""
        charged = await context.step("charge", SHOP.charge, order.cents, "key")
        approval = await context.signal("approved", Approval)
        return Receipt(charge=charged.id, label=approval.by)

    run = run_job(short, Order(), remembered={"charge": Charge(id="ch_1")}, signals={"approved": {"by": "Ann"}})
    assert run.result == Receipt(charge="ch_1", label="Ann")
    assert run.remembered == {"charge": {"id": "ch_1"}, "approved": {"by": "Ann"}}
