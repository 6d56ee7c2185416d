"""Jobs of many minutes in the standard runner, on the local stack, with the sweep each minute.

`python -m tests.reliability.long_jobs SPEED MINUTES`: with a clock that is `SPEED` times as fast, or really (1).
"""

import asyncio
import os
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx

from headrace.authoring.frozen import Frozen
from headrace.emulator.database import local_credentials
from headrace.emulator.directory import LOCAL_ADMIN, ensure_local_admin
from headrace.emulator.stack import Options, running_stack
from headrace.emulator.state import Folder
from headrace.emulator.template import LambdaFunction, Stack
from headrace.emulator.tokens import local_authority
from tests.reliability.history import Violation

SWEEP_SECONDS = 60
OVERLONG_MINUTES = 16
"""What no invocation can run: such a job's attempt is stopped at its type's timeout."""
FINAL = {"succeeded", "failed", "cancelled"}


class LongJobs(Frozen):
    """One run."""

    speed: float
    minutes: float
    """That the job ran, by its own clock."""
    sweeps: int
    """About so many, while it ran."""
    stopped_after: float | None
    """Minutes after which a job that would not end was stopped; None when there was none."""


def sped_up(stack: Stack, speed: float) -> Stack:
    """The template's stack with the functions of `fast_functions.py`, whose time limits are as much shorter."""
    began = str(time.time())

    def fast(function: LambdaFunction) -> LambdaFunction:
        environment = {
            **function.environment,
            "RELIABILITY_SPEED": str(speed),
            "RELIABILITY_BEGAN": began,
            "RELIABILITY_HANDLER": function.handler.rpartition(".")[0],
        }
        handler = "tests.reliability.fast_functions.handler"
        # Those that answer at once keep a time in which a busy machine can start them.
        timeout = max(function.timeout / speed, 10)
        return function.model_copy(update={"handler": handler, "environment": environment, "timeout": timeout})

    return stack.model_copy(update={"functions": {name: fast(each) for name, each in stack.functions.items()}})


async def endure(speed: float, minutes: float) -> LongJobs:
    """Run a job of so many minutes and, at a higher speed, one that is too long; raises `Violation`."""
    with tempfile.TemporaryDirectory(prefix="headrace-long-") as temporary:
        folder = Folder(Path(temporary))
        options = Options(port=0, log_level="WARNING", sweep_seconds=SWEEP_SECONDS / speed)
        async with running_stack(folder, options, lambda stack: sped_up(stack, speed)) as running:
            await ensure_local_admin(folder, running.endpoint_url)
            # The functions' clock runs ahead.
            token = local_authority(folder).mint(LOCAL_ADMIN, datetime.now(UTC), timedelta(hours=12))
            headers = {"authorization": f"Bearer {token}"}
            async with httpx.AsyncClient(base_url=running.url, headers=headers, timeout=60) as client:
                ids = [await _submitted(client, minutes)]
                ids += [await _submitted(client, OVERLONG_MINUTES)] if speed > 1 else []
                jobs = [await _ended(client, each) for each in ids]
    return _checked(speed, minutes, *jobs)


async def _submitted(client: httpx.AsyncClient, minutes: float) -> str:
    response = await client.post("/v1/jobs", json={"type": "test.rest", "payload": {"seconds": minutes * 60}})
    response.raise_for_status()
    return str(response.json()["id"])


async def _ended(client: httpx.AsyncClient, job_id: str) -> dict[str, object]:
    while True:
        job: dict[str, object] = (await client.get(f"/v1/jobs/{job_id}")).json()
        if job["status"] in FINAL:
            return job
        await asyncio.sleep(1)


def _checked(
    speed: float, minutes: float, job: dict[str, object], overlong: dict[str, object] | None = None
) -> LongJobs:
    ran = _minutes(job)
    if (job["status"], job["attempt"]) != ("succeeded", 1) or ran < minutes:
        raise Violation(f"I1: a job of {minutes} minutes: {job}")
    error = None if overlong is None else overlong["error"]
    if overlong is not None and (not isinstance(error, dict) or error["code"] != "timeout"):
        raise Violation(f"I1: a job of {OVERLONG_MINUTES} minutes: {overlong}")
    stopped = None if overlong is None else _minutes(overlong)
    return LongJobs(speed=speed, minutes=ran, sweeps=int(ran * 60 / SWEEP_SECONDS), stopped_after=stopped)


def _minutes(job: dict[str, object]) -> float:
    began, ended = (datetime.fromisoformat(str(job[name])) for name in ("started_at", "finished_at"))
    return (ended - began) / timedelta(minutes=1)


if __name__ == "__main__":
    os.environ.update(local_credentials())
    print(asyncio.run(endure(float(sys.argv[1]), float(sys.argv[2]))).model_dump_json())
