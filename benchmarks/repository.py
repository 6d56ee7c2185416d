"""The repository's overhead: create, claim and finish, compared with the same three calls on a bare client."""

import asyncio
import itertools
import os
import statistics
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aioboto3

from domain.jobs import transitions
from domain.jobs.change import Change
from domain.jobs.job import Job
from domain.jobs.outcomes import Done
from domain.jobs.transitions import IllegalTransition, NewJob
from functions.adapters import job_repository
from functions.runtime import LazyClient
from headrace.authoring.frozen import Frozen
from headrace.authoring.job_type import Policy
from headrace.authoring.json_text import JsonText
from headrace.emulator.database import embedded_database, local_credentials
from headrace.emulator.stack import settings
from headrace.emulator.tables import ensure_tables
from headrace.emulator.template import load_stack
from persistence.converters.attributes import item_size
from persistence.converters.dynamo_to_domain import job_to_item

PARAMETERS = {"JwtIssuer": "https://issuer.example.com", "JwtAudience": "headrace", "CursorKey": "0" * 64}
JOBS = 400
ROUNDS = 7
CONCURRENCY = 16
TARGET = 1.25
POLICY = Policy()
PAYLOAD = JsonText('{"csv":"' + "x" * 600 + '"}')
RESULT = JsonText('{"rows":1}')


class Overhead(Frozen):
    """CPU microseconds of the client per job, for its three writes together: medians of the rounds."""

    bare: float
    repository: float

    @property
    def ratio(self) -> float:
        """The repository's time divided by that of the calls by hand."""
        return self.repository / self.bare


async def measure() -> Overhead:
    """Measure both on one server, alternating."""
    os.environ.update(local_credentials())
    stack = load_stack(PARAMETERS)
    bare: list[float] = []
    ours: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        async with embedded_database(None, Path(folder) / "database.log") as database:
            lazy = LazyClient(database.url)
            await ensure_tables(await lazy(), tuple(stack.tables.values()))
            repository = job_repository(settings(stack, database.url), lazy)
            session = aioboto3.Session()
            async with session.client("dynamodb", endpoint_url=database.url) as client:

                async def by_hand() -> None:
                    job_id = str(uuid.uuid4())
                    common = _attributes(job_id)
                    versions = (("queued", "attribute_not_exists(id)"), ("running", None), ("succeeded", None))
                    for version, (status, condition) in enumerate(versions, start=1):
                        item = {**common, "status": {"S": status}, "version": {"N": str(version)}}
                        guard = {"ConditionExpression": condition} if condition else {
                            "ConditionExpression": "version = :expected",
                            "ExpressionAttributeValues": {":expected": {"N": str(version - 1)}},
                        }  # fmt: skip
                        await client.put_item(TableName="JobsTable", Item=item, **guard)

                async def through_the_repository() -> None:
                    now = datetime.now(UTC)
                    new = transitions.submit(_new(str(uuid.uuid4())), POLICY, now)
                    stored = _job(await repository.add(new, now))
                    claim = _legal(transitions.claim(stored, POLICY, "token", now + timedelta(seconds=90), now))
                    running = _job(await repository.replace(claim, stored.version))
                    finish = _legal(transitions.finish(running, POLICY, "token", Done(result=RESULT), now, 0.5))
                    _job(await repository.replace(finish, running.version))

                for warm in (by_hand, through_the_repository):
                    await _cpu_of(warm, JOBS // 4)
                for _ in range(ROUNDS):
                    bare.append(await _cpu_of(by_hand, JOBS))
                    ours.append(await _cpu_of(through_the_repository, JOBS))
            await lazy.close()
    return Overhead(bare=statistics.median(bare), repository=statistics.median(ours))


async def _cpu_of(work: Callable[[], Awaitable[None]], jobs: int) -> float:
    """CPU microseconds of this process per job, with 16 jobs concurrently."""
    numbers = itertools.count()

    async def lane() -> None:
        while next(numbers) < jobs:
            await work()

    began = time.process_time()
    await asyncio.gather(*(lane() for _ in range(CONCURRENCY)))
    return (time.process_time() - began) / jobs * 1e6


def _new(job_id: str) -> NewJob:
    return NewJob(id=job_id, owner_id="owner", type="csv.profile", payload=PAYLOAD, max_attempts=5)


def _attributes(job_id: str) -> dict[str, dict[str, str]]:
    """An item of the same size as Headrace's, with the few attributes that a jobs table needs."""
    moment = datetime.now(UTC).isoformat()
    return {
        "id": {"S": job_id},
        "owner_id": {"S": "owner"},
        "type": {"S": "csv.profile"},
        "created_at": {"S": moment},
        "updated_at": {"S": moment},
        "payload": {"S": PAYLOAD + PADDING},
    }


# The size of a submitted job's item; PADDING makes the item above as large.
_SIZE = item_size(job_to_item(transitions.submit(_new("0" * 36), POLICY, datetime.now(UTC)).job, "w" * 36))
PADDING = "x" * (_SIZE - len(PAYLOAD) - 200)


def _job(written: object) -> Job:
    if not isinstance(written, Job):
        raise TypeError(f"not written: {written}")
    return written


def _legal(moved: Change | IllegalTransition) -> Change:
    if isinstance(moved, IllegalTransition):
        raise TypeError(f"{moved.action} is not legal")
    return moved


def table(found: Overhead) -> str:
    """Format the results as a Markdown table."""
    return "\n".join((
        "| CPU µs of the client per job | by hand | repository | ratio | target |",
        "|---|---|---|---|---|",
        f"| create, claim, finish | {found.bare:.0f} | {found.repository:.0f} | {found.ratio:.2f} | {TARGET} |",
    ))  # fmt: skip


if __name__ == "__main__":
    print(table(asyncio.run(measure())))
