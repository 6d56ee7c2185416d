"""What children cost beside the jobs that they are: measured on a database that charges as DynamoDB does."""

from collections import Counter
from datetime import timedelta

from domain.children.counting import ChildCounter
from domain.children.ids import child_id
from domain.children.recording import ChildRecorder
from domain.children.stores import ChildStores
from domain.children.waking import Waker
from domain.durable.attempts import JobSteps
from domain.jobs.catalogue import Catalogue
from domain.jobs.documents import Documents
from domain.jobs.execution import JobExecutor
from domain.jobs.execution_results import Executed
from domain.jobs.job import Job
from domain.jobs.submission import Submission
from domain.jobs.submitting import SubmissionService, Submitted
from functions.runtime import LazyClient, new_random
from headrace.authoring.context import JobContext
from headrace.authoring.job_type import WORKER, Policy
from headrace.testing.clock import FakeClock
from persistence.dynamodb.repositories.child_repository import DynamoChildReader, DynamoCountRepository
from persistence.dynamodb.repositories.job_repository import DynamoJobRepository
from persistence.dynamodb.repositories.step_repository import DynamoStepRepository
from tests.conftest import job_repository_on, new_id
from tests.factories import UserFactory
from tests.fakes.handlers import Count, Text, a_handler
from tests.integration.metering import Meter

MINUTES = timedelta(minutes=2)


class World:
    """A parent with so many children, and the recorder."""

    def __init__(self, client: LazyClient, children: int) -> None:
        self.clock = FakeClock()
        self.jobs: DynamoJobRepository = job_repository_on(client)
        steps, counts = (
            DynamoStepRepository(client, "JobStepsTable", "JobsTable"),
            DynamoCountRepository(client, "JobStepsTable"),
        )

        async def run(document: Text, context: JobContext) -> Count:
            made = await context.map("all", "text.child", [{"text": "x" * 150}] * children, returns=Count)
            return Count(words=len(made))

        policy = Policy(runner=WORKER)
        self.catalogue = Catalogue([a_handler(run=run, policy=policy), a_handler("text.child", policy=policy)])
        stores = ChildStores(self.jobs, DynamoChildReader(client, "JobsTable"), counts, Documents(), new_id)
        remembering = JobSteps(steps, Documents(), self.clock, new_id, stores)
        self.executor = JobExecutor(
            self.jobs, self.catalogue, self.clock, new_id, new_random, {}, steps=lambda: remembering
        )
        counter = ChildCounter(counts, Waker(self.jobs, self.catalogue, self.clock), self.clock)
        self.recorder = ChildRecorder(counter, steps, self.jobs, self.clock)
        self.owner = UserFactory.build(id=new_id(), role="member")

    async def submitted(self) -> Job:
        service = SubmissionService(self.jobs, self.catalogue, self.clock, new_id)
        submitted = await service.submit(Submission(type="text.word_count", payload={"text": "x" * 150}), self.owner)
        assert isinstance(submitted, Submitted)
        return submitted.job

    async def run(self, job: Job) -> Job:
        executed = await self.executor.execute(job, self.clock() + MINUTES)
        assert isinstance(executed, Executed)
        return executed.job


def totals(meter: Meter) -> dict[str, float]:
    """The units of what was called since, by operation."""
    found: Counter[str] = Counter()
    for operation, units in meter.take():
        found[operation] += int(units * 2)
    return {operation: units / 2 for operation, units in found.items()}


async def measured(metered: tuple[LazyClient, Meter], children: int) -> tuple[dict[str, float], ...]:
    """What it costs to begin, to count the children and wake, and to go on; with the children's own runs left out."""
    client, meter = metered
    world = World(client, children)
    job = await world.submitted()
    meter.take()
    waiting = await world.run(job)
    begun = totals(meter)
    ended = []
    for place in range(children):
        child = await world.jobs.get(child_id(job.life, "all", place), world.clock())
        assert isinstance(child, Job)
        meter.take()
        ended.append(await world.run(child))
        assert [units for _, units in meter.take()] == [1.0, 2.0], "as any job: a claim and an outcome"
    assert await world.recorder.record(ended, world.clock() + MINUTES) == ()
    counted = totals(meter)
    woken = await world.jobs.get(waiting.id, world.clock())
    assert isinstance(woken, Job)
    meter.take()
    done = await world.run(woken)
    assert done.status == "succeeded", done.state
    return begun, counted, totals(meter)


async def test_what_a_call_costs_beside_its_child(metered: tuple[LazyClient, Meter]) -> None:
    begun, counted, went_on = await measured(metered, 1)
    # The claim, the child (one, and two index entries), the pause; the group as it begins, and when it is written.
    assert begun == {"PutItem": 1 + 3 + 3, "TransactWriteItems": 4 + 4}
    assert counted == {"UpdateItem": 1, "GetItem": 1, "TransactWriteItems": 6}
    # The claim and the outcome; what it came to is remembered. MiniStack does not say that the child is read: a unit.
    assert went_on == {"PutItem": 1 + 2, "Query": 1, "BatchGetItem": 0, "TransactWriteItems": 4}


async def test_what_each_child_of_many_costs(metered: tuple[LazyClient, Meter]) -> None:
    begun, counted, went_on = await measured(metered, 50)
    assert begun == {"PutItem": 1 + 50 * 3 + 3, "TransactWriteItems": 4 + 4}
    assert counted == {"UpdateItem": 1, "GetItem": 1, "TransactWriteItems": 6}
    assert went_on == {"PutItem": 1 + 2, "Query": 1, "BatchGetItem": 0, "TransactWriteItems": 6}
