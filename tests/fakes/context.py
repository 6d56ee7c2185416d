"""A `JobContext` for testing handlers alone."""

from collections.abc import Mapping
from datetime import timedelta

from domain.jobs.attempt import Attempt
from headrace.testing.job_repository import FakeJobRepository
from tests.factories import NOW, running


class FakeContext(Attempt):
    """The first attempt of a job that no store has: progress is discarded; there are no files, steps or children."""

    def __init__(self, settings: Mapping[str, str] | None = None) -> None:
        job = running(id="job-1", max_attempts=3)
        super().__init__(FakeJobRepository(), lambda: NOW, job, NOW + timedelta(seconds=30), settings or {})
