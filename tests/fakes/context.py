"""A `JobContext` for testing handlers alone."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from headrace.authoring.files import Chunks, File, FileMissing, FileStream, FileUnavailable
from tests.factories import NOW


class FakeContext:
    """The first attempt of a job; progress is discarded."""

    def __init__(self, settings: Mapping[str, str] | None = None) -> None:
        self.job_id = "job-1"
        self.attempt = 1
        self.deadline: datetime = NOW + timedelta(seconds=30)
        self.idempotency_key = "job-1"
        self.traceparent: str | None = None
        self.settings: Mapping[str, str] = settings or {}

    async def report_progress(self, fraction: float, message: str = "") -> None:
        """Discard the progress."""

    async def cancel_requested(self) -> bool:
        return False

    async def open(self, file: File) -> FileStream:
        raise FileMissing(file.id)

    async def save(self, name: str, content: Chunks, content_type: str = "") -> File:
        raise FileUnavailable(name)
