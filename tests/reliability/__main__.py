"""`make reliability`: explores, simulates, mutates, and writes docs/reliability.md; 1 when something does not hold."""

import asyncio
import os
import sys
import time
from collections import Counter
from datetime import UTC, datetime

from headrace.emulator.cloudformation import ROOT
from headrace.emulator.database import local_credentials
from scripts.mutate import survivors_of_all
from tests.reliability.faults import FULL, OUTAGE_SECONDS, withstand
from tests.reliability.model import Bounds, explore
from tests.reliability.poison import HEALTHY, UNDECODABLE, survive
from tests.reliability.simulated_world import SKEW
from tests.reliability.simulation import JOBS, simulate
from tests.reliability.witnesses import CLIENTS

REPORT = ROOT / "docs" / "reliability.md"
SEEDS = 1000
BOUNDS = (
    Bounds(workers=2, sweepers=1, deliveries=2, ticks=3, manual_retries=0),
    Bounds(workers=2, sweepers=1, deliveries=3, ticks=3, manual_retries=0),
    Bounds(workers=1, sweepers=2, deliveries=3, ticks=4, cancels=0, manual_retries=0),
    Bounds(workers=1, sweepers=1, deliveries=2, ticks=3),
)


def model() -> str:
    """A table of what was explored."""
    rows = []
    for bounds in BOUNDS:
        began = time.monotonic()
        found = explore(bounds)
        print(f"model {bounds}: {found.worlds} worlds, {time.monotonic() - began:.0f} s", flush=True)
        rows.append(
            f"| {bounds.workers} | {bounds.sweepers} | {bounds.deliveries} | {bounds.crashes} | {bounds.lost} "
            f"| {bounds.cancels} | {bounds.manual_retries} | {bounds.ticks} | {found.worlds:,} | {found.steps:,} |"
        )
    return "\n".join((
        "| workers | sweepers | deliveries | crashes | lost acks | cancels | retries | clock moves | worlds | steps |",
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


def real_faults() -> str:
    """What real processes, a real proxy and a real database came to."""
    report = asyncio.run(withstand(FULL))
    print(f"real faults in {report.seconds:.0f} s", flush=True)
    return "\n".join((
        "| | |",
        "|---|---|",
        *(f"| injected: {fault} | {count:,} |" for fault, count in sorted(report.faults.items())),
        f"| answers of 5xx, or none, after which a client asked again | {report.refused:,} |",
        f"| outcomes refused, for their lease had been taken over | {report.leases_lost:,} |",
        f"| jobs accepted | {report.accepted:,} |",
        "| accepted and lost | 0 |",
        "| committed twice | 0 |",
        f"| ended | {', '.join(f'{count:,} {status}' for status, count in sorted(report.ended.items()))} |",
        f"| attempts | {report.attempts:,} |",
        f"| committed changes checked in the stream | {report.changes:,} |",
        f"| effects made, without a key | {report.effects:,}, of which {report.effects - report.accepted:,} again |",
        f"| effects made, keyed by `idempotency_key` | {report.effects_keyed:,}, none again |",
    ))  # fmt: skip


def poison() -> str:
    """How each culprit ended."""
    survived = asyncio.run(survive())
    print(f"poison in {survived.seconds:.0f} s", flush=True)
    told = {
        "poison.raises": "raises an exception",
        "poison.cancels": "awaits what was cancelled",
        "poison.sys_exit": "calls `sys.exit`",
        "poison.exits": "ends its process, as a crash in native code does",
        "poison.memory": "takes memory until its environment is ended",
        "poison.blocks": "blocks the event loop of its process for ever",
        "poison.waits": "waits for ever",
        "poison.thread": "blocks a thread for ever",
        "poison.rubbish": "returns what is not its result model",
        "test.note": "has a payload that its type does not take, written past the API",
    }
    return "\n".join((
        "| A job that | ends `failed` with the reason | and the error |",
        "|---|---|---|",
        *(f"| {told[name]} | {reason} | {code} |" for name, (reason, code) in survived.ended.items()),
    ))  # fmt: skip


def main() -> int:
    """Write the report, when everything holds; a violation ends the run with its way."""
    os.environ.update(local_credentials())
    struck, poisoned, explored, simulated = real_faults(), poison(), model(), seeds()
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
| I1 | every accepted job ends in a final state, or stays findable and goes on | model, simulation, real faults |
| I2 | a final state never changes, except by a person's retry | model, simulation, real faults, mutants |
| I3 | one committed change for each version | model, simulation, real faults, state machine, mutants |
| I4 | only the holder of the current lease commits an outcome | model, simulation, real faults, mutants |
| I5 | attempts are counted at the claim and bounded | model, simulation, poison, mutants |
| I6 | effects keyed by `context.idempotency_key` can be made once | simulation, real faults |
| I7, I8 | tenants; bad input | `tests/e2e/test_tenants.py`, schemathesis (`make fuzz`) |

## The model

One job among workers, sweepers and clients: every order of claims, crashes, late and repeated triggers, lost
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

## Real faults

The local stack with its functions in processes of their own (`tests/reliability/faults.py`): {FULL.jobs:,} jobs,
submitted over HTTP by {CLIENTS} clients, each with an idempotency key until it is accepted. A job's handler writes an
effect to a ledger outside of Headrace. Workers are killed (SIGKILL) and stopped (SIGSTOP) before the claim, after it,
after the effect and after the outcome; those stopped beyond their lease wake up when another worker has the job.
Between the functions and the database stands [microburst](https://github.com/pingedbrain/microburst), which
throttles, delays, resets, and swallows the answers of writes that were applied. Halfway the database is gone for
{OUTAGE_SECONDS} s and comes back without its stream, so that every waiting job has lost its trigger. The checker
follows every change in the stream of the table; in the end it compares the table with what clients were told and with
the ledger.

{struck}

## Poison

On the same stack, two to six attempts for each, {HEALTHY} jobs beside them, all of which succeeded
(`tests/reliability/poison.py`).

{poisoned}

{len(UNDECODABLE)} items that are no jobs (attributes missing, of other types, beyond their range) were written to the
table: their records were set aside on the on-failure queue, and nothing waited for them.

## The state machine

Hypothesis drives the repository port in any order of calls and compares it with a dictionary: the fake, moto's server
and MiniStack pass the same rules (`tests/reliability/test_repository_machine.py`, part of `make test`).

## Mutants

Each condition that `transitions.py` branches on set to true, to false, without each of its operands and of the states
it asks for, and off by one at its boundary; each clause of each conditional write made idle (`scripts/mutate.py`):
{tried} mutants, {len(survivors)} survive.

## What this does not show

Nothing of this ran on AWS. The database of the real faults is an emulator, which loses nothing that it acknowledged
because it is stopped in order; DynamoDB's own failures are for AWS to prove. Who committed a change is known in the
simulation; with real processes the checker knows what each worker was told.
""")
    return 0


if __name__ == "__main__":
    sys.exit(main())
