"""What submit, claim, a page of the list and a sweep cost with more and more jobs in the table: calls and units."""

import asyncio
import os
import tempfile
import uuid
from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from domain.frozen import Frozen
from domain.jobs import transitions
from domain.jobs.job import Job
from domain.jobs.job_type import Policy
from domain.jobs.outcomes import Done
from domain.jobs.repository import JobFilter
from domain.jobs.sweeping import Sweeper
from domain.jobs.transitions import IllegalTransition, NewJob
from domain.json_text import JsonText
from domain.paging import PageRequest
from functions.runtime import LazyClient, job_repository
from job_types import catalogue
from local.database import embedded_database, local_credentials
from local.stack import settings
from local.tables import ensure_tables
from local.template import load_stack
from persistence.converters.dynamo_to_domain import job_to_item
from persistence.dynamodb.repositories.job_repository import DynamoJobRepository

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb.client import DynamoDBClient

PARAMETERS = {"JwtIssuer": "https://issuer.example.com", "JwtAudience": "headrace", "CursorKey": "0" * 64}
SIZES = (100, 10_000, 100_000)
DUE = 10
PAGE = 20
WRITERS = 8
BATCH = 25
PAYLOAD = JsonText('{"csv":"' + "x" * 300 + '"}')
OWNER = "the-owner-of-half-of-them"


class Cost(Frozen):
    """Calls and capacity units of one operation."""

    calls: int
    reads: float
    writes: float


class Scale(Frozen):
    """The costs of the operations with so many jobs in the table."""

    jobs: int
    costs: dict[str, Cost]


class Meter:
    """Counts a client's calls and what they consume, by asking DynamoDB for it."""

    def __init__(self, client: "DynamoDBClient") -> None:
        self._calls = 0
        self._units = {"ReadCapacityUnits": 0.0, "WriteCapacityUnits": 0.0}
        client.meta.events.register("provide-client-params.dynamodb.*", self._ask)
        client.meta.events.register("after-call.dynamodb.*", self._count)

    def _ask(self, params: dict[str, object], **_: object) -> None:
        params["ReturnConsumedCapacity"] = "TOTAL"

    def _count(self, parsed: dict[str, object], model: object, **_: object) -> None:
        self._calls += 1
        consumed = parsed.get("ConsumedCapacity")
        reading = getattr(model, "name", "") in {"Query", "GetItem", "BatchGetItem"}
        for entry in consumed if isinstance(consumed, list) else [consumed]:
            if isinstance(entry, dict):
                self._units["ReadCapacityUnits" if reading else "WriteCapacityUnits"] += float(entry["CapacityUnits"])

    async def cost_of(self, work: Awaitable[object]) -> Cost:
        """What awaiting `work` costs; nothing else may run meanwhile."""
        self._calls, self._units = 0, dict.fromkeys(self._units, 0.0)
        await work
        return Cost(calls=self._calls, reads=self._units["ReadCapacityUnits"], writes=self._units["WriteCapacityUnits"])


async def measure() -> tuple[Scale, ...]:
    """One table that grows; each time with clients of its own, so that the meter counts nothing else."""
    os.environ.update(local_credentials())
    stack = load_stack(PARAMETERS)
    found: list[Scale] = []
    with tempfile.TemporaryDirectory() as folder:
        async with embedded_database(None, Path(folder) / "database.log") as database:
            filling = LazyClient(database.url)
            await ensure_tables(await filling(), tuple(stack.tables.values()))
            held = 0
            for size in SIZES:
                await _fill(await filling(), size - held)
                held = size
                metered = LazyClient(database.url)
                repository = job_repository(settings(stack, database.url), metered)
                found.append(Scale(jobs=size, costs=await costs(Meter(await metered()), repository)))
                await metered.close()
            await filling.close()
    return tuple(found)


async def costs(meter: Meter, repository: DynamoJobRepository) -> dict[str, Cost]:
    """What each operation costs on the table as it is."""
    now = datetime.now(UTC)
    policy = Policy()
    job = transitions.submit(_new(OWNER), policy, now)
    submitted = await meter.cost_of(repository.add(job, now))
    claimed = _legal(transitions.claim(job, policy, "token", now + timedelta(seconds=90), now))
    claim = await meter.cost_of(repository.replace(claimed, job.version))
    finished = _legal(transitions.finish(claimed, policy, "token", Done(result=JsonText("{}")), now, 0.5))
    finish = await meter.cost_of(repository.replace(finished, claimed.version))
    listing = await meter.cost_of(
        repository.list_by_owner(OWNER, JobFilter(), PageRequest(limit=PAGE, cursor=None), now)
    )
    for _ in range(DUE):
        later = transitions.submit(_new(OWNER, run_at=now + timedelta(milliseconds=1)), policy, now)
        await repository.add(later, now)
    soon = now + timedelta(seconds=1)
    sweeper = Sweeper(repository, catalogue(), lambda: soon, lambda: 0.5)
    sweep = await meter.cost_of(sweeper.sweep(soon + timedelta(seconds=55)))
    return {
        "submit": submitted,
        "claim": claim,
        "finish": finish,
        f"list a page of {PAGE}": listing,
        f"sweep with {DUE} due": sweep,
    }


async def _fill(client: "DynamoDBClient", jobs: int) -> None:
    """Half of the jobs belong to one owner; half have ended, half are scheduled for next year."""
    now = datetime.now(UTC)
    numbers = iter(range(0, jobs, BATCH))

    async def lane() -> None:
        for start in numbers:
            items = [_item(number, now) for number in range(start, min(start + BATCH, jobs))]
            requests = [{"PutRequest": {"Item": item}} for item in items]
            answer = await client.batch_write_item(RequestItems={"JobsTable": requests})  # type: ignore[dict-item]
            if answer["UnprocessedItems"]:
                raise RuntimeError("the database leaves items unprocessed")

    await asyncio.gather(*(lane() for _ in range(WRITERS)))


def _item(number: int, now: datetime) -> object:
    policy = Policy()
    ended, owner = number % 2 == 0, OWNER if number % 4 in {0, 1} else f"owner-{number % 1000}"
    job = transitions.submit(_new(owner, run_at=None if ended else now + timedelta(days=300)), policy, now)
    if ended:
        claimed = _legal(transitions.claim(job, policy, "token", now + timedelta(seconds=90), now))
        job = _legal(transitions.finish(claimed, policy, "token", Done(result=JsonText("{}")), now, 0.5))
    return job_to_item(job, "w" * 36, 8)


def _new(owner: str, run_at: datetime | None = None) -> NewJob:
    job_id = str(uuid.uuid4())
    return NewJob(id=job_id, owner_id=owner, type="csv.profile", payload=PAYLOAD, max_attempts=5, run_at=run_at)


def _legal(moved: Job | IllegalTransition) -> Job:
    if isinstance(moved, IllegalTransition):
        raise TypeError(f"{moved.action} is not legal")
    return moved


def table(found: tuple[Scale, ...]) -> str:
    """As Markdown: calls, read units and write units."""
    operations = list(found[0].costs)
    return "\n".join((
        f"| calls / read / write units | {' | '.join(f'{each.jobs:,} jobs' for each in found)} |",
        f"|---|{'---|' * len(found)}",
        *(
            f"| {name} | "
            + " | ".join(
                f"{each.costs[name].calls} / {each.costs[name].reads:g} / {each.costs[name].writes:g}" for each in found
            )
            + " |"
            for name in operations
        ),
    ))  # fmt: skip


if __name__ == "__main__":
    print(table(asyncio.run(measure())))
