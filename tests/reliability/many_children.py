"""One parent with very many children, whose recorder is killed and sees its batches again.

    python -m tests.reliability.many_children [100000]

Parent and recorder are the product's own code on jobs in memory; the children end in any order, without their handlers.
The report has what a second counts, and what grows with the number of children, and what does not.
"""

import asyncio
import random
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.children.cancellation import UnrunCancellation
from domain.children.counting import ChildCounter, ended_in_sets, failed_in_sets
from domain.children.ids import SET, child_id, partition_of, sets_of
from domain.children.recording import ChildRecorder
from domain.children.repository import Tally
from domain.children.stores import ChildStores
from domain.children.waking import Waker
from domain.durable.attempts import JobSteps
from domain.jobs import transitions
from domain.jobs.catalogue import Catalogue
from domain.jobs.change import Change
from domain.jobs.documents import Documents
from domain.jobs.execution import JobExecutor
from domain.jobs.execution_results import Executed
from domain.jobs.job import Job
from domain.jobs.outcomes import Done
from domain.jobs.transitions import NewJob
from headrace.authoring.context import JobContext
from headrace.authoring.job_type import WORKER, Policy
from headrace.authoring.json_text import JsonText, byte_length, to_json_text
from headrace.authoring.outcomes import Fail
from headrace.testing.blob_store import FakeBlobStore
from headrace.testing.child_repository import FakeChildReader, FakeCountRepository
from headrace.testing.clock import START, half, numbered_ids
from headrace.testing.job_repository import FakeJobRepository
from headrace.testing.step_repository import FakeStepRepository
from persistence.converters.attributes import item_size
from persistence.converters.dynamo_to_domain import job_to_item
from tests.fakes.handlers import Count, Text, a_handler

PARENT, CHILD = "many.parent", "many.child"
POLICY = Policy(runner=WORKER, timeout=timedelta(seconds=30))
FUNCTION = timedelta(minutes=15)
BATCH = 100
KILLED = 0.02
"""How probably a call of the recorder's is its process's last, before it is made or after."""
AGAIN = 0.05
"""How probably a batch of before comes once more."""
FAILING = 0.01
STRAGGLING = 0.1


class Clock:
    """Real time, for an attempt has to see that its own is running out."""

    def __init__(self) -> None:
        self._start = START - timedelta(seconds=time.monotonic())

    def __call__(self) -> datetime:
        return self._start + timedelta(seconds=time.monotonic())


class Killed(BaseException):
    """The recorder's process ends here."""


@dataclass(frozen=True)
class Report:
    """What was seen."""

    children: int
    invocations: int
    """Of the parent, until all children were written."""
    written_a_second: float
    batches: int
    kills: int
    counted_a_second: float
    woken: int
    parent_bytes: int
    """Of the parent's item while it waits."""
    remembered_bytes: int
    """What the parent reads when it goes on."""
    largest_set_bytes: int
    collected_seconds: float


class DyingCounts(FakeCountRepository):
    """At whose calls the recorder's process may die."""

    def __init__(self, jobs: FakeJobRepository, chance: random.Random) -> None:
        super().__init__(jobs)
        self._chance = chance
        self.alive = True
        self.kills = 0

    async def add(self, partition: str, key: str, tally: Tally, expires_at: datetime) -> Tally:
        self._may_die()
        whole = await super().add(partition, key, tally, expires_at)
        self._may_die()
        return whole

    async def counted(self, partition: str) -> Mapping[str, Tally]:
        self._may_die()
        return await super().counted(partition)

    def _may_die(self) -> None:
        if self._chance.random() < KILLED:
            self.kills += 1
            raise Killed


async def run(count: int, seed: int = 7) -> Report:
    """Run it; raises `AssertionError` when a count is wrong, or the parent is woken too early, too late or twice."""
    chance, clock, store, blobs = random.Random(seed), Clock(), FakeJobRepository(), FakeBlobStore()
    steps, counts, new_id = FakeStepRepository(store), DyingCounts(store, chance), numbered_ids()
    documents = Documents(blobs)
    told: list[tuple[int, int]] = []

    async def parent(_: Text, context: JobContext) -> Count:
        made = await context.map(
            "all", CHILD, [{"text": str(place)} for place in range(count)], returns=Count, failed="collect"
        )
        good = [each for each in made if isinstance(each, Count)]
        told.append((sum(each.words for each in good), len(made) - len(good)))
        return Count(words=len(made))

    types = (a_handler(PARENT, parent, POLICY), a_handler(CHILD, policy=POLICY))
    catalogue = Catalogue(types, (UnrunCancellation(),))
    stores = ChildStores(store, FakeChildReader(store), FakeCountRepository(store), documents, new_id)
    of_steps = JobSteps(steps, documents, clock, new_id, stores)
    executor = JobExecutor(store, catalogue, clock, new_id, half, {}, documents=documents, steps=lambda: of_steps)
    recorder = ChildRecorder(ChildCounter(counts, Waker(store, catalogue, clock), clock), steps, store, clock)

    new = NewJob(id="parent", owner_id="o", type=PARENT, payload=JsonText('{"text":""}'), max_attempts=3)
    job = await store.add(transitions.submit(new, POLICY, clock()), clock())
    assert isinstance(job, Job)
    began, invocations = time.perf_counter(), 0
    while job.status == "queued":
        job, invocations = await _executed(executor, job, clock), invocations + 1
    writing = time.perf_counter() - began
    assert job.status == "waiting", job.state

    # As they end in practice: nearly in the order in which they were written, but for some that take long.
    late = [place + chance.uniform(0, 2 * SET if chance.random() < STRAGGLING else BATCH) for place in range(count)]
    order = sorted(range(count), key=late.__getitem__)
    failing = frozenset(place for place in order if chance.random() < FAILING)
    partition, seen, batches = partition_of(job.life, "all", 0), list[list[Job]](), 0
    counting = 0.0
    for start in range(0, count, BATCH):
        batch = [_ended(store, job.life, place, place in failing, clock()) for place in order[start : start + BATCH]]
        seen.append(batch)
        again = [chance.choice(seen)] if chance.random() < AGAIN else []
        began = time.perf_counter()
        for each in (batch, *again):
            batches += await _recorded(recorder, each, clock)
        counting += time.perf_counter() - began
        current = store.find(job.id)
        assert current is not None
        assert (current.rounds == 1) == (start + BATCH >= count), "woken when the last has ended, and then"
    for batch in (seen[0], seen[-1]):
        batches += await _recorded(recorder, batch, clock)
    woken = store.find(job.id)
    assert woken is not None
    assert (woken.status, woken.rounds, woken.version) == ("queued", 1, job.version + 1)
    sets = await FakeCountRepository(store).counted(partition)
    assert ended_in_sets(sets) == frozenset(range(count))
    assert failed_in_sets(sets) == failing
    assert len(sets) == (1 if count <= SET else sets_of(count) + 1)
    remembered = sum(
        byte_length(to_json_text(item)) for item in store.items_of("job_steps") if item["job_id"] == job.life
    )
    began = time.perf_counter()
    done = await _executed(executor, woken, clock)
    assert done.status == "succeeded", done.state
    assert told == [(sum(place for place in range(count) if place not in failing), len(failing))]
    return Report(
        children=count,
        invocations=invocations,
        written_a_second=count / writing,
        batches=batches,
        kills=counts.kills,
        counted_a_second=count / counting,
        woken=woken.rounds,
        parent_bytes=item_size(job_to_item(job, "w" * 36)),
        remembered_bytes=remembered,
        largest_set_bytes=max(4 * len(tally.ended | tally.failed) for tally in sets.values()),
        collected_seconds=time.perf_counter() - began,
    )


async def _executed(executor: JobExecutor, job: Job, clock: Clock) -> Job:
    executed = await executor.execute(job, clock() + FUNCTION)
    assert isinstance(executed, Executed), executed
    return executed.job


async def _recorded(recorder: ChildRecorder, batch: list[Job], clock: Clock) -> int:
    """Give the recorder a batch until it takes it; returns how often it was given."""
    for tried in range(1, 100):
        try:
            assert await recorder.record(batch, clock() + FUNCTION) == ()
        except Killed:
            continue
        return tried
    raise AssertionError("a batch was never taken")


def _ended(store: FakeJobRepository, life: str, place: int, failing: bool, now: datetime) -> Job:
    """A child that has run, as its worker writes it."""
    child = store.find(child_id(life, "all", place))
    assert child is not None
    running = transitions.claim(child, POLICY, "t", now + FUNCTION, now)
    assert isinstance(running, Change)
    outcome = Fail(reason="no") if failing else Done(result=JsonText(f'{{"words":{place}}}'))
    ended = transitions.finish(running.job, POLICY, "t", outcome, now, 0.5)
    assert isinstance(ended, Change)
    return store._committed(ended)


if __name__ == "__main__":
    sys.stdout.write(f"{asyncio.run(run(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000))}\n")
