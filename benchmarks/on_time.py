"""How late delayed jobs and retries start on the local stack, with a sweep each minute.

`python -m benchmarks.on_time [DELAYED RETRIED]`; without numbers, a thousand and two hundred.
"""

import asyncio
import random
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

import httpx
from aiohttp import web

from benchmarks.local_stack import client_of_a_stack
from headrace.authoring.frozen import Frozen
from headrace.emulator.template import Stack
from tests.serving import serving

DELAYED, RETRIED = 1000, 200
LONGEST_DELAY, LONGEST_BACKOFF = 90, 20
"""Seconds."""
SUBMITTERS = 8
PATIENCE = 180
"""Seconds after the last job was due."""
FINAL = {"succeeded", "failed", "cancelled"}


class Lateness(Frozen):
    """Of one run, in seconds."""

    jobs: int
    p50: float
    p99: float
    latest: float
    early: int
    """Jobs that started before their time."""
    unfinished: int
    """Jobs that had not succeeded in the end."""


def lossy(stack: Stack) -> Stack:
    """The stack with a recorder that loses one record in ten."""
    recorder = stack.functions["RecorderFunction"].model_copy(update={"handler": "benchmarks.lossy_recorder.handler"})
    return stack.model_copy(update={"functions": {**stack.functions, "RecorderFunction": recorder}})


async def measure(
    delayed: int = DELAYED, retried: int = RETRIED, adapt: Callable[[Stack], Stack] = lambda stack: stack
) -> Lateness:
    """Submit the jobs to a stack of its own, and see when each started."""
    with serving(_busy_at_first()) as receiver:
        async with client_of_a_stack(adapt, receiver.removeprefix("http://")) as client:
            return await _run(client, receiver, delayed, retried)


def _busy_at_first() -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """A server that answers each first request with 503, and when to come again."""
    seen: set[str] = set()

    async def handle(request: web.Request) -> web.Response:
        key = request.headers["Idempotency-Key"]
        if key in seen:
            return web.Response(text="received")
        seen.add(key)
        return web.Response(status=503, headers={"Retry-After": request.query["after"]})

    return handle


async def _run(client: httpx.AsyncClient, receiver: str, delayed: int, retried: int) -> Lateness:
    seeded = random.Random(1)  # noqa: S311 - it shuffles, and is the same each time
    backoffs = [seeded.randint(1, LONGEST_BACKOFF) for _ in range(retried)]
    delays = [seeded.uniform(1, LONGEST_DELAY) for _ in range(delayed)]
    # Each delay begins with its submission: a busy machine takes seconds for all of them.
    bodies = [partial(_delivery, receiver, seconds) for seconds in backoffs]
    bodies += [partial(_profile, timedelta(seconds=seconds)) for seconds in delays]
    seeded.shuffle(bodies)
    slots = asyncio.Semaphore(SUBMITTERS)

    async def submit(body: Callable[[], dict[str, object]]) -> str:
        async with slots:
            response = await client.post("/v1/jobs", json=body())
            response.raise_for_status()
            return str(response.json()["id"])

    ids = await asyncio.gather(*map(submit, bodies))
    ends = time.monotonic() + LONGEST_DELAY + PATIENCE
    jobs = [await _ended(client, id, ends) for id in ids]
    return _lateness(jobs)


def _profile(delay: timedelta) -> dict[str, object]:
    moment = (datetime.now(UTC) + delay).isoformat()
    return {"type": "csv.profile", "payload": {"csv": "a,b\n1,x\n"}, "run_at": moment, "tags": {"due": moment}}


def _delivery(receiver: str, after: int) -> dict[str, object]:
    payload = {"method": "POST", "url": f"{receiver}/?after={after}"}
    return {"type": "http.request", "payload": payload, "tags": {"after": str(after)}}


async def _ended(client: httpx.AsyncClient, job_id: str, ends: float) -> dict[str, object]:
    while True:
        response = await client.get(f"/v1/jobs/{job_id}")
        job: dict[str, object] = response.json()
        if job["status"] in FINAL or time.monotonic() > ends:
            return job
        await asyncio.sleep(0.5)


def _lateness(jobs: Sequence[dict[str, object]]) -> Lateness:
    late = sorted(seconds for job in jobs if (seconds := _late_seconds(job)) is not None)
    return Lateness(
        jobs=len(jobs),
        p50=late[len(late) // 2],
        p99=late[len(late) * 99 // 100],
        latest=late[-1],
        early=sum(seconds < 0 for seconds in late),
        unfinished=sum(job["status"] != "succeeded" for job in jobs),
    )


def _late_seconds(job: dict[str, object]) -> float | None:
    """From the time of the job, or of its retry, to the start of its last attempt."""
    history, tags = job["history"], job["tags"]
    if not isinstance(history, list) or not isinstance(tags, dict):
        raise TypeError("not a job")
    started = [datetime.fromisoformat(entry["at"]) for entry in history if entry["status"] == "running"]
    if "due" in tags:
        return (started[-1] - datetime.fromisoformat(tags["due"])).total_seconds() if started else None
    failed = [datetime.fromisoformat(entry["at"]) for entry in history if entry["status"] == "retrying"]
    due = [at + timedelta(seconds=int(tags["after"])) for at in failed]
    return (started[-1] - due[-1]).total_seconds() if len(started) > len(due) > 0 else None


def table(honest: Lateness, losing: Lateness) -> str:
    """The two runs as a table of Markdown."""
    rows = "\n".join(
        f"| {name} | {run.jobs} | {run.p50:.2f} | {run.p99:.2f} | {run.latest:.2f} | {run.early} | {run.unfinished} |"
        for name, run in (("all messages", honest), ("one message in ten lost", losing))
    )
    return f"| | jobs | p50 (s) | p99 (s) | latest (s) | early | not ended |\n|---|---|---|---|---|---|---|\n{rows}"


if __name__ == "__main__":
    delayed, retried = map(int, sys.argv[1:]) if sys.argv[1:] else (DELAYED, RETRIED)
    print(table(asyncio.run(measure(delayed, retried)), asyncio.run(measure(delayed, retried, lossy))))
