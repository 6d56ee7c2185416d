"""Children that have ended are there until their parent has collected what they came to, however long others take."""

from datetime import timedelta

import pytest

from domain.children.calls import Elsewhere, Later
from domain.children.ids import partition_of
from domain.children.keeping import CHUNK, KEEP_EVERY
from domain.durable.step import MAX_LIFE
from domain.jobs import transitions
from domain.jobs.job import Job, is_final
from domain.jobs.repository import VersionConflict
from headrace import Fail, StepUnavailable
from tests.factories import NOW, legal
from tests.fakes.faulty_job_repository import FaultyJobRepository
from tests.unit.children.parts import BROKEN, BUSY, World, a_call

ONE = {"words": 1}
MINUTE = timedelta(minutes=1)


async def begun(world: World, size: int, *ended: int) -> Job:
    """A parent, which waits for so many children, some of which have ended."""
    job = await world.begin()
    # It is written each time that it pauses.
    world.store._jobs[job.id] = job.model_copy(update={"expires_at": NOW + MAX_LIFE})
    await world.advance(job, a_call(size))
    for place in ended:
        await world.record(await world.end(await world.child(job, "all", place)))
    return await world.parent()


async def child(world: World, job: Job, place: int) -> Job:
    found = await world.child(job, "all", place)
    assert found is not None
    return found


async def test_children_outlive_a_group_that_takes_most_of_a_year() -> None:
    world = World()
    job = await begun(world, 3, 0)
    versions = {0: set[int](), 1: set[int]()}
    for day in range(0, 350, 5):
        world.clock.now = NOW + timedelta(days=day)
        if day == 40:
            await world.record(await world.end(await child(world, job, 1), Fail(reason="no")))
        assert isinstance(await world.advance(job, a_call(3, collect=True), world.clock() + MINUTE), Later)
        for place, seen in versions.items():
            found = await child(world, job, place)
            assert found.expires_at > world.clock() or not is_final(found)
            seen.add(found.version)
    assert (len(versions[0]), len(versions[1])) == (2, 3), "each was changed once, the second after it had ended"
    await world.record(await world.end(await child(world, job, 2)))
    told = await world.advance(await world.parent(), a_call(3, collect=True), world.clock() + MINUTE)
    assert isinstance(told, list)
    assert (told[0], told[2]) == (ONE, ONE)


async def test_counts_last_as_long_as_the_parent_may_wait() -> None:
    world = World()
    job = await begun(world, 2, 0)
    sets = [item for item in world.store.items_of("job_steps") if item["job_id"] == partition_of(job.life, "all", 0)]
    (expires_at,) = (item["expires_at"] for item in sets)
    assert isinstance(expires_at, int)
    assert expires_at >= (NOW + MAX_LIFE).timestamp()


async def test_many_are_gone_through_in_several_invocations() -> None:
    world = World()
    job = await begun(world, CHUNK + 1, 0, CHUNK - 1)
    world.clock.forward(KEEP_EVERY)
    late = world.clock() + MINUTE
    assert await world.advance(job, a_call(CHUNK + 1), late) == Elsewhere()
    assert (await world.group(job)).kept == CHUNK
    assert isinstance(await world.advance(job, a_call(CHUNK + 1), late), Later)
    group = await world.group(job)
    assert (group.kept, group.kept_at) == (0, world.clock())
    for place in (0, CHUNK - 1):
        assert (await child(world, job, place)).expires_at >= NOW + MAX_LIFE


async def test_what_cannot_be_kept_is_tried_again_while_there_is_time() -> None:
    world = World()
    job = await begun(world, 2, 0)
    world.clock.forward(KEEP_EVERY)
    reads = [BUSY, None]
    world.jobs = FaultyJobRepository(world.store, on_read=lambda: reads.pop(0) if reads else None)
    assert isinstance(await world.advance(job, a_call(2), world.clock() + MINUTE), Later)
    assert (await child(world, job, 0)).expires_at >= NOW + MAX_LIFE


def conflict(job: Job) -> VersionConflict:
    return VersionConflict(job_id=job.id, current=legal(transitions.keep(job, NOW, NOW)))


@pytest.mark.parametrize("fault", ["reading", "writing", "contended"])
async def test_what_cannot_be_kept_in_time_is_left_to_another_attempt(fault: str) -> None:
    world = World()
    job = await begun(world, 2, 0)
    world.clock.forward(KEEP_EVERY)
    world.jobs = {
        "reading": FaultyJobRepository(world.store, on_read=lambda: BROKEN),
        "writing": FaultyJobRepository(world.store, on_replace=lambda _: BROKEN),
        "contended": FaultyJobRepository(world.store, on_replace=conflict),
    }[fault]
    detail = "contended" if fault == "contended" else "broken"
    with pytest.raises(StepUnavailable, match=f"the children of all cannot be kept: {detail}"):
        await world.advance(job, a_call(2), world.clock())


@pytest.mark.parametrize("becomes", ["retried", "gone"])
async def test_a_child_that_changes_meanwhile_is_left_alone(becomes: str) -> None:
    world = World()
    job = await begun(world, 2)
    await world.record(await world.end(await child(world, job, 0), Fail(reason="no")))
    world.clock.forward(KEEP_EVERY)
    again = legal(transitions.retry_manually(await child(world, job, 0), world.policy, world.clock()))

    def meanwhile(job: Job) -> VersionConflict:
        return VersionConflict(job_id=job.id, current=again if becomes == "retried" else None)

    world.jobs = FaultyJobRepository(world.store, on_replace=meanwhile)
    assert isinstance(await world.advance(job, a_call(2), world.clock() + MINUTE), Later)
