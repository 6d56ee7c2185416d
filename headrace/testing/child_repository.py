"""Children and their counts in memory, held to the same conformance suite as the real repositories."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from domain.children.repository import MAX_READ, ChildState, Tally
from domain.durable.step import TABLE, step_key
from domain.jobs.job import Job
from domain.results import StorageUnavailable
from headrace.testing.job_repository import FakeJobRepository, Item

_SETS: Final = ("ended", "failed")


class FakeChildReader:
    """Reads the jobs of a `FakeJobRepository`."""

    def __init__(self, jobs: FakeJobRepository) -> None:
        self._jobs = jobs

    async def jobs(self, ids: tuple[str, ...]) -> Mapping[str, Job] | StorageUnavailable:
        if len(ids) > MAX_READ:
            return StorageUnavailable(reason="rejected", detail="too many keys")
        found = ((id, self._jobs.find(id)) for id in ids)
        return {id: job for id, job in found if job is not None}

    async def states(self, ids: tuple[str, ...]) -> Mapping[str, ChildState] | StorageUnavailable:
        found = await self.jobs(ids)
        if isinstance(found, StorageUnavailable):
            return found
        return {id: _state(job) for id, job in found.items()}


class FakeCountRepository:
    """The sets, among the items that companions of jobs wrote."""

    def __init__(self, jobs: FakeJobRepository) -> None:
        self._jobs = jobs

    async def add(self, partition: str, key: str, tally: Tally, expires_at: datetime) -> Tally:
        place = step_key(partition, key)
        standing = _tally(self._jobs.item(TABLE, place) or {})
        whole = Tally(ended=standing.ended | tally.ended, failed=standing.failed | tally.failed)
        members = {"ended": whole.ended, "failed": whole.failed}
        sets: Item = {name: [*sorted(numbers)] for name, numbers in members.items() if numbers}
        self._jobs.put_item(TABLE, place, {**place, **sets, "expires_at": int(expires_at.timestamp())})
        return whole

    async def counted(self, partition: str) -> Mapping[str, Tally]:
        items = [item for item in self._jobs.items_of(TABLE) if item["job_id"] == partition]
        return {str(item["name"]): _tally(item) for item in items}

    async def forget(self, partition: str) -> None:
        for key in await self.counted(partition):
            self._jobs.put_item(TABLE, step_key(partition, key), None)


def _tally(item: Mapping[str, object]) -> Tally:
    return Tally.model_validate({name: item[name] for name in _SETS if name in item})


def _state(job: Job) -> ChildState:
    return ChildState(
        status=job.status, expires_at=job.expires_at, round=job.parent.round if job.parent is not None else -1
    )
