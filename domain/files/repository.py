"""What the domain asks of the store of files' descriptions.

One conformance suite (`tests/contract/test_file_repository.py`) holds every implementation to these docstrings.
"""

from datetime import datetime
from typing import Protocol

from domain.files.file import StoredFile
from domain.results import StorageUnavailable
from headrace.authoring.frozen import Frozen


class FileNotFound(Frozen):
    """No file has this id, or it has expired."""

    file_id: str


class FileRepository(Protocol):
    """Files' descriptions, one item each."""

    async def add(self, file: StoredFile) -> StoredFile | StorageUnavailable:
        """Store the description of a file whose id is new. The same again changes nothing."""

    async def get(self, file_id: str, now: datetime) -> StoredFile | FileNotFound | StorageUnavailable:
        """The description (strongly consistent); that of an expired file is not found."""
