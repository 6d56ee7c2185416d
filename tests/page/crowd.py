"""Ten thousand jobs in mixed states, put into a local stack's table directly: what a list looks like after a while."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING
from uuid import UUID

from domain.jobs.job import Frame, Job, Retrying
from domain.jobs.outcomes import Done, Outcome, Pause, Raised, TimedOut
from functions.runtime import LazyClient
from headrace.authoring.json_text import to_json_text
from headrace.authoring.outcomes import Fail, Retry
from headrace.emulator.credentials import use_credentials
from headrace.emulator.stack import parameters, settings
from headrace.emulator.state import Folder
from headrace.emulator.template import load_stack
from persistence.converters.dynamo_to_domain import job_to_item
from tests.factories import WAITED_FOR, Fields, cancelled, claimed, finished, queued, scheduled
from tests.page.conftest import LONG_NAME

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb.type_defs import WriteRequestTypeDef

SPAN = timedelta(minutes=50)
MOST_RETRYING = timedelta(minutes=5)
"""What the attempts of one may take, with the pauses between them."""
WAITED, RAN = timedelta(milliseconds=30), timedelta(milliseconds=900)
AT_ONCE = 25
WRITERS = 4
FRAMES = (
    Frame(file="mill/__init__.py", line=44, function="grind", source="cost=price_of(order)"),
    Frame(file="mill/__init__.py", line=53, function="price_of", source="return order.prices[order.grain]"),
)
LONG_CODE = "an.error.code.that.says.very.much.about.what.went.wrong.in.the.mill"
LONG_MESSAGE = ("The sack has a hole, and its label says something else. " * 20)[:1000]
OUTCOMES: tuple[Outcome, ...] = (
    *[Done(result=to_json_text({"order_id": "A", "sacks": 3, "cost": 7.5}))] * 12,
    Raised(code="KeyError", message="'barley'", frames=FRAMES),
    Raised(code=LONG_CODE, message=LONG_MESSAGE, frames=FRAMES),
    TimedOut(reason="it took longer than 30 s"),
    Fail(code="no_flour", reason="sold out"),
    Retry(reason="the scales need a while", after=timedelta(hours=3)),
)  # fmt: skip
ENDED = len(OUTCOMES)
STATES = ENDED + 3


def crowd(owner_id: str, now: datetime, count: int) -> Iterator[Job]:
    """Jobs of the last `SPAN`, of which nothing runs: each in a state that it keeps for hours."""
    for number in range(count):
        at = now - MOST_RETRYING - SPAN * (number / count)
        new: Fields = {
            "id": str(UUID(int=(0x8000 << 64) | (0x8 << 60) | number)),
            "owner_id": owner_id,
            "type": (LONG_NAME, "mill.grind", "mill.complain", "mill.weigh")[number % 4],
            "payload": to_json_text({"order_id": f"C-{number}"}),
            "tags": {"customer": f"customer {number % 40}", "n" * 40: "v" * 200} if number % 50 == 0 else {},
            "max_attempts": 3,
        }
        yield _in_state(number % STATES, at, now, new)


def _in_state(kind: int, at: datetime, now: datetime, new: Fields) -> Job:
    if kind == ENDED:
        return cancelled(at, **new)
    if kind == ENDED + 1:
        return scheduled(now + timedelta(hours=5), at, **new)
    waits = Pause(waits_for=WAITED_FOR.waits_for, until=now + timedelta(hours=9))
    outcome = waits if kind == ENDED + 2 else OUTCOMES[kind]
    job = queued(at, **new)
    start = at + WAITED
    while True:
        job = finished(claimed(job, start), outcome, start + RAN)
        if not isinstance(job.state, Retrying) or isinstance(outcome, Retry):
            return job
        start = job.state.retry_at


async def put(folder: Folder, owner_id: str, count: int) -> None:
    """Put them into the table of the stack that runs in the folder."""
    running = folder.running()
    assert running is not None
    use_credentials(running.endpoint_url)
    client = LazyClient(running.endpoint_url)
    dynamo = await client()
    table = settings(load_stack(parameters(folder)), running.endpoint_url).jobs_table
    items = iter([job_to_item(job, job.id) for job in crowd(owner_id, datetime.now(UTC), count)])

    async def write() -> None:
        while some := tuple(islice(items, AT_ONCE)):
            puts: list[WriteRequestTypeDef] = [{"PutRequest": {"Item": item}} for item in some]
            answer = await dynamo.batch_write_item(RequestItems={table: puts})
            assert not answer.get("UnprocessedItems")

    try:
        await asyncio.gather(*(write() for _ in range(WRITERS)))
    finally:
        await client.close()
