"""The stores of children as one process of the simulation sees them, and the recorder's part."""

from collections.abc import Mapping
from datetime import datetime

from domain.children.cancelling import CancelChildren, ChildCanceller
from domain.children.counting import ChildCounter
from domain.children.recording import ChildRecorder
from domain.children.repository import ChildState, Tally
from domain.children.stores import ChildStores
from domain.children.waking import Waker
from domain.jobs.catalogue import Catalogue
from domain.jobs.documents import Documents
from domain.jobs.job import Job
from domain.jobs.service import JobService
from domain.results import StorageUnavailable
from headrace.testing.child_repository import FakeChildReader, FakeCountRepository
from tests.reliability.simulated_world import Process, SimulatedRepository, SimulatedSteps, World


class SimulatedReader:
    """The `ChildReader`, late and failing as the store of jobs."""

    def __init__(self, world: World, process: Process) -> None:
        self._reader = FakeChildReader(world.store)
        self._jobs = SimulatedRepository(world, process)

    async def jobs(self, ids: tuple[str, ...]) -> Mapping[str, Job] | StorageUnavailable:
        return await self._jobs._before() or await self._reader.jobs(ids)

    async def states(self, ids: tuple[str, ...]) -> Mapping[str, ChildState] | StorageUnavailable:
        return await self._jobs._before() or await self._reader.states(ids)


class SimulatedCounts:
    """The `CountRepository`, likewise; its answers may be lost after the write."""

    def __init__(self, world: World, process: Process) -> None:
        self._counts = FakeCountRepository(world.store)
        self._jobs = SimulatedRepository(world, process)

    async def add(self, partition: str, key: str, tally: Tally, expires_at: datetime) -> Tally | StorageUnavailable:
        if (fault := await self._jobs._before()) is not None:
            return fault
        whole = await self._counts.add(partition, key, tally, expires_at)
        return await self._jobs._after() or whole

    async def counted(self, partition: str) -> Mapping[str, Tally] | StorageUnavailable:
        return await self._jobs._before() or await self._counts.counted(partition)

    async def forget(self, partition: str) -> StorageUnavailable | None:
        if (fault := await self._jobs._before()) is None:
            await self._counts.forget(partition)
        return fault


def child_stores(world: World, process: Process, documents: Documents) -> ChildStores:
    """What attempts of one process need for their children."""
    reader, counts = SimulatedReader(world, process), SimulatedCounts(world, process)
    return ChildStores(SimulatedRepository(world, process), reader, counts, documents, process.new_id)


def child_recorder(world: World, process: Process, catalogue: Catalogue) -> ChildRecorder:
    """What one process of the recorder does for children."""
    jobs = SimulatedRepository(world, process)
    counter = ChildCounter(SimulatedCounts(world, process), Waker(jobs, catalogue, process.clock), process.clock)
    return ChildRecorder(counter, SimulatedSteps(world, process), jobs, process.clock)


def with_canceller(world: World, process: Process, catalogue: Catalogue) -> Catalogue:
    """The job types with the one that cancels children, as this process runs it."""
    jobs = SimulatedRepository(world, process)
    service = JobService(jobs, catalogue, process.clock)
    steps = SimulatedSteps(world, process)
    canceller = ChildCanceller(jobs, service, SimulatedReader(world, process), steps, process.clock)
    return catalogue.with_own(CancelChildren(lambda: canceller))
