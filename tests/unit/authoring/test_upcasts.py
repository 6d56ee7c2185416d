"""A job type whose versions or names cannot work is refused where it is written, with a sentence."""

from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from headrace import InvalidJobType, JobType, job_type
from headrace.authoring.upcasts import Upcast


class Order(BaseModel):
    """A payload."""

    what: str = ""


def same(document: dict[str, Any]) -> dict[str, Any]:
    return document


async def later(document: dict[str, Any]) -> dict[str, Any]:
    return document


def a_type(
    payload_version: int = 1, upcasts: Mapping[int, Upcast] | None = None, aliases: tuple[str, ...] = ()
) -> JobType[Order, Order]:
    return JobType(
        name="orders.charge", summary="", payload=Order, result=Order,
        payload_version=payload_version, upcasts=upcasts or {}, aliases=aliases,
    )  # fmt: skip


def test_versions_are_complete_from_the_oldest_that_is_upcast() -> None:
    assert a_type().oldest_payload_version == 1
    assert a_type(2, {1: same}).oldest_payload_version == 1
    assert a_type(4, {3: same, 2: same}).oldest_payload_version == 2


@pytest.mark.parametrize(
    ("version", "upcasts", "told"),
    [
        (2, {}, "has payload_version=2 and no upcast from version 1, of which jobs may still be waiting"),
        (4, {1: same, 3: same}, "has payload_version=4 and no upcast from version 2, "),
        (3, {1: same}, "has payload_version=3 and no upcast from version 2, "),
        (1, {1: same}, "has payload_version=1 and an upcast from version 1, which is no older version"),
        (2, {1: same, 2: same}, "has payload_version=2 and an upcast from version 2, which is no older version"),
        (2, {0: same, 1: same}, "has payload_version=2 and an upcast from version 0, which is no older version"),
        (2, {1: later}, "has an upcast from version 1 that is `async`; write it as a plain function"),
    ],
    ids=["none", "gap", "last", "current", "newer", "zero", "async"],
)
def test_steps_that_are_missing_or_lead_from_no_older_version_are_refused(
    version: int, upcasts: dict[int, Upcast], told: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        a_type(version, upcasts)
    assert f"orders.charge {told}" in str(refused.value)


@pytest.mark.parametrize(
    ("aliases", "told"),
    [
        (("orders.charge",), "orders.charge has its own name 'orders.charge' among its aliases"),
        (("orders.old", "orders.old"), "orders.charge has the alias 'orders.old' twice"),
    ],
    ids=["own", "twice"],
)
def test_an_alias_is_another_name(aliases: tuple[str, ...], told: str) -> None:
    with pytest.raises(ValidationError) as refused:
        a_type(aliases=aliases)
    assert told in str(refused.value)


def charge(order: Order) -> Order:
    """Charge an order."""
    return order


def test_the_decorator_names_the_function() -> None:
    with pytest.raises(InvalidJobType) as refused:
        job_type("orders.charge", payload_version=2)(charge)
    assert "test_upcasts.charge (" in str(refused.value)
    assert "makes a job type that cannot work: orders.charge has payload_version=2 and no upcast" in str(refused.value)
    with pytest.raises(InvalidJobType, match=r"aliases\.0='Old'"):
        job_type("orders.charge", aliases=("Old",))(charge)
