"""Parents and children under faults; `make reliability` runs more seeds."""

import os

import pytest

from tests.reliability.children_simulation import simulate_children
from tests.reliability.many_children import run

SEEDS = int(os.environ.get("CHILDREN_SEEDS", "12"))


@pytest.mark.parametrize("seed", range(SEEDS))
def test_no_invariant_breaks(seed: int) -> None:
    report = simulate_children(seed)
    assert sum(report.parents.values()) <= 3


async def test_thousands_of_children_of_one_parent_are_counted_exactly() -> None:
    """At full size a hundred thousand: `python -m tests.reliability.many_children`."""
    report = await run(2500)
    assert report.woken == 1
    assert report.kills > 0
    assert report.parent_bytes < 1500
