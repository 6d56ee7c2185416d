"""Claims about delays, order, cron and periodic jobs. The numbers are those of `../claims_of_others.md`."""

from datetime import UTC, datetime, timedelta

import pytest

from domain.schedules.planning import due_ticks
from domain.schedules.schedule import Missed
from domain.schedules.tick_outcomes import Made, NothingDue, Skipped
from domain.schedules.timing import MIN_EVERY, Timing, flaws_of_timing, next_ticks
from headrace.testing import JobStack, SubmissionRefused
from tests.acceptance.claims.conftest import HOUR, MINUTE, Log
from tests.factories import NOW
from tests.schedules import MINUTELY, a_schedule, a_spec
from tests.unit.schedules.conftest import World

FRIDAY = datetime(2027, 4, 30, 12, 30, tzinfo=UTC)


@pytest.fixture
async def world() -> World:
    return await World.with_owner()


def flaws(cron: str, timezone: str = "UTC") -> bool:
    return bool(flaws_of_timing(Timing(cron=cron, timezone=timezone), FRIDAY))


def ticks(cron: str, count: int = 1, timezone: str = "UTC", after: datetime = FRIDAY) -> list[str]:
    timing = Timing(cron=cron, timezone=timezone)
    return [tick.strftime("%Y-%m-%d %H:%M") for tick in next_ticks(timing, after, after, count)]


async def test_s01_a_delayed_job_runs_when_its_time_has_come_and_not_before(job_stack: JobStack, log: Log) -> None:
    job = await job_stack.submit("claims.work", {}, delay=HOUR)
    assert (job.status, job.due) == ("scheduled", job_stack.now + HOUR)
    await job_stack.travel(minutes=59)
    assert log.ran == []
    await job_stack.travel(minutes=1)
    assert job_stack.job(job.id).status == "succeeded"


async def test_s02_a_job_may_be_given_a_moment(job_stack: JobStack, log: Log) -> None:
    await job_stack.submit("claims.work", {}, run_at=job_stack.now + HOUR)
    await job_stack.travel(minutes=59)
    assert log.ran == []
    await job_stack.travel(minutes=2)
    assert log.ran == ["job 1"]


@pytest.mark.parametrize("ago", [timedelta(0), timedelta(seconds=2), timedelta(days=30)])
async def test_s03_a_moment_that_is_past_is_now(job_stack: JobStack, log: Log, ago: timedelta) -> None:
    await job_stack.submit("claims.work", {}, run_at=job_stack.now - ago)
    await job_stack.drain()
    assert log.ran == ["job 1"]


async def test_s04_jobs_run_in_the_order_of_their_times(job_stack: JobStack, log: Log) -> None:
    for name, hours in (("third", 3), ("first", 1), ("second", 2)):
        await job_stack.submit("claims.work", {"name": name}, delay=hours * HOUR)
    await job_stack.travel(hours=4)
    assert log.names() == ["first", "second", "third"]


async def test_s05_an_impossible_delay_is_refused(job_stack: JobStack) -> None:
    with pytest.raises(ValueError, match="delay_seconds"):
        await job_stack.submit("claims.work", {}, delay=timedelta(seconds=-1))
    with pytest.raises(SubmissionRefused, match="more than 365 days"):
        await job_stack.submit("claims.work", {}, delay=timedelta(days=366))
    assert job_stack.submitted() == ()


async def test_s06_a_scheduled_job_holds_up_no_other(job_stack: JobStack, log: Log) -> None:
    await job_stack.submit("claims.work", {"name": "later"}, delay=HOUR)
    await job_stack.submit("claims.work", {"name": "now"})
    await job_stack.drain()
    assert log.names() == ["now"]


async def in_line(stack: JobStack, **priorities: int | None) -> None:
    """Jobs that wait for the place of one that runs."""
    await stack.submit("claims.one", {"name": "running"})
    await stack.travel(seconds=1)
    for name, priority in priorities.items():
        await stack.submit("claims.one", {"name": name}, priority=priority)
    await stack.travel(minutes=2)


async def test_s07_of_jobs_that_wait_in_line_the_most_urgent_goes_first(job_stack: JobStack, log: Log) -> None:
    await in_line(job_stack, low=1, high=9, middle=5)
    assert log.names() == ["running", "high", "middle", "low"]


async def test_s08_without_a_priority_of_its_own_a_job_has_its_types(job_stack: JobStack, log: Log) -> None:
    await in_line(job_stack, low=4, unsaid=None, high=6)
    assert log.names() == ["running", "high", "unsaid", "low"]


async def test_s09_of_equally_urgent_jobs_the_oldest_goes_first(job_stack: JobStack, log: Log) -> None:
    await in_line(job_stack, first=5, second=5, third=5)
    assert log.names() == ["running", "first", "second", "third"]


@pytest.mark.parametrize("priority", [-1, 10])
async def test_s10_an_impossible_priority_is_refused(job_stack: JobStack, priority: int) -> None:
    with pytest.raises(ValueError, match="priority"):
        await job_stack.submit("claims.one", {}, priority=priority)


async def test_s11_no_more_run_at_once_than_may_and_no_fewer(job_stack: JobStack, log: Log) -> None:
    for _ in range(6):
        await job_stack.submit("claims.two", {})
    await job_stack.travel(seconds=14)
    assert (log.most, len(log.ran)) == (2, 6)
    await job_stack.travel(minutes=1)
    assert {job.status for job in job_stack.submitted()} == {"succeeded"}


async def test_s12_each_tick_makes_one_job(world: World) -> None:
    schedule = await world.add(a_schedule(timing=MINUTELY))
    made = [await world.tick_next(schedule) for _ in range(3)]
    assert [type(outcome) for each in made for outcome in each] == [Made] * 3
    assert len(set(world.ids())) == 3


async def test_s13_a_tick_that_is_delivered_twice_makes_one_job(world: World) -> None:
    schedule = await world.add(a_schedule(timing=MINUTELY))
    await world.tick_next(schedule)
    assert await world.tick(schedule) == (NothingDue(why="early"),)
    assert len(world.ids()) == 1


async def test_s14_a_job_knows_its_schedule_and_its_tick(world: World) -> None:
    schedule = await world.add(a_schedule(timing=MINUTELY))
    await world.tick_next(schedule)
    (job,) = world.jobs.stored
    assert job.tags == {"schedule": schedule.id, "tick": "2026-11-23T03:01:00Z"}


async def test_s15_a_tick_may_be_skipped_while_the_job_before_runs(world: World) -> None:
    schedule = await world.add(a_schedule(timing=MINUTELY, overlap="skip"))
    await world.tick_next(schedule)
    (outcome,) = await world.tick_next(schedule)
    assert isinstance(outcome, Skipped)
    await world.finish(world.ids()[0])
    await world.tick_next(schedule)
    assert len(world.ids()) == 2


async def test_s16_a_schedule_that_is_removed_makes_no_more_jobs(world: World) -> None:
    schedule = await world.add(a_schedule(timing=MINUTELY))
    await world.tick_next(schedule)
    stored = await world.stored(schedule)
    await world.schedules.delete(schedule.id, stored.version)
    world.clock.forward(MINUTE)
    assert await world.tick(schedule) == (NothingDue(why="gone"),)
    assert len(world.ids()) == 1


@pytest.mark.parametrize(("missed", "made"), [("latest", 1), ("all", 10), ("none", 1)])
def test_s17_what_becomes_of_missed_ticks_is_the_schedules_choice(missed: Missed, made: int) -> None:
    spec, first = a_spec(timing=MINUTELY, missed=missed), NOW.replace(microsecond=0) + MINUTE
    due = due_ticks(spec, NOW, first, first + 9 * MINUTE)
    assert (len(due.ticks), due.dropped) == (made, 10 - made)
    late = due_ticks(a_spec(timing=Timing(every_seconds=3600), missed="none"), NOW, first, first + 9 * MINUTE)
    assert late.ticks == ()


@pytest.mark.parametrize(
    "cron",
    ["* * * *", "* * * * * *", "", "60 * * * *", "* 24 * * *", "* * 32 * *", "* * 0 * *", "* * * 13 *", "* * * * 8",
     "*/0 * * * *", "one * * * *", "5-999999999 * * * *"],
)  # fmt: skip
def test_s18_an_expression_that_is_none_is_refused(cron: str) -> None:
    assert flaws(cron)


@pytest.mark.parametrize(("cron", "refused"), [("0 0 30 2 *", True), ("0 0 31 9,11 *", True), ("0 0 29 2 *", False)])
def test_s19_a_day_that_never_comes_is_refused(cron: str, refused: bool) -> None:
    assert flaws(cron) is refused


@pytest.mark.parametrize(
    ("cron", "tick"),
    [
        ("* * * * *", "2027-04-30 12:31"),
        ("15 * * * *", "2027-04-30 13:15"),
        ("30 12 * * *", "2027-05-01 12:30"),
        ("0 */6 * * *", "2027-04-30 18:00"),
        ("0 9-17/4 * * *", "2027-04-30 13:00"),
        ("0 0 1 * *", "2027-05-01 00:00"),
        ("0 0 29 2 *", "2028-02-29 00:00"),
        ("0 8 * * 1", "2027-05-03 08:00"),
        ("0 8 * * MON", "2027-05-03 08:00"),
        ("0 8 * * 7", "2027-05-02 08:00"),
    ],
)
def test_s20_the_next_tick_is_the_first_that_fits_after_now(cron: str, tick: str) -> None:
    assert ticks(cron) == [tick]


def test_s21_an_expression_is_read_in_its_schedules_time_zone() -> None:
    assert ticks("0 9 * * *", timezone="Asia/Tokyo") == ["2027-05-01 00:00"]
    assert ticks("0 9 * * *", timezone="America/New_York") == ["2027-04-30 13:00"]
    assert flaws("0 9 * * *", timezone="Mars/Olympus")


def test_s22_where_the_clocks_change_a_daily_job_runs_once_a_day() -> None:
    spring, autumn = datetime(2027, 3, 27, 12, tzinfo=UTC), datetime(2027, 10, 30, 12, tzinfo=UTC)
    assert ticks("30 2 * * *", 2, "Europe/Oslo", spring) == ["2027-03-28 01:00", "2027-03-29 00:30"]
    assert ticks("30 2 * * *", 2, "Europe/Oslo", autumn) == ["2027-10-31 00:30", "2027-11-01 01:30"]


@pytest.mark.parametrize(
    ("cron", "tick"),
    [
        ("@hourly", "2027-04-30 13:00"),
        ("@daily", "2027-05-01 00:00"),
        ("@midnight", "2027-05-01 00:00"),
        ("@weekly", "2027-05-02 00:00"),
        ("@monthly", "2027-05-01 00:00"),
        ("@yearly", "2028-01-01 00:00"),
        ("@annually", "2028-01-01 00:00"),
    ],
)
def test_s23_nicknames_stand_for_their_expressions(cron: str, tick: str) -> None:
    assert ticks(cron) == [tick]
    assert flaws("@reboot")
    assert flaws("@every 5m")


def test_s24_an_interval_may_be_shorter_than_a_minute() -> None:
    fast = list(next_ticks(Timing(every_seconds=MIN_EVERY), FRIDAY, FRIDAY, 3))
    assert [tick - FRIDAY for tick in fast] == [timedelta(seconds=5 * number) for number in (1, 2, 3)]
