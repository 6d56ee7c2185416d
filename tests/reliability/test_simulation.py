"""Runs seeds of the simulation; `pytest tests/reliability --seed N` repeats one.

Here 200 seeds run, which inject every fault; `make reliability` runs a thousand.
"""

from collections import Counter

import pytest

from domain.jobs.change import Change
from domain.jobs.job import Job
from headrace.testing.job_repository import FakeJobRepository
from tests.reliability.history import Violation
from tests.reliability.simulation import simulate

SEEDS = 200
FAULTS = {
    "batch replayed", "line lags", "message delayed", "message duplicated", "message handed back", "message lost",
    "newer writer", "older worker", "process killed", "process stopped", "record lost", "response lost", "throttled",
    "trigger delayed", "trigger duplicated", "trigger lost", "wake queue down",
}  # fmt: skip


def test_every_accepted_job_ends_and_no_invariant_breaks(request: pytest.FixtureRequest) -> None:
    one = request.config.getoption("--seed")
    seeds = range(SEEDS) if one is None else [one]
    injected: Counter[str] = Counter()
    for seed in seeds:
        try:
            report = simulate(seed)
        except Violation as violation:
            pytest.fail(f"--seed {seed}\n{violation}")
        injected.update(report.faults)
        assert report.effects_keyed <= report.effects
    assert one is not None or set(injected) == FAULTS


@pytest.mark.parametrize("seed", [3, 141, 592])
def test_the_same_seed_gives_the_same_run(seed: int) -> None:
    assert simulate(seed) == simulate(seed)


class Careless(FakeJobRepository):
    """Writes without checking the version."""

    async def replace(self, change: Change, expected_version: int) -> Job:
        del expected_version
        self._jobs[change.job.id] = change.job
        return change.job


def test_the_checker_detects_writes_without_a_condition() -> None:
    with pytest.raises(Violation, match=r"I3|L1"):
        _ = [simulate(seed, Careless()) for seed in range(50)]
