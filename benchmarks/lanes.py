"""Lanes on the local stack: what one tenant's backlog costs another, and a lane of three whose workers are killed.

`python -m benchmarks.lanes [fairness JOBS SECONDS LIMIT | kills JOBS]`; without arguments all, at full size.

Jobs of 0.2 s are limited by the CPUs, which the database shares with the functions; those of 2 s only by the number of
environments, which is the same with and without lanes.
"""

import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, chdir
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path

import httpx

from benchmarks.throughput import PROCESSES, cpu_seconds
from headrace.authoring.frozen import Frozen
from headrace.emulator.cloudformation import ROOT
from headrace.emulator.directory import LOCAL_ADMIN, ensure_local_admin
from headrace.emulator.stack import Options, running_stack
from headrace.emulator.state import Folder
from headrace.emulator.template import Stack
from headrace.emulator.tokens import local_authority

JOBS, LONG_JOBS, KILLED_JOBS = 2000, 400, 5000
SHORT, LONG = 0.2, 2.0
"""Seconds of a job."""
OWNER_CONCURRENCY = 80
BATCH, TRIES = 25, 5
UNAVAILABLE = 503
"""The status of a job that was not stored, as the store was too busy: tried again."""
PROBES = 20
DIES = 0.005
PATIENCE = 1800
FINAL = {"succeeded", "failed", "cancelled"}
OTHER = "other@example.com"


class Fairness(Frozen):
    """One tenant's backlog, with and without lanes."""

    owner_concurrency: int
    jobs: int
    seconds: float
    """Of each."""
    cpu: dict[str, float]
    """CPU milliseconds per job, by process."""
    a_second: float
    """Of the backlog's jobs, from the first submission to the last end."""
    waits: tuple[float, ...]
    """Of the other tenant's jobs, in seconds from submission to start."""
    returns: int
    """How often a job of the backlog came back from a worker into the line."""


class Killed(Frozen):
    """A lane of three whose processes are killed."""

    jobs: int
    succeeded: int
    kills: int
    at_once: int
    """The most handlers that ran at once, by their own ledger."""
    seconds: float


def limited(owner_concurrency: int, stack: Stack) -> Stack:
    """The stack with this limit for each owner."""
    chosen = {"OWNER_CONCURRENCY": str(owner_concurrency)}
    functions = {
        name: each.model_copy(update={"environment": {**each.environment, **chosen}})
        for name, each in stack.functions.items()
    }
    return stack.model_copy(update={"functions": functions})


Tenants = tuple[httpx.AsyncClient, httpx.AsyncClient]


@asynccontextmanager
async def running(owner_concurrency: int, sweep_seconds: float) -> AsyncIterator[Tenants]:
    """A stack with the job types of this benchmark, and clients of two tenants."""
    os.environ["JOB_TYPES"] = "lane_jobs"
    with tempfile.TemporaryDirectory() as temporary, chdir(ROOT / "benchmarks"):
        folder = Folder(Path(temporary))
        options = Options(port=0, log_level="WARNING", sweep_seconds=sweep_seconds)
        async with running_stack(folder, options, partial(limited, owner_concurrency)) as stack:
            await ensure_local_admin(folder, stack.endpoint_url)
            async with _client(stack.url, folder, LOCAL_ADMIN) as one, _client(stack.url, folder, OTHER) as other:
                created = await one.post("/v1/users", json={"email": OTHER, "name": "Other"})
                created.raise_for_status()
                yield one, other


def _client(url: str, folder: Folder, email: str) -> httpx.AsyncClient:
    token = local_authority(folder).mint(email, datetime.now(UTC), timedelta(hours=2))
    return httpx.AsyncClient(base_url=url, headers={"authorization": f"Bearer {token}"}, timeout=60)


async def fairness(jobs: int, seconds: float, owner_concurrency: int) -> Fairness:
    """One tenant submits `jobs` of some seconds; meanwhile another submits jobs of 10 ms, one after the other."""
    async with running(owner_concurrency, 60) as (one, other):
        warm = await one.post("/v1/jobs", json={"type": "lanes.free", "payload": {"seconds": 0}})
        await _ended(one, str(warm.json()["id"]))
        begun, before = time.monotonic(), cpu_seconds()
        submitting = asyncio.create_task(submit_all(one, jobs, "lanes.free", {"seconds": seconds}))
        waits: list[float] = []
        for _ in range(PROBES):
            await asyncio.sleep(0.5)
            probe = await other.post("/v1/jobs", json={"type": "lanes.free", "payload": {"seconds": 0.01}})
            waits.append(_waited(await _ended(other, str(probe.json()["id"]))))
        found = [await _ended(one, id, waits=False) for id in reversed(await submitting)]
        after = cpu_seconds()
        last = max(datetime.fromisoformat(str(job["finished_at"])) for job in found)
        took = (last - datetime.now(UTC)).total_seconds() + time.monotonic() - begun
    returned = sum(_returns(job) for job in found)
    return Fairness(
        owner_concurrency=owner_concurrency,
        jobs=jobs,
        seconds=seconds,
        cpu={name: (after[name] - before[name]) / jobs * 1000 for name in PROCESSES},
        a_second=jobs / took,
        waits=tuple(waits),
        returns=returned,
    )


async def kills(jobs: int) -> Killed:
    """A lane of three, whose handlers kill their process now and then."""
    async with running(0, 5) as (one, _):
        ledger = Path(tempfile.mkdtemp()) / "ledger"
        begun = time.monotonic()
        payload = {"seconds": 0.05, "dies": DIES, "ledger": str(ledger)}
        ids = await submit_all(one, jobs, "lanes.three", payload)
        found = [await _ended(one, id, waits=False) for id in ids]
        seconds = time.monotonic() - begun
    lines = [line.split() for line in ledger.read_text().splitlines()]
    return Killed(
        jobs=jobs,
        succeeded=sum(job["status"] == "succeeded" for job in found),
        kills=sum(what == "kill" for _, what, _, _ in lines),
        at_once=most_at_once(lines),
        seconds=seconds,
    )


def most_at_once(lines: Sequence[Sequence[str]]) -> int:
    """The most handlers that ran at one time; a killed process takes all of its handlers with it."""
    active, most = set[tuple[str, str]](), 0
    for _, what, process, job in sorted(lines, key=lambda line: float(line[0])):
        if what == "start":
            active.add((process, job))
        elif what == "end":
            active.discard((process, job))
        else:
            active = {each for each in active if each[0] != process}
        most = max(most, len(active))
    return most


async def submit_all(client: httpx.AsyncClient, jobs: int, type: str, payload: dict[str, object]) -> list[str]:
    """Submit in batches, four at once."""
    slots, ids = asyncio.Semaphore(4), list[str]()

    async def batch(size: int) -> None:
        async with slots:
            for _ in range(TRIES):
                answer = await client.post("/v1/jobs/batch", json={"jobs": [{"type": type, "payload": payload}] * size})
                answer.raise_for_status()
                results = answer.json()["results"]
                refused = [each for each in results if each["job"] is None]
                ids.extend(str(each["job"]["id"]) for each in results if each["job"])
                if any(each["status"] != UNAVAILABLE for each in refused):
                    raise RuntimeError(refused)
                size = len(refused)
                if not size:
                    return
            raise RuntimeError(refused)

    await asyncio.gather(*(batch(min(BATCH, jobs - begin)) for begin in range(0, jobs, BATCH)))
    return ids


async def _ended(client: httpx.AsyncClient, job_id: str, *, waits: bool = True) -> dict[str, object]:
    ends = time.monotonic() + PATIENCE
    headers = {"prefer": "wait=5"} if waits else {}
    while True:
        answer = await client.get(f"/v1/jobs/{job_id}", headers=headers)
        job: dict[str, object] = answer.json()
        if job.get("status") in FINAL or time.monotonic() > ends:
            return job
        await asyncio.sleep(0 if waits else 1)


def _waited(job: dict[str, object]) -> float:
    started, created = (datetime.fromisoformat(str(job[name])) for name in ("started_at", "created_at"))
    return (started - created).total_seconds()


def _returns(job: dict[str, object]) -> int:
    history = job["history"]
    statuses = [entry["status"] for entry in history] if isinstance(history, list) else []
    return sum(one == "queued" and two == "blocked" for one, two in pairwise(statuses))


def table(runs: Sequence[Fairness]) -> str:
    """The runs as a table of Markdown."""
    rows = "\n".join(
        f"| {run.owner_concurrency or 'none'} | {run.jobs} of {run.seconds:g} s | {run.a_second:.1f} |"
        f" {statistics.median(run.waits):.2f} | {max(run.waits):.2f} | {run.returns} |"
        f" {', '.join(f'{run.cpu[name]:.1f}' for name in PROCESSES)} |"
        for run in runs
    )
    head = "| OwnerConcurrency | jobs | jobs/s | the other waits, median (s) | most (s) | came back | CPU ms a job |"
    return f"{head}\n|---|---|---|---|---|---|---|\n{rows}\nCPU: {', '.join(PROCESSES)}."


async def main(arguments: Sequence[str]) -> None:
    """Run what the arguments name."""
    match arguments:
        case ["fairness", jobs, seconds, limit]:
            print(table([await fairness(int(jobs), float(seconds), each) for each in (0, int(limit))]))
        case ["kills", jobs]:
            print(await kills(int(jobs)))
        case _:
            cases = ((JOBS, SHORT), (LONG_JOBS, LONG))
            print(table([await fairness(*case, each) for case in cases for each in (0, OWNER_CONCURRENCY)]))
            print(await kills(KILLED_JOBS))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
