"""Webhooks under failures: a receiver that fails a third of the time, and functions whose processes are killed.

`python -m tests.reliability.webhooks [JOBS]` runs jobs on the local stack, kills a process of its functions now and
then, and compares what the receiver accepted with the history of every job.
"""

import asyncio
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
from aiohttp import web
from standardwebhooks import Webhook

from headrace.authoring.frozen import Frozen
from headrace.emulator.directory import LOCAL_ADMIN, ensure_local_admin
from headrace.emulator.stack import Options, running_stack
from headrace.emulator.state import Folder
from headrace.emulator.tokens import local_authority
from tests.serving import serving

JOBS = 1000
BATCH = 25
TOLD = {"scheduled", "retrying", "succeeded", "failed", "cancelled"}
FINAL = {"succeeded", "failed", "cancelled"}
PATIENCE = 2400
SWEEP_SECONDS = 5
KILLS_EVERY = 4.0
"""Seconds between two kills, on average."""
KILLING = 180.0
"""Seconds for which processes are killed: what the last of them lost is found by the sweeper within 16 minutes."""
BROKEN = 2
"""Requests of one message, the first ones, of which some end in a broken connection."""
SETTLED = 5.0
"""Seconds that a process has lived before it is killed: one that never comes to work shows nothing."""


class Result(Frozen):
    """What was seen."""

    jobs: int
    changes: int
    """Of which the endpoint was to be told, by the jobs' histories."""
    missing: int
    """Changes that were not delivered."""
    invented: int
    """Deliveries of what is in no history."""
    ids: int
    """Different values of `webhook-id`."""
    shared_ids: int
    """Values of `webhook-id` that came with more than one change."""
    doubled_changes: int
    """Changes that came with more than one `webhook-id`."""
    requests: int
    refused: int
    """Requests that the receiver failed on purpose."""
    accepted_again: int
    """Requests that the receiver had accepted before, by their id: at-least-once."""
    out_of_order: int
    """Changes that arrived after a later one of the same job."""
    unverified: int
    """Requests whose signature is wrong."""
    kills: int
    seconds: float


class Receiver:
    """Verifies each request, then fails a third of them: by status, or by a broken connection.

    Without `Retry-After` the delays grow to hours, so that only a message's first two requests are broken.
    """

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.secret = ""
        self.accepted: list[tuple[str, str, str, int]] = []
        """Of each accepted request: its id, and the change as job, status and version."""
        self.refused = 0
        self.unverified = 0
        self._tries = Counter[str]()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one delivery."""
        body = await request.text()
        try:
            Webhook(self.secret).verify(body, dict(request.headers))
        except Exception:  # noqa: BLE001 - whatever the library says, it is not verified
            self.unverified += 1
        if self._random.random() < 1 / 3:
            self.refused += 1
            return await self._refuse(request)
        data = json.loads(body)["data"]
        change = (data.get("id", ""), data.get("status", ""), data.get("version", 0))  # a trial has none of these
        self.accepted.append((request.headers["webhook-id"], *change))
        return web.Response(status=self._random.choice((200, 202, 204)))

    async def _refuse(self, request: web.Request) -> web.StreamResponse:
        id = request.headers["webhook-id"]
        self._tries[id] += 1
        if self._tries[id] <= BROKEN and self._random.random() < 1 / 3 and request.transport is not None:
            request.transport.abort()
            return web.Response()
        return web.Response(status=self._random.choice((302, 400, 401, 404, 500, 503)), headers={"Retry-After": "1"})


def function_processes() -> Iterator[int]:
    """The processes of functions that this process started a while ago, by their ids."""
    for entry in Path("/proc").iterdir():
        with suppress(OSError, ValueError, IndexError):
            pid = int(entry.name)
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            parent, started = int(fields[1]), int(fields[19]) / os.sysconf("SC_CLK_TCK")
            old = time.clock_gettime(time.CLOCK_BOOTTIME) - started >= SETTLED
            if old and parent == os.getpid() and "headrace.emulator.bootstrap" in (entry / "cmdline").read_text():
                yield pid


async def kill_now_and_then(chosen: random.Random, kills: list[int]) -> None:
    """Kill a process of any function; the API's too, whose callers try again."""
    ends = time.monotonic() + KILLING
    while time.monotonic() < ends:
        await asyncio.sleep(KILLS_EVERY * 2 * chosen.random())
        if pids := list(function_processes()):
            pid = chosen.choice(pids)
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                kills.append(pid)


async def measure(jobs: int, seed: int = 1, *, kill: bool = True) -> Result:
    """Run `jobs` jobs with one endpoint for all changes, and wait until all has been told, or for 40 minutes."""
    receiver, kills = Receiver(seed), list[int]()
    with serving(receiver.handle) as url, tempfile.TemporaryDirectory() as temporary:
        folder = Folder(Path(temporary))
        options = Options(port=0, allowed_hosts="127.0.0.1", log_level="WARNING", sweep_seconds=SWEEP_SECONDS)
        async with running_stack(folder, options) as stack:
            await ensure_local_admin(folder, stack.endpoint_url)
            token = local_authority(folder).mint(LOCAL_ADMIN, datetime.now(UTC), timedelta(hours=2))
            headers = {"authorization": f"Bearer {token}"}
            async with httpx.AsyncClient(base_url=stack.url, headers=headers, timeout=60) as client:
                form = {"url": f"{url}/hooks", "statuses": sorted(TOLD)}
                receiver.secret = (await client.post("/v1/webhooks", json=form)).raise_for_status().json()["secret"]
                begun = time.monotonic()
                killing = asyncio.create_task(kill_now_and_then(random.Random(seed), kills)) if kill else None
                ids = await _submit_all(client, jobs)
                expected = await _settled(client, ids, receiver)
                if killing is not None:
                    killing.cancel()
                return _result(expected, receiver, len(kills), time.monotonic() - begun)


async def _submit_all(client: httpx.AsyncClient, jobs: int) -> list[str]:
    """Submit in batches, each under a key: a call whose function was killed is repeated."""
    ids: list[str] = []
    for first in range(0, jobs, BATCH):
        numbers = range(first, min(first + BATCH, jobs))
        # A third is delayed, so that there is a first change before the end; some fail, for good.
        entries = [_entry(number) for number in numbers]
        answer = await _insistent(client, "POST", "/v1/jobs/batch", {"jobs": entries}, {"idempotency-key": str(first)})
        results = answer.json()["results"]
        ids += [str(each["job"]["id"]) for each in results]
    return ids


def _entry(number: int) -> dict[str, object]:
    if number % 10 == 9:
        forbidden = {"method": "GET", "url": "http://10.0.0.1/", "timeout_seconds": 1}
        return {"type": "http.request", "payload": forbidden}
    delay = {"delay_seconds": 1} if number % 3 == 0 else {}
    return {"type": "csv.profile", "payload": {"csv": f"n\n{number}\n"}, **delay}


async def _insistent(
    client: httpx.AsyncClient, method: str, path: str, body: object = None, headers: dict[str, str] | None = None
) -> httpx.Response:
    while True:
        answer = await client.request(method, path, json=body, headers=headers)
        if answer.status_code < 500:
            return answer.raise_for_status()
        await asyncio.sleep(0.2)


async def _settled(client: httpx.AsyncClient, ids: list[str], receiver: Receiver) -> Counter[tuple[str, str]]:
    """How often each job came into each told status, once all of that was accepted or patience has ended."""
    histories: dict[str, Counter[tuple[str, str]]] = {}
    ends = time.monotonic() + PATIENCE
    while True:
        for id in (each for each in ids if each not in histories):
            job = (await _insistent(client, "GET", f"/v1/jobs/{id}")).json()
            if job["status"] not in FINAL:
                break
            told = (entry["status"] for entry in job["history"] if entry["status"] in TOLD)
            histories[id] = Counter((id, status) for status in told)
        expected = sum(histories.values(), Counter[tuple[str, str]]())
        if (len(histories) == len(ids) and not expected - accepted_changes(receiver)) or time.monotonic() > ends:
            return expected
        await asyncio.sleep(0.5)


def accepted_changes(receiver: Receiver) -> Counter[tuple[str, str]]:
    """How many changes into each status of each job the receiver has accepted; each version counts once."""
    versions = {(job, status, version) for _, job, status, version in tuple(receiver.accepted)}
    return Counter((job, status) for job, status, _ in versions)


def _result(expected: Counter[tuple[str, str]], receiver: Receiver, kills: int, seconds: float) -> Result:
    changes_of, ids_of = defaultdict[str, set[tuple[str, int]]](set), defaultdict[tuple[str, int], set[str]](set)
    newest, late = dict[str, int](), 0
    for id, job, _, version in receiver.accepted:
        if version < newest.get(job, 0) and (job, version) not in ids_of:
            late += 1
        newest[job] = max(version, newest.get(job, 0))
        changes_of[id].add((job, version))
        ids_of[job, version].add(id)
    told = accepted_changes(receiver)
    return Result(
        jobs=len({job for job, _ in expected}),
        changes=expected.total(),
        missing=(expected - told).total(),
        invented=(told - expected).total(),
        ids=len(changes_of),
        shared_ids=sum(len(each) > 1 for each in changes_of.values()),
        doubled_changes=sum(len(each) > 1 for each in ids_of.values()),
        requests=len(receiver.accepted) + receiver.refused,
        refused=receiver.refused,
        accepted_again=len(receiver.accepted) - len(changes_of),
        out_of_order=late,
        unverified=receiver.unverified,
        kills=kills,
        seconds=round(seconds, 1),
    )


def is_sound(result: Result, jobs: int) -> bool:
    """Whether each change was delivered, under one id each, and signed."""
    wrong = (result.missing, result.invented, result.shared_ids, result.doubled_changes, result.unverified)
    return not any(wrong) and result.jobs == jobs and result.ids == result.changes


if __name__ == "__main__":
    size = int(sys.argv[1]) if len(sys.argv) > 1 else JOBS
    measured = asyncio.run(measure(size))
    print(measured.model_dump_json(indent=2))
    sys.exit(0 if is_sound(measured, size) else 1)
