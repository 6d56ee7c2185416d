"""Real faults: the local stack with real processes, a proxy that fails between the functions and the database.

Worker processes are killed and stopped at four points of a job's run (`functions.py`); microburst throttles, delays
and resets calls and drops responses; the database is restarted. The checker follows the table's stream, and at the end
compares the responses to clients, the contents of the table, and the handlers' own ledger.
"""

import asyncio
import json
import os
import random
import sys
import tempfile
import time
from collections import Counter
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import get_args

from domain.jobs.job import Job, is_final
from headrace.authoring.frozen import Frozen
from headrace.emulator.database import free_port, local_credentials
from headrace.emulator.directory import LOCAL_ADMIN, ensure_local_admin
from headrace.emulator.stack import Options, running_stack
from headrace.emulator.state import Folder
from headrace.emulator.template import LambdaFunction, Stack
from headrace.emulator.tokens import local_authority
from tests.reliability.failing import QUEUES_DOWN, RULES, Database, Proxy, failing_proxy
from tests.reliability.history import Violation
from tests.reliability.ledger import HANDLER_MODULE, LEDGER, Ledger, Point
from tests.reliability.witnesses import Clients, Observer, Planned, observing, table_of, until

FUNCTION_TIMEOUT = 20
"""Seconds; short, so that a stopped worker is ended much sooner than in production."""
OUTAGE_SECONDS = 3
RUNNERS = 4
"""Invocations of the runner at once."""
LONG_TEXT = "x" * 9000
"""A payload of this becomes a blob."""
ONE_IN = 5
"""Jobs have it."""


class Size(Frozen):
    """How many jobs run, and how many of them suffer a fault."""

    jobs: int
    kills: int
    """Jobs whose worker is killed, at each of the four points."""
    stops: int
    """Jobs whose worker is stopped for good, at each point; its function's timeout ends it."""
    pauses: int
    """Jobs whose worker is stopped, and resumes after its lease was taken over, at each point."""
    queues_down: float
    """Seconds that all queues do not answer."""


FULL = Size(jobs=2000, kills=15, stops=2, pauses=5, queues_down=60)
SMALL = Size(jobs=80, kills=2, stops=0, pauses=2, queues_down=3)


class Report(Frozen):
    """The injected faults and their results."""

    faults: dict[str, int]
    """Injected, by kind."""
    refused: int
    """5xx responses, or none at all, after which clients repeated the request."""
    leases_lost: int
    """Outcomes that were refused because their lease had been taken over."""
    accepted: int
    ended: dict[str, int]
    attempts: int
    effects: int
    """Counted without a key: at least one per job."""
    effects_keyed: int
    changes: int
    """Committed changes that were seen in the stream."""
    seconds: float


async def withstand(size: Size, seed: int = 1) -> Report:
    """Run the jobs under faults; raise `Violation` if an accepted job is lost or a change is committed twice."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="headrace-faults-") as temporary:
        folder = Path(temporary)
        async with AsyncExitStack() as running:
            database = Database(folder)
            await database.start()
            running.push_async_callback(database.stop)
            proxy = await running.enter_async_context(failing_proxy(database.url, folder))
            options = Options(
                port=free_port(), endpoint_url=proxy.url, services_url=proxy.url, log_level="WARNING", sweep_seconds=1
            )
            state = Folder(folder / ".headrace")
            ledger = Ledger(folder / "ledger.sqlite")
            stack = await running.enter_async_context(
                running_stack(state, options, lambda stack: with_faults(stack, folder / "ledger.sqlite"))
            )
            await ensure_local_admin(state, stack.endpoint_url)
            observer = await running.enter_async_context(observing(database.url))
            token = local_authority(state).mint(LOCAL_ADMIN, datetime.now(UTC), timedelta(hours=1))
            await proxy.fail(RULES)
            clients = Clients(stack.url, token)
            plans = _plans(size, random.Random(seed))
            submitting = asyncio.create_task(clients.submit_all(plans))
            await until(lambda: len(clients.accepted) >= size.jobs // 4 or submitting.done())
            await proxy.fail({**RULES, **QUEUES_DOWN})
            await asyncio.sleep(size.queues_down)
            await proxy.fail(RULES)
            await until(lambda: len(clients.accepted) >= size.jobs // 2 or submitting.done())
            await _restart(database, proxy, observer)
            await submitting
            await until(lambda: observer.all_final(set(clients.accepted.values())), observer.unfinished)
            injected = await proxy.fired()
            await proxy.fail({})
            await observer.caught_up()
            table = await table_of(observer.client)
            leases_lost = (state.logs / "WorkerFunction.log").read_text().count('"job_lease_lost"')
            return _checked(plans, clients, observer, ledger, table, injected, leases_lost, time.monotonic() - began)


def with_faults(stack: Stack, ledger: Path) -> Stack:
    """Return the template's stack with the job types and faults of `functions.py`."""

    def faulty(function: LambdaFunction) -> LambdaFunction:
        module = function.handler.rpartition(".")[0]
        environment = {**function.environment, LEDGER: str(ledger), HANDLER_MODULE: module}
        return function.model_copy(
            update={
                "handler": "tests.reliability.functions.handler",
                "timeout": FUNCTION_TIMEOUT,
                "environment": environment,
            }
        )

    # As in production, a message comes again soon after its function's time is over.
    queues = {
        name: queue.model_copy(
            update={"attributes": {**queue.attributes, "VisibilityTimeout": str(FUNCTION_TIMEOUT + 10)}}
        )
        for name, queue in stack.queues.items()
    }
    mappings = tuple(
        each.model_copy(update={"maximum_concurrency": RUNNERS}) if each.function == "StandardRunnerFunction" else each
        for each in stack.queue_mappings
    )
    functions = {name: faulty(each) for name, each in stack.functions.items()}
    return stack.model_copy(update={"functions": functions, "queues": queues, "queue_mappings": mappings})


def _plans(size: Size, chance: random.Random) -> tuple[Planned, ...]:
    """Return the jobs in random order; half of them run in the runner, most of them plan no fault."""
    payloads = [
        {"fault": fault, "at": point}
        for point in get_args(Point)
        for fault, number in (("kill", size.kills), ("stop", size.stops), ("pause", size.pauses))
        for _ in range(number)
    ]
    payloads += [{"fault": "none", "at": "before_claim"} for _ in range(size.jobs - len(payloads))]
    plans = [
        Planned(
            type=("test.note", "test.long")[number % 2],
            payload=payload if number % ONE_IN else {**payload, "text": LONG_TEXT},
            tags=payload,
        )
        for number, payload in enumerate(payloads)
    ]
    chance.shuffle(plans)
    return tuple(plans)


async def _restart(database: Database, proxy: Proxy, observer: Observer) -> None:
    """Block all calls to the database for a while, stop it, and start it again with an empty stream."""
    await proxy.fail({"outage": {"error": {"code": "ServiceUnavailable", "status": 503}}})
    await observer.caught_up()
    await database.stop()
    await asyncio.sleep(OUTAGE_SECONDS)
    await database.start()
    await observer.follow_from_start()
    await proxy.fail(RULES)


# ---- the verdict -------------------------------------------------------------------------------------------------


def _checked(
    plans: tuple[Planned, ...],
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
    _require(len(set(ids)) == len(plans), "I3", "two idempotency keys got the same job")
    _require(set(ids) == set(table), "I1", f"{len(set(ids) ^ set(table))} jobs are not both accepted and in the table")
    for job in table.values():
        _require(is_final(job), "I1", f"{job.id} has not ended: {job.status}")
        _require(job.attempt <= job.max_attempts, "I5", f"{job.id} was tried {job.attempt} times")
        _require(
            clients.shown.get(job.id, {job.status}) == {job.status}, "I2", f"{job.id} was shown in another final state"
        )
    commits = Counter((key, version) for key, version in ledger.rows("SELECT key, version FROM commits"))
    _require(max(commits.values(), default=0) <= 1, "I3", "two workers got an acknowledgement for the same version")
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
    # Another job's fault may end the process after this job's outcome and before its own fault.
    planned = sum(plan.payload["fault"] != "none" for plan in plans)
    _require(struck.total() >= 0.8 * planned, "faults", f"{struck.total()} of {planned} planned faults were injected")
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


def _require(holds: bool, invariant: str, problem: str) -> None:
    if not holds:
        raise Violation(f"{invariant}: {problem}")


if __name__ == "__main__":
    os.environ.update(local_credentials())
    print(json.dumps(asyncio.run(withstand(SMALL if "small" in sys.argv else FULL)).model_dump(), indent=1))
