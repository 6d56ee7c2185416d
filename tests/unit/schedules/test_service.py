"""What a person can do with schedules."""

from datetime import timedelta

import pytest

from domain.jobs.submitting import InvalidPayload, PayloadTooLarge, Submitted, UnknownJobType
from domain.paging import Page, PageRequest
from domain.results import ItemTooLarge, StaleVersion
from domain.schedules.repository import ScheduleConflict, ScheduleExists, ScheduleNotFound
from domain.schedules.results import (
    Created,
    InvalidSchedule,
    ScheduleMismatch,
    TooManySchedules,
)
from domain.schedules.schedule import MAX_PAYLOAD_BYTES, Active, Paused, Schedule, ScheduleSpec, due_at
from domain.schedules.tick_queue import TickWake
from domain.schedules.timing import Timing
from domain.users.user import User
from headrace.authoring.json_text import JsonText
from tests.factories import NOW, UserFactory
from tests.fakes.faulty_job_repository import OUTAGE
from tests.fakes.faulty_schedule_repository import FaultyScheduleRepository
from tests.schedules import a_schedule, a_spec
from tests.unit.schedules.conftest import OWNER, World
from tests.unit.schedules.test_ticking import BrokenUsers

MINUTE = timedelta(minutes=1)
OTHER = UserFactory.build(id="other")
ADMIN = UserFactory.build(id="admin", role="admin")
FIRST = NOW.replace(microsecond=0) + MINUTE


async def created(world: World, spec: ScheduleSpec | None = None, who: User = OWNER) -> Schedule:
    made = await world.service().create(spec or a_spec(), who)
    assert isinstance(made, Created)
    return made.schedule


def renamed(spec: ScheduleSpec) -> ScheduleSpec:
    return spec.model_copy(update={"name": "other"})


async def test_a_new_schedule_ticks_from_its_next_time_on_and_has_its_message(world: World) -> None:
    schedule = await created(world)
    assert schedule.state == Active(next_at=FIRST)
    assert world.queue.waiting == (TickWake(schedule_id=schedule.id, due=FIRST),)
    assert await world.service().get(schedule.id, OWNER) == schedule
    far = await created(world, a_spec(timing=Timing(cron="0 3 * * *")))
    assert len(world.queue.waiting) == 1, "the sweeps send that of a far one"
    assert world.service().upcoming(far)[0] == due_at(far)


async def test_one_that_is_created_paused_has_none(world: World) -> None:
    made = await world.service().create(a_spec(), OWNER, is_paused=True)
    assert isinstance(made, Created)
    assert made.schedule.state == Paused(paused_at=NOW, reason="requested")
    assert world.queue.waiting == ()
    assert world.service().upcoming(made.schedule) == ()


async def test_a_key_makes_one_schedule(world: World) -> None:
    service = world.service()
    first = await service.create(a_spec(), OWNER, "key")
    again = await service.create(a_spec(), OWNER, "key")
    assert isinstance(first, Created)
    assert again == Created(schedule=first.schedule, replayed=True)
    assert await service.create(a_spec(name="other"), OWNER, "key") == ScheduleMismatch()
    assert await service.create(a_spec(), OWNER, "key", is_paused=True) == ScheduleMismatch()
    other = await service.create(a_spec(), OTHER, "key")
    assert isinstance(other, Created)
    assert other.schedule.id != first.schedule.id
    assert len(world.schedules.stored) == 2


async def test_of_two_requests_at_once_with_a_key_one_makes_the_schedule(world: World) -> None:
    first = await world.service().create(a_spec(), OWNER, "key")
    assert isinstance(first, Created)
    late = FaultyScheduleRepository(World().schedules, on_add=ScheduleExists(current=first.schedule))
    assert await world.service(late).create(a_spec(), OWNER, "key") == Created(schedule=first.schedule, replayed=True)


async def test_an_owner_has_a_limited_number(world: World) -> None:
    for _ in range(3):
        await created(world)
    assert await world.service().create(a_spec(), OWNER) == TooManySchedules(limit=3)
    await created(world, who=OTHER)
    assert await world.service(limit=0).create(a_spec(), ADMIN) == TooManySchedules(limit=0)


@pytest.mark.parametrize(
    ("spec", "refused"),
    [
        (a_spec(type="gone"), UnknownJobType),
        (a_spec(payload=JsonText('{"txt":1}')), InvalidPayload),
        (a_spec(payload=JsonText('{"text":"' + "x" * MAX_PAYLOAD_BYTES + '"}')), PayloadTooLarge),
        (a_spec(timing=Timing(cron="* * * *")), InvalidSchedule),
        (a_spec(tags={"tick": "x", "schedule": "y"}), InvalidSchedule),
    ],
)
async def test_what_could_make_no_job_is_refused_when_created_and_when_changed(
    world: World, spec: ScheduleSpec, refused: type
) -> None:
    service = world.service()
    assert isinstance(await service.create(spec, OWNER), refused)
    assert world.schedules.stored == ()
    schedule = await created(world)
    assert isinstance(await service.change(schedule.id, lambda _: spec, None, OWNER), refused)
    assert await world.stored(schedule) == schedule


async def test_another_tenants_schedule_does_not_exist(world: World) -> None:
    schedule, service = await created(world), world.service()
    missing = ScheduleNotFound(schedule_id=schedule.id)
    assert await service.get(schedule.id, OTHER) == missing
    assert await service.change(schedule.id, renamed, None, OTHER) == missing
    assert await service.pause(schedule.id, None, OTHER) == missing
    assert await service.resume(schedule.id, None, OTHER) == missing
    assert await service.run(schedule.id, OTHER) == missing
    assert await service.delete(schedule.id, None, OTHER) == missing
    assert await service.get(schedule.id, ADMIN) == schedule
    assert await world.stored(schedule) == schedule


async def test_a_change_keeps_the_next_tick_unless_the_timing_changes(world: World) -> None:
    schedule, service = await created(world), world.service()
    world.clock.forward(MINUTE / 2)
    changed = await service.change(schedule.id, renamed, frozenset({1}), OWNER)
    assert isinstance(changed, Schedule)
    assert (changed.spec.name, changed.state, changed.version) == ("other", schedule.state, 2)
    slower = await service.change(schedule.id, lambda spec: a_spec(timing=Timing(every_seconds=120)), None, OWNER)
    assert isinstance(slower, Schedule)
    assert due_at(slower) == (NOW + MINUTE / 2).replace(microsecond=0) + 2 * MINUTE
    assert world.queue.waiting[-1] == TickWake(schedule_id=schedule.id, due=due_at(slower) or NOW)
    assert await service.change(schedule.id, renamed, frozenset({1}), OWNER) == StaleVersion(current_version=3)


async def test_a_paused_schedule_piles_nothing_up(world: World) -> None:
    schedule, service = await created(world), world.service()
    still = await service.pause(schedule.id, frozenset({1}), OWNER)
    assert isinstance(still, Schedule)
    assert still.state == Paused(paused_at=NOW, reason="requested")
    assert await service.pause(schedule.id, None, OWNER) == still, "and again"
    changed = await service.change(schedule.id, lambda _: a_spec(timing=Timing(every_seconds=300)), None, OWNER)
    assert isinstance(changed, Schedule)
    assert changed.state == still.state
    world.clock.forward(100 * MINUTE)
    active = await service.resume(schedule.id, None, OWNER)
    assert isinstance(active, Schedule)
    due = due_at(active)
    assert due is not None
    assert world.clock() < due <= world.clock() + 5 * MINUTE
    assert await service.resume(schedule.id, None, OWNER) == active
    await world.tick_next(schedule)
    assert len(world.ids()) == 1


async def test_an_admin_changes_and_runs_in_the_owners_name(world: World) -> None:
    schedule, service = await created(world), world.service()
    changed = await service.change(schedule.id, renamed, None, ADMIN)
    assert isinstance(changed, Schedule)
    assert changed.owner_id == OWNER.id
    submitted = await service.run(schedule.id, ADMIN)
    assert isinstance(submitted, Submitted)
    assert submitted.job.owner_id == OWNER.id
    orphan = await world.add(a_schedule(owner_id="nobody"))
    assert isinstance(await service.change(orphan.id, renamed, None, ADMIN), InvalidSchedule)
    assert isinstance(await service.run(orphan.id, ADMIN), ScheduleNotFound)
    world.users = BrokenUsers()
    assert await world.service().change(schedule.id, renamed, None, ADMIN) == OUTAGE
    assert await world.service().run(schedule.id, ADMIN) == OUTAGE


async def test_a_run_by_hand_is_no_tick(world: World) -> None:
    schedule, service = await created(world), world.service()
    await service.pause(schedule.id, None, OWNER)
    before = await world.stored(schedule)
    first = await service.run(schedule.id, OWNER, "key")
    again = await service.run(schedule.id, OWNER, "key")
    assert isinstance(first, Submitted)
    assert isinstance(again, Submitted)
    assert (again.replayed, again.job.id) == (True, first.job.id)
    assert first.job.tags == {"schedule": schedule.id}
    assert isinstance(await service.run(schedule.id, OWNER), Submitted)
    assert len(world.ids()) == 2
    assert await world.stored(schedule) == before


async def test_a_deleted_schedule_is_gone_and_its_jobs_stay(world: World) -> None:
    schedule, service = await created(world), world.service()
    await world.tick_next(schedule)
    assert await service.delete(schedule.id, frozenset({1}), OWNER) == StaleVersion(current_version=2)
    assert await service.delete(schedule.id, None, OWNER) is None
    assert isinstance(await service.delete(schedule.id, None, OWNER), ScheduleNotFound)
    assert len(world.ids()) == 1


async def test_the_next_five_ticks_are_shown_and_a_preview_creates_nothing(world: World) -> None:
    service = world.service()
    ticks = service.preview(Timing(every_seconds=60), 3)
    assert ticks == (FIRST, FIRST + MINUTE, FIRST + 2 * MINUTE)
    assert isinstance(service.preview(Timing(), 3), InvalidSchedule)
    assert world.schedules.stored == ()
    schedule = await created(world)
    assert service.upcoming(schedule) == tuple(FIRST + number * MINUTE for number in range(5))
    world.clock.forward(90 * timedelta(seconds=1))
    assert service.upcoming(schedule)[0] == FIRST + MINUTE, "one that is overdue is none of the next"


async def test_the_owners_schedules_are_listed(world: World) -> None:
    schedule = await created(world)
    page = await world.service().list(OWNER.id, PageRequest())
    assert isinstance(page, Page)
    assert [each.id for each in page.items] == [schedule.id]


async def test_what_the_store_says_is_passed_on(world: World) -> None:
    schedule = await created(world)
    large, conflict = ItemTooLarge(size=9, limit=8), ScheduleConflict(schedule_id=schedule.id)
    too_large = PayloadTooLarge(size=9, limit=8)

    def broken(**faults: object) -> FaultyScheduleRepository:
        return FaultyScheduleRepository(world.schedules, **faults)  # type: ignore[arg-type]

    assert await world.service(broken(on_add=OUTAGE)).create(a_spec(), OWNER) == OUTAGE
    assert await world.service(broken(on_add=large)).create(a_spec(), OWNER) == too_large
    assert await world.service(broken(on_count=OUTAGE)).create(a_spec(), OWNER) == OUTAGE
    assert await world.service(broken(on_get=OUTAGE)).create(a_spec(), OWNER, "key") == OUTAGE
    assert await world.service(broken(on_replace=OUTAGE)).pause(schedule.id, None, OWNER) == OUTAGE
    assert await world.service(broken(on_replace=large)).pause(schedule.id, None, OWNER) == too_large
    contended = await world.service(broken(on_replace=conflict)).pause(schedule.id, None, OWNER)
    assert contended == OUTAGE.model_copy(update={"reason": "throttled", "detail": "contended"})
    assert await world.service(broken(on_delete=conflict)).delete(schedule.id, None, OWNER) == contended
    assert await world.service(broken(on_delete=OUTAGE)).delete(schedule.id, None, OWNER) == OUTAGE
    world.queue.problem = OUTAGE
    assert isinstance(await world.service().create(a_spec(), OWNER), Created), "the sweep sends the message"
