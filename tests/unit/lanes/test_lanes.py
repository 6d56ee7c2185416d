"""What each call does with lanes, and what it answers when the store of lanes fails."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Final

import pytest

from domain.jobs import transitions
from domain.jobs.catalogue import Catalogue
from domain.jobs.change import Change, Check, IfEqual, Moved
from domain.jobs.committing import commit
from domain.jobs.due_steps import step_of
from domain.jobs.execution import JobExecutor
from domain.jobs.execution_results import Executed, Interrupted, NothingToDo, UnknownJobType
from domain.jobs.failed_jobs import BulkRetried, BulkRetry, FailedJobService
from domain.jobs.job import Blocked, InLane, Job, Running, Scheduled
from domain.jobs.outcomes import Done
from domain.jobs.repository import CompanionRefused, DueState, JobRepository, ReplaceResult, VersionConflict
from domain.jobs.service import JobService
from domain.jobs.sweeping import Sweeper
from domain.lanes.admission import HORIZON, Free, InLine, Start, on_claim, on_entry
from domain.lanes.lane import (
    TABLE,
    Lane,
    LaneSettings,
    Place,
    Slot,
    Terms,
    free_numbers,
    next_slot,
    place_given_back,
    place_taken,
    terms_of,
)
from domain.lanes.lanes import LaneClosed, Lanes
from domain.lanes.releasing import MAX_LOOKS, Freed, Released
from domain.lanes.service import LaneService, LaneStatus, PlaceInLine
from domain.results import ItemTooLarge, StaleVersion, StorageUnavailable
from headrace.authoring.job_type import Policy
from headrace.authoring.outcomes import Fail, Retry, Stopped
from headrace.authoring.rate import Rate
from headrace.testing.clock import FakeClock, half, numbered_ids
from headrace.testing.job_repository import FakeJobRepository
from headrace.testing.lane_repository import FakeLaneRepository
from headrace.testing.stream_positions import FakeStreamPositions
from headrace.testing.wake_queue import FakeWakeQueue
from tests.factories import LANE, NOW, TOKEN, UserFactory, blocked, claimed, failed, finished, legal, queued, retrying
from tests.fakes.faulty_job_repository import OUTAGE, FaultyJobRepository
from tests.fakes.faulty_lane_repository import FaultyLaneRepository
from tests.fakes.handlers import a_handler
from tests.fakes.job_listing import FakeJobListing
from tests.fakes.lane_world import to

KIND: Final = "text.word_count"
SECOND: Final = timedelta(seconds=1)
DEADLINE = NOW + timedelta(minutes=15)
OWNER = UserFactory.build(id="owner-1")
POLICY = Policy(limit=1, lane=LANE.name)
RATED = Policy(rate=Rate(1, per=SECOND), lane=LANE.name)


def taken(*numbers: int) -> tuple[Place, ...]:
    return tuple(Place(number=number, holder="job", token=f"t{number}", since=NOW) for number in numbers)


class World:
    """Jobs and lanes in memory, and what works on them."""

    def __init__(self, policy: Policy = POLICY, *failing: str, jobs: JobRepository | None = None) -> None:
        self.jobs = FakeJobRepository()
        self.store = FakeLaneRepository(self.jobs)
        self.faulty = FaultyLaneRepository(self.store, *failing)
        self.catalogue, self.clock = Catalogue([a_handler(policy=policy)]), FakeClock()
        used = jobs or self.jobs
        self.lanes = Lanes(used, self.faulty, self.catalogue, self.clock, half)
        self.executor = JobExecutor(used, self.catalogue, self.clock, numbered_ids(), half, {}, lanes=self.lanes)
        self.service = JobService(used, self.catalogue, self.clock, self.lanes)
        self.admin = LaneService(self.faulty, self.lanes)

    async def stored(self, *jobs: Job) -> None:
        for job in jobs:
            assert isinstance(await self.jobs.add(Change(job), NOW), Job)

    async def run(self, place: int = 0) -> Job:
        """A job that runs in a place of the lane."""
        job = queued(type=KIND, lane=LANE, owner_id=OWNER.id)
        await self.stored(job)
        claim = transitions.claim(job, POLICY, TOKEN, DEADLINE, NOW, Start(place=place))
        assert isinstance(claim, Change)
        written = await self.jobs.replace(claim, 1)
        assert isinstance(written, Job)
        return written

    async def status(self, job: Job) -> str:
        found = await self.jobs.get(job.id, NOW)
        assert isinstance(found, Job)
        return found.status


def waiting() -> Job:
    return blocked(type=KIND, owner_id=OWNER.id)


def test_the_settings_of_a_lane_win_over_the_policy_and_a_lane_of_a_submission_is_a_mutex() -> None:
    lane = Lane(name="x")
    rate = Rate(1, per=SECOND)
    assert terms_of(lane, Policy(), 7) == Terms(limit=1)
    assert terms_of(lane, Policy(limit=3), 7) == Terms(limit=3)
    assert terms_of(lane, Policy(rate=rate), 7) == Terms(limit=1000, rate=rate)
    assert terms_of(Lane(name="owner:me"), Policy(limit=3), 7) == Terms(limit=7)
    assert terms_of(Lane(name="owner:me"), Policy(), 0) == Terms(limit=1000), "the limit was switched off since"
    changed = replace(lane, settings=LaneSettings(limit=0, rate=rate))
    assert terms_of(changed, Policy(limit=3), 7) == Terms(limit=0, rate=rate)


def test_places_above_a_lowered_limit_make_as_many_below_it_unusable() -> None:
    assert free_numbers(Lane(name="x", places=taken(1)), 3) == (0, 2)
    assert free_numbers(Lane(name="x", places=taken(0, 7, 8)), 4) == (1,)
    assert free_numbers(Lane(name="x", places=taken(5, 6, 7)), 2) == ()


def test_a_slot_far_ahead_is_not_given_away() -> None:
    terms = Terms(limit=1, rate=Rate(1, per=SECOND))
    near = Lane(name="x", next_start=NOW + HORIZON)
    far = Lane(name="x", next_start=NOW + HORIZON + SECOND)
    assert isinstance(on_entry(near, terms, NOW, 0.5, others_wait=False), Slot)
    assert on_entry(far, terms, NOW, 0.5, others_wait=False) == InLine()
    assert on_entry(near, terms, NOW, 0.5, others_wait=True) == InLine(behind=True)


def test_a_claim_without_a_slot_of_its_own_takes_one_that_is_now() -> None:
    rate = Rate(1, per=SECOND)
    terms, free = Terms(limit=4, rate=rate), Lane(name="x", places=taken(0))
    start = on_claim(free, terms, NOW, 0.5, in_slot=False)
    assert start == Start(place=2, slot=next_slot(free, rate, NOW))
    assert on_claim(free, terms, NOW, 0.5, in_slot=True) == Start(place=2)
    used_up = replace(free, next_start=NOW + SECOND)
    assert on_claim(used_up, terms, NOW, 0.5, in_slot=False) == InLine()
    assert on_claim(used_up, terms, NOW, 0.99, in_slot=True) == Start(place=3)
    paused = replace(free, settings=LaneSettings(mode="paused"))
    assert on_claim(paused, terms, NOW, 0.5, in_slot=True) == InLine()


def test_a_slot_is_lost_by_who_comes_too_late() -> None:
    slot = next_slot(Lane(name=LANE.name), Rate(1, per=SECOND), NOW)
    job = legal(transitions.unblock(waiting(), RATED, slot, NOW))
    assert isinstance(job.state, Scheduled)
    assert transitions.is_in_slot(job, NOW + 2 * SECOND)
    assert not transitions.is_in_slot(job, NOW + 3 * SECOND)


@pytest.mark.parametrize("rate", [(0, SECOND), (1, timedelta(0)), (1, timedelta(days=32)), (51, SECOND)])
def test_a_rate_that_cannot_be_kept_is_refused(rate: tuple[int, timedelta]) -> None:
    with pytest.raises(ValueError, match="rate is"):
        Rate(rate[0], per=rate[1])


def test_settings_that_cannot_be_are_refused() -> None:
    for wrong in ({"limit": -1}, {"limit": 1001}, {"mode": "closed"}):
        with pytest.raises(ValueError, match="a lane"):
            LaneSettings(**wrong)


def test_a_lane_without_limit_and_rate_is_refused() -> None:
    with pytest.raises(ValueError, match="a lane needs a limit or a rate"):
        Policy(lane="x")


def test_only_a_job_in_a_lane_that_could_be_claimed_is_blocked() -> None:
    assert isinstance(transitions.block(queued(), POLICY, NOW), transitions.IllegalTransition)
    assert isinstance(transitions.block(waiting(), POLICY, NOW), transitions.IllegalTransition)
    again = retrying(lane=LANE)
    assert again.wake_at is not None
    line = legal(transitions.block(again, POLICY, again.wake_at))
    assert line.state == Blocked(since=again.wake_at)
    assert line.wake_at == again.wake_at + POLICY.max_age
    assert line.attempt == again.attempt


def test_the_sweeper_examines_a_blocked_job_when_it_is_too_old() -> None:
    state = DueState(type=KIND, status="blocked", since=NOW, written_at=NOW)
    assert step_of(state, POLICY.max_age, POLICY, in_stream=False) == "idle"
    assert step_of(state, POLICY.max_age + SECOND, POLICY, in_stream=False) == "examine"


async def test_a_place_that_is_gone_keeps_no_job_from_its_end() -> None:
    world = World()
    job = await world.run()
    ended = transitions.rescue(job, POLICY, NOW + timedelta(hours=1), 0.5)
    assert isinstance(ended, Change)
    faulty = FaultyJobRepository(world.jobs)
    world.jobs._items.clear()
    written = await commit(faulty, ended, job.version)
    assert isinstance(written, Job)
    assert written.status == "retrying"


async def test_only_a_place_may_be_left_out_of_a_commit() -> None:
    refused = CompanionRefused(job_id="x", index=0)
    jobs = FaultyJobRepository(FakeJobRepository(), on_replace=lambda _: refused)
    job = queued(lane=LANE)
    claim = transitions.claim(job, POLICY, TOKEN, DEADLINE, NOW, Start(place=0))
    assert isinstance(claim, Change)
    assert await commit(jobs, claim, 1) == refused


@pytest.mark.parametrize("call", ["read", "line"])
async def test_a_claim_that_cannot_read_its_lane_is_interrupted(call: str) -> None:
    world = World(POLICY, call)
    job = retrying(NOW - timedelta(hours=1), type=KIND, lane=LANE)
    await world.stored(job)
    executed = await world.executor.execute(job, DEADLINE)
    assert executed == Interrupted(job_id=job.id, stage="claim", problem=OUTAGE)


async def test_a_retry_lets_the_line_go_first() -> None:
    world = World()
    job = retrying(NOW - timedelta(hours=1), type=KIND, lane=LANE)
    await world.stored(job, waiting())
    assert await world.executor.execute(job, DEADLINE) == NothingToDo(job_id=job.id, why="blocked")


async def test_a_retry_takes_a_place_when_nobody_stands_in_line() -> None:
    world = World()
    job = retrying(NOW - timedelta(hours=1), type=KIND, lane=LANE)
    await world.stored(job)
    assert isinstance(await world.executor.execute(job, DEADLINE), Executed)


async def test_a_claim_that_is_refused_every_place_stands_in_line() -> None:
    inner = FakeJobRepository()

    def refuse(job: Job) -> CompanionRefused | None:
        return CompanionRefused(job_id=job.id, index=0) if isinstance(job.state, Running) else None

    jobs = FaultyJobRepository(inner, on_replace=refuse)
    world = World(jobs=jobs)
    job = queued(type=KIND, lane=LANE)
    await jobs.add(Change(job), NOW)
    assert await world.executor.execute(job, DEADLINE) == NothingToDo(job_id=job.id, why="blocked")


async def test_a_job_that_was_blocked_when_its_place_became_free_goes_at_once_even_if_the_index_lags() -> None:
    world = World(POLICY, "lags")
    await world.stored(job := waiting())
    world.faulty.failing |= {"read"}
    await world.lanes.look_again(job)
    assert await world.status(job) == "blocked"
    world.faulty.failing -= {"read"}
    await world.lanes.look_again(job)
    assert await world.status(job) == "queued"


async def test_one_that_stands_behind_others_does_not_look_again() -> None:
    world = World()
    await world.stored(first := blocked(NOW, type=KIND, lane=LANE), job := blocked(NOW + SECOND, type=KIND, lane=LANE))
    await world.lanes.look_again(job)
    assert [await world.status(first), await world.status(job)] == ["blocked", "blocked"]
    await world.lanes.look_again(queued())


async def test_an_entry_of_the_index_whose_job_has_gone_is_passed_over() -> None:
    world = World()
    await world.stored(first := blocked(NOW, type=KIND, lane=LANE), job := blocked(NOW + SECOND, type=KIND, lane=LANE))
    world.jobs._jobs[first.id] = legal(transitions.cancel(first, POLICY, NOW))
    assert await world.lanes.release(LANE.name) == Released(count=1)
    assert await world.status(job) == "queued"


async def test_an_entry_of_the_index_whose_job_was_deleted_is_passed_over() -> None:
    world = World()
    await world.stored(first := blocked(NOW, type=KIND, lane=LANE), job := blocked(NOW + SECOND, type=KIND, lane=LANE))
    del world.jobs._jobs[first.id]
    assert await world.lanes.release(LANE.name) == Released(count=1)
    assert await world.status(job) == "queued"


async def test_a_release_that_meets_a_failing_store_says_so() -> None:
    for call in ("line", "read"):
        world = World(POLICY, call)
        await world.stored(waiting())
        assert await world.lanes.release(LANE.name) == Released(problem=OUTAGE)
        repaired = await world.lanes.repair(NOW + SECOND)
        assert (repaired.count, repaired.problem) == (0, OUTAGE)
    world = World(POLICY, "next_line")
    assert (await world.lanes.repair(NOW + SECOND)).problem == OUTAGE
    assert await world.lanes.repair(NOW) == Released(), "there was no time"


@pytest.mark.parametrize(
    ("fault", "problem"),
    [(OUTAGE, OUTAGE), (ItemTooLarge(size=2, limit=1), None), (VersionConflict(job_id="x", current=None), None)],
)
async def test_a_job_that_cannot_be_let_go_is_left(
    fault: StorageUnavailable | ItemTooLarge | VersionConflict, problem: StorageUnavailable | None
) -> None:
    inner = FakeJobRepository()
    jobs = FaultyJobRepository(inner, on_replace=lambda _: fault)
    lanes = Lanes(jobs, FakeLaneRepository(inner), Catalogue([a_handler(policy=POLICY)]), FakeClock(), half)
    await inner.add(Change(waiting()), NOW)
    assert await lanes.release(LANE.name) == Released(count=0, problem=problem)


async def test_a_job_that_cannot_be_read_ends_the_release() -> None:
    inner = FakeJobRepository()
    jobs = FaultyJobRepository(inner, on_read=lambda: OUTAGE)
    lanes = Lanes(jobs, FakeLaneRepository(inner), Catalogue([a_handler(policy=POLICY)]), FakeClock(), half)
    await inner.add(Change(waiting()), NOW)
    assert await lanes.release(LANE.name) == Released(problem=OUTAGE)


async def test_a_release_whose_slot_another_took_looks_again() -> None:
    inner = FakeJobRepository()
    refusals = iter([True, True])

    def refuse(job: Job) -> CompanionRefused | None:
        return CompanionRefused(job_id=job.id, index=0) if next(refusals, False) else None

    jobs = FaultyJobRepository(inner, on_replace=refuse)
    lanes = Lanes(jobs, FakeLaneRepository(inner), Catalogue([a_handler(policy=RATED)]), FakeClock(), half)
    await inner.add(Change(waiting()), NOW)
    assert await lanes.release(LANE.name) == Released(count=1)


async def test_a_release_that_is_always_too_late_for_the_slot_ends() -> None:
    inner = FakeJobRepository()
    jobs = FaultyJobRepository(inner, on_replace=lambda job: CompanionRefused(job_id=job.id, index=0))
    lanes = Lanes(jobs, FakeLaneRepository(inner), Catalogue([a_handler(policy=RATED)]), FakeClock(), half)
    await inner.add(Change(waiting()), NOW)
    assert await lanes.release(LANE.name) == Released()


async def test_the_lines_of_more_lanes_than_are_asked_for_are_not_all_read() -> None:
    world = World()
    await world.stored(*(blocked(lane=InLane(name=f"lane {number}")) for number in range(40)))
    names = sorted(f"lane {number}" for number in range(40))
    assert await world.admin.list(2) == tuple(names[:2])


async def test_a_job_in_a_lane_that_changes_at_each_try_is_left_to_others() -> None:
    job = queued(type=KIND, lane=LANE)
    conflict = VersionConflict(job_id=job.id, current=job)
    world = World(jobs=FaultyJobRepository(FakeJobRepository(), on_replace=lambda _: conflict))
    assert await world.executor.execute(job, DEADLINE) == NothingToDo(job_id=job.id, why="contended")


async def test_many_are_let_go_at_a_rate_each_in_a_slot_of_its_own() -> None:
    world = World(RATED)
    await world.stored(*(waiting() for _ in range(150)))
    assert await world.lanes.release(LANE.name, 100) == Released(count=91), "what fits before the horizon"
    starts = sorted(job.state.run_at for job in world.jobs.stored if isinstance(job.state, Scheduled))
    assert starts == [NOW + SECOND * number for number in range(91)]


async def test_no_more_are_let_go_than_there_are_places() -> None:
    world = World(Policy(limit=3, lane=LANE.name))
    await world.run()
    await world.stored(*(waiting() for _ in range(9)))
    assert await world.lanes.release(LANE.name, 100) == Released(count=2)


async def test_a_lane_that_drains_takes_nothing_new_and_runs_what_it_has() -> None:
    world = World()
    job = waiting()
    await world.stored(job, failed_one := failed(type=KIND, lane=LANE, owner_id=OWNER.id))
    await world.admin.pause(LANE.name)
    status = await world.admin.drain(LANE.name)
    assert isinstance(status, LaneStatus)
    assert (status.lane.settings.mode, status.waiting) == ("draining", 0)
    assert await world.status(job) == "queued"
    assert await world.lanes.admit(LANE, POLICY) == LaneClosed(lane=LANE.name)
    assert isinstance(await world.service.cancel(job.id, OWNER), Job)
    retried = await world.service.retry(failed_one.id, OWNER)
    assert isinstance(retried, Job)
    assert retried.status == "queued"
    assert isinstance(await world.admin.resume(LANE.name), LaneStatus)
    assert await world.lanes.admit(LANE, POLICY) == InLine(), "the retried job has the one place"


async def test_lanes_with_settings_and_those_with_a_line_are_listed_once_and_in_order() -> None:
    world = World()
    for name in ("a", "c", "e"):
        await world.store.save(name, LaneSettings(version=1), 0)
    for name in ("b", "c", "d"):
        await world.stored(blocked(lane=InLane(name=name)))
    assert await world.admin.list(100) == ("a", "b", "c", "d", "e")
    assert await world.admin.list(2) == ("a", "b")
    assert await world.admin.list(2, "b") == ("c", "d")
    for call in ("changed", "next_line"):
        world.faulty.failing = {call}
        assert await world.admin.list(2) == OUTAGE


async def test_a_waiting_job_has_a_place_in_line_and_knows_who_is_before_it() -> None:
    world = World()
    running = await world.run()
    first, second = blocked(NOW, lane=LANE), blocked(NOW + SECOND, lane=LANE)
    await world.stored(first, second)
    place = await world.admin.place_in_line(second)
    assert isinstance(place, PlaceInLine)
    assert (place.ahead, [each.holder for each in place.lane.places]) == (1, [running.id])
    assert await world.admin.place_in_line(queued()) is None
    for call in ("read", "ahead"):
        world.faulty.failing = {call}
        assert await world.admin.place_in_line(second) == OUTAGE


async def test_a_lane_is_changed_at_the_version_that_was_read() -> None:
    world = World()
    changed = await world.admin.change(LANE.name, to(5, Rate(1, per=SECOND)))
    assert isinstance(changed, LaneStatus)
    assert changed.lane.settings == LaneSettings(limit=5, rate=Rate(1, per=SECOND), version=1)
    assert await world.admin.change(LANE.name, to(6), frozenset({0})) == StaleVersion(current_version=1)
    assert isinstance(await world.admin.change(LANE.name, to(6), frozenset({1})), LaneStatus)
    for call, answer in (
        ("read", OUTAGE), ("save", OUTAGE), ("line", OUTAGE), ("stale", StaleVersion(current_version=None))
    ):  # fmt: skip
        world.faulty.failing = {call}
        assert await world.admin.pause(LANE.name) == answer
    world.faulty.failing = {"read"}
    assert await world.admin.read(LANE.name) == OUTAGE


@pytest.mark.parametrize("call", ["read", "line"])
async def test_a_retry_by_hand_that_cannot_read_its_lane_changes_nothing(call: str) -> None:
    world = World(POLICY, call)
    job = failed(type=KIND, lane=LANE, owner_id=OWNER.id)
    await world.stored(job)
    assert await world.service.retry(job.id, OWNER) == OUTAGE
    assert await world.lanes.admit(LANE, POLICY) == OUTAGE
    bulk = FailedJobService(world.jobs, FakeJobListing(world.jobs), world.catalogue, world.clock, world.lanes)
    retried = await bulk.retry(BulkRetry(type=KIND))
    assert not isinstance(retried, StorageUnavailable)
    assert (retried.retried, retried.incomplete) == (0, True)
    assert await world.status(job) == "failed"


async def test_retries_in_bulk_stand_in_line() -> None:
    world = World()
    await world.run()
    await world.stored(*(failed(type=KIND, lane=LANE) for _ in range(5)))
    bulk = FailedJobService(world.jobs, FakeJobListing(world.jobs), world.catalogue, world.clock, world.lanes)
    retried = await bulk.retry(BulkRetry(type=KIND))
    assert not isinstance(retried, StorageUnavailable)
    assert retried.retried == 5
    assert [job.status for job in world.jobs.stored] == ["running", *["blocked"] * 5]


async def test_a_retry_in_a_lane_with_a_rate_goes_through_the_line_into_a_slot() -> None:
    world = World(RATED)
    job = failed(type=KIND, lane=LANE, owner_id=OWNER.id)
    await world.stored(job)
    retried = await world.service.retry(job.id, OWNER)
    assert isinstance(retried, Job)
    assert retried.status == "blocked"
    assert await world.status(job) == "scheduled"


async def test_a_sweep_lets_go_whom_nobody_did_and_reports_it() -> None:
    world = World()
    await world.stored(first := waiting(), waiting())
    sweeper = Sweeper(
        world.jobs, FakeStreamPositions(), FakeWakeQueue(), world.catalogue, world.clock, half, world.lanes
    )
    report = await sweeper.sweep(DEADLINE)
    assert (report.released, report.unavailable) == (1, ())
    assert sorted(job.status for job in world.jobs.stored) == ["blocked", "queued"]
    world.faulty.failing = {"next_line"}
    assert (await sweeper.sweep(DEADLINE)).unavailable == (OUTAGE,)
    assert first.status == "blocked"


async def test_a_place_that_no_job_has_is_freed_by_the_sweep_when_it_is_old_and_somebody_waits() -> None:
    world = World()
    running = await world.run()
    await world.stored(waiter := waiting())
    world.clock.now = NOW + timedelta(minutes=21)
    assert await world.lanes.repair(world.clock.now + SECOND) == Released(), "its job still runs, as far as is stored"
    del world.jobs._jobs[running.id]
    world.clock.now = NOW + timedelta(minutes=19)
    assert await world.lanes.repair(world.clock.now + SECOND) == Released(), "not old enough"
    world.clock.now = NOW + timedelta(minutes=21)
    assert await world.lanes.repair(world.clock.now + SECOND) == Released(count=1)
    assert await world.status(waiter) == "queued"


async def test_a_place_whose_job_cannot_be_read_is_left() -> None:
    inner = FakeJobRepository()
    jobs = FaultyJobRepository(inner, on_read=lambda: OUTAGE)
    store = FakeLaneRepository(inner)
    held = queued(lane=LANE)
    claim = transitions.claim(held, POLICY, TOKEN, DEADLINE, NOW, Start(place=0))
    assert isinstance(claim, Change)
    await inner.add(Change(held), NOW)
    await inner.replace(claim, 1)
    await inner.add(Change(waiting()), NOW)
    clock = FakeClock(NOW + timedelta(hours=1))
    lanes = Lanes(jobs, store, Catalogue([a_handler(policy=POLICY)]), clock, half)
    assert (await lanes.repair(clock.now + SECOND)).problem == OUTAGE
    assert len((await store.read(LANE.name)).places) == 1


def test_a_place_is_given_back_by_every_way_out_of_running() -> None:
    job = queued(lane=LANE)
    claim = transitions.claim(job, POLICY, TOKEN, DEADLINE, NOW, Start(place=4))
    assert isinstance(claim, Change)
    running = claim.job
    asked = legal(transitions.cancel(running, POLICY, NOW))
    ways = (
        transitions.finish(running, POLICY, TOKEN, Retry(reason="x"), NOW, 0.5),
        transitions.finish(running, POLICY, TOKEN, Fail(reason="x"), NOW, 0.5),
        transitions.finish(running, POLICY, TOKEN, Done(result=job.payload), NOW, 0.5),
        transitions.finish(asked, POLICY, TOKEN, Stopped(), NOW, 0.5),
        transitions.rescue(running, POLICY, DEADLINE + timedelta(hours=1), 0.5),
    )
    for way in ways:
        assert isinstance(way, Change)
        (given_back,) = way.companions
        assert given_back.key == {"lane": LANE.name, "item": "place#00004"}
    for change in (transitions.cancel(running, POLICY, NOW), transitions.report_progress(running, TOKEN, 1, "", NOW)):
        assert isinstance(change, Change)
        assert change.companions == ()
    assert finished(claimed(queued()), Fail(reason="x")).status == "failed"


def others_are_faster(inner: FakeJobRepository) -> FaultyJobRepository:
    """Whoever takes a place with a change finds it taken by then."""

    def refused(job: Job) -> CompanionRefused | None:
        return CompanionRefused(job_id=job.id, index=0) if transitions.place_of(job.state) else None

    return FaultyJobRepository(inner, on_replace=refused)


async def test_a_retry_whose_place_others_take_each_time_stands_in_line_in_the_end() -> None:
    inner = FakeJobRepository()
    lanes = Lanes(inner, FakeLaneRepository(inner), Catalogue([a_handler(policy=POLICY)]), FakeClock(), half)
    jobs = others_are_faster(inner)
    service = JobService(jobs, Catalogue([a_handler(policy=POLICY)]), FakeClock(), lanes)
    await inner.add(Change(job := failed(type=KIND, lane=LANE, owner_id=OWNER.id)), NOW)
    assert isinstance(await service.retry(job.id, OWNER), Job)
    found = await inner.get(job.id, NOW)
    assert isinstance(found, Job)
    assert [entry.status for entry in found.history[-2:]] == ["blocked", "queued"], "then it looks again"


async def test_a_retry_in_bulk_whose_place_others_take_each_time_stands_in_line_in_the_end() -> None:
    inner = FakeJobRepository()
    catalogue = Catalogue([a_handler(policy=POLICY)])
    lanes = Lanes(others_are_faster(inner), FakeLaneRepository(inner), catalogue, FakeClock(), half)
    bulk = FailedJobService(others_are_faster(inner), FakeJobListing(inner), catalogue, FakeClock(), lanes)
    await inner.add(Change(job := failed(type=KIND, lane=LANE, owner_id=OWNER.id)), NOW)
    assert await bulk.retry(BulkRetry(type=KIND)) == BulkRetried(matched=1, retried=1)
    found = await inner.get(job.id, NOW)
    assert isinstance(found, Job)
    assert found.status == "blocked"
    moved_on = FaultyJobRepository(inner, on_replace=lambda job: CompanionRefused(job_id=job.id, index=0))
    bulk = FailedJobService(moved_on, FakeJobListing(inner), catalogue, FakeClock(), lanes)
    await inner.add(Change(failed(id="2", type=KIND, lane=LANE, owner_id=OWNER.id)), NOW)
    assert await bulk.retry(BulkRetry(type=KIND)) == BulkRetried(matched=1, retried=0)


async def let_in(world: World) -> Job:
    """A job that was let into the lane, and waits for a worker."""
    await world.stored(job := waiting())
    assert await world.lanes.release(LANE.name) == Released(count=1)
    found = await world.jobs.get(job.id, NOW)
    assert isinstance(found, Job)
    assert transitions.place_of(found.state) is not None
    return found


async def test_a_claim_that_cannot_read_the_lane_of_a_job_that_was_let_in_leaves_it() -> None:
    world = World()
    job = await let_in(world)
    world.faulty.failing = {"read"}
    assert await world.executor.execute(job, DEADLINE) == Interrupted(job_id=job.id, stage="claim", problem=OUTAGE)
    assert await world.status(job) == "queued"


async def test_a_job_that_was_let_in_before_its_lane_was_paused_goes_back_and_gives_its_place_up() -> None:
    world = World()
    job = await let_in(world)
    await world.admin.pause(LANE.name)
    assert await world.executor.execute(job, DEADLINE) == NothingToDo(job_id=job.id, why="blocked")
    assert await world.status(job) == "blocked"
    lane = await world.store.read(LANE.name)
    assert isinstance(lane, Lane)
    assert lane.places == ()


async def test_a_job_whose_place_somebody_deleted_by_hand_is_cancelled_all_the_same() -> None:
    world = World()
    job = await let_in(world)
    lane = await world.store.read(LANE.name)
    assert isinstance(lane, Lane)
    await world.store.free(LANE.name, lane.places[0])
    cancelled = await world.service.cancel(job.id, OWNER)
    assert isinstance(cancelled, Job)
    assert cancelled.status == "cancelled"


def in_place(number: int) -> Job:
    """A job as it was before it gave this place back."""
    return legal(transitions.claim(queued(type=KIND, lane=LANE), POLICY, TOKEN, DEADLINE, NOW, Start(place=number)))


class Interfering(FakeJobRepository):
    """Before the first write of a job that leaves the line, something else happens."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[int] = []
        """Of each change, how many jobs it moves."""
        self.before: Callable[[], object] | None = None

    async def replace(self, change: Change, expected_version: int) -> ReplaceResult:
        self.writes.append(1 + sum(isinstance(each, Moved) for each in change.companions))
        before, self.before = self.before, None
        if before is not None and isinstance(answer := before(), StorageUnavailable):
            return answer
        return await super().replace(change, expected_version)


async def a_line_of_four(limit: int = 10) -> tuple[World, Interfering]:
    jobs = Interfering()
    world = World(Policy(limit=limit, lane=LANE.name))
    world.jobs = jobs
    world.faulty = FaultyLaneRepository(FakeLaneRepository(jobs))
    world.lanes = Lanes(jobs, world.faulty, world.catalogue, world.clock, half)
    await world.stored(*(blocked(NOW + SECOND * n, id=str(n), type=KIND, lane=LANE) for n in range(4)))
    return world, jobs


def queued_in(jobs: FakeJobRepository) -> list[str]:
    return [job.id for job in jobs.stored if job.status == "queued"]


async def test_several_are_let_go_by_one_transaction_into_the_places_that_were_freed() -> None:
    world, jobs = await a_line_of_four()
    assert await world.lanes.release(LANE.name, 3, freed=Freed(frozenset({2, 5, 7}), limit=10)) == Released(count=3)
    assert (jobs.writes, queued_in(jobs)) == ([3], ["0", "1", "2"])
    lane = await world.faulty.read(LANE.name)
    assert isinstance(lane, Lane)
    assert [place.number for place in lane.places] == [2, 5, 7]
    assert world.faulty.places_read[:1] == [10], "no place below the limit was read"


async def test_if_one_of_several_is_gone_the_others_go_with_the_next_in_line() -> None:
    world, jobs = await a_line_of_four()

    def cancel() -> None:
        jobs._jobs["1"] = legal(transitions.cancel(jobs._jobs["1"], POLICY, NOW))

    jobs.before = cancel
    assert await world.lanes.release(LANE.name, 3) == Released(count=3)
    assert (jobs.writes, queued_in(jobs)) == ([3, 3], ["0", "2", "3"])


async def test_if_the_first_of_several_is_gone_the_others_go_with_the_next_in_line() -> None:
    world, jobs = await a_line_of_four()

    def cancel() -> None:
        jobs._jobs["0"] = legal(transitions.cancel(jobs._jobs["0"], POLICY, NOW))

    jobs.before = cancel
    assert await world.lanes.release(LANE.name, 3) == Released(count=3)
    assert queued_in(jobs) == ["1", "2", "3"]


async def test_if_a_freed_place_was_taken_by_another_all_places_are_read() -> None:
    world, jobs = await a_line_of_four(limit=3)

    def take() -> None:
        taken = place_taken(LANE.name, 1, "another", "t", NOW)
        jobs.put_item(TABLE, taken.key, {**taken.values, **taken.key})

    jobs.before = take
    assert await world.lanes.release(LANE.name, 3, freed=Freed(frozenset({0, 1, 2}), limit=3)) == Released(count=2)
    assert (jobs.writes, queued_in(jobs)) == ([3, 2], ["0", "1"])
    assert world.faulty.places_read == [3, 0]


async def test_who_does_not_know_that_the_limit_was_changed_reads_all_places() -> None:
    for limit, places, went in ((1, (0, 1), 1), (20, (0, 15), 2)):
        world, jobs = await a_line_of_four()
        await world.faulty.save(LANE.name, LaneSettings(limit=limit, version=1), 0)
        for number in places[1:]:
            taken = place_taken(LANE.name, number + 1, "another", "t", NOW)
            jobs.put_item(TABLE, taken.key, {**taken.values, **taken.key})
        freed = Freed(frozenset({0, 1}), limit=10)
        released = await world.lanes.release(LANE.name, 2, freed=freed)
        assert released.count == (0 if limit == 1 else went), "one place above the limit is taken still"
        assert world.faulty.places_read == [10, 0]


async def test_a_transaction_that_is_never_accepted_is_divided() -> None:
    world, jobs = await a_line_of_four()
    jobs.before = lambda: StorageUnavailable(reason="rejected", detail="too large")
    assert await world.lanes.release(LANE.name, 3) == Released(count=3)
    assert jobs.writes == [3, 1, 1, 1]


async def test_a_store_that_fails_is_not_asked_for_each() -> None:
    world, jobs = await a_line_of_four()
    jobs.before = lambda: OUTAGE
    assert await world.lanes.release(LANE.name, 3) == Released(problem=OUTAGE)
    assert jobs.writes == [3]


async def test_whoever_was_in_no_lane_is_followed_by_nobody() -> None:
    world, jobs = await a_line_of_four()
    await world.lanes.follow(queued(type=KIND))
    await world.lanes.follow(queued(type=KIND, lane=LANE))
    assert queued_in(jobs) == ["0"]
    assert world.faulty.places_read == [0], "it had no place"


async def test_of_jobs_that_end_together_one_lets_all_of_those_go_that_follow() -> None:
    world = World(Policy(limit=10, lane=LANE.name))
    await world.stored(*(blocked(NOW + SECOND * n, id=f"{n:02}", type=KIND, lane=LANE) for n in range(20)))
    await asyncio.gather(*(world.lanes.follow(in_place(n)) for n in range(8)))
    assert [job.id for job in world.jobs.stored if job.status == "queued"] == [f"{n:02}" for n in range(8)]
    assert world.faulty.lines_read == 2, "for the first, and for the seven that came meanwhile"
    await world.lanes.follow(in_place(8))
    assert sum(job.status == "queued" for job in world.jobs.stored) == 9


async def test_who_frees_a_place_waits_a_moment_for_those_of_its_lane_that_still_run() -> None:
    world = World(Policy(limit=10, lane=LANE.name))
    await world.stored(*(blocked(NOW + SECOND * n, id=f"{n:02}", type=KIND, lane=LANE) for n in range(20)))

    async def ends(place: int) -> None:
        with world.lanes.running(LANE.name):
            await asyncio.sleep(place / 1000)
        await world.lanes.follow(in_place(place))

    await asyncio.gather(*(ends(each) for each in range(4)))
    assert sum(job.status == "queued" for job in world.jobs.stored) == 4
    assert world.faulty.lines_read == 1


async def test_a_job_of_an_unknown_type_gives_its_place_to_others_and_gets_none() -> None:
    world = World()
    unknown = queued(id="unknown", type="of.tomorrow", lane=LANE, owner_id=OWNER.id)
    held = transitions.unblock(blocked(id="unknown", type="of.tomorrow", lane=LANE), POLICY, Free(place=0), NOW)
    assert isinstance(held, Change)
    await world.stored(unknown, other := waiting())
    written = await world.jobs.replace(Change(held.job.model_copy(update={"version": 2}), held.companions), 1)
    assert isinstance(written, Job)
    found = await world.executor.execute(written, DEADLINE)
    assert isinstance(found, UnknownJobType)
    assert await world.status(other) == "queued"
    lane = await world.store.read(LANE.name)
    assert isinstance(lane, Lane)
    assert [place.holder for place in lane.places] == [other.id]
    assert await world.lanes.release(LANE.name) == Released(count=1), "though the lane is full"
    left = await world.jobs.get("unknown", NOW)
    assert isinstance(left, Job)
    assert (left.status, transitions.place_of(left.state)) == ("queued", None)
    assert isinstance(await world.executor.execute(left, DEADLINE), UnknownJobType)
    assert await world.jobs.get("unknown", NOW) == left, "it is left as it is"


async def test_the_first_in_line_that_finds_several_places_lets_as_many_go() -> None:
    world = World(Policy(limit=10, lane=LANE.name))
    jobs = [blocked(NOW + SECOND * n, id=f"{n:02}", type=KIND, lane=LANE) for n in range(9)]
    await world.stored(*jobs)
    await world.lanes.look_again(jobs[0])
    assert {job.status for job in world.jobs.stored} == {"queued"}


async def test_a_claim_that_gives_its_place_back_lets_the_next_go() -> None:
    world = World(Policy(limit=2, lane=LANE.name))
    await world.stored(*(blocked(NOW + SECOND * n, id=str(n), type=KIND, lane=LANE) for n in range(3)))
    assert await world.lanes.release(LANE.name, 2) == Released(count=2)
    assert isinstance(await world.admin.change(LANE.name, to(1)), LaneStatus)
    outside = [job for job in world.jobs.stored if (place := transitions.place_of(job.state)) and place[0] == 1]
    inside = [job for job in world.jobs.stored if (place := transitions.place_of(job.state)) and place[0] == 0]
    assert isinstance(await world.executor.execute(inside[0], DEADLINE), Executed)
    assert await world.executor.execute(outside[0], DEADLINE) == NothingToDo(job_id=outside[0].id, why="blocked")
    assert sum(job.status == "queued" for job in world.jobs.stored) == 1, "one of the two that wait has the place"


async def test_a_place_that_is_gone_is_not_believed_in() -> None:
    world = World()
    job = await let_in(world)
    lane = await world.store.read(LANE.name)
    assert isinstance(lane, Lane)
    await world.store.free(LANE.name, lane.places[0])
    await world.stored(other := queued(id="other", type=KIND, lane=LANE, owner_id=OWNER.id))
    claim = transitions.claim(other, POLICY, TOKEN, DEADLINE, NOW, Start(place=0))
    assert isinstance(claim, Change)
    assert isinstance(await world.jobs.replace(claim, 1), Job)
    assert await world.executor.execute(job, DEADLINE) == NothingToDo(job_id=job.id, why="blocked")


async def test_without_the_place_a_refused_write_keeps_its_number() -> None:
    inner = FakeJobRepository()
    place = place_given_back(LANE.name, 0, "t")
    own = Check(table=TABLE, key={"lane": "other", "item": "x"}, condition=IfEqual(attributes={"open": True}))
    await inner.add(Change(job := queued(type=KIND, lane=LANE)), NOW)
    change = Change(legal(transitions.cancel(job, POLICY, NOW)), (place, own))
    assert await commit(inner, change, 1) == CompanionRefused(job_id=job.id, index=1)


async def test_a_release_ends_where_the_line_begins_with_many_that_are_gone() -> None:
    world = World()
    await world.stored(*(blocked(NOW + SECOND * n, id=f"{n:03}", type=KIND, lane=LANE) for n in range(50)))
    for n in range(50):
        del world.jobs._jobs[f"{n:03}"]
    world.faulty.stale = tuple(f"{n:03}" for n in range(50))
    assert await world.lanes.release(LANE.name) == Released(count=0)
    assert world.faulty.lines_read == MAX_LOOKS
