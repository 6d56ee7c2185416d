"""Files of a test: given to a handler, and saved by it."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from domain.files.file import blob_key
from domain.files.service import new_file
from headrace.testing.blob_store import FakeBlobStore
from headrace.testing.file_repository import FakeFileRepository

FILE_LIFETIME = timedelta(days=30)
_TYPE = "application/octet-stream"


async def given_files(
    contents: Mapping[str, bytes], owner: str, blobs: FakeBlobStore, files: FakeFileRepository, now: datetime
) -> None:
    """Store the owner's files, by their ids."""
    for file_id, content in contents.items():
        await files.add(new_file(file_id, owner, file_id, _TYPE, len(content), now, FILE_LIFETIME))
        await blobs.put(blob_key(owner, file_id), content, _TYPE)


def saved_files(
    given: Mapping[str, bytes], owner: str, blobs: FakeBlobStore, files: FakeFileRepository
) -> dict[str, bytes]:
    """What was saved beside the given files, by name; of two of one name the later one."""
    saved = (file for file in files.stored.values() if file.id not in given)
    return {file.name: blobs.stored[blob_key(owner, file.id)].content for file in saved}
