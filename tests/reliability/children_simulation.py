"""Parents with children under all faults of the simulation: in virtual time, seeded, by the product's own code.

The invariants: every parent and every child ends; a child is one job; what a handler was told of a group never changes
within a generation; a parent is woken for a round only when each of its children has ended, and once; and in the end
the counts are exactly the children that have ended.
"""

import asyncio
from collections import Counter
from datetime import datetime, timedelta
from functools import partial

from domain.children.cancellation import UnrunCancellation
from domain.children.counting import ended_in_sets
from domain.children.ids import child_id, partition_of
from domain.durable.step import ENDED
from domain.jobs.catalogue import Catalogue
from domain.jobs.job import Cancelled, Failed, Job, Parent, Waiting, is_final
from domain.jobs.own_types import CHILDREN_CANCEL
from domain.jobs.submission import Submission
from domain.jobs.submitting import Submitted
from headrace.authoring.children import ChildFailed
from headrace.authoring.context import JobContext
from headrace.authoring.frozen import Frozen
from headrace.authoring.job_type import STANDARD, WORKER, Policy
from headrace.authoring.outcomes import Fail, Retry, Stopped
from headrace.authoring.retry import Backoff
from headrace.testing.child_repository import FakeCountRepository
from headrace.testing.job_repository import FakeJobRepository
from headrace.testing.virtual_loop import run_in_virtual_time
from tests.factories import NOW
from tests.fakes.handlers import Count, Run, Text, a_handler
from tests.reliability.history import History, Violation
from tests.reliability.simulated_platform import pump, record, schedule, wake
from tests.reliability.simulated_world import PROCESS, STORM_SECONDS, World
from tests.reliability.simulation import OWNER, Api, _call

PARENT, CHILD = "sim.parent", "sim.child"
POLICY = Policy(max_attempts=4, timeout=timedelta(seconds=30), backoff=Backoff(cap=timedelta(minutes=2)))
HEALED_SECONDS = 12 * 3600
PARENTS = 3


class ChildrenReport(Frozen):
    """The result of one seed."""

    seed: int
    parents: dict[str, int]
    children: dict[str, int]
    woken: int
    """By the recorder."""
    found: int
    """Ends of rounds that the parent found itself."""
    faults: dict[str, int]


class ChildHistory(History):
    """Checks the wake-ups of parents too."""

    def __init__(self) -> None:
        super().__init__()
        self.ended: set[tuple[str, str, int, int]] = set()
        """Of each child that has ended: its parent's life, group, round, and index."""
        self.sizes: dict[tuple[str, str, int], int] = {}
        self.present: dict[tuple[str, str, int], set[int]] = {}
        self.woken: Counter[tuple[str, str, int]] = Counter()

    def committed(self, author: str | None, before: Job | None, after: Job, now: datetime) -> None:
        super().committed(author, before, after, now)
        if (parent := after.parent) is not None:
            self.sizes[_round(parent)] = parent.size
            self.present.setdefault(_round(parent), set()).add(parent.index)
            if is_final(after):
                self.ended.add((*_round(parent), parent.index))
        recorded = (author or "").startswith("recorder")
        if recorded and before is not None and isinstance(before.state, Waiting) and after.status == "queued":
            for wait in before.state.waits_for:
                self._woken((before.life, wait.name, wait.round or 0))

    def _woken(self, round: tuple[str, str, int]) -> None:
        self.woken[round] += 1
        if self.woken[round] > 1:
            self.fails(f"C2: {round} woke its parent twice")
        # In a round that is a retry, those that succeeded before they could take their turn are counted by the parent.
        needed = set(range(self.sizes[round])) if round[2] == 0 else self.present[round]
        if left := [index for index in sorted(needed) if (*round, index) not in self.ended]:
            self.fails(f"C2: {round} woke its parent before {left} of {self.sizes[round]} had ended")


def _round(parent: Parent) -> tuple[str, str, int]:
    return parent.life, parent.group, parent.round


def simulate_children(seed: int, store: FakeJobRepository | None = None) -> ChildrenReport:
    """Run one seed; raise `Violation` if an invariant does not hold."""
    return run_in_virtual_time(_simulate(seed, store or FakeJobRepository()))


async def _simulate(seed: int, store: FakeJobRepository) -> ChildrenReport:
    world = World(seed, store)
    history = ChildHistory()
    world.history, world.with_children = history, True
    policies = [POLICY.model_copy(update={"runner": world.random.choice((WORKER, STANDARD))}) for _ in range(2)]
    types = (a_handler(PARENT, _parent(world), policies[0]), a_handler(CHILD, _child(world), policies[1]))
    catalogue = Catalogue(types, (UnrunCancellation(),))
    world.start(pump(world, catalogue))
    world.start(record(world, catalogue))
    world.start(wake(world, catalogue))
    for offset in (0.0, 31.0):
        world.start(schedule(world, catalogue, offset))
    clients = [asyncio.get_running_loop().create_task(_client(world, catalogue, number)) for number in range(PARENTS)]
    await asyncio.gather(*clients)
    while asyncio.get_running_loop().time() < STORM_SECONDS + HEALED_SECONDS:
        await asyncio.sleep(60)
        if not world.stormy and all(is_final(job) for job in store.stored):
            break
    # The recorder sees what ended last, and whatever it was given again.
    await asyncio.sleep(120)
    for task in tuple(world.tasks):
        task.cancel()
    await asyncio.gather(*world.tasks, return_exceptions=True)
    history.settled({job.id: job for job in store.stored})
    if world.bugs:
        raise world.bugs[0]
    await _check_counts(world, history)
    jobs = [job for job in store.stored if job.type != CHILDREN_CANCEL]
    ends = [item for item in store.items_of("job_steps") if item.get("kind") == ENDED]
    return ChildrenReport(
        seed=seed,
        parents=dict(Counter(job.status for job in jobs if job.parent is None)),
        children=dict(Counter(job.status for job in jobs if job.parent is not None)),
        woken=sum(history.woken.values()),
        found=sum("write_id" in item for item in ends),
        faults=dict(world.faults),
    )


async def _check_counts(world: World, history: ChildHistory) -> None:
    """A set has nobody who has not ended; what was lost on the way to it may be missing."""
    counts = FakeCountRepository(world.store)
    for life, group, number in history.sizes:
        counted = ended_in_sets(await counts.counted(partition_of(life, group, number)))
        ended = {each[3] for each in history.ended if each[:3] == (life, group, number)}
        late = set(range(history.sizes[life, group, number])) - history.present[life, group, number]
        if not counted <= ended | late:
            raise Violation(f"C3: {life}, {group}, {number} counts {sorted(counted - ended)}, which have not ended")
        if not world.faults["record lost"] and not ended <= counted:
            raise Violation(f"C3: {life}, {group}, {number} does not count {sorted(ended - counted)}")


def _parent(world: World) -> Run:
    async def run(document: Text, context: JobContext) -> Count | Retry | Fail | Stopped:
        size, policy = (int(word) for word in document.text.split())
        await asyncio.sleep(world.random.uniform(0, 3))
        PROCESS.get().check()
        if world.stormy and world.random.random() < 0.1:
            raise ValueError("as the seed decides")
        payloads = [{"text": str(place)} for place in range(size)]
        in_flight = 2 if policy == 2 else None
        job = await world.store.get(context.job_id, NOW)
        generation = job.generation if isinstance(job, Job) else 0
        if policy == 0:
            told: object = await context.map("all", CHILD, payloads, returns=Count, failed="collect")
        else:
            try:
                told = await context.map("all", CHILD, payloads, returns=Count, max_in_flight=in_flight)
            except ChildFailed as failed:
                told = failed
        PROCESS.get().check()
        world.history.seen(context.job_id, f"all of {generation}", repr(told))
        one = await context.call("one", CHILD, {"text": "one"}, returns=Count) if policy == 0 else told
        if world.stormy and world.random.random() < 0.2:
            return Retry(reason="later")
        if isinstance(one, ChildFailed):
            raise one
        return Count(words=size)

    return run


def _child(world: World) -> Run:
    async def run(_: Text, context: JobContext) -> Count | Retry | Fail | Stopped:
        await asyncio.sleep(world.random.uniform(0, 20))
        PROCESS.get().check()
        world.history.effects[context.job_id] += 1
        if await context.cancel_requested():
            return Stopped()
        outcome = world.random.random() if world.stormy else 1.0
        if outcome < 0.1:
            raise ValueError("as the seed decides")
        if outcome < 0.2:
            return Fail(reason="never")
        return Count(words=world.random.randint(1, 1000))

    return run


async def _retry(id: str, api: Api) -> object:
    return await api.jobs.retry(id, OWNER)


async def _client(world: World, catalogue: Catalogue, number: int) -> None:
    """Submit one parent, and sometimes cancel or retry it, or one of its children."""
    await asyncio.sleep(world.random.uniform(0, STORM_SECONDS / 3))
    size = world.random.choice((1, 3, 7))
    submission = Submission(type=PARENT, payload={"text": f"{size} {number % 3}"})
    response = None
    for _ in range(8):
        response = await _call(world, lambda api: api.submissions.submit(submission, OWNER, f"key-{number}"), catalogue)
        if isinstance(response, Submitted):
            break
    if not isinstance(response, Submitted):
        return
    job = response.job
    world.history.accepted.add(job.id)
    if world.random.random() < 0.3:
        await asyncio.sleep(world.random.uniform(0, 60))
        await _call(world, lambda api: api.jobs.cancel(job.id, OWNER), catalogue)
    for _ in range(2):
        await asyncio.sleep(world.random.uniform(60, 300))
        child = child_id(job.life, "all", world.random.randrange(size))
        for id in (job.id, child):
            found = await world.store.get(id, NOW)
            if isinstance(found, Job) and isinstance(found.state, Failed | Cancelled) and world.random.random() < 0.6:
                await _call(world, partial(_retry, id), catalogue)
