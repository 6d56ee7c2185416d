"""`headrace.job_item` in a caller's own transaction: both or neither; and a worker runs the job."""

import asyncio
import re
from collections.abc import Callable

import pytest
from botocore.exceptions import ClientError
from pydantic import BaseModel

from domain.jobs.catalogue import Catalogue
from domain.jobs.execution import JobExecutor
from domain.jobs.execution_results import Executed
from domain.jobs.job import Job
from domain.jobs.repository import JobNotFound
from domain.jobs.submission import Submission
from domain.jobs.submitting import SubmissionService, Submitted
from domain.lanes.lanes import Lanes
from functions.runtime import LazyClient, new_random, now
from headrace import JobItem, job_item, job_type
from headrace.emulator.cloudformation import ROOT
from headrace.emulator.tables import ensure_tables
from headrace.emulator.template import Table
from tests.conftest import job_repository_on, lane_repository_on, new_id
from tests.factories import UserFactory
from tests.integration.test_write_units import SECOND

ORDERS = "OrdersOfTests"
DOCUMENT = ROOT / "docs/transactions.md"


class Order(BaseModel):
    number: int


class Shipped(BaseModel):
    number: int


@job_type("orders.ship")
async def ship(order: Order) -> Shipped:
    """Ship an order."""
    return Shipped(number=order.number)


CATALOGUE = Catalogue((ship,))


def keyed_table(name: str, key: str) -> Table:
    return Table(
        name=name,
        create={
            "TableName": name,
            "KeySchema": [{"AttributeName": key, "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": key, "AttributeType": "S"}],
            "BillingMode": "PAY_PER_REQUEST",
        },
        ttl_attribute=None,
    )


@pytest.fixture(params=["moto", "ministack"])
async def client(request: pytest.FixtureRequest, moto_client: LazyClient, ministack_client: LazyClient) -> LazyClient:
    chosen = {"moto": moto_client, "ministack": ministack_client}[request.param]
    await ensure_tables(await chosen(), (keyed_table(ORDERS, "number"),))
    return chosen


async def place(client: LazyClient, number: str, job: JobItem) -> tuple[str, ...]:
    """Write an order's row and its job; the reasons when that is refused."""
    try:
        await (await client()).transact_write_items(
            TransactItems=[
                {
                    "Put": {
                        "TableName": ORDERS,
                        "Item": {"number": {"S": number}, "job_id": {"S": job.id}},
                        "ConditionExpression": "attribute_not_exists(#number)",
                        "ExpressionAttributeNames": {"#number": "number"},
                    }
                },
                job.write,
            ]
        )
    except ClientError as error:
        return tuple(reason["Code"] for reason in error.response["CancellationReasons"])
    return ()


async def has_order(client: LazyClient, number: str) -> bool:
    return "Item" in await (await client()).get_item(TableName=ORDERS, Key={"number": {"S": number}})


def a_job(owner: str, key: str | None = None) -> JobItem:
    return job_item(ship, Order(number=1), owner=owner, idempotency_key=key, jobs_table="JobsTable")


async def test_order_and_job_are_committed_together_and_a_worker_runs_the_job(client: LazyClient) -> None:
    jobs, number = job_repository_on(client), new_id()
    job = a_job(new_id())
    assert await place(client, number, job) == ()
    assert await has_order(client, number)
    stored = await jobs.get(job.id, now())
    assert isinstance(stored, Job)
    executor = JobExecutor(jobs, CATALOGUE, now, new_id, new_random, {})
    executed = await executor.execute(stored, now() + 120 * SECOND)
    assert isinstance(executed, Executed)
    assert executed.outcome == "succeeded"


async def test_an_order_that_is_refused_has_no_job(client: LazyClient) -> None:
    number = new_id()
    assert await place(client, number, a_job(new_id())) == ()
    refused = a_job(new_id())
    assert await place(client, number, refused) == ("ConditionalCheckFailed", "None")
    assert isinstance(await job_repository_on(client).get(refused.id, now()), JobNotFound)


async def test_a_job_that_is_refused_has_no_order(client: LazyClient) -> None:
    owner, number = new_id(), new_id()
    assert await place(client, new_id(), a_job(owner, "order-7")) == ()
    assert await place(client, number, a_job(owner, "order-7")) == ("None", "ConditionalCheckFailed")
    assert not await has_order(client, number)


async def test_the_api_answers_its_key_with_the_same_job(client: LazyClient) -> None:
    owner = UserFactory.build(id=new_id())
    job = a_job(owner.id, "order-8")
    assert await place(client, new_id(), job) == ()
    service = SubmissionService(job_repository_on(client), CATALOGUE, now, new_id)
    submitted = await service.submit(Submission(type="orders.ship", payload={"number": 1}), owner, "order-8")
    assert isinstance(submitted, Submitted)
    assert (submitted.replayed, submitted.job.id) == (True, job.id)


async def test_the_claim_finds_a_place_in_the_lane_or_lets_the_job_wait(client: LazyClient) -> None:
    begun, may_end, jobs = asyncio.Event(), asyncio.Event(), job_repository_on(client)

    @job_type("orders.pack", lane=f"packing {new_id()}", limit=1)
    async def pack(order: Order) -> Shipped:
        """Pack an order."""
        begun.set()
        await may_end.wait()
        return Shipped(number=order.number)

    catalogue = Catalogue((pack,))
    lanes = Lanes(jobs, lane_repository_on(client), catalogue, now, new_random)
    executor = JobExecutor(jobs, catalogue, now, new_id, new_random, {}, lanes=lanes)

    async def placed(number: int) -> Job:
        job = job_item(pack, Order(number=number), owner=new_id(), jobs_table="JobsTable")
        assert await place(client, new_id(), job) == ()
        return await stored(job.id)

    async def stored(id: str) -> Job:
        job = await jobs.get(id, now())
        assert isinstance(job, Job)
        return job

    first, second = await placed(1), await placed(2)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(executor.execute(first, now() + 120 * SECOND))
        await begun.wait()
        await executor.execute(second, now() + 120 * SECOND)
        assert (await stored(second.id)).status == "blocked"
        may_end.set()
    assert (await stored(first.id)).status == "succeeded"
    assert (await stored(second.id)).status == "queued", "who ended has let it go"


async def test_the_documented_program_places_an_order_once(
    moto_url: str, moto_client: LazyClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = re.search(r"<!-- test: transaction -->\n```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    assert found is not None
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", moto_url)
    monkeypatch.setenv("JOB_TYPES", "job_types")
    await ensure_tables(await moto_client(), (keyed_table("orders", "number"),))
    program: dict[str, Callable[[str, str], str]] = {}
    exec(found[1], program)
    owner = new_id()
    stored = await job_repository_on(moto_client).get(program["place_order"]("7", owner), now())
    assert isinstance(stored, Job)
    assert stored.owner_id == owner
    with pytest.raises(ClientError, match="TransactionCanceled"):
        program["place_order"]("7", owner)
