"""`make bench`: runs all benchmarks and writes RESULTS.md."""

import asyncio
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version

from benchmarks import (
    api_cost,
    bundle,
    burst,
    cold_start,
    contenders,
    memory,
    on_time,
    repository,
    runners,
    scale,
    spill,
    streaming,
    throughput,
)
from headrace.emulator.cloudformation import ROOT

RESULTS = ROOT / "benchmarks" / "RESULTS.md"
FAIRNESS = (sys.executable, "-m", "benchmarks.lanes", "fairness", "500", "80")
PACKAGES = ("aioboto3", "aiobotocore", "aiohttp", "aws-lambda-powertools", "fastapi", "mangum", "pydantic")


def main() -> None:
    """Run all benchmarks and write their results."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], check=True, capture_output=True, text=True)
    # Counts are measured before times, because a machine that is still settling disturbs only times.
    artifacts = bundle.table(bundle.measure())
    kept = memory.table(asyncio.run(memory.measure()))
    scales = asyncio.run(scale.measure())
    sizes, units = scale.table(scales), scale.units_table(scales)
    spilled = spill.table(asyncio.run(spill.measure()))
    streamed = streaming.table(asyncio.run(streaming.measure()))
    overhead = repository.table(asyncio.run(repository.measure()))
    call = api_cost.table(api_cost.measure())
    rates = throughput.table(asyncio.run(throughput.measure()))
    due = on_time.table(asyncio.run(on_time.measure()), asyncio.run(on_time.measure(adapt=on_time.lossy)))
    handed_over = burst.table(asyncio.run(burst.measure()))
    long = runners.table(asyncio.run(runners.measure()))
    # In a process of its own, for it has job types of its own.
    fair = subprocess.run(FAIRNESS, check=True, capture_output=True, text=True, cwd=ROOT).stdout
    starts = cold_start.table(asyncio.run(cold_start.measure()))
    text = f"""# Results

{datetime.now(UTC):%Y-%m-%d}, commit {commit.stdout.strip()}, Python {platform.python_version()}, {platform.system()}
{platform.machine()}, {os.cpu_count()} cores; {", ".join(f"{name} {version(name)}" for name in PACKAGES)}.
Written by `make bench`. Read the ratios: absolute times on a shared machine mean little.

## Cold start

CPU time from the start of the interpreter to the first response; medians of {cold_start.STARTS}, interleaved. Headrace
as built by `sam build`; the naive handlers ([naive/](naive)) on the same versions of the packages, as installed.

{starts}

## Bundle

Each function as built by `make build` for python3.13 on arm64.

{artifacts}

## Write units

The units that a job of 1 KB consumes, as charged by MiniStack, which follows DynamoDB's rules
(`ReturnConsumedCapacity=INDEXES`). Claim and finish are the worker's only calls to the database.

{units}

## Repository

A job of 1 KB is created, claimed and finished on MiniStack: through the repository, transitions included, and by the
same three conditional writes on a bare client; {repository.CONCURRENCY} concurrently, {repository.ROUNDS} rounds.

{overhead}

## Throughput

Jobs per second on one MiniStack, the contenders in turn, {throughput.ROUNDS} rounds; a ratio is the median of the
rounds' ratios, with their range. *Drained*: from the stream to the stored result, `csv.profile` of a document of
`examples/data`. Headrace is the local stack's event source mapping and its four worker processes; the bare loop is one
process that does no more than read the stream with aiobotocore, claim, run and finish, {contenders.LANES} jobs
concurrently; the tutorial's worker is a sequential stream handler on boto3's resource with Lambda's defaults.
*Submitted*: API Gateway events to eight warm environments, {contenders.SUBMITTERS} concurrently. *CPU*: of the
processes, per drained job.

{rates}

How the time of a drained job is spent, and what was tried: [decision 011](../docs/decisions/011-worker-efficiency.md).

## API

A warm submission through the Lambda handler, from event to response; the database is a fake that returns at once. The
bare route is FastAPI on Mangum, which validates the same body and returns the same view.

{call}

## Scale

Calls and capacity units of the operations, with a growing number of jobs in one table on MiniStack. Half of the jobs
belong to the calling owner; half have ended, half are scheduled. A page is a query of the index and one batch read;
MiniStack reports no units for the latter, so they are computed by DynamoDB's rule.

{sizes}

## On time

{on_time.DELAYED:,} jobs delayed by up to {on_time.LONGEST_DELAY} s and {on_time.RETRIED} retries after up to
{on_time.LONGEST_BACKOFF} s, on the local stack with a sweep each minute: how late each started. Then the same with a
recorder that loses one record in ten, whose jobs the sweep starts.

{due}

## A burst

Jobs that fall due in one minute, handed over by the sweeper on MiniStack; and run by the worker, which gets them from
the wake queue.

{handed_over}

## Long jobs beside short ones

On the local stack, whose runner has ten environments and takes ten jobs an invocation here.

{long}

## One tenant's backlog

500 jobs of 0.2 s of one owner, and jobs of another one beside them: without lanes, and with a limit for each owner.

{fair}

## Large documents

A payload in its item, and as a blob in S3, by its size: why documents above 8 KB become blobs.

{spilled}

## Memory of streams

A process that copies a file on S3, by the file's size, and one that profiles a CSV file. What they hold does not grow
with the file.

{streamed}

## Memory

{memory.INVOCATIONS:,} warm invocations of each artifact in one process, on MiniStack: submissions, jobs, sweeps.

{kept}

## Cost

Computed from these units, CPU times and public prices; formula and comparisons are in [docs/cost.md](../docs/cost.md).
"""
    RESULTS.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
