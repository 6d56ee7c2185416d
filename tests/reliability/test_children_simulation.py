"""Parents and children under faults; `make reliability` runs more seeds."""

import os

import pytest

from tests.reliability.children_simulation import simulate_children

SEEDS = int(os.environ.get("CHILDREN_SEEDS", "12"))


@pytest.mark.parametrize("seed", range(SEEDS))
def test_no_invariant_breaks(seed: int) -> None:
    report = simulate_children(seed)
    assert sum(report.parents.values()) <= 3
