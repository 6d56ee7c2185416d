"""Real faults: the local stack with real processes, a proxy that fails between the functions and the database.

Worker processes are killed and stopped at four points of a job's way (`functions.py`); microburst throttles, delays,
resets and swallows answers; the database is restarted. The checker follows the table's stream, and in the end compares
what clients were told, what the table holds and what the handlers wrote to a ledger of their own.
"""

import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, cast, get_args

import aioboto3
import httpx

from domain.frozen import Frozen
from domain.jobs.job import Job, is_final
from local.cloudformation import ROOT
from local.database import EmbeddedDatabase, embedded_database, free_port, local_credentials
from local.directory import LOCAL_ADMIN, ensure_local_admin
from local.stack import Options, running_stack
from local.state import Folder
from local.template import Stack
from local.tokens import local_authority
from persistence.converters.dynamo_to_domain import Unreadable, item_to_job
from tests.reliability.history import History, Violation
from tests.reliability.ledger import LEDGER, Ledger, Point

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb.client import DynamoDBClient
    from types_aiobotocore_dynamodbstreams.client import DynamoDBStreamsClient

PROXY = ROOT / ".tools" / "microburst" / "bin" / "microburst"
CLIENTS = 16
FUNCTION_TIMEOUT = 20
"""Seconds; a stopped worker is found out so much sooner than in production."""
PATIENCE_SECONDS = 300
CALLS = ("PutItem", "GetItem", "BatchGetItem", "Query")
OUTAGE_SECONDS = 3
RULES: Mapping[str, dict[str, object]] = {
    "throttled": {"probability": 0.03, "error": {"code": "ProvisionedThroughputExceededException"}},
    "server error": {"probability": 0.01, "error": {"code": "InternalServerError", "status": 500}},
    "connection reset": {"probability": 0.01, "reset": True},
    "answer lost after the write": {"operation": "PutItem", "probability": 0.03, "response": {"abort_bytes": 0}},
    "write applied after its time-out": {"operation": "PutItem", "probability": 0.002, "latency": 3500},
    "late": {"probability": 0.03, "latency": {"min": 50, "max": 400}},
}
"""What the proxy does to calls of the functions, each rule with its probability; microburst's own format."""


class Size(Frozen):
    """How much of it."""

    jobs: int
    kills: int
    """Jobs whose worker is killed, at each of the four points."""
    stops: int
    """Jobs whose worker is stopped for good, at each point; its function's time-out ends it."""
    pauses: int
    """Jobs whose worker is stopped, and goes on when its lease has been taken over, at each point."""


FULL = Size(jobs=2000, kills=15, stops=2, pauses=5)
SMALL = Size(jobs=80, kills=2, stops=0, pauses=1)


class Report(Frozen):
    """What was done, and what came of it."""

    faults: dict[str, int]
    """Injected, by kind."""
    refused: int
    """Answers of 5xx and none at all, after which clients asked again."""
    leases_lost: int
    """Outcomes that came after their lease had been taken over, and were refused."""
    accepted: int
    ended: dict[str, int]
    attempts: int
    effects: int
    """Without a key; the jobs' number is the least."""
    effects_keyed: int
    changes: int
    """Committed changes that the stream showed."""
    seconds: float


async def withstand(size: Size, seed: int = 1) -> Report:
    """Raises `Violation` when anything accepted is lost, or anything is committed twice."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="headrace-faults-") as temporary:
        folder = Path(temporary)
        async with AsyncExitStack() as running:
            database = Database(folder)
            await database.start()
            running.push_async_callback(database.stop)
            proxy = await running.enter_async_context(_proxy(database.url, folder))
            options = Options(port=free_port(), endpoint_url=proxy.url, log_level="WARNING")
            state = Folder(folder / ".headrace")
            ledger = Ledger(folder / "ledger.sqlite")
            stack = await running.enter_async_context(
                running_stack(state, options, lambda stack: with_faults(stack, folder / "ledger.sqlite"))
            )
            await ensure_local_admin(state, stack.endpoint_url)
            observer = await running.enter_async_context(_observer(database.url))
            token = local_authority(state).mint(LOCAL_ADMIN, datetime.now(UTC), timedelta(hours=1))
            await proxy.fail(RULES)
            clients = Clients(stack.url, token)
            plans = _plans(size, random.Random(seed))
            submitting = asyncio.create_task(clients.submit_all(plans))
            await _until(lambda: len(clients.accepted) >= size.jobs // 2 or submitting.done())
            await _restart(database, proxy, observer)
            await submitting
            await _until(lambda: observer.all_final(set(clients.accepted.values())), observer.unfinished)
            injected = await proxy.fired()
            await proxy.fail({})
            await observer.caught_up()
            table = await _table(observer.client)
            leases_lost = (state.logs / "WorkerFunction.log").read_text().count('"job_lease_lost"')
            return _checked(plans, clients, observer, ledger, table, injected, leases_lost, time.monotonic() - began)


def with_faults(stack: Stack, ledger: Path) -> Stack:
    """The template's stack, with the job types and faults of `functions.py`."""
    handlers = {"ApiFunction": "api", "WorkerFunction": "worker", "SweeperFunction": "sweeper"}
    functions = {
        name: function.model_copy(
            update={
                "handler": f"tests.reliability.functions.{handlers[name]}",
                "timeout": FUNCTION_TIMEOUT,
                "environment": {**function.environment, LEDGER: str(ledger)},
            }
        )
        for name, function in stack.functions.items()
    }
    return stack.model_copy(update={"functions": functions})


def _plans(size: Size, chance: random.Random) -> tuple[dict[str, str], ...]:
    """The payloads: most of them without a fault, in random order."""
    faulty = [
        {"fault": fault, "at": point}
        for point in get_args(Point)
        for fault, number in (("kill", size.kills), ("stop", size.stops), ("pause", size.pauses))
        for _ in range(number)
    ]
    plans = [*faulty, *({"fault": "none", "at": "before_claim"} for _ in range(size.jobs - len(faulty)))]
    chance.shuffle(plans)
    return tuple(plans)


# ---- what fails --------------------------------------------------------------------------------------------------


class Database:
    """MiniStack with its state on disk, on one port whatever happens to it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = free_port()
        self._running = AsyncExitStack()
        self.url = f"http://127.0.0.1:{self._port}"

    async def start(self) -> EmbeddedDatabase:
        """Start it on what it kept."""
        return await self._running.enter_async_context(
            embedded_database(self._folder / "state", self._folder / "database.log", at=("127.0.0.1", self._port))
        )

    async def stop(self) -> None:
        """Stop it in order: like DynamoDB, it loses nothing that it acknowledged."""
        await self._running.aclose()


async def _restart(database: Database, proxy: "Proxy", observer: "Observer") -> None:
    """Nothing reaches the database for a while; then it is gone; then it is back, with an empty stream."""
    await proxy.fail({"outage": {"error": {"code": "ServiceUnavailable", "status": 503}}})
    await observer.caught_up()
    await database.stop()
    await asyncio.sleep(OUTAGE_SECONDS)
    await database.start()
    await observer.follow_anew()
    await proxy.fail(RULES)


class Proxy:
    """microburst, between the functions and the database."""

    def __init__(self, url: str, client: httpx.AsyncClient) -> None:
        self.url = url
        self._client = client
        self._names: tuple[str, ...] = ()
        self._fired: Counter[str] = Counter()

    async def fail(self, rules: Mapping[str, dict[str, object]]) -> None:
        """Fail as `rules` say, from now on, and not otherwise."""
        await self._count()
        # What the event source mapping reads of the stream comes through here too, and is left alone.
        each = [
            (name, {"service": "dynamodb", "operation": operation, **rule})
            for name, rule in rules.items()
            for operation in (CALLS if "operation" not in rule else (rule["operation"],))
        ]
        answer = await self._client.post("/_microburst/rules", json=[rule for _, rule in each])
        answer.raise_for_status()
        self._names = tuple(name for name, _ in each)

    async def fired(self) -> dict[str, int]:
        """How often a call was failed, by the rules' names."""
        await self._count()
        return dict(self._fired)

    async def _count(self) -> None:
        """microburst counts for each rule as long as it stands."""
        standing = (await self._client.get("/_microburst/rules")).json()
        for name, rule in zip(self._names, standing, strict=True):
            self._fired[name] += int(rule["fired_count"])


@asynccontextmanager
async def _proxy(upstream: str, folder: Path) -> AsyncIterator[Proxy]:
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
            yield Proxy(url, client)
    finally:
        process.terminate()
        process.wait()


# ---- who looks ---------------------------------------------------------------------------------------------------


class Clients:
    """They submit each job with an idempotency key until it is accepted, and look at jobs in between."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url
        self._headers = {"authorization": f"Bearer {token}"}
        self.accepted: dict[str, str] = {}
        """The job that each idempotency key stands for."""
        self.told: dict[str, set[str]] = {}
        """Final states that a client was shown, by job."""
        self.refused = 0

    async def submit_all(self, plans: tuple[dict[str, str], ...]) -> None:
        """Submit everything, 16 at a time."""
        left = iter(enumerate(plans))
        async with httpx.AsyncClient(base_url=self._url, headers=self._headers, timeout=35) as client:

            async def one_client() -> None:
                for number, plan in left:
                    await self._submit(client, str(number), plan)

            await asyncio.gather(*(one_client() for _ in range(CLIENTS)))

    async def _submit(self, client: httpx.AsyncClient, key: str, plan: dict[str, str]) -> None:
        body = {"type": "test.note", "payload": plan}
        while key not in self.accepted:
            answer = await self._ask(client, "POST", "/v1/jobs", {"idempotency-key": key}, body)
            if answer is not None:
                if answer.status_code not in {200, 202}:
                    raise Violation(f"I8: a submission was answered {answer.status_code}: {answer.text}")
                self.accepted[key] = str(answer.json()["id"])
        earlier = list(self.accepted.values())[len(self.accepted) // 2]
        seen = await self._ask(client, "GET", f"/v1/jobs/{earlier}", {}, None)
        if seen is not None:
            if seen.status_code != httpx.codes.OK:
                raise Violation(f"I1: an accepted job was answered {seen.status_code}: {seen.text}")
            if seen.json()["status"] in {"succeeded", "failed", "cancelled"}:
                self.told.setdefault(earlier, set()).add(str(seen.json()["status"]))

    async def _ask(
        self, client: httpx.AsyncClient, method: str, path: str, headers: dict[str, str], body: object
    ) -> httpx.Response | None:
        """The answer; None after a refusal, when it is time to ask again."""
        try:
            answer = await client.request(method, path, headers=headers, json=body)
        except httpx.TransportError:
            answer = None
        if answer is not None and answer.status_code < httpx.codes.INTERNAL_SERVER_ERROR:
            return answer
        self.refused += 1
        await asyncio.sleep(0.2)
        return None


class Observer:
    """Follows the table's stream, straight from the database, and checks each change."""

    def __init__(self, client: "DynamoDBClient", streams: "DynamoDBStreamsClient") -> None:
        self.client = client
        self.history = History()
        self.jobs: dict[str, Job] = {}
        self.changes = 0
        self._streams = streams
        self._iterator: str | None = None
        self._empty_polls = 0

    async def follow_anew(self) -> None:
        """From the beginning of the stream, as it is now."""
        arn = (await self.client.describe_table(TableName="JobsTable"))["Table"]["LatestStreamArn"]
        shards = (await self._streams.describe_stream(StreamArn=arn))["StreamDescription"]["Shards"]
        answer = await self._streams.get_shard_iterator(
            StreamArn=arn, ShardId=shards[0]["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )
        self._iterator = answer["ShardIterator"]

    async def run(self) -> None:
        """Read until cancelled."""
        while True:
            iterator = self._iterator
            if iterator is None:
                await asyncio.sleep(0.1)
                continue
            answer = await self._streams.get_records(ShardIterator=iterator)
            records = cast("list[dict[str, dict[str, object]]]", answer["Records"])
            for record in records:
                self._check(record["dynamodb"])
            self._empty_polls = 0 if records else self._empty_polls + 1
            if self._iterator == iterator:
                self._iterator = answer["NextShardIterator"]
            if not records:
                await asyncio.sleep(0.2)

    async def caught_up(self) -> None:
        """Everything that was written has been read; then the database may go."""
        # The slowest of the calls under way is written after its time-out.
        await asyncio.sleep(4)
        self._empty_polls = 0
        await _until(lambda: self._empty_polls > 1)
        self._iterator = None

    def all_final(self, ids: set[str]) -> bool:
        """Whether each of these jobs has ended."""
        return all(job_id in self.jobs and is_final(self.jobs[job_id]) for job_id in ids)

    def unfinished(self) -> str:
        """Which jobs have not, for a person."""
        return str([(job.id, job.status, job.attempt) for job in self.jobs.values() if not is_final(job)][:10])

    def _check(self, change: Mapping[str, object]) -> None:
        before, after = (_job(change.get(image)) for image in ("OldImage", "NewImage"))
        if after is None:
            raise Violation("I1: a job was deleted")
        self.changes += 1
        self.jobs[after.id] = after
        self.history.committed(None, before, after, datetime.now(UTC))


def _job(image: object) -> Job | None:
    if not isinstance(image, dict):
        return None
    job = item_to_job(image)
    if isinstance(job, Unreadable):
        raise Violation(f"I3: an item cannot be read: {job.detail}")
    return job


@asynccontextmanager
async def _observer(url: str) -> AsyncIterator[Observer]:
    session = aioboto3.Session()
    async with (
        session.client("dynamodb", endpoint_url=url) as client,
        session.client("dynamodbstreams", endpoint_url=url) as streams,
    ):
        observer = Observer(client, streams)
        await observer.follow_anew()
        running = asyncio.create_task(observer.run())
        try:
            yield observer
            if running.done():
                running.result()
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def _table(client: "DynamoDBClient") -> dict[str, Job]:
    """What is in the table in the end; only a test may scan it."""
    jobs: dict[str, Job] = {}
    async for page in client.get_paginator("scan").paginate(TableName="JobsTable", ConsistentRead=True):
        for item in page["Items"]:
            job = _job(item)
            if job is not None:
                jobs[job.id] = job
    return jobs


async def _until(condition: Callable[[], bool], told: Callable[[], str] = lambda: "") -> None:
    ends = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > ends:
            raise Violation(f"I1: not ended after {PATIENCE_SECONDS} s: {told()}")
        await asyncio.sleep(0.2)


# ---- the verdict -------------------------------------------------------------------------------------------------


def _checked(
    plans: tuple[dict[str, str], ...],
    clients: Clients,
    observer: Observer,
    ledger: Ledger,
    table: dict[str, Job],
    injected: dict[str, int],
    leases_lost: int,
    seconds: float,
) -> Report:
    if observer.history.violation is not None:
        raise observer.history.violation
    ids = list(clients.accepted.values())
    _require(len(set(ids)) == len(plans), "I3", "two idempotency keys were given one job")
    _require(set(ids) == set(table), "I1", f"{len(set(ids) ^ set(table))} jobs are not both accepted and in the table")
    for job in table.values():
        _require(is_final(job), "I1", f"{job.id} has not ended: {job.status}")
        _require(job.attempt <= job.max_attempts, "I5", f"{job.id} was tried {job.attempt} times")
        _require(clients.told.get(job.id, {job.status}) == {job.status}, "I2", f"{job.id} was shown in another end")
    commits = Counter((key, version) for key, version in ledger.rows("SELECT key, version FROM commits"))
    _require(max(commits.values(), default=0) <= 1, "I3", "two workers were told that they committed one version")
    finals = Counter(key for (key,) in ledger.rows("SELECT key FROM commits WHERE status = 'succeeded'"))
    _require(max(finals.values(), default=0) <= 1, "I2", "an outcome was committed twice")
    effects = Counter(str(key) for (key,) in ledger.rows("SELECT key FROM effects"))
    for key, number in effects.items():
        _require(number <= table[key].attempt, "I6", f"{key}: {number} effects in {table[key].attempt} attempts")
    keyed = len(ledger.rows("SELECT key FROM keyed"))
    struck = Counter(
        f"worker {NAMES[str(fault)]} {str(point).replace('_', ' the ')}"
        for fault, point in ledger.rows("SELECT fault, point FROM faults")
    )
    # A process may be gone by another job's fault, after this job's outcome and before its own fault.
    planned = sum(plan["fault"] != "none" for plan in plans)
    _require(struck.total() >= 0.8 * planned, "faults", f"{struck.total()} of {planned} planned ones were injected")
    return Report(
        faults={**struck, **injected, "database restarted": 1},
        refused=clients.refused,
        leases_lost=leases_lost,
        accepted=len(ids),
        ended=dict(Counter(job.status for job in table.values())),
        attempts=sum(job.attempt for job in table.values()),
        effects=effects.total(),
        effects_keyed=keyed,
        changes=observer.changes,
        seconds=seconds,
    )


NAMES = {"kill": "killed", "stop": "stopped for good", "pause": "stopped beyond its lease"}


def _require(holds: bool, invariant: str, told: str) -> None:
    if not holds:
        raise Violation(f"{invariant}: {told}")


if __name__ == "__main__":
    os.environ.update(local_credentials())
    print(json.dumps(asyncio.run(withstand(SMALL if "small" in sys.argv else FULL)).model_dump(), indent=1))
