"""What runs children on jobs in memory: their stores, and the recorder's part."""

from domain.children.cancelling import CancelChildren, ChildCanceller
from domain.children.counting import ChildCounter
from domain.children.recording import ChildRecorder
from domain.children.stores import ChildStores
from domain.children.waking import Waker
from domain.jobs.catalogue import Catalogue
from domain.jobs.documents import Documents
from domain.jobs.service import JobService
from domain.lanes.lanes import Lanes
from domain.ports import Clock, NewId
from headrace.testing.child_repository import FakeChildReader, FakeCountRepository
from headrace.testing.job_repository import FakeJobRepository
from headrace.testing.step_repository import FakeStepRepository


class ChildrenInMemory:
    """Counts, wakes and cancels by production's own code."""

    def __init__(
        self,
        jobs: FakeJobRepository,
        steps: FakeStepRepository,
        service: JobService,
        catalogue: Catalogue,
        clock: Clock,
    ) -> None:
        self._jobs = jobs
        self.reader = FakeChildReader(jobs)
        self.counts = FakeCountRepository(jobs)
        canceller = ChildCanceller(jobs, service, self.reader, steps, clock)
        self.catalogue = catalogue.with_own(CancelChildren(lambda: canceller))
        counter = ChildCounter(self.counts, Waker(jobs, catalogue, clock), clock)
        self.recorder = ChildRecorder(counter, steps, jobs, clock)

    def stores(self, documents: Documents, new_id: NewId, lanes: Lanes | None = None) -> ChildStores:
        """What attempts need for their children."""
        return ChildStores(self._jobs, self.reader, self.counts, documents, new_id, lanes)
