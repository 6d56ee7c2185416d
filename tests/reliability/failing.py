"""The failing parts of `faults.py`: a database that restarts, and microburst between it and the functions."""

import asyncio
import subprocess
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx

from headrace.emulator.cloudformation import ROOT
from headrace.emulator.database import EmbeddedDatabase, embedded_database, free_port

PROXY = ROOT / ".tools" / "microburst" / "bin" / "microburst"
CALLS = ("PutItem", "GetItem", "BatchGetItem", "Query")
RULES: Mapping[str, dict[str, object]] = {
    "throttled": {"probability": 0.03, "error": {"code": "ProvisionedThroughputExceededException"}},
    "server error": {"probability": 0.01, "error": {"code": "InternalServerError", "status": 500}},
    "connection reset": {"probability": 0.01, "reset": True},
    "response lost after the write": {"operation": "PutItem", "probability": 0.03, "response": {"abort_bytes": 0}},
    "write applied after its timeout": {"operation": "PutItem", "probability": 0.002, "latency": 3500},
    "delayed": {"probability": 0.03, "latency": {"min": 50, "max": 400}},
    "message sent twice, after a lost response": {
        "service": "sqs", "operation": "SendMessageBatch", "probability": 0.05, "response": {"abort_bytes": 0},
    },
    "queue throttled": {"service": "sqs", "probability": 0.02, "error": {"code": "RequestThrottled", "status": 403}},
    "S3 slows down": {"service": "s3", "probability": 0.03, "error": {"code": "SlowDown", "status": 503}},
    "S3 response lost": {"service": "s3", "probability": 0.02, "response": {"abort_bytes": 0}},
}  # fmt: skip
QUEUES_DOWN: Mapping[str, dict[str, object]] = {
    "call to a queue that is down": {"service": "sqs", "error": {"code": "ServiceUnavailable", "status": 503}}
}
"""Faults that the proxy injects into calls of the functions, in microburst's own format."""


class Database:
    """MiniStack with its state on disk, on the same port across restarts."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = free_port()
        self._running = AsyncExitStack()
        self.url = f"http://127.0.0.1:{self._port}"

    async def start(self) -> EmbeddedDatabase:
        """Start it with the state that it kept."""
        return await self._running.enter_async_context(
            embedded_database(self._folder / "state", self._folder / "database.log", at=("127.0.0.1", self._port))
        )

    async def stop(self) -> None:
        """Stop it cleanly: like DynamoDB, it loses nothing that it acknowledged."""
        await self._running.aclose()


class Proxy:
    """Controls microburst, the proxy between the functions and the database."""

    def __init__(self, url: str, client: httpx.AsyncClient) -> None:
        self.url = url
        self._client = client
        self._names: tuple[str, ...] = ()
        self._fired: Counter[str] = Counter()

    async def fail(self, rules: Mapping[str, dict[str, object]]) -> None:
        """Inject the faults of `rules` from now on, and no others."""
        await self._count()
        each = [(name, one) for name, rule in rules.items() for one in _rules(rule)]
        response = await self._client.post("/_microburst/rules", json=[rule for _, rule in each])
        response.raise_for_status()
        self._names = tuple(name for name, _ in each)

    async def fired(self) -> dict[str, int]:
        """How many calls were failed, by the rules' names."""
        await self._count()
        return dict(self._fired)

    async def _count(self) -> None:
        """Add microburst's counts, which it drops when the rules are replaced."""
        rules_in_force = (await self._client.get("/_microburst/rules")).json()
        for name, rule in zip(self._names, rules_in_force, strict=True):
            self._fired[name] += int(rule["fired_count"])


def _rules(rule: dict[str, object]) -> tuple[dict[str, object], ...]:
    """As microburst takes them. The event source mapping reads the stream through the proxy; that is not failed."""
    if "operation" in rule or "service" in rule:
        return ({"service": "dynamodb", **rule},)
    return tuple({"service": "dynamodb", "operation": operation, **rule} for operation in CALLS)


@asynccontextmanager
async def failing_proxy(upstream: str, folder: Path) -> AsyncIterator[Proxy]:
    """Start a proxy in front of `upstream` that injects no faults yet."""
    port = free_port()
    with (folder / "proxy.log").open("ab") as log:
        process = subprocess.Popen(  # noqa: ASYNC220 - it only forks
            [str(PROXY), "--upstream", upstream, "--port", str(port)], stdout=log, stderr=log, start_new_session=True
        )
    url = f"http://127.0.0.1:{port}"
    try:
        async with httpx.AsyncClient(base_url=url, timeout=30) as client:
            for _ in range(200):
                try:
                    await client.get("/_microburst/health")
                except httpx.TransportError:
                    await asyncio.sleep(0.05)
                else:
                    break
            # Its first forwarded call takes seconds on a busy machine; a function would not wait so long.
            await client.post("/", headers={"x-amz-target": "DynamoDB_20120810.ListTables"}, content="{}")
            yield Proxy(url, client)
    finally:
        process.terminate()
        process.wait()
