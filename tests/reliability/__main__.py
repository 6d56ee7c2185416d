"""`make reliability`: explores, simulates, mutates, and writes docs/reliability.md; 1 when something does not hold."""

import sys
import time
from collections import Counter
from datetime import UTC, datetime

from local.cloudformation import ROOT
from scripts.mutate import survivors_of_all
from tests.reliability.model import Bounds, explore
from tests.reliability.simulation import JOBS, SKEW, simulate

REPORT = ROOT / "docs" / "reliability.md"
SEEDS = 1000
BOUNDS = (
    Bounds(workers=2, sweepers=1, rings=2, ticks=3, retries_by_hand=0),
    Bounds(workers=2, sweepers=1, rings=3, ticks=3, retries_by_hand=0),
    Bounds(workers=1, sweepers=2, rings=3, ticks=4, cancels=0, retries_by_hand=0),
    Bounds(workers=1, sweepers=1, rings=2, ticks=3),
)


def model() -> str:
    """A table of what was explored."""
    rows = []
    for bounds in BOUNDS:
        began = time.monotonic()
        found = explore(bounds)
        print(f"model {bounds}: {found.worlds} worlds, {time.monotonic() - began:.0f} s", flush=True)
        rows.append(
            f"| {bounds.workers} | {bounds.sweepers} | {bounds.rings} | {bounds.crashes} | {bounds.lost} "
            f"| {bounds.cancels} | {bounds.retries_by_hand} | {bounds.ticks} | {found.worlds:,} | {found.steps:,} |"
        )
    return "\n".join((
        "| workers | sweepers | doorbells | crashes | lost acks | cancels | retries | clock moves | worlds | steps |",
        "|---|---|---|---|---|---|---|---|---|---|",
        *rows,
    ))  # fmt: skip


def seeds() -> str:
    """What a thousand runs came to."""
    began = time.monotonic()
    faults: Counter[str] = Counter()
    ended: Counter[str] = Counter()
    accepted = attempts = effects = keyed = 0
    for seed in range(SEEDS):
        report = simulate(seed)
        faults.update(report.faults)
        ended.update(report.ended)
        accepted += report.accepted
        attempts += report.attempts
        effects += report.effects
        keyed += report.effects_keyed
    print(f"{SEEDS} seeds in {time.monotonic() - began:.0f} s", flush=True)
    return "\n".join((
        "| | |",
        "|---|---|",
        f"| seeds, of {JOBS} jobs each | {SEEDS:,} |",
        *(f"| injected: {fault} | {count:,} |" for fault, count in sorted(faults.items())),
        f"| jobs accepted | {accepted:,} |",
        "| accepted and lost | 0 |",
        "| committed twice | 0 |",
        f"| ended | {', '.join(f'{count:,} {status}' for status, count in sorted(ended.items()))} |",
        f"| effects made, without a key | {effects:,}, of which {effects - keyed:,} again |",
        f"| effects made, keyed by `idempotency_key` | {keyed:,}, none again |",
    ))  # fmt: skip


def main() -> int:
    """Write the report, when everything holds; a violation ends the run with its way."""
    explored, simulated = model(), seeds()
    tried, survivors = survivors_of_all()
    for mutant in survivors:
        print(f"SURVIVES {mutant.path}:{mutant.line} {mutant.what}")
    if survivors:
        return 1
    REPORT.write_text(f"""# Reliability

The promise: **at-least-once execution, exactly-once commit of the outcome, fenced.** What is tried to break it, and
what came of it. Written by `make reliability` on {datetime.now(UTC):%Y-%m-%d}; when an invariant breaks, it ends
without a report.

| | Invariant | Tried by |
|---|---|---|
| I1 | every accepted job ends in a final state or stays findable and is worked on again | model, simulation |
| I2 | a final state never changes, except by a person's retry | model, simulation, mutants |
| I3 | one committed change for each version | model, simulation, state machine, mutants |
| I4 | only the holder of the current lease commits an outcome | model, simulation, mutants |
| I5 | attempts are counted at the claim and bounded | model, simulation, mutants |
| I6 | effects keyed by `context.idempotency_key` can be made once | simulation |
| I7, I8 | tenants; bad input | `tests/e2e/test_tenants.py`, schemathesis (`make fuzz`) |

## The model

One job among workers, sweepers and clients: every order of claims, crashes, late and repeated doorbells, lost
acknowledgements, cancels, retries and sweeps within the bounds. The moves are the functions of
`domain/jobs/transitions.py` themselves (`tests/reliability/model.py`). From every world, a sweeper and a healthy
worker bring the job to its end.

{explored}

## The simulation

`JobService`, the worker's `run_batch` and `Sweeper` in virtual time (`tests/reliability/simulation.py`): processes are
killed and stopped at any of their calls, calls are throttled, answers are lost after the write was applied, triggers
are lost, doubled, late, batches replayed, two sweepers overlap, a third of the processes have clocks up to
{SKEW.total_seconds() / 60:.0f} minutes off. The checker looks at every change. `pytest tests/reliability --seed N`
repeats a run.

{simulated}

## The state machine

Hypothesis drives the repository port in any order of calls and compares it with a dictionary: the fake, moto's server
and MiniStack pass the same rules (`tests/reliability/test_repository_machine.py`, part of `make test`).

## Mutants

Each guard of `transitions.py` set to true, to false, and without each of its operands; each clause of each conditional
write made idle (`scripts/mutate.py`): {tried} mutants, {len(survivors)} survive.

## What this does not show

The simulation has no network and no operating system. Real processes are killed in `tests/e2e` and in `make
acceptance`; faults between real functions and a real database are tried in
`tests/integration/test_storage_failures.py` and `test_lost_acknowledgements.py`. Nothing of this ran on AWS.
""")
    return 0


if __name__ == "__main__":
    sys.exit(main())
