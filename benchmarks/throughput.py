"""Measures jobs per second of Headrace's worker, a bare client loop and the tutorial's functions, on one server."""

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Awaitable
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import cast

import aioboto3
from aws_lambda_powertools.utilities.data_classes.dynamo_db_stream_event import DynamoDBRecord
from pydantic import JsonValue

from benchmarks.cold_start import PARAMETERS, sample
from benchmarks.contenders import (
    BARE_CONFIG,
    TUTORIAL_MAPPING,
    TUTORIAL_TABLE,
    Bench,
    bare_loop,
    fill,
    fill_tutorial,
    many,
    through,
    tutorial_function,
)
from benchmarks.meter import Meter
from benchmarks.scale import costs
from functions.adapters import job_listing, job_repository, stream_positions, user_repository
from functions.runtime import LazyClient
from headrace.authoring.frozen import Frozen
from headrace.emulator.background import MAX_API_CONCURRENCY
from headrace.emulator.cloudformation import ROOT
from headrace.emulator.database import embedded_database, local_credentials
from headrace.emulator.execution_environment import Returned
from headrace.emulator.function_pool import FunctionPool
from headrace.emulator.stack import api_settings, settings
from headrace.emulator.template import load_stack
from scripts.generate import sample_user, stream_record

ROUNDS = 9
DOCUMENTS = {"iowa-electricity.csv": 1500, "us-employment.csv": 500}
"""The document of each job, and the number of jobs: 1.5 KB with 0.2 ms of work, 18 KB with 3 ms."""
SUBMISSIONS = 600
WORKERS = 4
"""Worker processes. The template permits ten, but the benchmark has two CPUs, and published results use four."""
PROCESSES = ("database", "functions", "this")
"""`this` runs the bare loop or the event source mapping."""
EFFICIENCY_TARGET = 0.8
TUTORIAL_TARGET = 2.0


class Drained(Frozen):
    """Jobs per second from the stream to the outcome, per round; the contenders took turns."""

    document: str
    rates: dict[str, tuple[float, ...]]
    cpu: dict[str, float]
    """Median CPU milliseconds per job, by contender and process."""

    def median(self, contender: str) -> float:
        """Jobs per second of the median round."""
        return statistics.median(self.rates[contender])

    def against(self, other: str) -> str:
        """Headrace's rate divided by another contender's: the median of the rounds' ratios, and their range."""
        pairs = zip(self.rates["headrace"], self.rates[other], strict=True)
        ratios = [ours / theirs for ours, theirs in pairs]
        return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


class Run(Frozen):
    """One round of one contender."""

    rate: float
    """Jobs per second."""
    cpu: dict[str, float]
    """CPU milliseconds per job, by process."""


class Throughput(Frozen):
    """The results of all measurements."""

    drained: tuple[Drained, ...]
    submitted: float
    """Submissions per second."""
    submitted_tutorial: float
    units: float
    """Write units of one job from submission to result, indexes included."""
    units_tutorial: float

    @property
    def multiple(self) -> float:
        """Headrace's submissions per second divided by the tutorial's."""
        return self.submitted / self.submitted_tutorial


async def measure() -> Throughput:
    """Measure all on one MiniStack; the contenders take turns, so that load on the machine affects all alike."""
    os.environ.update(local_credentials())
    stack = load_stack(PARAMETERS)
    async with AsyncExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory()))
        database = await running.enter_async_context(embedded_database(None, folder / "database.log"))
        session = aioboto3.Session()
        client = await running.enter_async_context(
            session.client("dynamodb", endpoint_url=database.url, config=BARE_CONFIG)
        )
        streams, pumped = [
            await running.enter_async_context(session.client("dynamodbstreams", endpoint_url=database.url))
            for _ in range(2)
        ]
        bench = Bench(stack, database.url, folder, client, streams, pumped)
        drained = [await _drains(bench, document, jobs) for document, jobs in DOCUMENTS.items()]
        submitted, submitted_tutorial = await _submissions(bench)
        units, units_tutorial = await _units(bench)
    return Throughput(
        drained=tuple(drained),
        submitted=submitted,
        submitted_tutorial=submitted_tutorial,
        units=units,
        units_tutorial=units_tutorial,
    )


# ---- from the stream to the outcome -----------------------------------------------------------------------------


async def _drains(bench: Bench, document: str, jobs: int) -> Drained:
    text = (ROOT / "examples" / "data" / document).read_text()
    mapping = bench.stack.mappings[0]
    runs: dict[str, list[Run]] = {"bare": [], "headrace": [], "tutorial": []}
    ours = bench.stack.functions[mapping.function]
    async with (
        bench.pool(ours, WORKERS) as pool,
        bench.pool(tutorial_function(bench, "worker", "benchmarks.naive.profile_worker.handler"), 1) as tutorial,
    ):
        # The first round opens clients and is not counted.
        for number in range(ROUNDS + 1):
            await fill(bench, text, jobs)
            runs["bare"].append(await _timed(bare_loop(bench, jobs), jobs))
            await fill(bench, text, jobs)
            runs["headrace"].append(await _timed(through(bench, mapping, pool, jobs), jobs))
            await fill_tutorial(bench, text, jobs)
            runs["tutorial"].append(await _timed(through(bench, TUTORIAL_MAPPING, tutorial, jobs), jobs))
            rates = ", ".join(f"{name} {found[number].rate:.0f}" for name, found in runs.items())
            print(f"{document}: {rates} jobs/s", flush=True)
    return Drained(
        document=document,
        rates={name: tuple(run.rate for run in found[1:]) for name, found in runs.items()},
        cpu={
            f"{name} {process}": statistics.median(run.cpu[process] for run in found[1:])
            for name, found in runs.items()
            for process in PROCESSES
        },
    )


async def _timed(draining: Awaitable[None], jobs: int) -> Run:
    before, began = cpu_seconds(), time.perf_counter()
    await draining
    seconds, after = time.perf_counter() - began, cpu_seconds()
    return Run(rate=jobs / seconds, cpu={name: (after[name] - before[name]) / jobs * 1000 for name in PROCESSES})


def cpu_seconds() -> dict[str, float]:
    """CPU seconds so far of this process, the database and the functions; the latter two need `/proc`."""
    found = {"this": time.process_time(), "database": 0.0, "functions": 0.0}
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            fields = (process / "stat").read_text().rsplit(")", 1)[1].split()
            if int(fields[1]) == os.getpid():
                kind = "functions" if b"AWS_LAMBDA_RUNTIME_API" in (process / "environ").read_bytes() else "database"
                found[kind] += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return found


# ---- from the request to the table ------------------------------------------------------------------------------


async def _submissions(bench: Bench) -> tuple[float, float]:
    """Submissions per second to both APIs, 16 concurrently, with as many environments as the local stack has."""
    await bench.fresh(*bench.stack.tables.values())
    lazy = LazyClient(bench.url)
    await user_repository(api_settings(bench.stack), lazy).add(sample_user())
    await lazy.close()
    event = sample("api_submit")
    found: dict[str, list[float]] = {"headrace": [], "tutorial": []}
    async with (
        bench.pool(bench.stack.functions["ApiFunction"], MAX_API_CONCURRENCY) as headrace,
        bench.pool(tutorial_function(bench, "api", "benchmarks.naive.api.handler"), MAX_API_CONCURRENCY) as tutorial,
    ):
        for number in range(ROUNDS + 1):
            for name, pool in (("headrace", headrace), ("tutorial", tutorial)):

                async def submit(pool: FunctionPool = pool) -> None:
                    result = await pool.invoke(event)
                    if not isinstance(result, Returned) or cast("dict[str, int]", result.payload)["statusCode"] != 202:  # noqa: PLR2004
                        raise ValueError(f"not accepted: {result}")

                began = time.perf_counter()
                await many(submit, SUBMISSIONS)
                if number > 0:
                    found[name].append(SUBMISSIONS / (time.perf_counter() - began))
    return statistics.median(found["headrace"]), statistics.median(found["tutorial"])


# ---- write units ------------------------------------------------------------------------------------------------


async def _units(bench: Bench) -> tuple[float, float]:
    """Write units of one job from submission to result, indexes included: Headrace's and the tutorial's."""
    await bench.fresh(bench.stack.tables["JobsTable"])
    lazy = LazyClient(bench.url)
    found_settings = settings(bench.stack, bench.url)
    repository = job_repository(found_settings, lazy)
    lists = job_listing(found_settings, PARAMETERS["CursorKey"], lazy)
    positions = stream_positions("StreamPositionsTable", lazy)
    found = await costs(Meter(await lazy()), repository, lists, positions)
    await lazy.close()
    await bench.fresh(TUTORIAL_TABLE)
    os.environ.update(bench.environment)
    # These modules create their clients at import, as tutorials do.
    from benchmarks.naive import api, worker

    request = api.JobRequest(type="csv.profile", payload=api.CsvPayload(csv="city,people\nBergen,291940\n"))
    created = await Meter(api.dynamodb.meta.client).cost_of(asyncio.to_thread(api.create_job, request, "owner"))
    item = (await bench.client.scan(TableName="JobsTable"))["Items"][0]
    record = DynamoDBRecord(stream_record("1", "INSERT", "id", new=cast("dict[str, JsonValue]", item)))
    ran = await Meter(worker.dynamodb.meta.client).cost_of(asyncio.to_thread(worker.record_handler, record))
    return sum(found[name].writes for name in ("submit", "claim", "finish")), created.writes + ran.writes


def table(found: Throughput) -> str:
    """Format the results as Markdown tables."""
    return "\n".join((
        "| jobs per second, medians | Headrace | bare loop | ratio | target | tutorial | multiple | target |",
        "|---|---|---|---|---|---|---|---|",
        *(
            f"| drained, `{each.document}` | {each.median('headrace'):.0f} | {each.median('bare'):.0f} "
            f"| {each.against('bare')} | {EFFICIENCY_TARGET} | {each.median('tutorial'):.0f} "
            f"| {each.against('tutorial')} | {TUTORIAL_TARGET} |"
            for each in found.drained
        ),
        f"| submitted | {found.submitted:.0f} | | | | {found.submitted_tutorial:.0f} | {found.multiple:.1f} | |",
        f"| write units of a job | {found.units:g} | | | 6 | {found.units_tutorial:g} | | |",
        "",
        "| CPU ms per drained job | database | client or mapping | functions | together |",
        "|---|---|---|---|---|",
        *(
            f"| {name}, `{each.document}` | {each.cpu[f'{key} database']:.1f} | {each.cpu[f'{key} this']:.1f} "
            f"| {each.cpu[f'{key} functions']:.1f} | {sum(each.cpu[f'{key} {process}'] for process in PROCESSES):.1f} |"
            for each in found.drained
            for key, name in (("bare", "bare loop"), ("headrace", "Headrace"), ("tutorial", "tutorial"))
        ),
    ))  # fmt: skip


if __name__ == "__main__":
    print(table(asyncio.run(measure())))
