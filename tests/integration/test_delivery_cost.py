"""The units of a webhook's delivery, measured on a database that charges as DynamoDB does."""

import io
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from aiohttp import web
from aws_lambda_powertools import Logger

from domain.jobs.catalogue import Catalogue
from domain.jobs.dispatch import Dispatcher
from domain.jobs.execution import JobExecutor
from domain.jobs.execution_results import Executed
from domain.jobs.run_due import DueJobRunner
from domain.jobs.wake_queue import Wake
from domain.webhooks.delivering import DeliveryService
from domain.webhooks.delivery import ALLOWED_HOSTS
from domain.webhooks.endpoint import Endpoint, EndpointWishes, new_endpoint
from domain.webhooks.signing import Signer, new_signer
from domain.webhooks.tell_of import TellOf
from domain.webhooks.telling import Teller
from functions.attempts.deliver_webhook import DeliverWebhook
from functions.runtime import LazyClient, new_random, now
from headrace.authoring.job_type import STANDARD
from persistence.converters.attributes import item_size
from persistence.converters.dynamo_to_domain import job_to_item
from persistence.dynamodb.repositories.webhook_repository import DynamoEndpointRepository, DynamoSignerRepository
from tests.conftest import job_repository_on, new_id
from tests.factories import succeeded
from tests.integration.metering import Meter
from tests.serving import serving
from tests.unit.webhooks.parts import Known

SECOND = timedelta(seconds=1)


@pytest.fixture
async def url() -> AsyncIterator[str]:
    async def take(_request: web.Request) -> web.Response:
        return web.Response(status=204)

    with serving(take) as url:
        yield url


async def test_a_delivery_costs_nine_write_units_and_three_reads_of_which_one_finds_the_job(
    metered: tuple[LazyClient, Meter],
    url: str,
) -> None:
    client, meter = metered
    endpoints = DynamoEndpointRepository(client, "WebhooksTable", new_id)
    signers = DynamoSignerRepository(client, "WebhookSecretsTable", new_id)
    endpoint = new_endpoint(new_id(), EndpointWishes(url=f"{url}/hooks"), now())
    assert isinstance(await endpoints.add(endpoint), Endpoint)
    assert isinstance(await signers.put(new_signer(endpoint.id, bytes(32), now()), None), Signer)
    handler = DeliverWebhook(lambda: DeliveryService(endpoints, signers, now), Logger(new_id(), stream=io.StringIO()))
    jobs, catalogue = job_repository_on(client), Catalogue((), (handler,))
    executor = JobExecutor(jobs, catalogue, now, new_id, new_random, {ALLOWED_HOSTS: "127.0.0.1"})
    runner = DueJobRunner(jobs, executor, Dispatcher(catalogue, {}, now), STANDARD, now)
    meter.take()
    told = await Teller(jobs, Known(endpoint), TellOf(catalogue), now).tell(
        [succeeded(now(), id=new_id(), owner_id=new_id())], now() + 60 * SECOND
    )
    assert told.made == 1
    assert meter.take() == [("PutItem", 4.0)]
    listed = await (await client()).query(
        TableName="JobsTable",
        IndexName="owner-index",
        KeyConditionExpression="owner_id = :owner",
        ExpressionAttributeValues={":owner": {"S": endpoint.id}},
    )
    meter.take()  # of this test alone
    (found,) = listed["Items"]
    executed = await runner.run(Wake(job_id=str(found["id"]["S"]), due=now()), now() + 120 * SECOND)
    spent = meter.take()
    await endpoints.delete(endpoint.id)  # other files share the table, and list all of them
    assert isinstance(executed, Executed), executed
    assert executed.outcome == "succeeded"
    assert item_size(job_to_item(executed.job, new_id())) <= 1500
    assert spent == [
        ("GetItem", 1.0), ("PutItem", 2.0), ("GetItem", 1.0), ("GetItem", 1.0), ("PutItem", 3.0),
    ]  # fmt: skip
