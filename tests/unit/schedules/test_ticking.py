"""What becomes of a schedule's ticks."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import pytest

from domain.jobs.catalogue import Catalogue
from domain.jobs.change import Change
from domain.jobs.repository import AddResult, JobUnreadable
from domain.jobs.service import JobService
from domain.jobs.submission import Submission
from domain.jobs.submitting import SubmissionService
from domain.lanes.lane import LaneSettings
from domain.lanes.lanes import Lanes
from domain.quotas.quotas import Quotas
from domain.results import ItemTooLarge, StorageUnavailable
from domain.schedules.repository import ScheduleConflict
from domain.schedules.schedule import MAX_OPEN, Active, Overlap, Paused, Schedule, due_at, paused
from domain.schedules.tick_outcomes import (
    Dropped,
    Made,
    NothingDue,
    NotTicked,
    PausedItself,
    Refused,
    Skipped,
    TickOutcome,
)
from domain.schedules.tick_queue import NEAR, TickWake
from domain.schedules.ticking import PATIENCE, Ticker
from domain.schedules.timing import Timing
from domain.users.quota import Quota
from domain.users.repository import UserNotFound
from domain.users.user import User
from headrace.authoring.job_type import Policy
from headrace.authoring.json_text import JsonText
from headrace.testing.clock import half
from headrace.testing.lane_repository import FakeLaneRepository
from tests.factories import NOW, UserFactory
from tests.fakes.faulty_job_repository import OUTAGE, FaultyJobRepository
from tests.fakes.faulty_schedule_repository import FaultyScheduleRepository
from tests.fakes.handlers import a_handler
from tests.fakes.usage import FakeUsage
from tests.fakes.user_repository import FakeUserRepository
from tests.schedules import Spec, a_schedule
from tests.unit.schedules.conftest import CATALOGUE, FAILURE, OWNER, SUCCESS, World

MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)
FIRST = NOW.replace(microsecond=0) + MINUTE


def made(outcomes: tuple[TickOutcome, ...]) -> list[datetime]:
    return [each.at for each in outcomes if isinstance(each, Made)]


async def test_a_tick_makes_a_job_of_the_owners_and_asks_for_the_next(world: World) -> None:
    schedule = await world.add(a_schedule(tags={"team": "ops"}, max_attempts=7))
    (tick,) = await world.tick_next(schedule, late=SECOND)
    (job,) = world.jobs.stored
    assert tick == Made(at=FIRST, job_id=job.id, late=SECOND)
    assert (job.owner_id, job.type, job.payload, job.max_attempts) == (
        OWNER.id, schedule.spec.type, schedule.spec.payload, 7,
    )  # fmt: skip
    assert job.tags == {"team": "ops", "schedule": schedule.id, "tick": "2026-11-23T03:01:00Z"}
    stored = await world.stored(schedule)
    assert stored.state == Active(next_at=FIRST + MINUTE)
    assert stored.last is not None
    assert (stored.last.at, stored.last.job_id) == (FIRST, job.id)
    assert stored.open == (), "nobody asks what became of it"
    assert world.queue.waiting == (TickWake(schedule_id=schedule.id, due=FIRST + MINUTE),)


async def test_a_message_that_is_doubled_early_or_late_makes_nothing(world: World) -> None:
    schedule = await world.add(a_schedule())
    assert await world.tick(schedule) == (NothingDue(why="early"),)
    far = TickWake(schedule_id=schedule.id, due=FIRST)
    assert await world.ticker().tick(far) == (NothingDue(why="early"),)
    await world.tick_next(schedule)
    assert await world.tick(schedule) == (NothingDue(why="early"),)
    await world.schedules.replace(paused(await world.stored(schedule), NOW), 2)
    assert await world.tick(schedule) == (NothingDue(why="paused"),)
    await world.schedules.delete(schedule.id, 3)
    assert await world.tick(schedule) == (NothingDue(why="gone"),)
    assert len(world.ids()) == 1


async def test_a_message_that_is_a_little_early_waits(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    schedule = await world.add(a_schedule())
    world.clock.now = FIRST - SECOND

    async def sleep(seconds: float) -> None:
        world.clock.forward(timedelta(seconds=seconds))

    monkeypatch.setattr("asyncio.sleep", sleep)
    outcomes = await world.ticker().tick(TickWake(schedule_id=schedule.id, due=FIRST))
    assert made(outcomes) == [FIRST]


async def test_a_far_tick_is_left_to_the_sweep(world: World) -> None:
    schedule = await world.add(a_schedule(timing=Timing(every_seconds=int(NEAR.total_seconds()) + 60)))
    assert len(made(await world.tick_next(schedule))) == 1
    assert world.queue.waiting == ()


@pytest.mark.parametrize(
    ("missed", "late", "ticks", "dropped"),
    [
        ("latest", timedelta(0), [0], 0),
        ("latest", 5 * MINUTE, [5], 5),
        ("all", 5 * MINUTE, [0, 1, 2, 3, 4, 5], 0),
        ("all", 400 * MINUTE, list(range(301, 401)), 1),
        ("none", 5 * MINUTE + SECOND, [5], 5),
        ("none", timedelta(0), [0], 0),
    ],
)
async def test_of_missed_ticks_those_are_made_that_the_schedule_wants(
    world: World, missed: str, late: timedelta, ticks: list[int], dropped: int
) -> None:
    schedule = a_schedule()
    spec = schedule.spec.model_copy(update={"missed": missed})
    await world.add(schedule.model_copy(update={"spec": spec}))
    outcomes = await world.tick_next(schedule, late)
    assert made(outcomes) == [FIRST + number * MINUTE for number in ticks]
    assert sum(each.count for each in outcomes if isinstance(each, Dropped)) == dropped
    assert due_at(await world.stored(schedule)) == FIRST + late.total_seconds() // 60 * MINUTE + MINUTE
    assert len(set(world.ids())) == len(ticks)


async def test_where_no_missed_tick_is_wanted_a_late_one_is_not_made(world: World) -> None:
    schedule = await world.add(a_schedule(timing=Timing(every_seconds=3600), missed="none"))
    assert await world.tick_next(schedule, late=3 * MINUTE) == (Dropped(count=1),)
    assert world.ids() == []
    stored = await world.stored(schedule)
    assert due_at(stored) == schedule.anchor + timedelta(hours=2)
    assert len(made(await world.tick_next(schedule, late=MINUTE))) == 1


async def test_skip_makes_no_job_beside_one_that_runs(world: World) -> None:
    schedule = await world.add(a_schedule(overlap="skip"))
    await world.tick_next(schedule)
    assert await world.tick_next(schedule) == (Skipped(at=FIRST + MINUTE),)
    await world.finish(world.ids()[0], at=world.clock() + SECOND)
    assert len(made(await world.tick_next(schedule))) == 1
    assert len(world.ids()) == 2


async def test_skip_makes_one_of_all_missed_ticks_and_skips_the_others(world: World) -> None:
    schedule = await world.add(a_schedule(overlap="skip", missed="all"))
    outcomes = await world.tick_next(schedule, late=3 * MINUTE)
    assert [type(each) for each in outcomes] == [Made, Skipped, Skipped, Skipped]


async def test_cancel_ends_the_older_job(world: World) -> None:
    schedule = await world.add(a_schedule(overlap="cancel"))
    await world.tick_next(schedule)
    await world.tick_next(schedule)
    first, second = world.ids()
    assert [job.status for job in world.jobs.stored] == ["cancelled", "queued"]
    assert first != second
    await world.tick_next(schedule)
    assert [tick.job_id for tick in (await world.stored(schedule)).open] == world.ids()[1:]


async def test_it_pauses_after_failures_in_succession(world: World) -> None:
    schedule = await world.add(a_schedule(pause_after_failures=2))
    for outcome in (FAILURE, SUCCESS, FAILURE, FAILURE):
        await world.tick_next(schedule)
        await world.finish(world.ids()[-1], outcome)
    assert await world.tick_next(schedule) == (PausedItself(failures=2),)
    stored = await world.stored(schedule)
    assert stored.state == Paused(paused_at=world.clock(), reason="failures")
    assert stored.failures == 2
    assert len(world.ids()) == 4


async def test_ends_are_counted_in_the_order_of_the_ticks(world: World) -> None:
    schedule = await world.add(a_schedule(pause_after_failures=2))
    for _ in range(3):
        await world.tick_next(schedule)
    first, second, third = world.ids()
    await world.finish(second, FAILURE)
    await world.finish(third, FAILURE)
    await world.tick_next(schedule)
    assert (await world.stored(schedule)).failures == 0, "the first has not ended"
    await world.finish(first)
    assert await world.tick_next(schedule) == (PausedItself(failures=2),)


async def test_of_jobs_that_do_not_end_a_bounded_number_is_remembered(world: World) -> None:
    schedule = await world.add(a_schedule(pause_after_failures=2))
    for _ in range(MAX_OPEN + 2):
        await world.tick_next(schedule)
    assert [tick.job_id for tick in (await world.stored(schedule)).open] == world.ids()[2:]


async def test_cancelled_and_deleted_jobs_are_no_failures(world: World) -> None:
    schedule = await world.add(a_schedule(pause_after_failures=1, overlap="cancel"))
    for _ in range(3):
        await world.tick_next(schedule)
    world.clock.forward(timedelta(days=400))
    await world.tick_next(schedule)
    assert (await world.stored(schedule)).failures == 0


async def test_a_job_type_that_is_gone_is_waited_for_then_said_and_counted(world: World) -> None:
    schedule = await world.add(a_schedule(timing=Timing(every_seconds=3600), type="gone", pause_after_failures=1))
    (refused,) = await world.tick_next(schedule)
    assert isinstance(refused, Refused)
    stored = await world.stored(schedule)
    assert stored.problem == refused.problem
    assert (stored.problem.code, stored.failures) == ("unknown_job_type", 0)
    assert due_at(stored) == due_at(schedule), "a newer version may know it"
    assert await world.tick(schedule) == (refused,)
    assert (await world.stored(schedule)).version == 2, "nothing new to say"
    world.clock.forward(PATIENCE)
    assert await world.tick(schedule) == (refused,)
    stored = await world.stored(schedule)
    assert stored.failures == 1
    assert due_at(stored) != due_at(schedule)
    assert await world.tick_next(schedule) == (PausedItself(failures=1),)


async def test_a_tick_that_waited_is_made_when_the_type_is_back(world: World) -> None:
    schedule = await world.add(a_schedule())
    without = World(world.clock, world.jobs, world.queue, world.users, Catalogue([]))
    assert isinstance((await without.tick_next(schedule))[0], Refused)
    assert made(await world.tick(schedule)) == [FIRST]
    assert (await world.stored(schedule)).problem is None


async def test_a_tick_whose_lane_drains_is_refused_and_said(world: World) -> None:
    catalogue, store = Catalogue([a_handler(policy=Policy(limit=1))]), FakeLaneRepository(world.jobs)
    schedule = await world.add(a_schedule())
    await store.save(schedule.spec.type, LaneSettings(mode="draining"), 0)
    lanes = Lanes(world.jobs, store, catalogue, world.clock, half)
    submissions = SubmissionService(world.jobs, catalogue, world.clock, world.new_id, lanes=lanes)
    changes = JobService(world.jobs, catalogue, world.clock)
    world.clock.now = FIRST
    ticker = Ticker(world.schedules, world.jobs, submissions, changes, world.users, world.queue, world.clock)
    (refused,) = await world.tick(schedule, ticker)
    assert isinstance(refused, Refused)
    assert refused.problem.code == "lane_draining"
    assert world.ids() == []


async def test_a_tick_beyond_its_owners_quota_waits_for_the_next_sweep(world: World) -> None:
    schedule = await world.add(a_schedule())
    quotas = Quotas(FakeUsage(world.jobs), Quota(submissions_per_minute=1), world.clock)
    submissions = SubmissionService(world.jobs, CATALOGUE, world.clock, world.new_id, quotas=quotas)
    world.clock.now = FIRST
    await submissions.submit(Submission(type=schedule.spec.type, payload={}), OWNER)
    changes = JobService(world.jobs, CATALOGUE, world.clock)
    ticker = Ticker(world.schedules, world.jobs, submissions, changes, world.users, world.queue, world.clock)
    assert await world.tick(schedule, ticker) == (
        NotTicked(problem=StorageUnavailable(reason="throttled", detail="quota")),
    )


@pytest.mark.parametrize(
    ("payload", "code"),
    [('{"txt":"a"}', "invalid_payload"), ('{"text":"' + "x" * 5_300_000 + '"}', "payload_too_large")],
)
async def test_a_payload_that_is_no_longer_accepted_is_said(world: World, payload: str, code: str) -> None:
    schedule = await world.add(a_schedule())
    spec = schedule.spec.model_copy(update={"payload": JsonText(payload)})
    world.clock.now = FIRST
    # A payload that is as large could not be stored.
    given = Replaced(world.schedules, on_get=schedule.model_copy(update={"spec": spec}))
    (refused,) = await world.tick(schedule, world.ticker(schedules=given))
    assert isinstance(refused, Refused)
    assert refused.problem.code == code
    assert world.ids() == []


async def test_a_schedule_whose_owner_is_gone_says_so(world: World) -> None:
    schedule = await world.add(a_schedule(owner_id="nobody"))
    (refused,) = await world.tick_next(schedule)
    assert isinstance(refused, Refused)
    assert refused.problem.code == "owner_gone"


async def test_a_schedule_whose_owner_is_disabled_makes_no_job(world: World) -> None:
    owner = await world.users.add(UserFactory.build(disabled=True))
    assert isinstance(owner, User)
    schedule = await world.add(a_schedule(owner_id=owner.id))
    (refused,) = await world.tick_next(schedule)
    assert isinstance(refused, Refused)
    assert refused.problem.code == "owner_disabled"
    assert world.ids() == []


async def test_a_timing_that_has_no_further_tick_ends(world: World) -> None:
    timing = Timing(every_seconds=60)
    schedule = await world.add(a_schedule(timing=timing))
    impossible = Timing(cron="0 0 */31 2 1#2")
    spec = schedule.spec.model_copy(update={"timing": impossible})
    await world.schedules.replace(schedule.model_copy(update={"spec": spec}), 1)
    outcomes = await world.tick_next(schedule)
    assert [type(each) for each in outcomes] == [Made, PausedItself]
    stored = await world.stored(schedule)
    assert isinstance(stored.state, Paused)
    assert stored.state.reason == "ended"


async def test_a_schedule_from_a_backup_makes_no_job_again(world: World) -> None:
    schedule = await world.add(a_schedule())
    await world.tick_next(schedule)
    await world.schedules.delete(schedule.id, 2)
    await world.add(schedule)
    (again,) = await world.tick(schedule)
    assert isinstance(again, Made)
    assert len(world.ids()) == 1
    # Also when it had another payload then.
    await world.schedules.delete(schedule.id, 2)
    other = schedule.spec.model_copy(update={"payload": JsonText('{"text":"c"}')})
    await world.add(schedule.model_copy(update={"spec": other}))
    assert made(await world.tick(schedule)) == [FIRST]
    assert len(world.ids()) == 1
    assert (await world.stored(schedule)).version == 2


async def test_of_two_workers_at_one_tick_one_makes_the_job(world: World) -> None:
    schedule = await world.add(a_schedule(overlap="skip"))

    async def meanwhile() -> None:
        await world.tick(schedule)

    world.clock.now = FIRST
    outcomes = await world.tick(schedule, world.ticker(jobs=Interrupting(world, meanwhile)))
    assert outcomes == (NothingDue(why="early"),) or made(outcomes) == [FIRST]
    assert len(world.ids()) == 1


async def test_a_schedule_that_is_paused_meanwhile_makes_no_job(world: World) -> None:
    schedule = await world.add(a_schedule())

    async def meanwhile() -> None:
        await world.schedules.replace(paused(schedule, NOW), 1)

    world.clock.now = FIRST
    outcomes = await world.tick(schedule, world.ticker(jobs=Interrupting(world, meanwhile)))
    assert outcomes == (NothingDue(why="paused"),)
    assert world.ids() == []


class Interrupting(FaultyJobRepository):
    """Lets something happen just before the first job is added."""

    def __init__(self, world: World, meanwhile: Callable[[], Awaitable[None]]) -> None:
        super().__init__(world.jobs)
        self._meanwhile = [meanwhile]

    async def add(self, change: Change, now: datetime) -> AddResult:
        while self._meanwhile:
            await self._meanwhile.pop()()
        return await super().add(change, now)


class BrokenUsers(FakeUserRepository):
    """Users that cannot be read."""

    async def get(self, user_id: str) -> User | UserNotFound | StorageUnavailable:
        return OUTAGE


class Replaced(FaultyScheduleRepository):
    """Accepts every change, and stores none."""

    async def replace(self, schedule: Schedule, expected_version: int) -> Schedule:
        return schedule


@pytest.mark.parametrize("fault", ["get", "replace", "large", "users", "jobs", "add", "cancel"])
async def test_when_the_store_fails_the_tick_is_left_to_the_next_message(world: World, fault: str) -> None:
    overlap: Overlap = "cancel" if fault == "cancel" else "skip" if fault in {"replace", "large"} else "allow"
    schedule = await world.add(a_schedule(overlap=overlap, pause_after_failures=3))
    await world.tick_next(schedule)
    failing: dict[str, list[StorageUnavailable | None]] = {"jobs": [OUTAGE], "cancel": [None, OUTAGE]}
    reads = failing.get(fault, [])
    jobs = FaultyJobRepository(
        world.jobs,
        on_read=lambda: reads.pop(0) if reads else None,
        on_add=(lambda: OUTAGE) if fault == "add" else lambda: None,
    )
    schedules = FaultyScheduleRepository(
        world.schedules,
        on_get=OUTAGE if fault == "get" else None,
        on_replace=OUTAGE if fault == "replace" else ItemTooLarge(size=9, limit=8) if fault == "large" else None,
    )
    users = BrokenUsers() if fault == "users" else world.users
    world.clock.forward(2 * MINUTE)
    outcomes = await world.tick(schedule, world.ticker(schedules, jobs, users))
    assert isinstance(outcomes[-1], NotTicked)
    assert len(world.ids()) == 1
    assert due_at(await world.stored(schedule)) == FIRST + MINUTE
    assert not isinstance((await world.tick(schedule))[-1], NotTicked)


async def test_a_schedule_that_is_always_changed_is_left_to_the_next_message(world: World) -> None:
    schedule = await world.add(a_schedule(overlap="skip"))
    await world.tick_next(schedule)
    conflict = FaultyScheduleRepository(world.schedules, on_replace=ScheduleConflict(schedule_id=schedule.id))
    world.clock.forward(MINUTE)
    assert await world.tick(schedule, world.ticker(conflict)) == (NothingDue(why="contended"),)


async def test_a_message_is_lost_on_a_schedule_that_disappears(world: World) -> None:
    schedule = await world.add(a_schedule())

    async def meanwhile() -> None:
        await world.schedules.delete(schedule.id, 1)

    world.clock.now = FIRST
    outcomes = await world.tick(schedule, world.ticker(jobs=Interrupting(world, meanwhile)))
    assert outcomes == (NothingDue(why="gone"),)


CHANGED: dict[str, Spec] = {
    "failures": {"pause_after_failures": 1},
    "none": {"missed": "none", "timing": Timing(every_seconds=3600)},
    "refused": {"type": "gone"},
    "skipped": {"overlap": "skip"},
}


@pytest.mark.parametrize("why", CHANGED)
async def test_whatever_it_would_do_a_change_meanwhile_comes_first(world: World, why: str) -> None:
    schedule = await world.add(a_schedule(**CHANGED[why]))
    if why in {"failures", "skipped"}:
        await world.tick_next(schedule)
    if why == "failures":
        await world.finish(world.ids()[0], FAILURE)
    conflict = FaultyScheduleRepository(world.schedules, on_replace=ScheduleConflict(schedule_id=schedule.id))
    late = 3 * MINUTE if why == "none" else timedelta(0)
    world.clock.now = (due_at(await world.stored(schedule)) or NOW) + late
    before = await world.stored(schedule)
    await world.tick(schedule, world.ticker(conflict))
    assert await world.stored(schedule) == before


async def test_a_job_of_a_newer_version_counts_as_running(world: World) -> None:
    schedule = await world.add(a_schedule(overlap="skip"))
    await world.tick_next(schedule)
    newer = JobUnreadable(job_id=world.ids()[0], detail="status", newer=True)
    world.clock.forward(MINUTE)
    outcomes = await world.tick(schedule, world.ticker(jobs=FaultyJobRepository(world.jobs, on_read=lambda: newer)))
    assert outcomes == (Skipped(at=FIRST + MINUTE),)
