"""The durable handler of the demo: examples/order, which sleeps, has 201 children, and waits for an approval."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from pydantic import JsonValue

from headrace.cli.demo_cases import Case, Ended
from headrace.emulator.cloudformation import ROOT
from headrace_client import AsyncClient, Job

TYPES: Final = "demo_types"
"""The module with these job types and the built-in ones."""
CODE: Final[tuple[Path, ...]] = (ROOT / "examples", ROOT / "examples" / "order")
"""Where it lies, and what it imports."""
PAGES: Final = 200
CHILDREN: Final = 1 + PAGES
LOOKS_EVERY: Final = 0.5
"""Seconds."""

_PAYLOAD: Final[dict[str, JsonValue]] = {
    "id": "demo", "customer": "ada", "cents": 1200, "items": ["book"], "pages": PAGES, "cooling_off_seconds": 2,
}  # fmt: skip
_ORDER: Final = Case(group="order: charge, sleep, wait", type="order.take", payload=_PAYLOAD, attempts=1)
_GROUPS: Final = {"order.label": "order's label, a child", "order.thumbnail": "order's thumbnails, children"}
_THANKS: Final = Case(group="order's mail, with its end", type="order.thank", payload={}, attempts=1)


async def run_order(client: AsyncClient, patience: float, ended: Callable[[int], None]) -> list[Ended]:
    """Submit an order, and approve it when it waits for that; returns it with its children and the mail of its end.

    `ended` is told how many of its children have ended; `patience` is in seconds, after which `WaitTimeout` is raised.
    """
    order = await client.submit(_ORDER.type, _ORDER.payload)
    approved = False
    async for seen in client.stream(order, timeout=patience, every=LOOKS_EVERY):
        order = seen
        ended(sum(group.ended for group in order.children))
        if not approved and _waits_for_approval(order):
            await client.signal(order, "approved", {"by": "the demo"})
            approved = True
    children = [child async for child in client.children(order)]
    mails = [await client.wait(mail, timeout=patience) async for mail in client.jobs(type=_THANKS.type)]
    return [
        Ended(case=_ORDER, job=order.raw),
        *(Ended(case=_case_of(child), job=child.raw) for child in children),
        *(Ended(case=_THANKS, job=mail.raw) for mail in mails),
    ]


def is_whole(ended: list[Ended]) -> bool:
    """Whether the order has all its children, and one mail."""
    types = [each.case.type for each in ended]
    return [types.count(each) for each in (_ORDER.type, *_GROUPS, _THANKS.type)] == [1, 1, PAGES, 1]


def _waits_for_approval(order: Job) -> bool:
    awaited = order.raw.get("waiting_for")
    return isinstance(awaited, list) and {"kind": "signal", "name": "approved"} in awaited


def _case_of(child: Job) -> Case:
    return Case(group=_GROUPS.get(child.type, child.type), type=child.type, payload={}, attempts=1)
