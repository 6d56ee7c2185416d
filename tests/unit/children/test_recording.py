"""The recorder counts children that have ended, once each, and tells their parent when the last has."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from domain.children.cancellation import JOB_TAG, UnrunCancellation
from domain.children.counting import NotCounted
from domain.children.group import FIRST_LOOK
from domain.children.ids import SET, partition_of
from domain.children.overview import GroupCounts, Overview
from domain.children.places import packed, unpacked
from domain.children.repository import Tally
from domain.durable.forgetting import forget
from domain.durable.step import CHILDREN, Step, step_put
from domain.jobs import transitions
from domain.jobs.change import Change
from domain.jobs.job import Job
from domain.jobs.repository import CompanionRefused, JobUnreadable, VersionConflict
from domain.results import ItemTooLarge, StorageUnavailable
from headrace import Fail, Retry
from tests.factories import NOW, legal
from tests.fakes.faulty_job_repository import FaultyJobRepository
from tests.unit.children.parts import BROKEN, BUSY, TYPE, World, a_call

CONTENDED = StorageUnavailable(reason="throttled", detail="contended")


async def with_children(size: int = 3, **rest: object) -> tuple[World, Job]:
    world = World()
    job = await world.begin()
    await world.advance(job, a_call(size, **rest))
    return world, job


async def ended(world: World, job: Job, *places: int) -> list[Job]:
    return [await world.end(await world.child(job, "all", place)) for place in places]


def test_places_are_packed_shortly_and_come_back() -> None:
    for places in ((), (0,), (7, 8, 99_999), range(100_000), range(0, 100_000, 3)):
        text = packed(places)
        assert unpacked(text) == frozenset(places)
        assert len(text) < 17_000
    assert len(packed(range(100_000))) < 100
    with pytest.raises(ValueError, match="no set of places"):
        unpacked("AAAA")


async def test_a_batch_is_one_call_for_each_thousand() -> None:
    size = SET + 5
    world, job = await with_children(size)
    done = await ended(world, job, *range(size))
    partition = partition_of(job.life, "all", 0)
    assert await world.record(*done[:-1]) == ()
    assert sorted(world.counts.calls) == [(partition, "00000"), (partition, "00001"), (partition, "full")]
    assert (await world.parent()).rounds == 0
    world.counts.calls.clear()
    assert await world.record(*done[-2:]) == ()
    assert world.counts.calls == [(partition, "00001"), (partition, "full")]
    assert (await world.parent()).rounds == 1
    sets = await world.counts.counted(partition)
    assert sets == {
        "00000": Tally(ended=frozenset(range(SET))),
        "00001": Tally(ended=frozenset(range(5))),
        "full": Tally(ended=frozenset({0, 1})),
    }


async def test_a_round_of_up_to_a_thousand_has_one_set_and_no_set_of_sets() -> None:
    world, job = await with_children(2)
    world.faults.next["counted"] = [BROKEN]
    assert await world.record(*await ended(world, job, 0, 1)) == ()
    assert world.counts.calls == [(partition_of(job.life, "all", 0), "00000")]
    assert (await world.parent()).rounds == 1


async def test_what_is_no_end_of_a_child_is_not_counted() -> None:
    world, job = await with_children()
    child = await world.child(job, "all", 0)
    assert child is not None
    (done,) = await ended(world, job, 1)
    noted = done.model_copy(update={"updated_at": NOW + FIRST_LOOK})
    assert await world.record(job, child, noted) == ()
    assert world.counts.calls == []


@pytest.mark.parametrize("fails_at", ["first set", "full set", "all sets", "parent", "time"])
async def test_what_could_not_be_counted_or_told_is_handed_back_and_made_good(fails_at: str) -> None:
    size = SET + 1
    world, job = await with_children(size)
    done = await ended(world, job, *range(size))
    await world.record(*done[:-1])
    last = done[-1]
    faults: dict[str, dict[str, list[StorageUnavailable | None]]] = {
        "first set": {"add": [BUSY]}, "full set": {"add": [None, BUSY]}, "all sets": {"counted": [BUSY]},
    }  # fmt: skip
    world.faults.next = faults.get(fails_at, {})
    if fails_at == "parent":
        world.jobs = FaultyJobRepository(world.store, on_read=lambda: BUSY)
    deadline = NOW if fails_at == "time" else NOW + timedelta(minutes=1)
    (problem,) = await world.recorder.record((last,), deadline)
    late = StorageUnavailable(reason="timeout", detail="no time was left")
    assert problem == NotCounted(jobs=((last.id, last.version),), problem=late if fails_at == "time" else BUSY)
    assert not problem.is_lost
    assert (await world.parent()).rounds == 0
    world.jobs = FaultyJobRepository(world.store)
    assert await world.record(last) == ()
    assert (await world.parent()).rounds == 1


async def test_what_the_database_refuses_each_time_is_lost() -> None:
    world, job = await with_children(1)
    refused = StorageUnavailable(reason="rejected", detail="ValidationException")
    world.faults.next = {"add": [refused]}
    (problem,) = await world.record(*await ended(world, job, 0))
    assert (problem.problem, problem.is_lost) == (refused, True)


Refusal = Callable[[Job], VersionConflict | JobUnreadable | CompanionRefused | ItemTooLarge | StorageUnavailable | None]


@pytest.mark.parametrize(
    ("refusal", "problem"),
    [
        (lambda job: VersionConflict(job_id=job.id, current=job), CONTENDED),
        (lambda job: VersionConflict(job_id=job.id, current=None), None),
        (lambda job: JobUnreadable(job_id=job.id, detail="newer", newer=True), None),
        (lambda job: ItemTooLarge(size=1, limit=1), None),
        (lambda job: CompanionRefused(job_id=job.id, index=0), None),
        (lambda job: BUSY, BUSY),
    ],
)  # fmt: skip
async def test_a_parent_that_cannot_be_told(refusal: Refusal, problem: StorageUnavailable | None) -> None:
    world, job = await with_children(1)
    done = await ended(world, job, 0)
    world.jobs = FaultyJobRepository(world.store, on_replace=refusal)
    told = await world.record(*done)
    assert [each.problem for each in told] == ([problem] if problem else [])


async def test_a_parent_that_has_ended_or_is_another_by_now_is_not_told() -> None:
    world, job = await with_children(1)
    done = await ended(world, job, 0)
    ending = legal(transitions.finish(job, world.policy, world.token, Fail(reason="no"), NOW, 0.5))
    failed = await world.store.replace(Change(ending), job.version)
    assert isinstance(failed, Job)
    assert await world.record(*done) == ()
    assert await world.parent() == failed
    other = job.model_copy(update={"created_at": NOW + timedelta(days=1)})
    world.store._jobs[job.id] = other
    assert await world.record(*done) == ()
    assert await world.parent() == other


async def test_children_are_counted_for_those_who_look() -> None:
    world, job = await with_children(5, in_flight=3)
    overview = Overview(world.steps, world.counts)
    assert await overview.of(job) == (), "it does not know yet that it remembers anything"
    looked = job.model_copy(update={"steps": 2})
    for place in range(3):
        outcome = Fail(reason="no") if place == 1 else None
        await world.record(await world.end(await world.child(job, "all", place), outcome))
    first = GroupCounts(name="all", type=TYPE, size=5, begun=3, ended=3, failed=1)
    assert await overview.of(looked) == (first,)
    await world.advance(await world.parent(), a_call(5, tolerated=1))
    await world.record(*await ended(world, job, 3))
    second = first.model_copy(update={"begun": 5, "ended": 4})
    assert await overview.of(looked) == (second,)
    for method in ("groups", "counted"):
        world.faults.next[method] = [BUSY]
        assert await overview.of(looked) == BUSY
    unknown = Step(job_id=job.life, name="new", kind=CHILDREN, attempt=1, began_at=NOW)
    put = step_put(unknown, NOW)
    world.store.put_item("job_steps", put.key, {**put.values, **put.key})
    assert await overview.of(looked) == (second,)


async def test_counts_are_deleted_with_the_job() -> None:
    world, job = await with_children(1)
    await world.record(*await ended(world, job, 0))
    world.faults.next["forget_counts"] = [BUSY]
    assert await forget(job, world.steps, world.counts, world.documents) == BUSY
    assert await forget(job, world.steps, world.counts, world.documents) is None
    assert world.store.items_of("job_steps") == ()


async def cancelled(world: World, job: Job) -> Job:
    asked = legal(transitions.cancel(job, world.policy, NOW))
    stopped = legal(transitions.finish(asked, world.policy, world.token, Retry(reason="no"), NOW, 0.5))
    assert stopped.status == "cancelled"
    written = await world.store.replace(Change(stopped), job.version)
    assert isinstance(written, Job)
    return written


async def test_a_cancelled_parents_children_are_cancelled_by_one_job() -> None:
    world, job = await with_children()
    over = await cancelled(world, job)
    before = len(world.store.stored)
    for _ in range(2):
        assert await world.record(over) == ()
    (made,) = world.store.stored[before:]
    assert (made.type, made.owner_id, made.tags[JOB_TAG]) == ("children.cancel", job.owner_id, job.id)
    world.faults.next["groups"] = [BROKEN]
    assert await world.record(made.model_copy(update={"state": over.state, "started_at": NOW})) == ()
    assert await world.record(over.model_copy(update={"started_at": None})) == ()
    assert world.faults.next["groups"], "of a cancellation, or what never ran, no children are looked for"


async def test_a_cancelled_job_without_children_or_that_never_ran_asks_for_nothing() -> None:
    world = World()
    over = await cancelled(world, await world.begin())
    assert await world.record(over, over.model_copy(update={"started_at": None})) == ()
    assert len(world.store.stored) == 1


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (BUSY, BUSY),
        (CompanionRefused(job_id="1", index=0), CONTENDED),
        (ItemTooLarge(size=1, limit=1), None),
    ],
)
async def test_a_cancellation_that_cannot_be_submitted_is_handed_back(
    answer: StorageUnavailable | CompanionRefused | ItemTooLarge, problem: StorageUnavailable | None
) -> None:
    world, job = await with_children()
    over = await cancelled(world, job)
    world.jobs = FaultyJobRepository(world.store, on_add=lambda: answer)
    assert [each.problem for each in await world.record(over)] == ([problem] if problem else [])
    world.faults.next["groups"] = [BUSY]
    assert [each.problem for each in await world.record(over)] == [BUSY]
    late = await world.recorder.record((over,), NOW)
    assert [each.problem.reason for each in late] == ["timeout"]


async def test_groups_that_cannot_be_read_are_left_to_the_job_that_cancels_for_it_is_seen_to_fail() -> None:
    world, job = await with_children()
    over = await cancelled(world, job)
    world.faults.next["groups"] = [BROKEN]
    assert await world.record(over) == ()
    assert world.store.stored[-1].type == "children.cancel"


async def test_where_it_cannot_run_it_is_left_to_another_function() -> None:
    ran = await UnrunCancellation().run(None, None)  # type: ignore[arg-type]  # it reads neither
    assert ran.code == "not_here"
