"""The conformance suite of `FileRepository`, for the fake, moto's server and MiniStack."""

from datetime import timedelta

import pytest

from domain.files.file import StoredFile
from domain.files.repository import FileNotFound, FileRepository
from domain.files.service import new_file
from domain.results import StorageUnavailable
from functions.runtime import LazyClient
from headrace.testing.file_repository import FakeFileRepository
from persistence.dynamodb.repositories.file_repository import DynamoFileRepository
from tests.conftest import new_id
from tests.factories import NOW

DAY = timedelta(days=1)


@pytest.fixture(params=["fake", "moto", "ministack"])
def files(request: pytest.FixtureRequest) -> FileRepository:
    if request.param == "fake":
        return FakeFileRepository()
    client = request.getfixturevalue(f"{request.param}_client")
    return DynamoFileRepository(client, "FilesTable")


def a_file(size: int = 7) -> StoredFile:
    return new_file(new_id(), "owner-1", "résumé.csv", "text/csv", size, NOW, DAY)


async def test_a_file_comes_back_as_it_was_added(files: FileRepository) -> None:
    file = a_file(size=5 * 1000**3)
    assert await files.add(file) == file
    assert await files.get(file.id, NOW) == file


async def test_the_same_again_changes_nothing(files: FileRepository) -> None:
    file = a_file()
    for _ in range(2):
        assert await files.add(file) == file
    assert await files.get(file.id, NOW) == file


async def test_an_expired_or_unknown_file_is_not_found(files: FileRepository) -> None:
    file = a_file()
    await files.add(file)
    assert await files.get(file.id, file.expires_at - timedelta(seconds=1)) == file
    assert await files.get(file.id, file.expires_at) == FileNotFound(file_id=file.id)
    unknown = new_id()
    assert await files.get(unknown, NOW) == FileNotFound(file_id=unknown)


async def test_attributes_of_a_newer_version_do_not_matter_and_rubbish_is_told(ministack_client: LazyClient) -> None:
    files, file, client = DynamoFileRepository(ministack_client, "FilesTable"), a_file(), await ministack_client()
    await files.add(file)
    item = (await client.get_item(TableName="FilesTable", Key={"id": {"S": file.id}}))["Item"]
    await client.put_item(TableName="FilesTable", Item={**item, "colour": {"S": "red"}})
    assert await files.get(file.id, NOW) == file
    await client.put_item(TableName="FilesTable", Item={"id": {"S": file.id}, "size": {"S": "big"}})
    assert isinstance(await files.get(file.id, NOW), StorageUnavailable)


async def test_a_table_that_is_not_there_is_told_as_a_result(ministack_client: LazyClient) -> None:
    files = DynamoFileRepository(ministack_client, "NoSuchTable")
    assert isinstance(await files.add(a_file()), StorageUnavailable)
    assert isinstance(await files.get(new_id(), NOW), StorageUnavailable)
