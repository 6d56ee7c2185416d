"""Webhook endpoints and signers in DynamoDB: small items, in a table each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from domain.results import StorageUnavailable
from domain.webhooks.endpoint import Endpoint
from domain.webhooks.repository import EndpointConflict, EndpointNotFound, SignerConflict, SignerNotFound
from persistence.converters.attributes import Unreadable, string_of
from persistence.converters.webhooks import (
    ALL,
    endpoint_to_item,
    item_to_endpoint,
    item_to_signer,
    signer_to_item,
)
from persistence.dynamodb.client import STORAGE_ERRORS, as_result

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb.type_defs import UniversalAttributeValueTypeDef as Attribute

    from domain.ports import NewId
    from domain.webhooks.signing import Signer
    from persistence.dynamodb.client import ClientSource

INDEX = "list-index"
MAX_LISTED = 100


class _Refused:
    """The condition of a write did not hold."""


class _Table:
    """Conditional writes of whole items under `id`."""

    def __init__(self, client: ClientSource, table: str) -> None:
        self._client = client
        self._table = table

    async def get(self, id: str) -> dict[str, Attribute] | StorageUnavailable | None:
        try:
            client = await self._client()
            answer = await client.get_item(TableName=self._table, Key={"id": {"S": id}}, ConsistentRead=True)
        except STORAGE_ERRORS as error:
            return as_result(error)
        return dict(answer["Item"]) if "Item" in answer else None

    async def put(
        self, item: dict[str, Attribute], expected_version: int | None
    ) -> StorageUnavailable | _Refused | None:
        """Write the item at that version (None: where there is none). Our own lost acknowledgement is success."""
        values: dict[str, Attribute] = {":expected": {"N": str(expected_version)}}
        try:
            client = await self._client()
            if expected_version is None:
                await client.put_item(
                    TableName=self._table,
                    Item=item,
                    ConditionExpression="attribute_not_exists(id)",
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
            else:
                await client.put_item(
                    TableName=self._table,
                    Item=item,
                    ConditionExpression="version = :expected",
                    ExpressionAttributeValues=values,
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") != "ConditionalCheckFailedException":
                return as_result(error)
            stored: object = error.response.get("Item")
            same = isinstance(stored, dict) and string_of(stored, "write_id") == string_of(item, "write_id")
            return None if same else _Refused()
        except STORAGE_ERRORS as error:
            return as_result(error)
        return None

    async def delete(self, id: str) -> StorageUnavailable | None:
        try:
            await (await self._client()).delete_item(TableName=self._table, Key={"id": {"S": id}})
        except STORAGE_ERRORS as error:
            return as_result(error)
        return None


class DynamoEndpointRepository:
    """The `EndpointRepository` on a table and a client for it."""

    def __init__(self, client: ClientSource, table: str, new_id: NewId) -> None:
        self._client = client
        self._name = table
        self._table = _Table(client, table)
        self._new_id = new_id

    async def add(self, endpoint: Endpoint) -> Endpoint | StorageUnavailable:
        written = await self._table.put(endpoint_to_item(endpoint, self._new_id()), None)
        match written:
            case None:
                return endpoint
            case StorageUnavailable():
                return written
            case _Refused():
                return StorageUnavailable(reason="rejected", detail="the new endpoint's id is not new")

    async def get(self, endpoint_id: str) -> Endpoint | EndpointNotFound | StorageUnavailable:
        item = await self._table.get(endpoint_id)
        if item is None:
            return EndpointNotFound()
        if isinstance(item, StorageUnavailable):
            return item
        endpoint = item_to_endpoint(item)
        if isinstance(endpoint, Endpoint):
            return endpoint
        return StorageUnavailable(reason="rejected", detail=f"unreadable endpoint: {endpoint.detail}")

    async def all(self) -> tuple[Endpoint, ...] | StorageUnavailable:
        try:
            client = await self._client()
            answer = await client.query(
                TableName=self._name,
                IndexName=INDEX,
                KeyConditionExpression="listed = :all",
                ExpressionAttributeValues={":all": {"S": ALL}},
                Limit=MAX_LISTED,
            )
        except STORAGE_ERRORS as error:
            return as_result(error)
        found = map(item_to_endpoint, answer["Items"])
        return tuple(each for each in found if isinstance(each, Endpoint))

    async def replace(
        self, endpoint: Endpoint, expected_version: int
    ) -> Endpoint | EndpointConflict | StorageUnavailable:
        written = await self._table.put(endpoint_to_item(endpoint, self._new_id()), expected_version)
        match written:
            case None:
                return endpoint
            case StorageUnavailable():
                return written
            case _Refused():
                return EndpointConflict(endpoint_id=endpoint.id)

    async def delete(self, endpoint_id: str) -> StorageUnavailable | None:
        return await self._table.delete(endpoint_id)


class DynamoSignerRepository:
    """The `SignerRepository` on a table and a client for it."""

    def __init__(self, client: ClientSource, table: str, new_id: NewId) -> None:
        self._table = _Table(client, table)
        self._new_id = new_id

    async def get(self, signer_id: str) -> Signer | SignerNotFound | StorageUnavailable:
        item = await self._table.get(signer_id)
        if item is None:
            return SignerNotFound()
        if isinstance(item, StorageUnavailable):
            return item
        signer = item_to_signer(item)
        if isinstance(signer, Unreadable):
            return StorageUnavailable(reason="rejected", detail=f"unreadable signer: {signer.detail}")
        return signer

    async def put(self, signer: Signer, expected_version: int | None) -> Signer | SignerConflict | StorageUnavailable:
        written = await self._table.put(signer_to_item(signer, self._new_id()), expected_version)
        match written:
            case None:
                return signer
            case StorageUnavailable():
                return written
            case _Refused():
                return SignerConflict(signer_id=signer.id)

    async def delete(self, signer_id: str) -> StorageUnavailable | None:
        return await self._table.delete(signer_id)
