"""The artifacts under AWS's own runtime: the Lambda Runtime Interface Emulator (inside aws-sam-cli) and awslambdaric.

A hundred warm invocations of each function; then its process is killed, and stopped until it times out.
The interpreter has only the client installed: what a function needs must be in its artifact.
"""

import asyncio
import dataclasses
import itertools
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
from pydantic import JsonValue

from domain.jobs import transitions
from domain.jobs.job import Job
from functions.runtime import LazyClient
from headrace.authoring.job_type import Policy
from headrace.build.targets import ARCHITECTURE
from headrace.emulator.cloudformation import ROOT
from headrace.emulator.database import embedded_database, free_port, local_credentials
from headrace.emulator.tables import ensure_tables
from headrace.emulator.template import LambdaFunction, load_stack
from persistence.converters.dynamo_to_domain import job_to_item
from scripts.generate import SAMPLE_OWNER_ID, stream_record
from scripts.sample_events import SAMPLE_EMAIL
from tests.conftest import PARAMETERS, job_repository_on, user_repository_on
from tests.factories import NewJobFactory, UserFactory

BUILD = ROOT / ".aws-sam" / "here"
SAMPLES = ROOT / "events" / "samples"
INVOCATIONS = 100
WARM_UP = 20
TIMEOUT = 12
"""Seconds that a function gets, since the run waits for each timeout. The emulator counts a cold start too, and all
functions start at once here, beside what else the CI does."""
GROWTH_LIMIT = 1.02
"""Allowed growth of resident memory over the hundred invocations."""

Event = Callable[[], Awaitable[JsonValue]]


@dataclasses.dataclass(frozen=True)
class Trial:
    """What invokes a function, time and again."""

    event: Event
    expected: str
    """What its answer holds."""
    seconds: int = TIMEOUT
    """Seconds: as short as the function's own care for its deadline permits."""


class Emulated:
    """One function under the emulator."""

    def __init__(self, url: str, process: subprocess.Popen[bytes]) -> None:
        self._url = f"{url}/2015-03-31/functions/function/invocations"
        self._process = process

    async def invoke(self, event: JsonValue) -> str:
        """Return the function's response as text, or the emulator's report of its end."""
        async with httpx.AsyncClient(timeout=60) as client:
            return (await client.post(self._url, json=event)).text

    @property
    def pid(self) -> int:
        """The process that runs the handler: the emulator's only child."""
        tasks = Path(f"/proc/{self._process.pid}/task").iterdir()
        (pid,) = {int(pid) for task in tasks for pid in (task / "children").read_text().split()}
        return pid

    @property
    def descriptors(self) -> int:
        """Number of files that the function's process has open."""
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))

    @property
    def resident(self) -> int:
        """Kilobytes of memory of the function's process."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmRSS:")).split()[1])


class CountingProxy:
    """Forwards bytes to the database, and counts connections: one client keeps its connection."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.accepted = 0

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._port)
        await asyncio.gather(_copy(reader, there_writer), _copy(there_reader, writer), return_exceptions=True)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


@asynccontextmanager
async def emulated(function: LambdaFunction, endpoint_url: str, folder: Path, seconds: int) -> AsyncIterator[Emulated]:
    """Start the emulator with the artifact of `function`; the base interpreter sees no other packages."""
    url, runtime_api = (f"127.0.0.1:{free_port()}" for _ in range(2))
    (emulator,) = (ROOT / ".tools" / "sam").glob(
        f"lib/*/site-packages/samcli/local/rapid/aws-lambda-rie-{ARCHITECTURE}"
    )
    with (folder / f"{function.name}.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: ASYNC220 - it only forks
            [str(emulator), "--runtime-interface-emulator-address", url, "--runtime-api-address", runtime_api,
             sys._base_executable, "-S", "-m", "awslambdaric", function.handler],  # type: ignore[attr-defined]
            cwd=BUILD / function.name,
            env={
                "PATH": os.environ["PATH"], **local_credentials(), **function.environment,
                "PYTHONPATH": str(folder / "client"), "LAMBDA_TASK_ROOT": str(BUILD / function.name),
                "AWS_ENDPOINT_URL_DYNAMODB": endpoint_url, "AWS_LAMBDA_FUNCTION_TIMEOUT": str(seconds),
                "AWS_LAMBDA_FUNCTION_NAME": function.name, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
            },
            stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    try:
        await _listening(url)
        yield Emulated(f"http://{url}", process)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


async def _listening(address: str) -> None:
    host, _, port = address.partition(":")
    for _ in range(100):
        try:
            _, writer = await asyncio.open_connection(host, int(port))
        except OSError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return
    raise TimeoutError(f"the emulator does not listen on {address}")


async def main(folder: Path) -> int:
    """Return 0 if every function stays stable and recovers after a crash and after a timeout."""
    install = [str(ROOT / ".venv/bin/uv"), "pip", "install", "--quiet", "--require-hashes", "--only-binary", ":all:"]
    lock = str(ROOT / "requirements" / "lambda-image.txt")
    subprocess.run([*install, "--target", str(folder / "client"), "--requirement", lock], check=True)  # noqa: ASYNC221
    os.environ.update(local_credentials())
    stack = load_stack(PARAMETERS)
    async with embedded_database(None, folder / "database.log") as database:
        client = LazyClient(database.url)
        await ensure_tables(await client(), tuple(stack.tables.values()))
        await user_repository_on(client).add(UserFactory.build(id=SAMPLE_OWNER_ID, email=SAMPLE_EMAIL, role="admin"))
        trials, port = _trials(client), int(database.url.rpartition(":")[2])
        # At once: most of it is waiting for a timeout.
        passed = await asyncio.gather(*(
            _passes(function, trials.get(function.folder, Trial(_nothing, "")), port, folder)
            for function in stack.functions.values()
        ))  # fmt: skip
        await client.close()
    return int(not all(passed))


async def _passes(function: LambdaFunction, trial: Trial, port: int, folder: Path) -> bool:
    proxy = CountingProxy(port)
    server = await asyncio.start_server(proxy.handle, "127.0.0.1", 0)
    endpoint_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        async with emulated(function, endpoint_url, folder, trial.seconds) as under_trial:
            observed = await _endure(under_trial, trial, proxy)
    except (AssertionError, ValueError) as error:
        log = (folder / f"{function.name}.log").read_text()
        print(f"FAILED {function.name}: {error}\n{log[-3000:]}", flush=True)
        return False
    finally:
        server.close()
    print(f"ok     {function.name}: {observed}", flush=True)
    return True


async def _nothing() -> JsonValue:
    """The event for a function that has no trial of its own."""
    return {}


def _trials(client: LazyClient) -> dict[str, Trial]:
    """The trials, by the function's folder."""

    async def submit() -> JsonValue:
        return _sample("api_submit")

    async def trigger() -> JsonValue:
        change = transitions.submit(NewJobFactory.build(id=str(uuid.uuid4())), Policy(), datetime.now(UTC))
        stored = await job_repository_on(client).add(change, datetime.now(UTC))
        assert isinstance(stored, Job), stored
        image: dict[str, JsonValue] = json.loads(json.dumps(job_to_item(stored, "write-1")))
        return {"Records": [stream_record("1", "INSERT", stored.id, new=image)]}

    async def tick() -> JsonValue:
        return _sample("sweeper_schedule_tick")

    return {
        "api": Trial(submit, '"statusCode": 202'),
        "worker": Trial(trigger, '{"batchItemFailures": []}', seconds=40),
        "sweeper": Trial(tick, '"complete": true'),
    }


def _sample(name: str) -> dict[str, JsonValue]:
    document: dict[str, JsonValue] = json.loads((SAMPLES / f"{name}.json").read_text())
    return document


async def _endure(function: Emulated, trial: Trial, proxy: CountingProxy) -> str:
    async def once() -> None:
        answer = await function.invoke(await trial.event())
        assert trial.expected in answer, answer[:500]

    for _ in range(WARM_UP):
        await once()
    pid, descriptors, resident, connections = function.pid, function.descriptors, function.resident, proxy.accepted
    began = time.monotonic()
    for _ in range(INVOCATIONS):
        await once()
    milliseconds = (time.monotonic() - began) / INVOCATIONS * 1000
    after = function.descriptors, function.resident
    assert function.pid == pid, "the process was replaced"
    assert after[0] == descriptors, f"{descriptors} descriptors before, {after[0]} after"
    assert after[1] <= resident * GROWTH_LIMIT, f"{resident} KB before, {after[1]} KB after"
    assert proxy.accepted == connections, f"{connections} connections before, {proxy.accepted} after"
    crashed = await _interrupted(function, trial.event, signal.SIGKILL)
    await once()
    timed_out = await _interrupted(function, trial.event, signal.SIGSTOP)
    await once()
    return (
        f"{INVOCATIONS} warm invocations in one process, {milliseconds:.0f} ms each; {connections} connections, "
        f"{descriptors} descriptors before and after; {resident / 1000:.1f} MB, then {after[1] / 1000:.1f} MB; "
        f"killed: {crashed}; stopped: {timed_out}; answers again after each"
    )


async def _interrupted(function: Emulated, event: Event, number: signal.Signals) -> str:
    """Send a signal to the function's process and invoke it; return what the caller gets."""
    document = await event()
    os.kill(function.pid, number)
    answer = await function.invoke(document)
    assert "errorType" in answer or "timed out" in answer, answer
    return " ".join(itertools.islice(answer.split(), 12))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        sys.exit(asyncio.run(main(Path(temporary))))
