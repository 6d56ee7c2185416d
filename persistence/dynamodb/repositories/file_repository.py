"""Files' descriptions in DynamoDB: one small item each, written once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.files.repository import FileNotFound
from domain.jobs.job import is_expired
from domain.results import StorageUnavailable
from persistence.converters.files import file_to_item, item_to_file
from persistence.dynamodb.client import STORAGE_ERRORS, as_result

if TYPE_CHECKING:
    from datetime import datetime

    from domain.files.file import StoredFile
    from persistence.dynamodb.client import ClientSource


class DynamoFileRepository:
    """The `FileRepository` on a table and a client for it."""

    def __init__(self, client: ClientSource, table: str) -> None:
        self._client = client
        self._table = table

    async def add(self, file: StoredFile) -> StoredFile | StorageUnavailable:
        try:
            # Without a condition: the id is random, so that whatever stands under it is this very write, sent again.
            await (await self._client()).put_item(TableName=self._table, Item=file_to_item(file))
        except STORAGE_ERRORS as error:
            return as_result(error)
        return file

    async def get(self, file_id: str, now: datetime) -> StoredFile | FileNotFound | StorageUnavailable:
        try:
            client = await self._client()
            answer = await client.get_item(TableName=self._table, Key={"id": {"S": file_id}}, ConsistentRead=True)
        except STORAGE_ERRORS as error:
            return as_result(error)
        if "Item" not in answer:
            return FileNotFound(file_id=file_id)
        file = item_to_file(answer["Item"])
        if file is None:
            return StorageUnavailable(reason="rejected", detail="the item is no file of ours")
        return FileNotFound(file_id=file_id) if is_expired(file.expires_at, now) else file
