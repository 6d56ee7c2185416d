"""Each tick gets its message, and a lost one another."""

from datetime import timedelta

from domain.schedules.repository import DueSchedules
from domain.schedules.schedule import due_at, paused
from domain.schedules.sweeping import MAX_PAGES, OVERDUE, TickSweep, TickSweeper
from domain.schedules.tick_queue import NEAR
from domain.schedules.timing import Timing
from tests.factories import NOW
from tests.fakes.faulty_job_repository import OUTAGE
from tests.fakes.faulty_schedule_repository import FaultyScheduleRepository
from tests.schedules import a_schedule
from tests.unit.schedules.conftest import World

MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)
HOURLY = Timing(every_seconds=3600)


def sweeper(world: World) -> TickSweeper:
    return TickSweeper(world.schedules, world.queue, world.clock)


async def test_the_sweeps_tile_the_time_so_that_a_tick_gets_one_message(world: World) -> None:
    schedule = await world.add(a_schedule(timing=HOURLY))
    due, start = due_at(schedule), world.clock()
    assert due is not None
    for minute in range(61):
        planned = start + minute * MINUTE
        world.clock.now = planned + (minute % 7) * SECOND
        if world.clock.now < due:
            await sweeper(world).sweep(world.clock.now + MINUTE, planned)
    (wake,) = world.queue.waiting
    assert (wake.schedule_id, wake.due) == (schedule.id, due)


async def test_an_overdue_tick_gets_another_message_and_a_backlog_does_not_grow(world: World) -> None:
    schedule = await world.add(a_schedule(timing=HOURLY))
    due = due_at(schedule)
    assert due is not None
    sent = []
    for minute in range(12):
        world.clock.now = due + minute * MINUTE + SECOND
        report = await sweeper(world).sweep(world.clock.now + MINUTE)
        assert report.oldest == minute * MINUTE + SECOND
        sent.append(report.sent)
    assert sent == [0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0]
    assert OVERDUE < MINUTE


async def test_a_paused_schedule_gets_none(world: World) -> None:
    await world.add(paused(a_schedule(), NOW))
    world.clock.forward(MINUTE)
    assert await sweeper(world).sweep(world.clock() + MINUTE) == TickSweep(sent=0, oldest=timedelta(0), problem=None)


async def test_what_fails_is_told(world: World) -> None:
    await world.add(a_schedule())
    world.clock.forward(2 * MINUTE + SECOND)
    world.queue.problem = OUTAGE
    assert await sweeper(world).sweep(world.clock() + MINUTE) == TickSweep(
        sent=0, oldest=MINUTE + SECOND + timedelta(microseconds=123456), problem=OUTAGE
    )
    broken = TickSweeper(FaultyScheduleRepository(world.schedules, on_due=OUTAGE), world.queue, world.clock)
    assert (await broken.sweep(world.clock() + MINUTE)).problem == OUTAGE


async def test_it_reads_page_by_page_until_the_end_or_its_deadline(world: World) -> None:
    entries = [await world.add(a_schedule(NOW + number * SECOND)) for number in range(5)]
    world.clock.forward(MINUTE)

    class Paged(FaultyScheduleRepository):
        async def due(self, until, limit, after):  # type: ignore[no-untyped-def]
            return await super().due(until, 2, after)

    paged = TickSweeper(Paged(world.schedules), world.queue, world.clock)
    assert (await paged.sweep(world.clock() + MINUTE, NOW - 2 * MINUTE + 30 * SECOND)).sent == len(entries)
    assert (await paged.sweep(world.clock(), NOW - 2 * MINUTE + 30 * SECOND)).sent == 2

    class Endless(FaultyScheduleRepository):
        async def due(self, until, limit, after):  # type: ignore[no-untyped-def]
            return DueSchedules(entries=(), next="more")

    assert (await TickSweeper(Endless(world.schedules), world.queue, world.clock).sweep(NOW + 2 * MINUTE)).sent == 0
    assert MAX_PAGES * 1000 > 10_000
    assert NEAR > 2 * MINUTE
