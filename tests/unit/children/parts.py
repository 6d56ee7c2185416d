"""A parent's attempt and the recorder on jobs in memory, with stores that fail as a test says."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from domain.children.call import GroupCall
from domain.children.calls import Advance, ChildCalls
from domain.children.counting import ChildCounter, NotCounted
from domain.children.group import Group
from domain.children.ids import child_ids
from domain.children.recording import ChildRecorder
from domain.children.repository import ChildState, Tally
from domain.children.stores import ChildStores
from domain.children.waking import Waker
from domain.durable.memory import Held, Memory
from domain.durable.repository import LeaseEnded, RememberResult
from domain.durable.step import CHILDREN, Step, expiry_of
from domain.jobs import transitions
from domain.jobs.catalogue import Catalogue
from domain.jobs.change import Change
from domain.jobs.documents import Documents
from domain.jobs.following import Checker
from domain.jobs.job import Job, Parent, Running
from domain.jobs.outcomes import Done, Outcome, Pause
from domain.jobs.transitions import Known
from domain.lanes.lanes import Lanes
from domain.results import StorageUnavailable
from domain.secrets.hidden import Hidden
from headrace.authoring.job_type import Policy
from headrace.authoring.json_text import JsonText
from headrace.testing.blob_store import FakeBlobStore
from headrace.testing.child_repository import FakeChildReader, FakeCountRepository
from headrace.testing.clock import FakeClock, numbered_ids
from headrace.testing.job_repository import FakeJobRepository
from headrace.testing.step_repository import FakeStepRepository
from tests.factories import NOW, POLICY, TOKEN, legal, queued
from tests.fakes.faulty_job_repository import FaultyJobRepository
from tests.fakes.handlers import a_handler

BUSY = StorageUnavailable(reason="throttled", detail="busy")
BROKEN = StorageUnavailable(reason="rejected", detail="broken")
TYPE = "text.word_count"
FUNCTION = timedelta(minutes=15)
DEADLINE = NOW + FUNCTION


class Faults:
    """What the next calls of a method answer instead of what they would."""

    def __init__(self) -> None:
        self.next: dict[str, list[StorageUnavailable | None]] = {}

    def of(self, method: str) -> StorageUnavailable | None:
        queue = self.next.get(method)
        return queue.pop(0) if queue else None


class FaultyReader(FakeChildReader):
    """Fails as its test says."""

    def __init__(self, jobs: FakeJobRepository, faults: Faults) -> None:
        super().__init__(jobs)
        self._faults = faults
        self.read: list[str] = []

    async def jobs(self, ids: tuple[str, ...]) -> Mapping[str, Job] | StorageUnavailable:
        self.read += ids
        return self._faults.of("jobs") or await super().jobs(ids)

    async def states(self, ids: tuple[str, ...]) -> Mapping[str, ChildState] | StorageUnavailable:
        return self._faults.of("states") or await super().states(ids)


class FaultyCounts(FakeCountRepository):
    """Fails as its test says."""

    def __init__(self, jobs: FakeJobRepository, faults: Faults) -> None:
        super().__init__(jobs)
        self._faults = faults
        self.calls: list[tuple[str, str]] = []
        self.before_counted: Callable[[], None] = lambda: None

    async def add(self, partition: str, key: str, tally: Tally, expires_at: datetime) -> Tally | StorageUnavailable:  # type: ignore[override]  # it fails
        self.calls.append((partition, key))
        return self._faults.of("add") or await super().add(partition, key, tally, expires_at)

    async def counted(self, partition: str) -> Mapping[str, Tally] | StorageUnavailable:  # type: ignore[override]  # it fails
        self.before_counted()
        return self._faults.of("counted") or await super().counted(partition)

    async def forget(self, partition: str) -> StorageUnavailable | None:  # type: ignore[override]  # it fails
        if (fault := self._faults.of("forget_counts")) is None:
            await super().forget(partition)
        return fault


class FaultySteps(FakeStepRepository):
    """Fails as its test says, or has lost its lease."""

    def __init__(self, jobs: FakeJobRepository, faults: Faults) -> None:
        super().__init__(jobs)
        self._faults = faults
        self.ended_at: str | None = None
        """The kind of step from which on the lease has ended."""

    async def remember(self, step: Step, token: str, expires_at: datetime) -> RememberResult:
        if step.kind == self.ended_at:
            return LeaseEnded(job_id=step.job_id)
        return self._faults.of("remember") or await super().remember(step, token, expires_at)

    async def rewrite(self, step: Step, token: str, expires_at: datetime) -> Step | LeaseEnded | StorageUnavailable:
        if self.ended_at == "rewrite":
            return LeaseEnded(job_id=step.job_id)
        return self._faults.of("rewrite") or await super().rewrite(step, token, expires_at)

    async def groups(self, life: str) -> tuple[Step, ...] | StorageUnavailable:  # type: ignore[override]  # it fails
        return self._faults.of("groups") or await super().groups(life)


def deep(depth: int) -> Parent:
    """The parent of a job so deep."""
    return Parent(life="p@1", group="g", place=0, depth=depth, index=0, size=1, keep_seconds=1)


class World:
    """One parent and its children."""

    def __init__(self, policy: Policy = POLICY, spill_bytes: int = 8192) -> None:
        self.policy = policy
        self.clock = FakeClock()
        self.faults = Faults()
        self.store = FakeJobRepository()
        self.jobs = FaultyJobRepository(self.store)
        self.blobs = FakeBlobStore()
        self.documents = Documents(self.blobs, spill_bytes)
        self.reader = FaultyReader(self.store, self.faults)
        self.counts = FaultyCounts(self.store, self.faults)
        self.steps = FaultySteps(self.store, self.faults)
        self.catalogue = Catalogue((a_handler(TYPE, policy=policy),))
        self.new_id = numbered_ids()
        self.token = TOKEN
        self.lanes: Lanes | None = None
        self.id = "parent"

    async def begin(self, parent: Parent | None = None) -> Job:
        """The parent, running."""
        new = queued(self.clock(), id=self.id).model_copy(update={"parent": parent})
        job = await self.store.add(Change(new), self.clock())
        assert isinstance(job, Job)
        return await self.claim()

    async def claim(self) -> Job:
        job = await self.parent()
        running = legal(transitions.claim(job, self.policy, self.token, self.clock() + FUNCTION, self.clock()))
        written = await self.store.replace(Change(running), job.version)
        assert isinstance(written, Job)
        return written

    async def parent(self) -> Job:
        job = await self.store.get(self.id, self.clock())
        assert isinstance(job, Job)
        return job

    def calls(self, job: Job, deadline: datetime | None = None) -> ChildCalls:
        """What a new attempt of the parent has."""
        assert isinstance(job.state, Running)
        deadline = deadline or self.clock() + FUNCTION
        held = Held(
            job_id=job.id, life=job.life, token=job.state.lease.token, attempt=1, deadline=deadline,
            began_at=job.started_at or self.clock(), expires_at=expiry_of(job, self.policy, self.clock()),
        )  # fmt: skip
        memory = Memory(held, Hidden(), self.steps, self.documents, self.clock, self.new_id, empty=False)
        stores = ChildStores(self.jobs, self.reader, self.counts, self.documents, self.new_id, self.lanes)
        checker = Checker(job, Hidden(), self.catalogue.definition, self.clock, 0)
        self.memory = memory
        return ChildCalls(job, memory, stores, checker, self.policy, self.clock)

    async def advance(self, job: Job, call: GroupCall, deadline: datetime | None = None) -> Advance:
        """A new attempt that has come to its call."""
        calls = self.calls(job, deadline)
        return await calls.advance(call, await self.memory.recall(call.name))

    async def pause(self, job: Job, pause: Pause) -> Job:
        """What its executor does of a wait."""
        known = Known(steps=self.memory.size, signals=job.signals)
        current = await self.parent()
        moved = transitions.finish(current, self.policy, self.token, pause, self.clock(), 0.5, known)
        assert isinstance(moved, Change)
        written = await self.store.replace(moved, current.version)
        assert isinstance(written, Job)
        return written

    @property
    def recorder(self) -> ChildRecorder:
        counter = ChildCounter(self.counts, Waker(self.jobs, self.catalogue, self.clock), self.clock)
        return ChildRecorder(counter, self.steps, self.jobs, self.clock)

    async def record(self, *changes: Job) -> tuple[NotCounted, ...]:
        return await self.recorder.record(changes, self.clock() + FUNCTION)

    async def group(self, job: Job) -> Group:
        (step,) = (step for step in await self.steps.remembered(job.life) if step.kind == CHILDREN)
        assert step.group is not None
        return step.group

    async def child(self, job: Job, name: str, place: int) -> Job | None:
        return self.store.find(child_ids(job.life, name, (place,))[0])

    async def end(self, child: Job | None, outcome: Outcome | None = None) -> Job:
        """Run a child to its end."""
        assert child is not None
        running = legal(transitions.claim(child, self.policy, TOKEN, self.clock() + FUNCTION, self.clock()))
        written = await self.store.replace(Change(running), child.version)
        assert isinstance(written, Job)
        done = outcome or Done(result=JsonText('{"words":1}'))
        ended = legal(transitions.finish(written, self.policy, TOKEN, done, self.clock(), 0.5))
        stored = await self.store.replace(Change(ended), written.version)
        assert isinstance(stored, Job)
        return stored


def a_call(size: int = 3, **rest: object) -> GroupCall:
    payloads: Sequence[object] = [{"text": str(n)} for n in range(size)]
    fields: dict[str, object] = {"name": "all", "type": TYPE, "payloads": payloads, **rest}
    return GroupCall(**fields)  # type: ignore[arg-type]  # a test's own words
