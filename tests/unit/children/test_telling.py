"""What a handler was told of a group stays, whatever becomes of its children."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from domain.children.calls import Later
from domain.children.group import MAX_WAVES
from domain.children.ids import child_id
from domain.children.results import read, written
from domain.durable.durable import MAX_ITEMS
from domain.durable.repository import LeaseEnded
from domain.durable.step import ENDED, MAX_VALUE_BYTES, RAISED, RESULTS, STEP, Step, step_put
from domain.jobs import transitions
from domain.jobs.change import Change
from domain.jobs.job import Job
from domain.jobs.outcomes import Done
from headrace import ChildFailed, Fail, StepMisused
from headrace.authoring.json_text import JsonText
from tests.factories import NOW, legal
from tests.unit.children.parts import BROKEN, World, a_call
from tests.unit.children.test_turns import failed_parent, retried

MANY = 22
LARGE = JsonText('"' + "x" * (MAX_VALUE_BYTES // 20) + '"')


async def child_of(world: World, job: Job, place: int) -> Job:
    child = await world.child(job, "all", place)
    assert child is not None
    return child


async def retried_by_a_person(world: World, job: Job, place: int) -> Job:
    child = await child_of(world, job, place)
    written = await world.store.replace(
        Change(legal(transitions.retry_manually(child, world.policy, NOW))), child.version
    )
    assert isinstance(written, Job)
    return written


async def test_of_children_of_which_too_many_failed_none_is_read_but_the_one_that_is_told_of() -> None:
    world = World()
    job = await world.begin()
    await world.advance(job, a_call(3))
    for place in range(3):
        outcome = Fail(reason="no") if place == 1 else None
        await world.record(await world.end(await world.child(job, "all", place), outcome))
    world.reader.read.clear()
    assert isinstance(await world.advance(await world.parent(), a_call(3)), ChildFailed)
    assert world.reader.read == [child_id(job.life, "all", 1)]


@pytest.mark.parametrize("becomes", ["is retried", "succeeds", "is gone"])
async def test_what_was_raised_is_raised_again_whatever_the_child_becomes(becomes: str) -> None:
    world = World()
    job = await world.begin()
    await world.advance(job, a_call(3))
    for place in range(3):
        await world.record(await world.end(await child_of(world, job, place), Fail(reason=f"no {place}")))
    first = await world.advance(await world.parent(), a_call(3))
    assert isinstance(first, ChildFailed)
    assert (first.code, first.message) == ("failed", "no 0 (3 of 3 failed)")
    if becomes == "is gone":
        world.store._jobs.pop(child_id(job.life, "all", 0))
    else:
        again = await retried_by_a_person(world, job, 0)
        if becomes == "succeeds":
            await world.end(again)
    world.faults.next["jobs"] = [BROKEN]
    assert await world.advance(await world.parent(), a_call(3)) == first
    assert await world.advance(await world.parent(), a_call(0)) == first, "nor do the payloads matter"
    assert world.faults.next.pop("jobs"), "no child is read for it"
    collected = await world.advance(await world.parent(), a_call(3, collect=True))
    assert isinstance(collected, list)
    assert len(collected) == 3, "other code is told by its own rules"


async def test_results_that_were_told_are_told_by_the_rules_of_the_code_that_asks() -> None:
    world = World()
    job = await world.begin()
    await world.advance(job, a_call(2))
    for place, outcome in enumerate((None, Fail(reason="no"))):
        await world.record(await world.end(await child_of(world, job, place), outcome))
    told = await world.advance(await world.parent(), a_call(2, tolerated=1))
    assert isinstance(told, list)
    strict = await world.advance(await world.parent(), a_call(2))
    assert isinstance(strict, ChildFailed)
    assert strict.message == "no (1 of 2 failed)"


async def test_the_results_that_another_remembered_first_are_told() -> None:
    world = World()
    job = await world.begin()
    await world.advance(job, a_call(1))
    await world.record(await world.end(await child_of(world, job, 0)))
    calls = world.calls(await world.parent())
    known = await world.memory.recall("all")
    first = Step(
        job_id=job.life, name="all", kind=RESULTS, attempt=1, began_at=NOW, value=JsonText('["7"]'), write_id="1"
    )
    await world.steps.remember(first, world.token, NOW)
    assert await calls.advance(a_call(1), known) == [7]


async def test_a_retry_of_the_parent_is_told_anew() -> None:
    world = World()
    job = await retried(world, await failed_parent(world, 2))
    assert isinstance(await world.advance(job, a_call(2)), Later)
    await world.record(await world.end(await child_of(world, job, 1), Fail(reason="again no")))
    told = await world.advance(await world.parent(), a_call(2))
    assert isinstance(told, ChildFailed)
    assert told.message == "again no (1 of 2 failed)"
    raised = [step.round for step in await world.steps.remembered(job.life) if step.kind == RAISED]
    assert raised == [0, 1]


async def large_results(world: World) -> Job:
    """One child fails; the results of the others are too large together."""
    job = await world.begin()
    await world.advance(job, a_call(MANY))
    for place in range(MANY):
        outcome = Fail(reason="no") if place == 1 else Done(result=LARGE)
        await world.record(await world.end(await child_of(world, job, place), outcome))
    return await world.parent()


async def test_large_results_that_were_told_are_not_opened_again_by_the_parents_retry() -> None:
    world = World(spill_bytes=10_000_000)
    job, call = await large_results(world), a_call(MANY, tolerated=1)
    first = await world.advance(job, call)
    assert isinstance(first, list)
    assert isinstance(first[1], ChildFailed)
    over = legal(transitions.finish(job, world.policy, world.token, Fail(reason="no"), NOW, 0.5))
    stored = await world.store.replace(Change(over), job.version)
    assert isinstance(stored, Job)
    job = await retried(world, stored)
    assert await world.advance(job, call) == first
    assert ((await world.group(job)).round, (await child_of(world, job, 1)).status) == (0, "failed")
    await retried_by_a_person(world, job, 1)
    assert await world.advance(job, call) == first, "nor does its failure change"
    strict = await world.advance(job, a_call(MANY))
    assert isinstance(strict, ChildFailed)
    assert await world.advance(job, a_call(MANY)) == strict


@pytest.mark.parametrize("kind", [RAISED, RESULTS])
async def test_what_cannot_be_remembered_is_not_told(kind: str) -> None:
    world = World(spill_bytes=10_000_000)
    job = await large_results(world)
    world.steps.ended_at = kind
    assert isinstance(await world.advance(job, a_call(MANY, collect=kind == RESULTS)), LeaseEnded)


def test_no_more_text_is_made_than_may_be_remembered() -> None:
    made = []

    def outcomes() -> Iterator[JsonText]:
        for number in range(1000):
            made.append(number)
            yield JsonText("1234")

    assert written(outcomes(), 70) is None
    assert len(made) == 10
    assert written([JsonText("1234")] * 9, 64) == "[" + ",".join(['"1234"'] * 9) + "]"
    assert written([JsonText("1234")] * 9, 63) is None
    failure = ChildFailed("all", 1, "id", "failed", "ü")
    assert read(written([JsonText("1"), failure]) or "") == (JsonText("1"), failure)
    assert written([]) == "[]"


async def test_rounds_use_up_none_of_the_steps_that_a_job_may_have() -> None:
    world = World()
    job = await world.begin()

    def put(kind: str, number: int) -> None:
        step = Step(job_id=job.life, name=f"s{number}", kind=kind, attempt=1, began_at=NOW, round=number)
        item = step_put(step, NOW + timedelta(days=1))
        world.store.put_item("job_steps", item.key, {**item.values, **item.key})

    for number in range(MAX_ITEMS + 1):
        put((ENDED, RAISED)[number % 2], number)
    world.calls(job)
    await world.memory.recall("all")
    assert world.memory.size > MAX_ITEMS
    assert not world.memory.has_more_than(MAX_ITEMS)
    for number in range(MAX_ITEMS + 1):
        assert not world.memory.has_more_than(MAX_ITEMS)
        put(STEP, number)
        if number >= MAX_ITEMS - 1:
            world.calls(job)
            await world.memory.recall("all")
    assert world.memory.has_more_than(MAX_ITEMS)


async def test_waves_are_bounded_and_a_thousand_are_allowed() -> None:
    world = World()
    job = await world.begin()
    assert isinstance(await world.advance(job, a_call(MAX_WAVES, in_flight=1)), Later)
    with pytest.raises(StepMisused, match="limit them by a lane"):
        await world.advance(job, a_call(2 * MAX_WAVES + 1, name="b", in_flight=2))


async def test_a_parent_keeps_the_end_of_its_last_wave_alone_and_is_told_of_none_twice() -> None:
    world = World()
    job = await world.begin()
    await world.advance(job, a_call(5, in_flight=1))
    children = []
    for place in range(4):
        children.append(await world.end(await child_of(world, job, place)))
        await world.record(children[-1])
        waits = await world.advance(await world.parent(), a_call(5, in_flight=1))
        assert isinstance(waits, Later)
        assert waits.wait.round == place + 1
    assert [step.round for step in await world.steps.remembered(job.life) if step.kind == ENDED] == [3]
    before = await world.parent()
    assert before.rounds == 4
    await world.record(*children)
    assert await world.parent() == before, "a batch that is delivered again says nothing new"
