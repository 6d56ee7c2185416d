"""What long jobs in a runner do to each other, and to short jobs in the worker, on the local stack.

`python -m benchmarks.runners`.
"""

import asyncio
import statistics
import time
from collections.abc import Mapping, Sequence
from datetime import datetime

import httpx

from benchmarks.local_stack import clients_of_a_stack
from headrace.authoring.frozen import Frozen
from headrace.emulator.template import LambdaFunction, Stack

LONG, LONG_SECONDS = 50, 60.0
MANY, MANY_SECONDS = 300, 5.0
JOBS_AN_INVOCATION = 10
"""For jobs that mostly wait; with it, the local stack's ten environments run a hundred of them concurrently."""
WINDOW_SECONDS = 1
"""So long an invocation waits until it has them: else the first ones begin with two or three."""
SHORT = 20
"""`csv.profile` jobs, one by one, whose waiting is measured."""
A_TABLE = {"csv": "a,b\n1,x\n"}
SUBMITTERS = 8
RUNNER = "StandardRunnerFunction"


class Runners(Frozen):
    """Seconds."""

    alone: tuple[float, ...]
    """From the submission of each short job to its start, while nothing else runs."""
    beside_long: tuple[float, ...]
    """The same beside `LONG` jobs in the runner."""
    beside_many: tuple[float, ...]
    """The same beside `MANY` jobs in the runner."""
    other_in_worker: tuple[float, ...]
    """The same of another user, beside these."""
    other_in_runner: tuple[float, ...]
    """Of the first job that another user has in the same runner, behind the `MANY`: locally the queue is not fair."""
    many: float
    """From the first submission of the many to the end of the last."""
    ended: int
    """Jobs of the runner that succeeded."""


def resting(stack: Stack) -> Stack:
    """The stack with the job type that waits, and a runner that takes ten of them an invocation."""

    def adapted(function: LambdaFunction) -> LambdaFunction:
        environment = {**function.environment, "BENCHMARK_HANDLER_MODULE": function.handler.rpartition(".")[0]}
        return function.model_copy(update={"handler": "benchmarks.resting.handler", "environment": environment})

    mappings = tuple(
        each.model_copy(update={"batch_size": JOBS_AN_INVOCATION, "maximum_batching_window_in_seconds": WINDOW_SECONDS})
        if each.function == RUNNER
        else each
        for each in stack.queue_mappings
    )
    functions = {name: adapted(each) for name, each in stack.functions.items()}
    return stack.model_copy(update={"functions": functions, "queue_mappings": mappings})


async def measure() -> Runners:
    """One run on a stack of its own: short jobs alone, the many, and short ones beside the long."""
    async with clients_of_a_stack(resting) as (client, other):
        await _waits(client, 2)
        alone = await _waits(client, SHORT)
        began = time.monotonic()
        many = await _submit(client, MANY, MANY_SECONDS)
        ends = asyncio.create_task(_all_ended(client, many, began))
        behind = asyncio.create_task(_waits(other, 1, "benchmark.rest", {"seconds": 0}))
        beside_many, other_in_worker = await asyncio.gather(_waits(client, SHORT), _waits(other, SHORT))
        other_in_runner = await behind
        took, ended = await ends
        long = await _submit(client, LONG, LONG_SECONDS)
        beside_long = await _waits(client, SHORT)
        _, also_ended = await _all_ended(client, long, began)
    return Runners(
        alone=alone, beside_long=beside_long, beside_many=beside_many, other_in_worker=other_in_worker,
        other_in_runner=other_in_runner, many=took, ended=ended + also_ended,
    )  # fmt: skip


async def _submit(client: httpx.AsyncClient, number: int, seconds: float) -> tuple[str, ...]:
    slots = asyncio.Semaphore(SUBMITTERS)

    async def submit() -> str:
        async with slots:
            body = {"type": "benchmark.rest", "payload": {"seconds": seconds}}
            response = await client.post("/v1/jobs", json=body)
            response.raise_for_status()
            return str(response.json()["id"])

    return tuple(await asyncio.gather(*(submit() for _ in range(number))))


async def _waits(
    client: httpx.AsyncClient, number: int, type: str = "csv.profile", payload: Mapping[str, object] = A_TABLE
) -> tuple[float, ...]:
    """Submit short jobs one after another; how long each waited for its start."""
    found = []
    for _ in range(number):
        body = {"type": type, "payload": payload}
        response = await client.post("/v1/jobs", json=body)
        response.raise_for_status()
        job = await _ended(client, response.json()["id"])
        started = datetime.fromisoformat(job["started_at"])
        found.append((started - datetime.fromisoformat(job["created_at"])).total_seconds())
        await asyncio.sleep(0.1)
    return tuple(found)


async def _all_ended(client: httpx.AsyncClient, ids: Sequence[str], began: float) -> tuple[float, int]:
    """Seconds until all have ended, and how many succeeded."""
    ended = 0
    for job_id in ids:
        ended += (await _ended(client, job_id))["status"] == "succeeded"
    return time.monotonic() - began, ended


async def _ended(client: httpx.AsyncClient, job_id: str) -> dict[str, str]:
    while True:
        answer = await client.get(f"/v1/jobs/{job_id}", headers={"Prefer": "wait=20"})
        job: dict[str, str] = answer.json()
        if job["status"] in {"succeeded", "failed", "cancelled"}:
            return job


def table(found: Runners) -> str:
    """The results as tables of Markdown."""
    rows = "\n".join(
        f"| {name} | {statistics.median(waits):.2f} | {max(waits):.2f} |"
        for name, waits in (
            ("alone", found.alone),
            (f"beside {LONG} of {LONG_SECONDS:.0f} s in the runner", found.beside_long),
            (f"beside {MANY} of {MANY_SECONDS:.0f} s in the runner", found.beside_many),
            ("another user's, beside these", found.other_in_worker),
        )
    )
    return (
        f"{MANY} jobs of {MANY_SECONDS:.0f} s had all ended after {found.many:.1f} s; "
        f"{found.ended} of {MANY + LONG} jobs in the runner succeeded.\n\n"
        f"A job of another user in the same runner, submitted behind the {MANY}, waited"
        f" {max(found.other_in_runner):.1f} s: locally the queue delivers in the order of sending;"
        " on AWS it is fair between owners.\n\n"
        f"| {SHORT} short jobs in the worker | waited, median (s) | longest (s) |\n|---|---|---|\n{rows}"
    )


if __name__ == "__main__":
    print(table(asyncio.run(measure())))
