"""The simulator against the local stack, where both can run: jobs that wait, in worker and runner.

`python -m benchmarks.scaling.local_check` runs it (a minute) and writes `local_check.json`, which docs/scale.md shows.
The local stack's own rules and times stand in for AWS's; they are measured on single jobs first.
"""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from random import Random
from typing import Final

import httpx

from benchmarks.local_stack import client_of_a_stack
from benchmarks.runners import resting
from benchmarks.scaling.lanes import Arrival, Delivery, waits
from headrace.authoring.frozen import Frozen
from headrace.emulator.background import EMBEDDED_POLL_SECONDS, MAX_RUNNER_CONCURRENCY, MAX_WORKER_CONCURRENCY
from headrace.emulator.cloudformation import ROOT
from headrace.emulator.event_source_mapping import LANE_POLL_SECONDS
from headrace.emulator.template import Stack

FOUND = ROOT / "benchmarks" / "scaling" / "local_check.json"
ALONE: Final = 5
LANES: Final = 10
"""MiniStack's streams have one shard."""


class Case(Frozen):
    """Jobs that are submitted at an even pace."""

    name: str
    type: str
    jobs: int
    rate: float
    """Submitted, jobs a second."""
    seconds: float
    """The length of each."""


CASES = (
    Case(name="worker, at ease", type="benchmark.nap", jobs=60, rate=6, seconds=0.1),
    Case(name="worker, too many lanes for four environments", type="benchmark.nap", jobs=100, rate=20, seconds=0.5),
    Case(name="runner, one job an invocation, overloaded", type="benchmark.rest", jobs=100, rate=20, seconds=1.0),
)


class Seen(Frozen):
    """Of a case, measured or simulated."""

    throughput: float
    """Jobs a second, from the first submission to the last start."""
    p50: float
    p99: float


class Compared(Frozen):
    """A case on both."""

    case: Case
    stack: Seen
    simulator: Seen


class Found(Frozen):
    """The results, and when."""

    day: str
    cases: tuple[Compared, ...]


class _Job(Frozen):
    submitted: float
    waited: float


async def measure() -> Found:
    """One run of each case, on one stack."""
    async with _stack() as client:
        compared = []
        for case in CASES:
            lone = [(await _run(client, case.model_copy(update={"jobs": 1})))[0].waited for _ in range(ALONE)]
            jobs = await _run(client, case)
            compared.append(Compared(case=case, stack=_seen(jobs), simulator=_simulated(case, jobs, lone)))
    return Found(day=f"{datetime.now(UTC):%Y-%m-%d}", cases=tuple(compared))


def _simulated(case: Case, jobs: Sequence[_Job], lone: Sequence[float]) -> Seen:
    """The same submissions by `lanes.py`, under the local stack's rules."""
    worker = case.type == "benchmark.nap"
    poll = EMBEDDED_POLL_SECONDS + LANE_POLL_SECONDS
    quickest = min(lone)
    delivery = Delivery(
        # A queue has no lanes: any invocation takes any message.
        lanes=LANES if worker else 10**6,
        environments=MAX_WORKER_CONCURRENCY if worker else MAX_RUNNER_CONCURRENCY,
        batch=10 if worker else 1,
        poll=poll if worker else EMBEDDED_POLL_SECONDS,
        lag=quickest / 2,
        invoke=quickest / 4,
        call=quickest / 8,
    )
    arrivals = tuple(Arrival(at=job.submitted, seconds=case.seconds) for job in jobs)
    waited = waits(arrivals, delivery, Random(1))  # noqa: S311 - a benchmark
    return _seen([_Job(submitted=job.submitted, waited=wait) for job, wait in zip(jobs, waited, strict=True)])


def _seen(jobs: Sequence[_Job]) -> Seen:
    waited = sorted(job.waited for job in jobs)
    last = max(job.submitted + job.waited for job in jobs)
    return Seen(
        throughput=len(jobs) / (last - min(job.submitted for job in jobs)),
        p50=statistics.median(waited),
        p99=waited[int(0.99 * len(waited))],
    )


@asynccontextmanager
async def _stack() -> AsyncIterator[httpx.AsyncClient]:
    async with client_of_a_stack(_one_by_one) as client:
        for case in CASES[1:]:  # starts all environments, which begin one after the other
            await _run(client, case.model_copy(update={"jobs": 60, "rate": 20, "seconds": 3.0}))
        yield client


def _one_by_one(stack: Stack) -> Stack:
    adapted = resting(stack)
    mappings = tuple(
        each.model_copy(update={"batch_size": 1, "maximum_batching_window_in_seconds": 0})
        for each in adapted.queue_mappings
    )
    return adapted.model_copy(update={"queue_mappings": mappings})


async def _run(client: httpx.AsyncClient, case: Case) -> tuple[_Job, ...]:
    began = time.monotonic()

    async def one(place: int) -> _Job:
        await asyncio.sleep(max(0.0, began + place / case.rate - time.monotonic()))
        response = await client.post("/v1/jobs", json={"type": case.type, "payload": {"seconds": case.seconds}})
        response.raise_for_status()
        created = datetime.fromisoformat(response.json()["created_at"])
        # No one looks before the end: long polls of a hundred jobs would be a load of their own.
        await asyncio.sleep(case.jobs / case.rate)
        while True:
            job = (await client.get(f"/v1/jobs/{response.json()['id']}")).json()
            if job["status"] == "succeeded":
                break
            await asyncio.sleep(1)
        started = datetime.fromisoformat(job["started_at"])
        return _Job(submitted=created.timestamp(), waited=(started - created).total_seconds())

    return tuple(await asyncio.gather(*(one(place) for place in range(case.jobs))))


if __name__ == "__main__":
    found = asyncio.run(measure())
    FOUND.write_text(found.model_dump_json(indent=2) + "\n")
    print(found.model_dump_json(indent=2))
