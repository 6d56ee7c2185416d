"""`make soak`: an hour of mixed work at half of the machine's capacity, with a fault a minute; writes docs/soak.md.

`python -m tests.reliability.soak [MINUTES]`; the report is written by a run of at least half an hour. Exits 1 if a job
is lost, memory or descriptors grow, or a line of level ERROR is not explained by a fault.
"""

import asyncio
import os
import platform
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, chdir
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aioboto3
import httpx

from domain.jobs.job import Cancelled, Failed, Job, Succeeded, is_final
from domain.jobs.own_types import WEBHOOK_DELIVER
from domain.schedules.schedule import SCHEDULE_TAG
from headrace.emulator.cloudformation import ROOT
from headrace.emulator.database import free_port, local_credentials
from headrace.emulator.directory import LOCAL_ADMIN, ensure_local_admin
from headrace.emulator.stack import Options, running_stack
from headrace.emulator.state import Folder
from headrace.emulator.tokens import local_authority
from tests.reliability.failing import Database, failing_proxy
from tests.reliability.soak.disturbing import Disturber
from tests.reliability.soak.logs import errors_in
from tests.reliability.soak.result import Soaked, report
from tests.reliability.soak.watching import Watch
from tests.reliability.soak.work import EVERY_MINUTE, TOLD, Submitter
from tests.reliability.webhooks import Receiver
from tests.reliability.witnesses import table_of
from tests.serving import serving

REPORT = ROOT / "docs" / "soak.md"
MINUTES, WRITTEN_FROM = 60.0, 30.0
FAULT_EVERY = 60.0
"""Seconds."""
TRIAL_BATCHES = 40
"""Submitted at once to learn what the machine can do."""
SETTLING = 1500.0
"""Seconds that the last jobs may take: what a fault has cost its trigger is found within 16 minutes."""


class _Stack:
    """The running stack of a soak."""

    def __init__(self, folder: Folder, database: Database, client: httpx.AsyncClient, receiver: Receiver) -> None:
        self.folder = folder
        self.database = database
        self.client = client
        self.receiver = receiver

    async def jobs(self) -> dict[str, Job]:
        """All jobs, read directly from the database."""
        async with aioboto3.Session().client("dynamodb", endpoint_url=self.database.url) as client:
            return await table_of(client)

    async def settled(self, ids: set[str]) -> dict[str, Job]:
        """All jobs, once those of `ids` have ended or patience has."""
        ends = time.monotonic() + SETTLING
        while True:
            jobs = await self.jobs()
            open_ones = [id for id in ids if id not in jobs or not is_final(jobs[id])]
            if not open_ones or time.monotonic() > ends:
                return jobs
            await asyncio.sleep(10)  # it reads the whole table


async def soak(minutes: float, seed: int = 1) -> Soaked:
    """Learn the machine's capacity; then submit at half of it, with faults, and look at what became of everything."""
    async with AsyncExitStack() as running:
        temporary = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="headrace-soak-")))
        running.enter_context(chdir(ROOT / "tests/reliability/soak/project"))
        os.environ["JOB_TYPES"] = "soak_jobs"
        receiver = Receiver(seed)
        url = running.enter_context(serving(receiver.handle))
        database = Database(temporary)
        await database.start()
        running.push_async_callback(database.stop)
        proxy = await running.enter_async_context(failing_proxy(database.url, temporary))
        stack = await running.enter_async_context(_stack(temporary, database, proxy.url, receiver))
        await _prepare(stack, url)
        capacity = await _capacity(stack)
        print(f"capacity: {capacity:.0f} jobs/s", flush=True)
        watch, disturber, submitter = Watch(), Disturber(proxy, seed), Submitter(stack.client)
        watching = asyncio.create_task(watch.run())
        began, seconds = datetime.now(UTC), minutes * 60
        disturbing = asyncio.create_task(disturber.run(FAULT_EVERY, seconds))
        await submitter.at_pace(capacity / 2, seconds)
        await disturbing
        watching.cancel()
        jobs = await stack.settled(submitter.accepted)
        told = await _told(stack, submitter.told)
        ours = [jobs[id] for id in submitter.accepted if id in jobs]
        ends = began + timedelta(seconds=seconds)
        return Soaked(
            minutes=minutes,
            capacity=capacity,
            pace=capacity / 2,
            jobs=len(submitter.accepted),
            ended=dict(Counter(job.status for job in ours)),
            attempts=sum(job.attempt for job in ours),
            ticks=sum(SCHEDULE_TAG in job.tags and began <= job.created_at < ends for job in jobs.values()),
            to_tell=len(submitter.told),
            told=len(told),
            repeated=submitter.repeated,
            kills=disturber.kills,
            faults=tuple(disturber.faults),
            errors=errors_in(stack.folder.logs, disturber.faults),
            trends=watch.trends(seconds),
            machine=f"{os.cpu_count()} CPUs, Python {platform.python_version()}",
        )


async def _told(stack: _Stack, to_tell: set[str]) -> set[str]:
    """The jobs of whose end the receiver has heard, once no delivery is left."""
    while True:
        told = {job for _, job, _, _ in tuple(stack.receiver.accepted)} & to_tell
        deliveries = [job for job in (await stack.jobs()).values() if job.type == WEBHOOK_DELIVER]
        if told == to_tell or all(is_final(job) for job in deliveries):
            return told
        await asyncio.sleep(2)


@asynccontextmanager
async def _stack(temporary: Path, database: Database, proxy: str, receiver: Receiver) -> AsyncIterator[_Stack]:
    folder = Folder(temporary / ".headrace")
    options = Options(
        port=free_port(), endpoint_url=proxy, services_url=proxy, allowed_hosts="127.0.0.1", log_level="WARNING"
    )
    async with running_stack(folder, options) as running:
        await ensure_local_admin(folder, running.endpoint_url)
        token = local_authority(folder).mint(LOCAL_ADMIN, datetime.now(UTC), timedelta(hours=12))
        headers = {"authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(base_url=running.url, headers=headers, timeout=35) as client:
            yield _Stack(folder, database, client, receiver)


async def _prepare(stack: _Stack, url: str) -> None:
    """A webhook for the ends of one type, and a schedule."""
    form = {"url": f"{url}/hooks", "statuses": ["succeeded", "failed", "cancelled"], "types": [TOLD]}
    stack.receiver.secret = (await stack.client.post("/v1/webhooks", json=form)).raise_for_status().json()["secret"]
    schedule = {"name": "every minute", "type": "soak.short", "payload": {}, "cron": EVERY_MINUTE, "timezone": "UTC"}
    (await stack.client.post("/v1/schedules", json=schedule)).raise_for_status()


async def _capacity(stack: _Stack) -> float:
    """Jobs a second from the first submission to the last end, without the waits that jobs ask for."""
    warm = Submitter(stack.client)
    await warm.one_batch()
    await stack.settled(warm.accepted)
    trial, slots = Submitter(stack.client), asyncio.Semaphore(4)

    async def one() -> None:
        async with slots:
            await trial.one_batch()

    began = datetime.now(UTC)
    await asyncio.gather(*(one() for _ in range(TRIAL_BATCHES)))
    jobs = await stack.settled(trial.accepted)
    states = [jobs[id].state for id in trial.accepted if id in jobs]
    ends = sorted(state.finished_at for state in states if isinstance(state, Succeeded | Failed | Cancelled))
    # Nine tenths: the last ones were delayed by up to twenty seconds on purpose.
    return len(ends) * 0.9 / (ends[int(len(ends) * 0.9)] - began).total_seconds()


def main(minutes: float) -> int:
    """Run it; returns the exit status."""
    os.environ.update(local_credentials())
    found = asyncio.run(soak(minutes))
    problems = list(found.problems())
    print("\n".join(problems) or found.model_dump_json(indent=1, exclude={"faults"}))
    if problems:
        return 1
    if minutes >= WRITTEN_FROM:
        REPORT.write_text(report(found))
    return 0


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else MINUTES))
