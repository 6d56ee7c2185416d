"""What jobs remember, in memory, beside the jobs; held to the same conformance suite as the real repository."""

from datetime import UTC, datetime

from domain.durable.repository import LeaseEnded, RememberResult, StepPage, StepTaken
from domain.durable.step import CHILDREN, TABLE, Step, job_of, step_key, step_put
from domain.jobs.job import Job, Running
from domain.results import StorageUnavailable
from headrace.testing.job_repository import FakeJobRepository, Item, holds
from persistence.converters.companions import companion_writes
from persistence.converters.steps import plain_to_step


class FakeStepRepository:
    """The items that companions of jobs wrote, and more of the kind."""

    def __init__(self, jobs: FakeJobRepository) -> None:
        self._jobs = jobs

    async def remember(self, step: Step, token: str, expires_at: datetime) -> RememberResult:
        put = step_put(step, expires_at)
        writes = companion_writes((put,), {TABLE: ""}, 0)
        if isinstance(writes, StorageUnavailable):
            return writes
        standing = await self.find(step.job_id, step.key)
        if standing is not None and standing.write_id == step.write_id:
            return standing
        if not await self._is_leased(job_of(step.job_id), token):
            return LeaseEnded(job_id=job_of(step.job_id))
        if standing is not None and not holds(put.condition, self._jobs.item(TABLE, put.key)):
            return StepTaken(standing=standing)
        self._jobs.put_item(TABLE, put.key, {**put.values, **put.key})
        return step

    async def rewrite(self, step: Step, token: str, expires_at: datetime) -> Step | LeaseEnded | StorageUnavailable:
        put = step_put(step, expires_at)
        writes = companion_writes((put,), {TABLE: ""}, 0)
        if isinstance(writes, StorageUnavailable):
            return writes
        if not await self._is_leased(job_of(step.job_id), token):
            return LeaseEnded(job_id=job_of(step.job_id))
        self._jobs.put_item(TABLE, put.key, {**put.values, **put.key})
        return step

    async def groups(self, life: str) -> tuple[Step, ...]:
        return tuple(step for step in await self.remembered(life) if step.kind == CHILDREN)

    async def remembered(self, life: str) -> tuple[Step, ...]:
        return tuple(sorted((_step(item) for item in self._items(life)), key=lambda step: step.key.encode()))

    async def find(self, life: str, key: str) -> Step | None:
        item = self._jobs.item(TABLE, step_key(life, key))
        return None if item is None else _step(item)

    async def page(self, life: str, limit: int, after: str | None) -> StepPage:
        steps = [step for step in await self.remembered(life) if after is None or step.key > after]
        page = tuple(steps[:limit])
        return StepPage(steps=page, next=page[-1].key if len(steps) > limit else None)

    async def forget(self, life: str) -> None:
        for item in self._items(life):
            self._jobs.put_item(TABLE, step_key(life, str(item["name"])), None)

    def _items(self, job_id: str) -> tuple[Item, ...]:
        return tuple(item for item in self._jobs.items_of(TABLE) if item["job_id"] == job_id)

    async def _is_leased(self, job_id: str, token: str) -> bool:
        job = await self._jobs.get(job_id, datetime.min.replace(tzinfo=UTC))
        return isinstance(job, Job) and isinstance(job.state, Running) and job.state.lease.token == token


def _step(item: Item) -> Step:
    step = plain_to_step(item)
    assert isinstance(step, Step), step
    return step
