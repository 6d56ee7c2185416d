"""What the domain may expect of a store of lanes: on the fake, on moto's server and on MiniStack."""

from dataclasses import replace
from datetime import timedelta
from typing import NamedTuple

import pytest

from domain.jobs import transitions
from domain.jobs.change import Change
from domain.jobs.job import InLane, Job
from domain.jobs.repository import CompanionRefused, JobRepository
from domain.lanes.admission import Free, InLine, Start
from domain.lanes.lane import Lane, LaneSettings, Place, Slot, next_slot
from domain.lanes.repository import LaneRepository
from domain.results import StaleVersion
from functions.runtime import LazyClient
from headrace.authoring.rate import Rate
from headrace.testing.job_repository import FakeJobRepository
from headrace.testing.lane_repository import FakeLaneRepository
from tests.conftest import job_repository_on, lane_repository_on, new_id
from tests.factories import NOW, POLICY, TOKEN, blocked, claimed, legal, new_job, queued

SECOND = timedelta(seconds=1)
DEADLINE = NOW + timedelta(minutes=15)


class Store(NamedTuple):
    """Jobs and lanes in one database."""

    jobs: JobRepository
    lanes: LaneRepository


@pytest.fixture(params=["fake", "moto", "ministack"])
def store(request: pytest.FixtureRequest) -> Store:
    if request.param == "fake":
        jobs = FakeJobRepository()
        return Store(jobs, FakeLaneRepository(jobs))
    source = request.getfixturevalue(f"{request.param}_client")
    assert isinstance(source, LazyClient)
    return Store(job_repository_on(source), lane_repository_on(source))


@pytest.fixture
def lane() -> InLane:
    """A lane of this test alone."""
    return InLane(name=f"stripe {new_id()}")


async def added(store: Store, change: Change) -> Job:
    job = await store.jobs.add(change, NOW)
    assert isinstance(job, Job), job
    return job


async def replaced(store: Store, change: object, version: int) -> Job:
    assert isinstance(change, Change), change
    job = await store.jobs.replace(change, version)
    assert isinstance(job, Job), job
    return job


async def run(store: Store, lane: InLane, place: int, token: str = TOKEN) -> Job:
    job = await added(store, Change(queued(lane=lane)))
    claim = transitions.claim(job, POLICY, token, DEADLINE, NOW, Start(place=place))
    return await replaced(store, claim, job.version)


async def read(store: Store, name: str) -> Lane:
    lane = await store.lanes.read(name)
    assert isinstance(lane, Lane), lane
    return lane


async def test_a_lane_that_nobody_uses_is_empty(store: Store, lane: InLane) -> None:
    assert await read(store, lane.name) == Lane(name=lane.name)


async def test_a_running_job_has_its_place_until_its_attempt_has_ended(store: Store, lane: InLane) -> None:
    job = await run(store, lane, 7)
    held = Place(number=7, holder=job.id, token=TOKEN, since=NOW)
    assert (await read(store, lane.name)).places == (held,)
    ended = transitions.rescue(job, POLICY, NOW + timedelta(hours=1), 0.5)
    assert (await replaced(store, ended, job.version)).status == "retrying"
    assert (await read(store, lane.name)).places == ()


async def test_of_the_places_only_those_from_a_number_are_read_if_that_is_wanted(store: Store, lane: InLane) -> None:
    for number in (3, 10, 100):
        await run(store, lane, number, f"{TOKEN} {number}")
    settings = LaneSettings(limit=5, version=1)
    await store.lanes.save(lane.name, settings, 0)
    slot = next_slot(await read(store, lane.name), Rate(3, per=SECOND), NOW)
    await added(store, transitions.submit(new_job(lane=lane), POLICY, NOW, slot))
    for first, numbers in ((0, [3, 10, 100]), (3, [3, 10, 100]), (4, [10, 100]), (11, [100]), (101, [])):
        found = await store.lanes.read(lane.name, first)
        assert isinstance(found, Lane)
        assert [place.number for place in found.places] == numbers
        assert (found.settings, found.next_start) == (settings, slot.then)


async def test_a_place_is_taken_by_one_job(store: Store, lane: InLane) -> None:
    await run(store, lane, 0)
    other = await added(store, Change(queued(lane=lane)))
    claim = transitions.claim(other, POLICY, "other", DEADLINE, NOW, Start(place=0))
    assert isinstance(claim, Change)
    assert await store.jobs.replace(claim, 1) == CompanionRefused(job_id=other.id, index=0)
    assert await store.jobs.get(other.id, NOW) == other


async def test_a_slot_is_taken_by_one_job(store: Store, lane: InLane) -> None:
    rate = Rate(3, per=timedelta(seconds=1))
    first = next_slot(await read(store, lane.name), rate, NOW)
    assert first.at == NOW
    await added(store, transitions.submit(new_job(lane=lane), POLICY, NOW, first))
    refused = await store.jobs.add(transitions.submit(new_job(lane=lane), POLICY, NOW, first), NOW)
    assert isinstance(refused, CompanionRefused)
    second = next_slot(await read(store, lane.name), rate, NOW)
    assert second.at == first.then == NOW + rate.interval
    job = await added(store, transitions.submit(new_job(lane=lane), POLICY, NOW, second))
    assert job.wake_at == second.at
    assert (await read(store, lane.name)).next_start == second.then


async def test_a_place_is_freed_by_hand_only_while_it_is_of_that_lease(store: Store, lane: InLane) -> None:
    job = await run(store, lane, 3)
    (held,) = (await read(store, lane.name)).places
    assert await store.lanes.free(lane.name, replace(held, token="another")) is None
    assert (await read(store, lane.name)).places == (held,)
    assert await store.lanes.free(lane.name, held) is None
    assert (await read(store, lane.name)).places == ()
    assert await store.lanes.free(lane.name, held) is None
    assert await store.jobs.get(job.id, NOW) == job


async def test_settings_are_changed_by_version(store: Store, lane: InLane) -> None:
    settings = LaneSettings(limit=3, rate=Rate(10, per=timedelta(minutes=1.5)), mode="paused", version=1)
    assert await store.lanes.save(lane.name, settings, 0) is None
    assert (await read(store, lane.name)).settings == settings
    assert isinstance(await store.lanes.save(lane.name, settings, 0), StaleVersion)
    second = LaneSettings(version=2)
    assert await store.lanes.save(lane.name, second, 1) is None
    assert isinstance(await store.lanes.save(lane.name, settings, 1), StaleVersion)
    assert (await read(store, lane.name)).settings == second


async def test_changed_lanes_are_listed_in_order(store: Store) -> None:
    names = sorted(f"changed {new_id()}" for _ in range(3))
    for name in names:
        assert await store.lanes.save(name, LaneSettings(version=1), 0) is None
    assert await store.lanes.changed(2, "changed ") == (names[0], names[1])
    assert (await store.lanes.changed(100, names[1]))[:1] == (names[2],)  # type: ignore[index]


async def test_who_waits_stands_in_line_by_priority_and_age(store: Store, lane: InLane) -> None:
    urgent = lane.model_copy(update={"priority": 9})
    later = [await added(store, Change(blocked(NOW + SECOND * n, lane=lane))) for n in (2, 1)]
    first = await added(store, Change(blocked(NOW + SECOND * 3, lane=urgent)))
    await added(store, Change(queued(lane=lane)))
    in_order = (first.id, later[1].id, later[0].id)
    assert await store.lanes.line(lane.name, 10) == in_order
    assert await store.lanes.line(lane.name, 2) == in_order[:2]
    assert [await store.lanes.ahead(job, 10) for job in (first, later[1], later[0])] == [0, 1, 2]
    assert await store.lanes.ahead(later[0], 1) == 1
    gone = transitions.unblock(first, POLICY, Free(), NOW + SECOND * 4)
    await replaced(store, gone, 1)
    assert await store.lanes.line(lane.name, 10) == in_order[1:]


async def test_a_lane_is_not_taken_for_one_with_a_longer_name(store: Store, lane: InLane) -> None:
    longer = lane.model_copy(update={"name": f"{lane.name} and more"})
    job = await added(store, Change(blocked(lane=longer)))
    assert await store.lanes.line(lane.name, 10) == ()
    assert await store.lanes.line(longer.name, 10) == (job.id,)


async def test_every_lane_in_which_somebody_waits_is_found_once(store: Store) -> None:
    lanes = [InLane(name=f"{new_id()}{end}") for end in ("", "!", " ü", "\U0001f600") for _ in range(3)]
    for lane in (*lanes, *lanes[:4], InLane(name=f"{lanes[0].name}-longer")):
        await added(store, Change(blocked(lane=lane)))
    found: list[str] = []
    for shard in store.lanes.line_shards:
        name = None
        while isinstance(following := await store.lanes.next_line(shard, name), str):
            found.append(following)
            name = following
    assert len(found) == len(set(found))
    assert {lane.name for lane in lanes} | {f"{lanes[0].name}-longer"} <= {*found}


async def test_a_unique_key_names_the_job_that_was_given_it_last(store: Store) -> None:
    key = new_id()
    assert await store.lanes.holder(key) is None
    new = new_job().model_copy(update={"unique": key})
    job = await added(store, transitions.submit(new, POLICY, NOW))
    assert await store.lanes.holder(key) == job.id
    other = new.model_copy(update={"id": new_id()})
    assert await store.jobs.add(transitions.submit(other, POLICY, NOW), NOW) == CompanionRefused(
        job_id=other.id, index=0
    )
    after = other.model_copy(update={"unique_before": job.id})
    await added(store, transitions.submit(after, POLICY, NOW))
    assert await store.lanes.holder(key) == other.id
    cancelled = await replaced(store, transitions.cancel(job, POLICY, NOW), 1)
    again = transitions.retry_manually(cancelled, POLICY, NOW)
    assert isinstance(again, Change)
    assert await store.jobs.replace(again, 2) == CompanionRefused(job_id=job.id, index=0)


async def test_a_blocked_job_is_stored_and_due_when_it_is_too_old(store: Store, lane: InLane) -> None:
    job = await added(store, Change(blocked(lane=lane)))
    assert await store.jobs.get(job.id, NOW) == job
    states = await store.jobs.due_states((job.id,))
    assert (states[job.id].status, states[job.id].since) == ("blocked", NOW)
    old = NOW + POLICY.max_age + SECOND
    pages = [await store.jobs.due(shard, old, 1000, None) for shard in store.jobs.wake_shards]
    assert job.id in {entry.id for page in pages for entry in page.entries}  # type: ignore[union-attr]
    assert legal(transitions.wake(job, POLICY, old, 0.5)).status == "failed"


async def test_a_claimed_job_in_line_again_keeps_its_age(store: Store, lane: InLane) -> None:
    job = await added(store, transitions.submit(new_job(lane=lane), POLICY, NOW, InLine()))
    went = await replaced(store, transitions.unblock(job, POLICY, Free(), NOW + SECOND), 1)
    back = await replaced(store, transitions.block(went, POLICY, NOW + SECOND * 2), 2)
    other = await added(store, Change(blocked(NOW + SECOND, lane=lane)))
    assert await store.lanes.line(lane.name, 5) == (back.id, other.id)
    assert (back.attempt, back.status) == (0, "blocked")


def test_a_claim_outside_lanes_has_no_companions() -> None:
    job = claimed(queued())
    assert job.lane is None
    assert isinstance(next_slot(Lane(name="x"), Rate(1, per=SECOND), NOW), Slot)
