"""What a person's retry of a parent does with its children, and what a cancel does."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from domain.children.calls import Later
from domain.children.cancellation import Cancellation, ChildrenCancelled
from domain.children.cancelling import LONGEST_FUNCTION, CancelChildren, ChildCanceller
from domain.children.group import new_group, reopened
from domain.children.ids import child_id
from domain.children.repository import MAX_READ
from domain.durable.step import CHILDREN, Step, step_put
from domain.jobs import transitions
from domain.jobs.change import Change
from domain.jobs.job import BlobRef, Job, Running, Succeeded
from domain.jobs.repository import AddResult, CompanionRefused, JobExists, JobUnreadable, VersionConflict
from domain.jobs.service import JobService
from domain.jobs.transitions import IllegalTransition
from domain.lanes.lanes import Lanes
from domain.patience import PAUSE
from domain.results import ItemTooLarge, StorageUnavailable
from headrace import ChildFailed, Fail, Retry, StepMisused, StepUnavailable
from headrace.authoring.json_text import JsonText
from headrace.testing.clock import half
from headrace.testing.lane_repository import FakeLaneRepository
from tests.factories import NOW, POLICY, asked_to_stop, legal, queued, succeeded
from tests.fakes.context import FakeContext
from tests.fakes.faulty_job_repository import FaultyJobRepository
from tests.fakes.faulty_lane_repository import FaultyLaneRepository
from tests.unit.children.parts import BROKEN, BUSY, DEADLINE, TYPE, World, a_call, deep


async def failed_parent(world: World, size: int = 4) -> Job:
    """Its children: a success, a failure, one that a person has retried since, and one that is gone."""
    job = await world.begin()
    await world.advance(job, a_call(size))
    for place in range(size):
        await world.record(await world.end(await world.child(job, "all", place), Fail(reason="no") if place else None))
    told = await world.advance(await world.parent(), a_call(size))
    assert isinstance(told, ChildFailed)
    current = await world.parent()
    over = legal(transitions.finish(current, world.policy, world.token, Fail(reason="no"), NOW, 0.5))
    written = await world.store.replace(Change(over), current.version)
    assert isinstance(written, Job)
    return written


async def retried(world: World, job: Job) -> Job:
    again = legal(transitions.retry_manually(job, world.policy, NOW))
    assert isinstance(await world.store.replace(Change(again), job.version), Job)
    return await world.claim()


async def test_failed_children_take_another_turn_and_the_others_stay() -> None:
    world = World()
    over = await failed_parent(world)
    running = await world.child(over, "all", 2)
    assert running is not None
    again = legal(transitions.retry_manually(running, world.policy, NOW))
    assert isinstance(await world.store.replace(Change(again), running.version), Job)
    world.store._jobs.pop(child_id(over.life, "all", 3))
    job = await retried(world, over)
    assert job.generation == 1
    waits = await world.advance(job, a_call(4, tolerated=1))
    assert isinstance(waits, Later)
    assert (waits.wait.round, waits.until) == (1, NOW + timedelta(minutes=15))
    children = [await world.child(over, "all", place) for place in range(3)]
    found = [(child.status, child.parent.round, child.parent.index) for child in children if child and child.parent]
    assert found == [("succeeded", 0, 0), ("queued", 1, 0), ("queued", 1, 1)]
    assert await world.advance(job, a_call(4, tolerated=1)) == waits, "another attempt changes nothing"
    for child in children[1:]:
        await world.record(await world.end(child))
    told = await world.advance(await world.parent(), a_call(4, tolerated=1))
    assert isinstance(told, list)
    assert told[:3] == [{"words": 1}] * 3
    assert isinstance(told[3], ChildFailed)
    assert told[3].code == "child_missing"


def test_the_places_of_a_retry_are_unpacked_once_for_all_its_chunks() -> None:
    group = reopened(new_group(TYPE, 3000, None, 0), frozenset(range(0, 3000, 2)), frozenset(), 1)
    assert group.places == tuple(range(0, 3000, 2))
    assert group.model_copy(update={"written": 200}).places is group.places
    further = reopened(group, frozenset({7, 3}), frozenset(), 2)
    assert further.places == (3, 7)


async def test_a_retry_needs_no_payloads_of_children_that_are_written() -> None:
    world = World()
    job = await retried(world, await failed_parent(world, 2))
    assert isinstance(await world.advance(job, a_call(5)), Later)


async def test_a_retry_finds_what_has_ended_meanwhile() -> None:
    world = World()
    over = await failed_parent(world, 2)
    job = await retried(world, over)
    child = await world.child(over, "all", 1)
    assert child is not None

    def succeed(_: Job) -> None:
        done = child.model_copy(update={"state": Succeeded(finished_at=NOW, result=JsonText("1")), "version": 99})
        world.store._jobs[child.id] = done

    world.jobs = FaultyJobRepository(world.store, on_replace=succeed)
    assert await world.advance(job, a_call(2)) == [{"words": 1}, 1]


Refusal = Callable[[Job], VersionConflict | JobUnreadable | CompanionRefused | ItemTooLarge | StorageUnavailable | None]


@pytest.mark.parametrize(
    ("refusal", "told"),
    [
        (lambda job: VersionConflict(job_id=job.id, current=None), Later),
        (lambda job: JobUnreadable(job_id=job.id, detail="newer", newer=True), Later),
        (lambda job: ItemTooLarge(size=1, limit=1), Later),
        (lambda job: CompanionRefused(job_id=job.id, index=0), StepUnavailable),
        (lambda job: BROKEN, StepUnavailable),
    ],
)
async def test_a_child_that_cannot_take_its_turn(refusal: Refusal, told: type) -> None:
    world = World()
    job = await retried(world, await failed_parent(world, 2))
    world.jobs = FaultyJobRepository(world.store, on_replace=refusal)
    if told is StepUnavailable:
        with pytest.raises(StepUnavailable, match=r"the children of all cannot be written: (contended|broken)"):
            await world.advance(job, a_call(2), NOW)
    else:
        # It failed, and stays so: its parent is told that at once.
        assert isinstance(await world.advance(job, a_call(2)), ChildFailed)


async def test_a_child_that_cannot_be_read_takes_no_turn() -> None:
    world = World()
    job = await retried(world, await failed_parent(world, 2))
    world.jobs = FaultyJobRepository(world.store, on_read=lambda: BROKEN)
    with pytest.raises(StepUnavailable):
        await world.advance(job, a_call(2), NOW)


@pytest.mark.parametrize(
    ("answer", "raised"),
    [
        (JobUnreadable(job_id="1", detail="newer", newer=True), None),
        (JobUnreadable(job_id="1", detail="no job"), StepMisused),
        (ItemTooLarge(size=1, limit=1), StepMisused),
        (CompanionRefused(job_id="1", index=0), StepUnavailable),
        (BROKEN, StepUnavailable),
    ],
)
async def test_a_child_that_cannot_be_written(
    answer: JobUnreadable | CompanionRefused | ItemTooLarge | StorageUnavailable, raised: type[Exception] | None
) -> None:
    world = World()
    job = await world.begin()
    world.jobs = FaultyJobRepository(world.store, on_add=lambda: answer)
    if raised is None:
        assert isinstance(await world.advance(job, a_call(1)), Later)
    else:
        with pytest.raises(raised):
            await world.advance(job, a_call(1), NOW)


async def test_writing_is_patient_while_there_is_time() -> None:
    world = World()
    job = await world.begin()
    answers: list[StorageUnavailable | None] = [BUSY, None]
    world.jobs = FaultyJobRepository(world.store, on_add=lambda: answers.pop(0))
    world.faults.next["rewrite"] = [BUSY]
    assert isinstance(await world.advance(job, a_call(1)), Later)
    for answer, deadline in ((BUSY, NOW + PAUSE), (BROKEN, DEADLINE)):
        world = World()
        job = await world.begin()
        answers[:] = [answer, None]
        world.jobs = FaultyJobRepository(world.store, on_add=lambda: answers.pop(0))
        with pytest.raises(StepUnavailable, match="the children of all cannot be written"):
            await world.advance(job, a_call(1), deadline)


async def test_children_know_how_deep_they_are() -> None:
    world = World()
    job = await world.begin(deep(9))
    await world.advance(job, a_call(1))
    child = await world.child(job, "all", 0)
    assert child is not None
    assert child.parent is not None
    assert child.parent.depth == 10


async def test_the_payload_of_a_child_that_is_there_with_it_is_kept() -> None:
    world = World(spill_bytes=1)
    job = await world.begin()

    class Acknowledging(FaultyJobRepository):
        """Each job is there already, as after an answer that was lost."""

        async def add(self, change: Change, now: datetime) -> AddResult:
            written = await super().add(change, now)
            return JobExists(current=written) if isinstance(written, Job) else written

    world.jobs = Acknowledging(world.store)
    await world.advance(job, a_call(1))
    child = await world.child(job, "all", 0)
    assert child is not None
    assert isinstance(child.payload, BlobRef)
    assert list(world.blobs.stored) == [child.payload.key]


async def test_a_payload_that_has_changed_is_as_it_was_first_written() -> None:
    world = World()
    job = await world.begin()
    world.faults.next["rewrite"] = [BROKEN]
    with pytest.raises(StepUnavailable):
        await world.advance(job, a_call(1))
    assert isinstance(await world.advance(job, a_call(payloads=[{"text": "changed"}])), Later)
    child = await world.child(job, "all", 0)
    assert child is not None
    assert child.payload == '{"text":"0"}'


async def test_a_job_that_is_no_child_takes_no_turn() -> None:
    world = World()
    job = await retried(world, await failed_parent(world, 2))
    child = await world.child(job, "all", 1)
    assert child is not None
    other = child.model_copy(update={"parent": None})
    world.store._jobs[child.id] = other
    assert isinstance(await world.advance(job, a_call(2)), ChildFailed)
    assert await world.child(job, "all", 1) == other


async def test_a_large_payload_that_cannot_be_kept() -> None:
    world = World(spill_bytes=1)
    job = await world.begin()

    async def busy(key: str, content: bytes, content_type: str) -> StorageUnavailable:
        del key, content, content_type
        return BROKEN

    world.blobs.put = busy  # type: ignore[method-assign,assignment]  # it fails
    with pytest.raises(StepUnavailable, match="cannot be written: broken"):
        await world.advance(job, a_call(1))


async def test_turns_that_are_taken_are_not_taken_again() -> None:
    world = World()
    job = await retried(world, await failed_parent(world, 2))
    world.faults.next["rewrite"] = [None, BROKEN]
    with pytest.raises(StepUnavailable):
        await world.advance(job, a_call(2))
    child = await world.child(job, "all", 1)
    assert isinstance(await world.advance(job, a_call(2)), Later)
    assert await world.child(job, "all", 1) == child


@pytest.mark.parametrize("reachable", [True, False])
async def test_children_in_a_lane_take_their_turn_in_it(reachable: bool) -> None:
    world = World(POLICY.model_copy(update={"limit": 1}))
    job = await retried(world, await failed_parent(world, 3))
    lanes = FaultyLaneRepository(FakeLaneRepository(world.store), *(() if reachable else ("read",)))
    world.lanes = Lanes(world.store, lanes, world.catalogue, world.clock, half)
    if not reachable:
        with pytest.raises(StepUnavailable):
            await world.advance(job, a_call(3), NOW)
        return
    assert isinstance(await world.advance(job, a_call(3)), Later)
    children = [await world.child(job, "all", place) for place in range(3)]
    assert sorted(child.status for child in children if child) == ["blocked", "queued", "succeeded"]


async def test_children_that_are_in_line_again_are_looked_for_once_more() -> None:
    """The lane may have become free between the look at it and the write."""
    world = World(POLICY.model_copy(update={"limit": 1}))
    job = await retried(world, await failed_parent(world, 2))
    world.lanes = Lanes(world.store, FakeLaneRepository(world.store), world.catalogue, world.clock, half)
    looked: list[str] = []

    async def look_again(child: Job) -> None:
        looked.append(child.id)

    world.lanes.look_again = look_again  # type: ignore[method-assign, assignment]  # what is counted
    await world.advance(job, a_call(2))
    assert looked == [child_id(job.life, "all", 1)]


def test_a_child_that_has_succeeded_takes_no_turn() -> None:
    moved = transitions.take_another_turn(succeeded(), World().policy, deep(1), NOW)
    assert isinstance(moved, IllegalTransition)


def test_a_child_that_was_asked_to_stop_runs_on_in_its_next_turn() -> None:
    """Its parent was cancelled, and retried before the child had ended."""
    job = asked_to_stop()
    moved = legal(transitions.take_another_turn(job, World().policy, deep(1), NOW))
    assert isinstance(moved.state, Running)
    assert isinstance(job.state, Running)
    assert (moved.state.cancel_requested, moved.state.lease) == (False, job.state.lease)


class Cancelling:
    """A parent whose children are to be cancelled."""

    def __init__(self, world: World) -> None:
        self.world = world
        service = JobService(world.jobs, world.catalogue, world.clock)
        self.canceller = ChildCanceller(world.jobs, service, world.reader, world.steps, world.clock)

    async def begun(self, size: int = 3) -> Cancellation:
        """Of which one child has succeeded, and one runs; the parent is cancelled."""
        world = self.world
        job = await world.begin()
        await world.advance(job, a_call(size))
        await world.end(await world.child(job, "all", 0))
        child = await world.child(job, "all", 1)
        assert child is not None
        running = legal(transitions.claim(child, world.policy, "t", NOW + timedelta(minutes=1), NOW))
        assert isinstance(await world.store.replace(Change(running), child.version), Job)
        self.job = await self.cancel(job)
        return Cancellation(life=job.life, generation=0)

    async def cancel(self, job: Job) -> Job:
        """The parent, which runs and heeds it."""
        asked = legal(transitions.cancel(job, self.world.policy, NOW))
        over = legal(transitions.finish(asked, self.world.policy, self.world.token, Retry(reason="no"), NOW, 0.5))
        assert isinstance(await self.world.store.replace(Change(over), job.version), Job)
        return over

    async def statuses(self) -> list[str]:
        children = [await self.world.child(self.job, "all", place) for place in range(3)]
        return [child.status for child in children if child]


async def test_what_waits_is_cancelled_and_what_runs_is_asked() -> None:
    cancelling = Cancelling(World())
    cancellation = await cancelling.begun()
    assert await cancelling.canceller.cancel(cancellation) == 2
    assert await cancelling.statuses() == ["succeeded", "running", "cancelled"]
    child = await cancelling.world.child(cancelling.job, "all", 1)
    assert child is not None
    assert getattr(child.state, "cancel_requested", False)
    unknown = Step(job_id=cancelling.job.life, name="new", kind=CHILDREN, attempt=1, began_at=NOW)
    put = step_put(unknown, NOW)
    cancelling.world.store.put_item("job_steps", put.key, {**put.values, **put.key})
    assert await cancelling.canceller.cancel(cancellation) == 1, "the one that runs is asked again"


async def test_the_children_of_a_parent_that_was_retried_stay() -> None:
    cancelling = Cancelling(World())
    cancellation = await cancelling.begun()
    await retried(cancelling.world, cancelling.job)
    assert await cancelling.canceller.cancel(cancellation) == 0
    assert await cancelling.statuses() == ["succeeded", "running", "queued"]


async def test_a_parent_that_was_cancelled_again_is_left_to_its_next_cancellation() -> None:
    cancelling = Cancelling(World())
    cancellation = await cancelling.begun()
    job = await retried(cancelling.world, cancelling.job)
    await cancelling.cancel(job)
    assert await cancelling.canceller.cancel(cancellation) == 0
    assert await cancelling.canceller.cancel(cancellation.model_copy(update={"generation": 1})) == 2


async def test_the_children_of_an_expired_parent_whose_id_another_job_has_are_cancelled() -> None:
    cancelling = Cancelling(World())
    cancellation = await cancelling.begun()
    other = queued(id=cancelling.job.id).model_copy(update={"created_at": NOW + timedelta(days=1)})
    cancelling.world.store._jobs[other.id] = other
    assert await cancelling.canceller.cancel(cancellation) == 2


async def test_all_children_are_reached_however_many_there_are() -> None:
    cancelling = Cancelling(World())
    cancellation = await cancelling.begun(2 * MAX_READ + 1)
    assert await cancelling.canceller.cancel(cancellation) == 2 * MAX_READ


async def test_the_children_of_a_parent_that_is_gone_are_cancelled() -> None:
    cancelling = Cancelling(World())
    cancellation = await cancelling.begun()
    cancelling.world.store._jobs.pop(cancelling.job.id)
    assert await cancelling.canceller.cancel(cancellation) == 2


@pytest.mark.parametrize("where", ["groups", "parent", "states", "child", "contended"])
async def test_what_cannot_be_reached_is_tried_again(where: str) -> None:
    world = World()
    cancelling = Cancelling(world)
    cancellation = await cancelling.begun()
    world.faults.next = {where: [BUSY]} if where in {"groups", "states"} else {}
    faults: dict[str, list[StorageUnavailable | None]] = {"parent": [BUSY], "child": [None, BUSY]}
    reads = faults.get(where, [])

    def conflict(job: Job) -> VersionConflict | None:
        return VersionConflict(job_id=job.id, current=world.store.find(job.id)) if where == "contended" else None

    world.jobs = FaultyJobRepository(world.store, conflict, on_read=lambda: reads.pop(0) if reads else None)
    service = JobService(world.jobs, world.catalogue, world.clock)
    canceller = ChildCanceller(world.jobs, service, world.reader, world.steps, world.clock)
    ran = await CancelChildren(lambda: canceller).run(cancellation, FakeContext())
    assert isinstance(ran, Retry)
    assert ran.code == "storage_unavailable"


class Sleepless(FakeContext):
    """Its sleeps are over at once."""

    def __init__(self) -> None:
        super().__init__()
        self.slept: list[timedelta] = []

    async def sleep(self, name: str, duration: timedelta) -> None:
        del name
        self.slept.append(duration)


async def test_the_handler_waits_until_no_worker_can_write_children_any_more() -> None:
    cancelling = Cancelling(World())
    cancellation = await cancelling.begun()
    context = Sleepless()
    ran = await CancelChildren(lambda: cancelling.canceller).run(cancellation, context)
    assert (ran, context.slept) == (ChildrenCancelled(cancelled=2), [LONGEST_FUNCTION])
