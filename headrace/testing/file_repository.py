"""Files' descriptions in memory, held to the same conformance suite as the real repository."""

from datetime import datetime

from domain.files.file import StoredFile
from domain.files.repository import FileNotFound
from domain.jobs.job import is_expired


class FakeFileRepository:
    """A dictionary."""

    def __init__(self) -> None:
        self.stored: dict[str, StoredFile] = {}

    async def add(self, file: StoredFile) -> StoredFile:
        self.stored[file.id] = file
        return file

    async def get(self, file_id: str, now: datetime) -> StoredFile | FileNotFound:
        file = self.stored.get(file_id)
        return FileNotFound(file_id=file_id) if file is None or is_expired(file.expires_at, now) else file
