"""What owners have used of their quotas, in memory: over the jobs of a fake repository."""

from collections import Counter
from datetime import datetime

from domain.jobs.job import is_final
from domain.results import StorageUnavailable
from headrace.testing.job_repository import FakeJobRepository

OUTAGE = StorageUnavailable(reason="throttled", detail="of a test")


class FakeUsage:
    """The `UsageRepository` held to the same conformance suite as the tables. `failing` names methods that fail."""

    def __init__(self, jobs: FakeJobRepository) -> None:
        self._jobs = jobs
        self.submissions: Counter[tuple[str, datetime]] = Counter()
        self.failing: set[str] = set()
        self.asked: list[str] = []

    async def unfinished(self, owner_id: str, most: int, /) -> int | StorageUnavailable:
        self.asked.append("unfinished")
        if "unfinished" in self.failing:
            return OUTAGE
        open_jobs = [job for job in self._jobs.stored if job.owner_id == owner_id and job.counted and not is_final(job)]
        return min(len(open_jobs), most)

    async def take(self, owner_id: str, minute: datetime, most: int, /) -> bool | StorageUnavailable:
        self.asked.append("take")
        if "take" in self.failing:
            return OUTAGE
        if self.submissions[owner_id, minute] >= most:
            return False
        self.submissions[owner_id, minute] += 1
        return True
