"""Half of `make reliability`: runs its tests and writes docs/reliability.md; exits 1 if an invariant breaks.

The other half are the mutants, `scripts/mutate.py`.
"""

import asyncio
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from headrace.emulator.cloudformation import ROOT
from headrace.emulator.database import local_credentials
from tests.reliability.families import children, lanes
from tests.reliability.faults import FULL, OUTAGE_SECONDS, withstand
from tests.reliability.long_jobs import LongJobs, endure
from tests.reliability.model import Bounds, explore
from tests.reliability.poison import HEALTHY, UNDECODABLE, survive
from tests.reliability.simulated_world import SKEW
from tests.reliability.simulation import JOBS, simulate
from tests.reliability.webhooks import Result
from tests.reliability.witnesses import CLIENTS

REPORT = ROOT / "docs" / "reliability.md"
SEEDS = 1000
SPEED, MINUTES = 20, 14
"""Of the clock that is sped up, and of a job by it."""
REAL_MINUTES = 10
BOUNDS = (
    Bounds(workers=2, sweepers=1, deliveries=2, ticks=3, manual_retries=0),
    Bounds(workers=2, sweepers=1, deliveries=3, ticks=3, manual_retries=0),
    Bounds(workers=1, sweepers=2, deliveries=3, ticks=4, cancels=0, manual_retries=0),
    Bounds(workers=1, sweepers=1, deliveries=2, ticks=3),
    Bounds(workers=2, sweepers=1, deliveries=3, ticks=3, manual_retries=0, scheduled=True),
    Bounds(workers=2, sweepers=1, deliveries=3, ticks=1, cancels=0, manual_retries=0, pauses=1, signals=1),
)

POISON = {
    "poison.interrupt": "raises `KeyboardInterrupt`",
    "poison.generator": "raises `GeneratorExit`",
    "poison.surrogate": "raises an exception whose text cannot be stored",
    "poison.task": "raises `KeyboardInterrupt` in a task of its own",
    "poison.stop_iteration": "raises `StopIteration` in a plain function",
    "poison.raises": "raises an exception",
    "poison.cancels": "awaits a cancelled task",
    "poison.sys_exit": "calls `sys.exit`",
    "poison.exits": "ends its process, as a crash in native code does",
    "poison.memory": "takes memory until its execution environment is ended",
    "poison.blocks": "blocks the event loop of its process for ever",
    "poison.waits": "waits for ever",
    "poison.thread": "blocks a thread for ever",
    "poison.rubbish": "returns a value that is not of its result model",
    "test.note": "has a payload that is invalid for its type, written past the API",
}
"""What the report says of each poison job."""


def model() -> str:
    """Explore the model within all bounds; return the results as a table."""
    rows = []
    for bounds in BOUNDS:
        began = time.monotonic()
        found = explore(bounds)
        print(f"model {bounds}: {found.worlds} worlds, {time.monotonic() - began:.0f} s", flush=True)
        born = "scheduled" if bounds.scheduled else "queued"
        rows.append(
            f"| {born} | {bounds.workers} | {bounds.sweepers} | {bounds.deliveries} | {bounds.crashes} | {bounds.lost} "
            f"| {bounds.cancels} | {bounds.manual_retries} | {bounds.ticks} | {found.worlds:,} | {found.steps:,} |"
        )
    return "\n".join((
        "| job | workers | sweepers | deliveries | crashes | lost acks | cancels | retries | clock | worlds | steps |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
        *rows,
    ))  # fmt: skip


def seeds() -> str:
    """Run all seeds of the simulation; return the results as a table."""
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
        f"| effects without a key | {effects:,}, of which {effects - keyed:,} repeated |",
        f"| effects keyed by `idempotency_key` | {keyed:,}, none repeated |",
    ))  # fmt: skip


def real_faults() -> str:
    """Run the real faults at full size; return the results as a table."""
    report = asyncio.run(withstand(FULL))
    print(f"real faults in {report.seconds:.0f} s", flush=True)
    return "\n".join((
        "| | |",
        "|---|---|",
        *(f"| injected: {fault} | {count:,} |" for fault, count in sorted(report.faults.items())),
        f"| 5xx responses, or none, after which a client repeated the request | {report.refused:,} |",
        f"| outcomes refused because their lease had been taken over | {report.leases_lost:,} |",
        f"| jobs accepted | {report.accepted:,} |",
        "| accepted and lost | 0 |",
        "| committed twice | 0 |",
        f"| ended | {', '.join(f'{count:,} {status}' for status, count in sorted(report.ended.items()))} |",
        f"| attempts | {report.attempts:,} |",
        f"| committed changes checked in the stream | {report.changes:,} |",
        f"| effects without a key | {report.effects:,}, of which {report.effects - report.accepted:,} repeated |",
        f"| effects keyed by `idempotency_key` | {report.effects_keyed:,}, none repeated |",
    ))  # fmt: skip


def poison() -> str:
    """Run the poison jobs; return how each of them ended as a table."""
    survived = asyncio.run(survive())
    print(f"poison in {survived.seconds:.0f} s", flush=True)
    return "\n".join((
        "| A job that | ends `failed` with the reason | and the error |",
        "|---|---|---|",
        *(f"| {POISON[name]} | {reason} | {code} |" for name, (reason, code) in survived.ended.items()),
    ))  # fmt: skip


def long_jobs(really: subprocess.Popen[str]) -> str:
    """Run long jobs by a clock that is sped up, and wait for the one that runs `really`; the results as a table."""
    sped_up = asyncio.run(endure(SPEED, MINUTES))
    out, _ = really.communicate()
    if really.returncode:
        sys.exit(really.returncode)
    runs = (sped_up, LongJobs.model_validate_json(out.splitlines()[-1]))
    return "\n".join((
        "| clock | a job ran for | sweeps meanwhile | attempts | one of 16 minutes was stopped after |",
        "|---|---|---|---|---|",
        *(
            f"| {f'{run.speed:.0f} times as fast' if run.speed > 1 else 'as it is'} | {run.minutes:.2f} min "
            f"| {run.sweeps} | 1 | {f'{run.stopped_after:.2f} min' if run.stopped_after else '-'} |"
            for run in runs
        ),
    ))  # fmt: skip


def told(delivering: subprocess.Popen[str]) -> str:
    """Wait for the webhooks; the results as a table."""
    out, _ = delivering.communicate()
    result = Result.model_validate_json(out)
    print(f"webhooks in {result.seconds:.0f} s", flush=True)
    if delivering.returncode:
        print(f"webhooks: {result}")
        sys.exit(delivering.returncode)
    return "\n".join((
        "| | |",
        "|---|---|",
        f"| injected: process killed | {result.kills:,} |",
        f"| injected: requests that the receiver failed, by status or by a broken connection | {result.refused:,} |",
        f"| jobs | {result.jobs:,} |",
        f"| changes to be told | {result.changes:,} |",
        "| not delivered; delivered without a change | 0; 0 |",
        f"| values of `webhook-id` | {result.ids:,}: one a change |",
        f"| requests, all of them signed | {result.requests:,} |",
        f"| accepted a second time, under the same id | {result.accepted_again:,} |",
        f"| arrived after a later change of the same job | {result.out_of_order:,} |",
    ))  # fmt: skip


@contextmanager
def alongside(*module: str) -> Iterator[subprocess.Popen[str]]:
    """A module that runs beside the others, because it mostly waits; ended with them."""
    with subprocess.Popen([sys.executable, "-m", *module], stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.terminate()


def main() -> None:
    """Run everything and write the report; a violation ends the run and shows the steps that led to it."""
    os.environ.update(local_credentials())
    with alongside("tests.reliability.long_jobs", "1", str(REAL_MINUTES)) as really:
        # Apart from the webhooks, whose processes are killed as well: these take the machine for themselves.
        struck, poisoned = real_faults(), poison()
        with alongside("tests.reliability.webhooks") as delivering:
            explored, simulated, endured = model(), seeds(), long_jobs(really)
            in_lanes, of_families = lanes(), children()
            delivered = told(delivering)
    REPORT.write_text(f"""# Reliability

The promise: **at-least-once execution, exactly-once commit of the outcome, fenced.** This report lists the attempts to
break it, and their results. Written by `make reliability` on {datetime.now(UTC):%Y-%m-%d}; if an invariant
breaks, no report is written.

| | Invariant | Tested by |
|---|---|---|
| I1 | every accepted job ends in a final state, or stays findable and continues | model, simulation, real faults |
| I2 | a final state never changes, except by a person's retry | model, simulation, real faults, mutants |
| I3 | one committed change per version | model, simulation, real faults, state machine, mutants |
| I4 | only the holder of the current lease commits an outcome | model, simulation, real faults, mutants |
| I5 | attempts are counted at the claim and bounded | model, simulation, poison, mutants |
| I6 | effects keyed by `context.idempotency_key` can be made exactly once | simulation, real faults |
| I7, I8 | tenants; bad input | `tests/e2e/test_tenants.py`, schemathesis (`make fuzz`) |
| I9 | no job changes the outcome, the attempts or the time of another | poison |
| I10 | versions that differ by one release work on one table | `tests/unit/jobs`, `tests/integration` (decision 015) |
| I11 | a lane's places are its jobs let in or running, within the limit | lanes, simulation, mutants |
| I12 | what a job remembers never changes, nor is it made again | simulation, mutants |
| I12 | a parent wakes once, if and only if its wait is over; counts are exact | parents and children, mutants |
| I13 | a schedule's tick makes one job, or none where its policy says so | a year of ticks |
| I14 | each change that is to be told is delivered, under one `webhook-id` | webhooks |
| I15 | a job never refers to a blob that is not there | simulation, real faults |
| | what a handler writes by its result is written once, without a key | simulation, `tests/e2e/test_durable.py` |

## The model

One job, used by workers, sweepers and clients: every order of claims, crashes, late and repeated deliveries, lost
acknowledgements, cancels, retries and sweeps within the bounds. The transitions are those of
`domain/jobs/transitions.py` itself (`tests/reliability/model.py`). From every state (world), a sweeper and a healthy
worker bring the job to a final state.

{explored}

## The simulation

`JobService`, the worker's `run_batch` and `run_wakes`, the recorder and `Sweeper` in virtual time
(`tests/reliability/simulation.py`): processes are killed and stopped at any of their calls, calls are throttled,
responses are lost after the write was applied, triggers and messages of the wake queue are lost, duplicated and
delayed, batches are replayed, the wake queue is down now and then, two sweepers overlap, a third of the processes have
clocks up to {SKEW.total_seconds() / 60:.0f} minutes off. The checker examines every change.
`pytest tests/reliability --seed N` repeats a run.

{simulated}

## Real faults

The local stack with each function in its own processes (`tests/reliability/faults.py`):
{FULL.jobs:,} jobs,
submitted over HTTP by {CLIENTS} clients, each repeated with an idempotency key until it is accepted. A job's
handler writes an effect to a ledger outside Headrace. Workers are killed (SIGKILL) and stopped (SIGSTOP) before
the claim, after it, after the effect and after the outcome; those stopped beyond their lease resume when another
worker has the job.
Between the functions and the database runs [microburst](https://github.com/pingedbrain/microburst), which
throttles, delays and resets calls, and drops the responses of writes that were applied. It stands before the queues
and S3 as well: calls fail, the responses of sent messages are lost, so that these are sent twice, and then the queues
do not answer for {FULL.queues_down:.0f} s. Half of the jobs run in the standard runner, whose processes are killed and
stopped like the workers'; a fifth have a payload that is a blob. Halfway the database is down for {OUTAGE_SECONDS} s
and restarts without its stream, so that every waiting job has lost its trigger. The checker follows every change in the
stream of the table; at the end it compares the table with the responses that clients got and with the ledger.

{struck}

## Lanes

A few jobs of one lane, with workers that die, late and repeated triggers, a limit that is lowered, cancels and sweeps,
in every order within the bounds (`tests/reliability/lane_model.py`): places are the jobs let in or running, never above
the limit, and whoever has room goes. The simulation above has lanes too.

{in_lanes}

## Parents and children

One parent and its children, recorders that repeat and die, lost acknowledgements, cancels, pauses and time, in every
order within the bounds (`tests/reliability/children_model.py`); then parents of several groups in virtual time under
all faults of the simulation (`tests/reliability/children_simulation.py`); then one parent of a hundred thousand, whose
recorder is killed again and again and repeats its batches (`tests/reliability/many_children.py`).

{of_families}

## Webhooks

One endpoint for all changes, on the local stack with all its functions (`tests/reliability/webhooks.py`). The receiver
verifies each signature with the library `standardwebhooks` and fails a third of the requests; for three minutes a
process of any function is killed every four seconds. What it accepted is compared with the history of every job.
Order is not promised: a change that is tried again comes after later ones, and says so by `data.version`.

{delivered}

## A year of ticks

Schedules in virtual time, with two sweepers, crashes at any call, lost and doubled messages and an outage of six
hours over the night in which the clocks go back, in New York and on Lord Howe, where they do so by half an hour: the
ticks are those that a search minute by minute finds, less what the policy for missed ones leaves out, and none is made
twice (`tests/reliability/test_schedule_year.py`, part of `make test`).

## Long jobs

In the standard runner, with the sweep each minute (`tests/reliability/long_jobs.py`). One runs by a clock that is sped
up in every function, one really.

{endured}

## Poison

Jobs that harm their worker, on the same stack, with two to six attempts each and {HEALTHY} other jobs beside
them, all of which succeeded (`tests/reliability/poison.py`).

{poisoned}

{len(UNDECODABLE)} items that are not jobs (attributes missing, of wrong types, out of range) were written to the
table: their records were sent to the on-failure queue, and no other job waited for them.

## The state machine

Hypothesis calls the repository in any order and compares it with a dictionary: the fake, moto's server
and MiniStack pass the same rules (`tests/reliability/test_repository_machine.py`, part of `make test`).

## Mutants

Each guard of the domain's changes of state and each clause of each conditional write is broken; a test must notice:
[the mutants](mutants.md).

## What this does not show

None of this ran on AWS. The database of the real faults is an emulator that is shut down cleanly, so it loses nothing
that it acknowledged; DynamoDB's own failures are not tested. Only the simulation knows which process committed a
change; with real processes the checker knows only which acknowledgements each worker got.
""")


if __name__ == "__main__":
    main()
