"""The conformance suite of `EndpointRepository` and `SignerRepository`, for the fakes, moto's server and MiniStack."""

from datetime import timedelta

import pytest

from domain.results import StorageUnavailable
from domain.webhooks.endpoint import Endpoint, EndpointWishes, after_failure, after_gone, new_endpoint
from domain.webhooks.repository import (
    EndpointConflict,
    EndpointNotFound,
    EndpointRepository,
    SignerConflict,
    SignerNotFound,
    SignerRepository,
)
from domain.webhooks.signing import OVERLAP, Signer, new_signer, rotated
from functions.runtime import LazyClient
from persistence.dynamodb.repositories.webhook_repository import DynamoEndpointRepository, DynamoSignerRepository
from tests.conftest import new_id
from tests.factories import NOW
from tests.fakes.webhook_repository import FakeEndpointRepository, FakeSignerRepository

SECOND = timedelta(seconds=1)
WISHES = EndpointWishes(
    url="https://example.com/hooks?token=ü".replace("ü", "%C3%BC"),
    statuses=("failed", "retrying"),
    types=("csv.profile",),
    include=("result",),
    description="naïve ☃",
)


@pytest.fixture(params=["fake", "moto", "ministack"])
def endpoints(request: pytest.FixtureRequest) -> EndpointRepository:
    if request.param == "fake":
        return FakeEndpointRepository()
    return DynamoEndpointRepository(request.getfixturevalue(f"{request.param}_client"), "WebhooksTable", new_id)


@pytest.fixture(params=["fake", "moto", "ministack"])
def signers(request: pytest.FixtureRequest) -> SignerRepository:
    if request.param == "fake":
        return FakeSignerRepository()
    return DynamoSignerRepository(request.getfixturevalue(f"{request.param}_client"), "WebhookSecretsTable", new_id)


def an_endpoint(seconds: int = 0, wishes: EndpointWishes = WISHES) -> Endpoint:
    return new_endpoint(new_id(), wishes, NOW + seconds * SECOND)


async def listed(endpoints: EndpointRepository, *wanted: Endpoint) -> list[Endpoint]:
    """Those of `wanted` that are listed, in the list's order: other tests' endpoints stand in the same table."""
    found = await endpoints.all()
    assert not isinstance(found, StorageUnavailable)
    ids = {endpoint.id for endpoint in wanted}
    return [endpoint for endpoint in found if endpoint.id in ids]


async def test_an_endpoint_comes_back_as_it_was_added(endpoints: EndpointRepository) -> None:
    for endpoint in (an_endpoint(), an_endpoint(wishes=EndpointWishes(url="https://example.com"))):
        assert await endpoints.add(endpoint) == endpoint
        assert await endpoints.get(endpoint.id) == endpoint
        await endpoints.delete(endpoint.id)
        assert await endpoints.get(endpoint.id) == EndpointNotFound()
        assert await endpoints.delete(endpoint.id) is None


async def test_a_taken_id_is_rejected(endpoints: EndpointRepository) -> None:
    endpoint = an_endpoint()
    await endpoints.add(endpoint)
    again = await endpoints.add(endpoint)
    assert isinstance(again, StorageUnavailable)
    assert again.reason == "rejected"
    await endpoints.delete(endpoint.id)


async def test_all_are_listed_the_oldest_first(endpoints: EndpointRepository) -> None:
    first, second, third = an_endpoint(1), an_endpoint(2), an_endpoint(3)
    for each in (second, third, first):
        await endpoints.add(each)
    assert await listed(endpoints, first, second, third) == [first, second, third]
    for each in (first, second, third):
        await endpoints.delete(each.id)
    assert await listed(endpoints, first, second, third) == []


async def test_a_change_is_made_at_the_stored_version_alone(endpoints: EndpointRepository) -> None:
    endpoint = an_endpoint()
    conflict = EndpointConflict(endpoint_id=endpoint.id)
    failing = after_failure(endpoint, 1, NOW)
    assert await endpoints.replace(failing, 1) == conflict, "there is none yet"
    await endpoints.add(endpoint)
    assert await endpoints.replace(failing, 1) == failing
    assert await endpoints.replace(after_gone(endpoint, NOW), 1) == conflict
    gone = after_gone(failing, NOW)
    assert await endpoints.replace(gone, 2) == gone
    assert await endpoints.get(endpoint.id) == gone
    await endpoints.delete(endpoint.id)


async def test_a_signer_is_made_once_and_rotated_at_its_version(signers: SignerRepository) -> None:
    id = new_id()
    assert await signers.get(id) == SignerNotFound()
    first, other = new_signer(id, b"1" * 32, NOW), new_signer(id, b"2" * 32, NOW)
    assert await signers.put(first, None) == first
    assert await signers.put(other, None) == SignerConflict(signer_id=id)
    second = rotated(first, b"2" * 32, OVERLAP, NOW)
    assert await signers.put(second, 1) == second
    assert await signers.put(rotated(first, b"3" * 32, OVERLAP, NOW), 1) == SignerConflict(signer_id=id)
    assert await signers.get(id) == second
    assert await signers.delete(id) is None
    assert await signers.get(id) == SignerNotFound()


async def test_what_a_newer_version_added_is_kept_and_rubbish_is_told(ministack_client: LazyClient) -> None:
    client, endpoint = await ministack_client(), an_endpoint()
    endpoints = DynamoEndpointRepository(ministack_client, "WebhooksTable", new_id)
    signers = DynamoSignerRepository(ministack_client, "WebhookSecretsTable", new_id)
    await endpoints.add(endpoint)
    await signers.put(new_signer(endpoint.id, b"1" * 32, NOW), None)
    for table in ("WebhooksTable", "WebhookSecretsTable"):
        key = {"id": {"S": endpoint.id}}
        red = {":red": {"B": b"r"}}
        await client.update_item(
            TableName=table, Key=key, UpdateExpression="SET colour = :red", ExpressionAttributeValues=red
        )
    stored, signer = await endpoints.get(endpoint.id), await signers.get(endpoint.id)
    assert isinstance(stored, Endpoint)
    assert isinstance(signer, Signer)
    await endpoints.replace(after_failure(stored, 1, NOW), 1)
    await signers.put(rotated(signer, b"2" * 32, OVERLAP, NOW), 1)
    for table in ("WebhooksTable", "WebhookSecretsTable"):
        item = (await client.get_item(TableName=table, Key={"id": {"S": endpoint.id}}))["Item"]
        assert item["colour"] == {"B": b"r"}
        await client.put_item(TableName=table, Item={**item, "version": {"S": "one"}})
    for found in (await endpoints.get(endpoint.id), await signers.get(endpoint.id)):
        assert isinstance(found, StorageUnavailable)
        assert "whsec" not in found.detail
    assert await listed(endpoints, endpoint) == []
    await endpoints.delete(endpoint.id)


async def test_a_database_that_cannot_be_reached_is_unavailable() -> None:
    client = LazyClient("http://127.0.0.1:1")
    endpoint = an_endpoint()
    endpoints = DynamoEndpointRepository(client, "WebhooksTable", new_id)
    signers = DynamoSignerRepository(client, "WebhookSecretsTable", new_id)
    signer = new_signer(endpoint.id, b"1" * 32, NOW)
    for result in (
        await endpoints.add(endpoint), await endpoints.get("1"), await endpoints.all(),
        await endpoints.replace(endpoint, 1), await endpoints.delete("1"),
        await signers.get("1"), await signers.put(signer, None), await signers.delete("1"),
    ):  # fmt: skip
        assert isinstance(result, StorageUnavailable)
    await client.close()
