"""Runs the stacks of the two versions, and the server that receives their deliveries."""

import asyncio
import os
import signal
import subprocess
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
from aiohttp import web

from headrace.emulator.directory import LOCAL_ADMIN
from scripts.side_by_side.trees import CannotPrepare, Tree

START_SECONDS = 120
STOP_SECONDS = 60
SLOW_SECONDS = 3
FAILURES = 2
"""How many deliveries of a job to `/flaky` fail before one succeeds."""


class Side:
    """One version, called through its API as its own local admin."""

    def __init__(self, tree: Tree, client: httpx.AsyncClient) -> None:
        self.name = tree.name
        self.only = tree.only
        self._client = client

    async def request(
        self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        """Send a request, repeated while the response is a 5xx; it must be safe to repeat."""
        for _ in range(10):
            try:
                response = await self._client.request(method, path, json=body, headers=headers)
            except httpx.TransportError:
                await asyncio.sleep(0.5)
                continue
            if not response.is_server_error:
                return response
            await asyncio.sleep(0.5)
        raise CannotPrepare(f"the API of {self.name} does not respond to {method} {path}")


@asynccontextmanager
async def running(tree: Tree, database: str, allowed: str, logs: Path) -> AsyncIterator[Side]:
    """Run the tree's local stack on `database`; its jobs may deliver to the host `allowed`."""
    command = [tree.headrace, "dev", "--port", "0", "--endpoint-url", database, "--allow-host", allowed]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "HEADRACE_"))}
    with (logs / f"{tree.name}.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *command, cwd=tree.path, env=environment, stdout=asyncio.subprocess.PIPE, stderr=log
        )
    try:
        url = await _ready(process, tree, logs)
        headers = {"authorization": f"Bearer {_token(tree)}"}
        async with httpx.AsyncClient(base_url=url, headers=headers, timeout=35) as client:
            yield Side(tree, client)
    finally:
        await _stop(process)


async def _ready(process: asyncio.subprocess.Process, tree: Tree, logs: Path) -> str:
    try:
        async with asyncio.timeout(START_SECONDS):
            while process.stdout is not None and (line := (await process.stdout.readline()).decode()):
                if line.startswith("ready "):
                    return line.split()[1]
    except TimeoutError:
        pass
    log_end = (logs / f"{tree.name}.log").read_text().strip()[-500:]
    raise CannotPrepare(f"the stack of {tree.name} did not start on the shared database: {log_end}")


def _token(tree: Tree) -> str:
    command = [tree.headrace, "token", LOCAL_ADMIN, "--hours", "2"]
    return subprocess.run(command, cwd=tree.path, check=True, capture_output=True, text=True).stdout.strip()


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


@asynccontextmanager
async def receiver() -> AsyncIterator[str]:
    """Run a server that receives deliveries; yields its `host:port`.

    `/ok` accepts all, `/slow` takes a while, `/flaky` responds with 503 to a job's first two deliveries, and `/mended`
    with 404 to a job's first.
    """
    calls: Counter[str] = Counter()

    async def deliver(request: web.Request) -> web.Response:
        key = request.headers["Idempotency-Key"]
        calls[key] += 1
        kind = request.match_info["kind"]
        if kind == "slow":
            await asyncio.sleep(SLOW_SECONDS)
        if kind == "flaky" and calls[key] <= FAILURES:
            return web.Response(status=503, headers={"Retry-After": "2"})
        if kind == "mended" and calls[key] == 1:
            return web.Response(status=404)
        return web.json_response({"deliveries": calls[key]})

    app = web.Application()
    app.router.add_post("/{kind}", deliver)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
