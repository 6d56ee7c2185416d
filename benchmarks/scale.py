"""Measures calls and capacity units of submit, claim, finish, list and sweep as the number of jobs grows."""

import asyncio
import os
import tempfile
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.meter import Cost, Meter, together
from domain.jobs import transitions
from domain.jobs.change import Change
from domain.jobs.filtering import JobFilter
from domain.jobs.listing import JobListing
from domain.jobs.outcomes import Done
from domain.jobs.sweeping import Sweeper
from domain.jobs.transitions import IllegalTransition, NewJob
from domain.paging import PageRequest
from functions.adapters import job_listing, job_repository, stream_positions
from functions.job_types import load_job_types
from functions.runtime import LazyClient
from headrace.authoring.frozen import Frozen
from headrace.authoring.job_type import Policy
from headrace.authoring.json_text import JsonText
from headrace.emulator.database import embedded_database, local_credentials
from headrace.emulator.stack import settings
from headrace.emulator.tables import ensure_tables
from headrace.emulator.template import load_stack
from headrace.testing.wake_queue import FakeWakeQueue
from persistence.converters.dynamo_to_domain import job_to_item
from persistence.dynamodb.repositories.job_repository import DynamoJobRepository
from persistence.dynamodb.repositories.stream_positions import DynamoStreamPositions

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb.client import DynamoDBClient

PARAMETERS = {"JwtIssuer": "https://issuer.example.com", "JwtAudience": "headrace", "CursorKey": "0" * 64}
SIZES = (100, 10_000, 100_000)
UNITS_TARGET = 6
DUE = 10
PAGE = 20
WRITERS = 8
BATCH = 25
PAYLOAD = JsonText('{"csv":"' + "x" * 300 + '"}')
OWNER = "the-owner-of-half-of-them"


class Scale(Frozen):
    """The costs of the operations with `jobs` jobs in the table."""

    jobs: int
    costs: dict[str, Cost]


async def measure() -> tuple[Scale, ...]:
    """Measure at each size of one growing table, with a new client each time, so that the meter counts nothing else."""
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
                found_settings = settings(stack, database.url)
                repository = job_repository(found_settings, metered)
                lists = job_listing(found_settings, PARAMETERS["CursorKey"], metered)
                positions = stream_positions("StreamPositionsTable", metered)
                found.append(Scale(jobs=size, costs=await costs(Meter(await metered()), repository, lists, positions)))
                await metered.close()
            await filling.close()
    return tuple(found)


async def costs(
    meter: Meter, repository: DynamoJobRepository, lists: JobListing, positions: DynamoStreamPositions
) -> dict[str, Cost]:
    """Measure each operation on the table as it is."""
    now = datetime.now(UTC)
    policy = Policy()
    new = transitions.submit(_new(OWNER), policy, now)
    submitted = await meter.cost_of(repository.add(new, now))
    claimed = _legal(transitions.claim(new.job, policy, "token", now + timedelta(seconds=90), now))
    claim = await meter.cost_of(repository.replace(claimed, new.job.version))
    finished = _legal(transitions.finish(claimed.job, policy, "token", Done(result=JsonText("{}")), now, 0.5))
    finish = await meter.cost_of(repository.replace(finished, claimed.job.version))
    listing = await meter.cost_of(lists.list_by_owner(OWNER, JobFilter(), PageRequest(limit=PAGE, cursor=None), now))
    for _ in range(DUE):
        later = transitions.submit(_new(OWNER, run_at=now + timedelta(milliseconds=1)), policy, now)
        await repository.add(later, now)
    soon = now + timedelta(seconds=1)
    sweeper = Sweeper(repository, positions, FakeWakeQueue(), load_job_types("job_types"), lambda: soon, lambda: 0.5)
    sweep = await meter.cost_of(sweeper.sweep(soon + timedelta(seconds=55)))
    return {
        "submit": submitted,
        "claim": claim,
        "finish": finish,
        f"list a page of {PAGE}": listing,
        f"sweep with {DUE} due": sweep,
    }


async def _fill(client: "DynamoDBClient", jobs: int) -> None:
    """Add jobs: half of them belong to one owner; half have ended, half are scheduled for next year."""
    now = datetime.now(UTC)
    numbers = iter(range(0, jobs, BATCH))

    async def lane() -> None:
        for start in numbers:
            items = [_item(number, now) for number in range(start, min(start + BATCH, jobs))]
            requests = [{"PutRequest": {"Item": item}} for item in items]
            written = await client.batch_write_item(RequestItems={"JobsTable": requests})  # type: ignore[dict-item]
            if written["UnprocessedItems"]:
                raise RuntimeError("the database left items unprocessed")

    await asyncio.gather(*(lane() for _ in range(WRITERS)))


def _item(number: int, now: datetime) -> object:
    policy = Policy()
    ended, owner = number % 2 == 0, OWNER if number % 4 in {0, 1} else f"owner-{number % 1000}"
    change = transitions.submit(_new(owner, run_at=None if ended else now + timedelta(days=300)), policy, now)
    if ended:
        claimed = _legal(transitions.claim(change.job, policy, "token", now + timedelta(seconds=90), now))
        change = _legal(transitions.finish(claimed.job, policy, "token", Done(result=JsonText("{}")), now, 0.5))
    return job_to_item(change.job, "w" * 36)


def _new(owner: str, run_at: datetime | None = None) -> NewJob:
    job_id = str(uuid.uuid4())
    return NewJob(id=job_id, owner_id=owner, type="csv.profile", payload=PAYLOAD, max_attempts=5, run_at=run_at)


def _legal(moved: Change | IllegalTransition) -> Change:
    if isinstance(moved, IllegalTransition):
        raise TypeError(f"{moved.action} is not legal")
    return moved


def units_table(found: tuple[Scale, ...]) -> str:
    """Format the write units of a successful job, by table and index, as a Markdown table."""
    moves = {name: found[0].costs[name] for name in ("submit", "claim", "finish")}
    rows = {**moves, "a successful job": together(moves.values())}
    places = sorted(rows["a successful job"].writes_by_place, key=lambda place: (place != "table", place))
    return "\n".join((
        f"| units | {' | '.join(f'write: {place}' for place in places)} | write | target | read |",
        f"|---|{'---|' * len(places)}---|---|---|",
        *(
            f"| {name} | {' | '.join(f'{cost.writes_by_place.get(place, 0):g}' for place in places)} "
            f"| {cost.writes:g} | {'' if name in moves else UNITS_TARGET} | {cost.reads:g} |"
            for name, cost in rows.items()
        ),
    ))  # fmt: skip


def table(found: tuple[Scale, ...]) -> str:
    """Format calls, read units and write units as a Markdown table."""
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
