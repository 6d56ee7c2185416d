"""Why a job is where it is: one sentence for each state that waits."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from domain.jobs import transitions
from domain.jobs.catalogue import Catalogue
from domain.jobs.change import Change
from domain.jobs.job import Job, Queued, Running, Scheduled
from domain.jobs.why import MAX_HOLDERS, Holder, LaneReason, Reason, WhyService
from domain.lanes.admission import Start
from domain.lanes.lane import LaneSettings, next_slot, place_taken
from domain.lanes.lanes import Lanes
from domain.lanes.service import LaneService
from domain.users.user import User
from headrace.authoring.job_type import Policy
from headrace.authoring.outcomes import Fail
from headrace.authoring.rate import Rate
from headrace.testing.clock import FakeClock, half
from headrace.testing.job_repository import FakeJobRepository
from headrace.testing.lane_repository import FakeLaneRepository
from tests.conftest import new_id
from tests.factories import (
    LANE,
    NOW,
    TOKEN,
    UserFactory,
    blocked,
    cancelled,
    failed,
    finished,
    queued,
    retrying,
    running,
    scheduled,
    succeeded,
)
from tests.fakes.faulty_job_repository import OUTAGE, FaultyJobRepository
from tests.fakes.faulty_lane_repository import FaultyLaneRepository
from tests.fakes.handlers import a_handler

KIND = "text.word_count"
SECOND = timedelta(seconds=1)
POLICY = Policy(limit=1, lane=LANE.name)
OWNER = UserFactory.build(id="owner-1")
ADMIN = UserFactory.build(id="admin", role="admin")
OTHER = UserFactory.build(id="owner-2")


class World:
    """Jobs and lanes in memory, explained."""

    def __init__(self, *failing: str) -> None:
        self.jobs, self.clock = FakeJobRepository(), FakeClock(NOW)
        self.store = FakeLaneRepository(self.jobs)
        catalogue = Catalogue([a_handler(KIND, policy=POLICY)])
        store = FaultyLaneRepository(self.store, *failing)
        service = LaneService(store, Lanes(self.jobs, store, catalogue, self.clock, half))
        self.why = WhyService(self.jobs, service, catalogue, self.clock)
        self.without_lanes = WhyService(self.jobs, None, catalogue, self.clock)
        unread = FaultyJobRepository(self.jobs, on_read=lambda: OUTAGE)
        self.blind = WhyService(unread, service, catalogue, self.clock)

    async def stored(self, *jobs: Job) -> None:
        for job in jobs:
            assert isinstance(await self.jobs.add(Change(job), NOW), Job)

    async def reason(self, job: Job, later: timedelta = timedelta(0)) -> Reason:
        self.clock.now = NOW + later
        reason = await self.why.why(job, OWNER)
        assert isinstance(reason, Reason)
        return reason

    async def run(self, owner: User = OWNER, place: int = 0) -> Job:
        """A job that runs in a place of the lane."""
        job = queued(id=new_id(), type=KIND, lane=LANE, owner_id=owner.id)
        await self.stored(job)
        claim = transitions.claim(job, POLICY, TOKEN, NOW + timedelta(minutes=15), NOW, Start(place=place))
        assert isinstance(claim, Change)
        written = await self.jobs.replace(claim, 1)
        assert isinstance(written, Job)
        return written


def waiting(now: datetime = NOW) -> Job:
    return blocked(now, id=new_id(), type=KIND, owner_id=OWNER.id)


MADE = {
    "due_later": (scheduled(type=KIND), "its time is 2026-"),
    "due": (scheduled(NOW + SECOND, type=KIND), "its time has come, "),
    "triggered": (queued(type=KIND), "it waits for a worker since "),
    "running": (running(type=KIND), "attempt 1 of 3 runs since "),
    "ended": (failed(type=KIND), "it has failed"),
}


@pytest.mark.parametrize("code", MADE)
async def test_a_job_is_explained_by_its_state_without_a_read(code: str) -> None:
    job, text = MADE[code]
    reason = await World("read", "ahead").reason(job, later=2 * SECOND)
    assert (reason.code, reason.text[: len(text)], reason.lane) == (code, text, None)


async def test_what_has_no_sentence_of_its_own_yet() -> None:
    world = World()
    assert (await world.reason(cancelled(type=KIND))).text == "it was cancelled"
    assert (await world.reason(succeeded(type=KIND))).text == "it has succeeded"
    assert (await world.reason(retrying(type=KIND))).text.startswith(
        "attempt 1 of 3 failed (retry); the time of its next one is "
    )
    waits = queued(type=KIND)
    assert isinstance(waits.state, Queued)
    again = waits.model_copy(update={"state": waits.state.model_copy(update={"redrives": 2})})
    assert (await world.reason(again)).text.endswith("; its trigger was repeated, 2 times so far")
    slot = scheduled(type=KIND, lane=LANE)
    assert isinstance(slot.state, Scheduled)
    slot = slot.model_copy(update={"state": slot.state.model_copy(update={"in_slot": True})})
    assert (await world.reason(slot)).text.startswith("the start that its lane's rate allows is ")


@pytest.mark.parametrize("make", [queued, scheduled, retrying])
async def test_a_type_that_this_version_does_not_know_is_the_reason_while_a_job_waits(make: Callable[..., Job]) -> None:
    world = World()
    assert (await world.reason(make(type="of.tomorrow"))).code == "unknown_type"
    newer = await world.reason(make(type=KIND, payload_version=2))
    assert newer.code == "unknown_payload_version"
    assert newer.text == "its payload is of version 2, and this version knows 1"
    assert (await world.reason(running(type="of.tomorrow"))).code == "running"


async def test_a_blocked_job_sees_its_place_in_line_and_who_is_in_its_way() -> None:
    world = World()
    own = await world.run()
    first, second = waiting(), waiting(NOW + SECOND)
    await world.stored(first, second)
    reason = await world.reason(second)
    assert reason.text == "number 2 in the line of lane stripe:7, whose one place is taken"
    assert isinstance(own.state, Running)
    assert reason.code == "lane_full"
    assert reason.lane == LaneReason(
        name="stripe:7",
        limit=1,
        taken=1,
        ahead=1,
        holders=(Holder(since=NOW, job_id=own.id, until=own.state.lease.until),),
    )
    assert (await world.reason(first)).text.startswith("first in the line of lane stripe:7, ")


async def test_only_admins_see_which_job_of_another_owner_is_in_the_way() -> None:
    world, job = World(), waiting()
    held = await world.run(OTHER)
    await world.stored(job)
    for reader, seen in ((OWNER, None), (ADMIN, held.id)):
        reason = await world.why.why(job, reader)
        assert isinstance(reason, Reason)
        assert reason.lane is not None
        assert [(each.job_id, each.until is not None) for each in reason.lane.holders] == [(seen, True)]


async def test_a_holder_that_has_ended_meanwhile_has_no_end_to_wait_for() -> None:
    world, job = World(), waiting()
    held = await world.run()
    await world.stored(job)
    await world.jobs.add(Change(queued(id=new_id()), (place_taken(LANE.name, 1, "gone", "token", NOW),)), NOW)
    reason = await world.reason(job)
    assert reason.lane is not None
    assert [(each.job_id, each.until is None) for each in reason.lane.holders] == [(held.id, False), (None, True)]
    await world.jobs.replace(Change(finished(held, Fail(reason="x"))), held.version)
    reason = await world.reason(job)
    assert reason.lane is not None
    assert {each.until for each in reason.lane.holders} == {None}


@pytest.mark.parametrize(
    ("settings", "policy", "code", "text"),
    [
        (LaneSettings(mode="paused"), POLICY, "lane_paused", ", which is paused"),
        (LaneSettings(limit=0), POLICY, "lane_full", ", whose limit is 0"),
        (LaneSettings(limit=2), POLICY, "lane_free", ", which has a free place: it goes in a moment, by the next"),
        (LaneSettings(limit=1), POLICY, "lane_full", ", whose one place is taken"),
        (LaneSettings(rate=Rate(2, per=SECOND)), POLICY, "lane_rate", ", which starts 2 in 1 s, the next at 2026-"),
    ],
)
async def test_a_lane_says_what_is_in_the_way(settings: LaneSettings, policy: Policy, code: str, text: str) -> None:
    world, job = World(), waiting()
    await world.run() if code == "lane_full" else None
    if code == "lane_rate":
        lane = await world.store.read(LANE.name)
        slot = next_slot(replace(lane, next_start=None), Rate(1, per=SECOND), NOW)
        await world.jobs.add(Change(queued(id=new_id()), (slot.claim,)), NOW)
    await world.store.save(LANE.name, settings, 0)
    await world.stored(job)
    reason = await world.reason(job)
    assert reason.code == code
    assert reason.text.startswith(f"first in the line of lane stripe:7{text}")
    assert (reason.until is not None) is (code == "lane_rate")


async def test_a_long_line_and_many_places_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("domain.jobs.why.MAX_COUNTED", 1)
    world = World()
    await world.store.save(LANE.name, LaneSettings(limit=MAX_HOLDERS + 1), 0)
    for place in range(MAX_HOLDERS + 1):
        await world.run(place=place)
    first, second = waiting(), waiting(NOW + SECOND)
    await world.stored(first, second)
    reason = await world.reason(second)
    assert reason.text.startswith("behind 1 or more in the line of lane stripe:7, whose 11 places are taken")
    assert reason.lane is not None
    assert (reason.lane.taken, len(reason.lane.holders)) == (MAX_HOLDERS + 1, MAX_HOLDERS)


async def test_what_cannot_be_read_is_told() -> None:
    world, job = World(), waiting()
    await world.run()
    await world.stored(job)
    assert await world.blind.why(job, OWNER) == OUTAGE
    assert await World("read").why.why(job, OWNER) == OUTAGE
    without = await world.without_lanes.why(job, OWNER)
    assert isinstance(without, Reason)
    assert without.code == "lane_free"
