"""What a payload costs in its item and among the blobs, by its size: write units, requests, dollars, time.

`python -m benchmarks.spill`; docs/cost.md explains the threshold by this table. Times are MiniStack's, in one process,
and good for nothing but a look at the two beside each other.
"""

import asyncio
import os
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks.meter import Meter
from domain.jobs import transitions
from domain.jobs.change import Change
from domain.jobs.documents import Documents
from domain.jobs.job import Job
from domain.jobs.outcomes import Done
from domain.jobs.transitions import IllegalTransition, NewJob
from domain.results import StorageUnavailable
from functions.adapters import job_repository
from functions.runtime import LazyClient, LazyS3, new_id, now
from functions.settings import Settings
from headrace.authoring.frozen import Frozen
from headrace.authoring.job_type import Policy
from headrace.authoring.json_text import JsonText
from headrace.emulator.database import embedded_database, local_credentials
from headrace.emulator.tables import ensure_buckets, ensure_tables
from headrace.emulator.template import load_stack
from persistence.converters.attributes import MAX_ITEM_BYTES
from persistence.dynamodb.repositories.job_repository import DynamoJobRepository
from persistence.s3.blob_store import S3BlobStore

KB = 1024
SIZES = (1 * KB, 4 * KB, 8 * KB, 16 * KB, 64 * KB, 256 * KB, 1024 * KB, 4096 * KB)
ROUNDS = 15
UNIT, PUT, GET = 0.625, 5.0, 0.4
"""Dollars a million, us-east-1: a write unit on demand; a PUT and a GET of S3 Standard."""
PARAMETERS = {"JwtIssuer": "https://issuer.test", "JwtAudience": "headrace", "CursorKey": "0" * 64}


class Cost(Frozen):
    """One job with a payload of this size, submitted, claimed and finished."""

    units: float
    submit_ms: float
    start_ms: float
    """Loading what a handler needs, and the claim."""


class Row(Frozen):
    """A size, in its item (where it fits) and among the blobs."""

    size: int
    inline: Cost | None
    spilled: Cost


async def measure() -> tuple[Row, ...]:
    """Measure every size on MiniStack."""
    os.environ.update(local_credentials())
    stack = load_stack(PARAMETERS)
    with tempfile.TemporaryDirectory() as folder:
        async with embedded_database(None, Path(folder) / "database.log") as database:
            tables, s3 = LazyClient(database.url), LazyS3(database.url)
            await ensure_tables(await tables(), tuple(stack.tables.values()))
            await ensure_buckets(await s3(), stack.buckets)
            meter = Meter(await tables())
            jobs = job_repository(Settings(jobs_table="JobsTable", endpoint_url=database.url), tables)
            blobs = Documents(S3BlobStore(s3, stack.buckets[0]), spill_bytes=0)
            rows = [
                Row(
                    size=size,
                    inline=await _cost(meter, jobs, Documents(), size) if size < MAX_ITEM_BYTES * 0.9 else None,
                    spilled=await _cost(meter, jobs, blobs, size),
                )
                for size in SIZES
            ]
            await tables.close()
            await s3.close()
    return tuple(rows)


async def _cost(meter: Meter, jobs: DynamoJobRepository, documents: Documents, size: int) -> Cost:
    text = JsonText(f'"{"x" * (size - 2)}"')
    submits, starts = [], []

    async def once() -> None:
        began = time.perf_counter()
        job_id = new_id()
        kept = await documents.keep(job_id, "payload", new_id, text)
        if isinstance(kept, StorageUnavailable):
            raise TypeError(kept)
        new = NewJob(id=job_id, owner_id="owner", type="bench.spill", payload=kept, max_attempts=3)
        job = transitions.submit(new, Policy(), now()).job
        await jobs.add(Change(job), now())
        submits.append(time.perf_counter() - began)
        began = time.perf_counter()
        await documents.with_payload(job)
        running = _legal(transitions.claim(job, Policy(), "token", now() + Policy().timeout, now()))
        await jobs.replace(Change(running), job.version)
        starts.append(time.perf_counter() - began)
        done = _legal(transitions.finish(running, Policy(), "token", Done(result=JsonText("{}")), now(), 0.5))
        await jobs.replace(Change(done), running.version)

    await once()
    cost = await meter.cost_of(once())
    for _ in range(ROUNDS):
        await once()
    return Cost(
        units=cost.writes, submit_ms=statistics.median(submits) * 1000, start_ms=statistics.median(starts) * 1000
    )


def _legal(moved: Change | IllegalTransition) -> Job:
    if isinstance(moved, IllegalTransition):
        raise TypeError(moved.action)
    return moved.job


def table(rows: tuple[Row, ...]) -> str:
    """Format the results as a Markdown table."""
    return "\n".join((
        "| payload | units | $ a million | submit, start (ms) | units, as a blob | $ a million | submit, start (ms) |",
        "|---|---|---|---|---|---|---|",
        *(f"| {row.size // KB} KB | {_cells(row.inline, 0)} | {_cells(row.spilled, PUT + GET)} |" for row in rows),
    ))  # fmt: skip


def _cells(cost: Cost | None, requests: float) -> str:
    if cost is None:
        return "- | - | -"
    return f"{cost.units:.0f} | {cost.units * UNIT + requests:.2f} | {cost.submit_ms:.1f}, {cost.start_ms:.1f}"


if __name__ == "__main__":
    print(table(asyncio.run(measure())))
