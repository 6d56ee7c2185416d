"""How an invocation ends at a `call` or `map`: with a wait, for want of time, or because its lease is gone."""

import asyncio
from datetime import timedelta

import pytest

from domain.children.calls import Elsewhere
from domain.children.group import FIRST_LOOK
from domain.children.ids import child_id
from domain.children.reading import QUICK, RESERVE
from domain.durable.attempts import JobSteps
from domain.durable.durable import Durable
from domain.durable.step import CHILDREN
from domain.jobs.job import Job, Parent, WaitFor
from domain.jobs.outcomes import Outcome, Pause
from domain.secrets.hidden import Hidden
from headrace import StepUnavailable
from tests.factories import NOW, POLICY
from tests.unit.children.parts import BROKEN, DEADLINE, World, a_call

MANY = QUICK + 1


async def ending(world: World, job: Job, seconds: float = 60) -> Outcome:
    """What ends the invocation."""
    ended: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
    calls = world.calls(job, NOW + timedelta(seconds=seconds))
    durable = Durable(job, world.memory, world.clock, ended, calls)
    task = asyncio.create_task(durable.children(a_call()))
    outcome = await ended
    task.cancel()
    return outcome


async def test_children_that_have_not_ended_are_waited_for() -> None:
    world = World()
    waits = (WaitFor(kind=CHILDREN, name="all", round=0),)
    assert await ending(world, await world.begin()) == Pause(waits_for=waits, until=NOW + timedelta(minutes=15))


async def test_what_has_no_time_to_write_more_goes_on_in_another_invocation() -> None:
    world = World()
    job = await world.begin()
    world.clock.forward(timedelta(seconds=40))
    assert await ending(world, job) == Pause()


async def many_that_have_ended(world: World, size: int = MANY) -> Job:
    job = await world.begin()
    await world.advance(job, a_call(size))
    for place in range(size):
        await world.end(await world.child(job, "all", place))
    world.clock.forward(FIRST_LOOK)
    return job


async def test_many_results_are_collected_by_an_invocation_that_has_its_time_before_it() -> None:
    world = World()
    job = await many_that_have_ended(world)
    late = world.clock() + timedelta(minutes=1)
    assert await world.advance(job, a_call(MANY), late) == Elsewhere()
    assert await world.advance(job, a_call(MANY), late) == [{"words": 1}] * MANY


async def test_those_that_are_read_at_once_are_collected_whatever_time_is_left() -> None:
    world = World()
    job = await many_that_have_ended(world, QUICK)
    late = world.clock() + timedelta(minutes=1)
    assert await world.advance(job, a_call(QUICK), late) == [{"words": 1}] * QUICK


async def test_reading_that_takes_longer_than_the_attempt_says_so_before_it_is_stopped() -> None:
    world = World()
    job = await many_that_have_ended(world)
    with pytest.raises(StepUnavailable, match=f"{MANY} take longer to read than the attempt has"):
        await world.advance(job, a_call(MANY), world.clock() + RESERVE)


async def test_a_lost_lease_ends_the_invocation_at_once() -> None:
    world = World()
    job = await world.begin()
    world.steps.ended_at = CHILDREN
    assert await ending(world, job) == Pause()


async def test_where_no_store_is_there_are_no_children() -> None:
    world = World()
    job = await world.begin()
    ended: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
    steps = JobSteps(world.steps, world.documents, world.clock, world.new_id)
    durable = steps.of(job, ended, Hidden(), POLICY, DEADLINE, is_first=True)
    with pytest.raises(StepUnavailable, match="there are no children here"):
        await durable.children(a_call())


async def test_what_the_memory_has_not_read_it_does_not_keep() -> None:
    world = World()
    job = await world.begin()
    await world.advance(job, a_call())
    (step,) = [step for step in await world.steps.remembered(job.life) if step.kind == CHILDREN]
    world.calls(job)
    assert await world.memory.rewrite(step) != step, "it has a write id of its own"
    assert world.memory.size == 0
    world.faults.next["rewrite"] = [BROKEN]
    with pytest.raises(StepUnavailable):
        await world.memory.rewrite(step)


def test_a_childs_id_and_its_parents_follow_from_the_life() -> None:
    parent = Parent(life="1234@5678", group="all", place=3, depth=1, index=3, size=4, keep_seconds=60)
    assert parent.job_id == "1234"
    assert child_id("1234@5678", "all", 3) == child_id(parent.life, parent.group, parent.place)
    assert len({child_id(life, name, place) for life in "ab" for name in ("1", "2:1") for place in (1, 2)}) == 8
