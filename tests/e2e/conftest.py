"""The local stack, started as a person starts it: by the command, in its own folder."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import httpx
import pytest
from aiohttp import web

from tests.e2e import prepared as prepared_script
from tests.serving import serving

HEADRACE = str(Path(sys.executable).with_name("headrace"))


PAGE = "https://app.example.com"
"""The origin of pages that may call the stack's API from a browser."""

SWEEP_SECONDS = "15"
"""Seldom enough that what is on time was brought by the wake queue; a lease that ended is found soon all the same."""


class Prepared:
    """The process that runs `prepared.py`; it ends with this one."""

    def __init__(self) -> None:
        script = str(Path(prepared_script.__file__))
        self._process = subprocess.Popen(
            [sys.executable, script],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=clean_environment(),
        )  # fmt: skip

    def run(self, command: prepared_script.Command) -> int:
        """Run a command, and return its exit code."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{json.dumps(command)}\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


@cache
def prepared() -> Prepared:
    return Prepared()


class Cli:
    """Runs commands in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, *arguments: str, stdin: str = "", timeout: int = 60) -> subprocess.CompletedProcess[str]:
        """Run a command to its end; it is killed after `timeout` seconds."""
        with tempfile.TemporaryDirectory() as temporary:
            streams = [Path(temporary) / name for name in ("stdin", "stdout", "stderr")]
            for stream in streams:
                stream.write_text(stdin if stream.name == "stdin" else "")
            code = prepared().run({
                "arguments": [*arguments], "folder": str(self.folder), "environment": clean_environment(),
                "streams": [str(stream) for stream in streams], "seconds": timeout,
            })  # fmt: skip
            return subprocess.CompletedProcess([HEADRACE, *arguments], code, *(s.read_text() for s in streams[1:]))

    def ok(self, *arguments: str) -> str:
        done = self.run(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


class Stack:
    """`headrace dev`, running."""

    def __init__(self, folder: Path, *options: str, environment: Mapping[str, str] | None = None) -> None:
        self.cli = Cli(folder)
        self.folder = folder
        self._process = subprocess.Popen(
            [HEADRACE, "dev", "--port", "0", "--sweep-seconds", SWEEP_SECONDS, *options],
            cwd=folder, stdout=subprocess.PIPE, stderr=(folder / "stderr").open("ab"),
            text=True, env=clean_environment() | dict(environment or {}),
        )  # fmt: skip
        assert self._process.stdout is not None
        line = self._process.stdout.readline().strip()
        assert line.startswith("ready http://127.0.0.1:"), (line, (folder / "stderr").read_text())
        self.url = line.removeprefix("ready ")

    @property
    def pid(self) -> int:
        return self._process.pid

    def client(self, email: str = "dev@example.com") -> httpx.Client:
        token = self.cli.ok("token", email)
        return httpx.Client(base_url=self.url, headers={"authorization": f"Bearer {token}"}, timeout=40)

    def environments(self, function: str) -> list[int]:
        """The processes of a function's execution environments."""
        name = f"AWS_LAMBDA_FUNCTION_NAME={function}".encode()
        return [pid for pid in self.children() if name in _variables(pid)]

    def children(self) -> list[int]:
        """The processes that the stack has started."""
        return [int(path.name) for path in Path("/proc").glob("[0-9]*") if parent_of(path) == self.pid]

    def ended(self) -> int:
        """Wait for its end; return its exit code."""
        return self._finished()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        if self._process.poll() is None:
            self._process.send_signal(number)
        return self._finished()

    def _finished(self) -> int:
        code = self._process.wait(40)
        if self._process.stdout is not None:
            self._process.stdout.close()
        return code


def parent_of(process: Path) -> int | None:
    """The parent of a process (a folder of /proc), or None when it has just ended."""
    try:
        return int((process / "stat").read_text().rsplit(")", 1)[1].split()[1])
    except OSError:
        return None


def clean_environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "COV_", "HEADRACE_"))}
    return kept | {"PYTHONUNBUFFERED": "1"}


@pytest.fixture(scope="package")
def stack_running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One stack for the tests that do not break it; ended after them, for it polls and sweeps while others run."""
    stack = Stack(tmp_path_factory.mktemp("stack"), "--allow-host", "127.0.0.1", "--cors-origin", PAGE)
    yield stack
    assert stack.stop() == 0


@pytest.fixture
def cli(stack_running: Stack) -> Cli:
    return stack_running.cli


@pytest.fixture
def api(stack_running: Stack) -> Iterator[httpx.Client]:
    with stack_running.client() as client:
        yield client


def submit(api: httpx.Client, type: str = "csv.profile", payload: object = None, **fields: object) -> dict[str, object]:
    body = {"type": type, "payload": payload or {"csv": "a,b\n1,x\n2,y\n"}, **fields}
    answer = api.post("/v1/jobs", json=body)
    assert answer.status_code == 202, answer.text
    job: dict[str, object] = answer.json()
    return job


def wait(api: httpx.Client, job_id: object, seconds: float = 30) -> dict[str, object]:
    """Wait until the job is final, and return it."""
    ends = time.monotonic() + seconds
    while True:
        job: dict[str, object] = api.get(f"/v1/jobs/{job_id}", headers={"prefer": "wait=5"}).json()
        if job["status"] in {"succeeded", "failed", "cancelled"}:
            return job
        assert time.monotonic() < ends, job


class Receiver:
    """A server that receives deliveries, and delays or fails them as a test requires."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.delay = 0.0
        self.statuses: list[int] = []
        self.headers: dict[str, str] = {}
        self.traces: list[str] = []

    async def handle(self, request: web.Request) -> web.Response:
        self.calls.append(request.headers.get("Idempotency-Key", ""))
        self.traces.append(request.headers.get("traceparent", ""))
        await asyncio.sleep(self.delay)
        status = self.statuses.pop(0) if self.statuses else 200
        return web.Response(status=status, headers=self.headers, text="received")


@pytest.fixture
def receiver() -> Iterator[tuple[str, Receiver]]:
    receiver = Receiver()
    with serving(receiver.handle) as url:
        yield url, receiver


def _variables(pid: int) -> list[bytes]:
    """Of a process; none when it has ended meanwhile."""
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []
