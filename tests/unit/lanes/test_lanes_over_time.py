"""What lanes promise, seen over hours of virtual time: by the handlers' own ledger, and after every commit."""

import asyncio
from collections import Counter
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from domain.jobs.job import Blocked, Job
from domain.lanes.service import LaneStatus
from headrace.authoring.context import JobContext
from headrace.authoring.job_type import Handler, Policy
from headrace.authoring.outcomes import Retry
from headrace.authoring.rate import Rate
from headrace.authoring.retry import Backoff
from tests.factories import UserFactory
from tests.fakes.handlers import Count, Text, a_handler
from tests.fakes.lane_world import OWNER, LaneWorld, to

KIND = "text.word_count"
MINUTE = timedelta(minutes=1)
OTHER = UserFactory.build(id="owner-2")


class Ledger:
    """A job type, and what its handlers themselves have seen."""

    def __init__(self, seconds: float = 0.2, fails: float = 0) -> None:
        self.active, self.most = 0, 0
        self.starts: list[tuple[datetime, str]] = []
        self.ends: Counter[str] = Counter()
        self._seconds = seconds
        self._fails = fails
        self.world: LaneWorld | None = None

    def handler(self, **policy: object) -> Handler:
        given = {"timeout": timedelta(seconds=9), "backoff": Backoff(cap=timedelta(seconds=5)), **policy}
        return a_handler(KIND, self._run, Policy.model_validate(given))

    async def _run(self, document: Text, context: JobContext) -> Count | Retry:
        assert self.world is not None
        self.active += 1
        self.most = max(self.most, self.active)
        self.starts.append((self.world.now(), document.text))
        try:
            await asyncio.sleep(self._seconds)
        finally:
            self.active -= 1
        if context.attempt == 1 and self.world.random.random() < self._fails:
            return Retry(reason="later")
        self.ends[context.job_id] += 1
        return Count()


def a_world(ledger: Ledger, kills: float = 0, owner_limit: int = 0, **policy: object) -> LaneWorld:
    world = LaneWorld(ledger.handler(**policy), kills=kills, owner_limit=owner_limit)
    ledger.world = world
    return world


async def submitted(world: LaneWorld, count: int, **fields: object) -> list[Job]:
    """Submit jobs, 500 in a second."""
    jobs: list[Job] = []
    for number in range(count):
        jobs.append(await world.submit(KIND, str(number), OWNER, **fields))
        await asyncio.sleep(0.002)
    return jobs


def returns(world: LaneWorld) -> int:
    """How often a worker's claim was in vain, so that the job came back into the line."""
    pairs = [pairwise(job.history) for job in world.jobs.stored]
    return sum((one.status, two.status) == ("queued", "blocked") for each in pairs for one, two in each)


def test_a_lane_of_one_is_a_mutex_and_goes_from_job_to_job_without_waiting_for_a_sweep() -> None:
    ledger = Ledger()
    world = a_world(ledger, limit=1)

    async def work() -> timedelta:
        begun = world.now()
        await submitted(world, 60)
        await world.ended()
        return world.now() - begun

    took = world.play(work)
    assert (ledger.most, world.highest, len(ledger.ends)) == (1, 1, 60)
    # Each takes 0.2 s, and its trigger some 0.15 s; a link that was left to the sweep would take a minute.
    assert took < timedelta(seconds=60 * 0.5 + 5)


@pytest.mark.parametrize("limit", [1, 3])
def test_with_kills_and_retries_never_one_more_than_the_limit_runs_and_all_end(limit: int) -> None:
    ledger = Ledger(fails=0.1)
    world = a_world(ledger, kills=0.01, limit=limit, max_attempts=20)

    async def work() -> None:
        await submitted(world, 150)
        await world.ended()

    world.play(work)
    assert (ledger.most, world.highest) == (limit, limit)
    assert {job.status for job in world.jobs.stored} == {"succeeded"}
    assert len(ledger.ends) == 150


def test_a_burst_of_jobs_causes_one_trigger_each_and_no_claim_in_vain() -> None:
    ledger = Ledger()
    world = a_world(ledger, limit=10)

    async def work() -> timedelta:
        begun = world.now()
        await submitted(world, 400)
        await world.ended()
        return world.now() - begun

    took = world.play(work)
    assert world.highest == 10
    assert ledger.most >= 9, "some are on their way to a worker"
    assert returns(world) == 0
    assert world.triggers == 400
    # Ten at once take 0.2 s each, and their triggers some 0.15 s.
    assert took < timedelta(seconds=400 / 10 * 0.4 + 10)


def test_the_highest_priority_goes_first_and_then_the_oldest() -> None:
    ledger = Ledger(seconds=1)
    world = a_world(ledger, limit=1)

    async def work() -> None:
        await world.submit(KIND, "first")
        await asyncio.sleep(0.31)
        for text, priority in (("low", 0), ("usual 1", None), ("high 1", 9), ("usual 2", 5), ("high 2", 9)):
            await world.submit(KIND, text, OWNER, priority=priority)
            await asyncio.sleep(0.01)
        await world.ended()

    world.play(work)
    assert [text for _, text in ledger.starts] == ["first", "high 1", "high 2", "usual 1", "usual 2", "low"]


def test_a_rate_is_kept_to_one_in_a_hundred_and_makes_no_burst() -> None:
    ledger = Ledger()
    world = a_world(ledger, rate=Rate(30, per=MINUTE))

    async def work() -> datetime:
        begun = world.now()
        await submitted(world, 350)
        await asyncio.sleep(600)
        return begun

    begun = world.play(work)
    moments = [(at - begun).total_seconds() for at, _ in ledger.starts]
    assert 297 <= sum(moment < 600 for moment in moments) <= 303
    busiest = max(sum(start <= other < start + 60 for other in moments) for start in moments)
    assert busiest <= 31
    assert max(later - earlier for earlier, later in pairwise(moments)) < 3


def test_retries_pass_the_rate_too() -> None:
    ledger = Ledger(fails=1)
    world = a_world(ledger, rate=Rate(1, per=timedelta(seconds=10)))

    async def work() -> None:
        await submitted(world, 10)
        await world.ended()

    world.play(work)
    gaps = [later - earlier for (earlier, _), (later, _) in pairwise(ledger.starts)]
    assert len(ledger.starts) == 20
    assert min(gaps) > timedelta(seconds=9.9)


def test_a_lowered_limit_lets_what_runs_finish_and_zero_stops_all_until_it_is_raised() -> None:
    ledger = Ledger(seconds=5)
    world = a_world(ledger, limit=4)

    async def work() -> None:
        await submitted(world, 40)
        await asyncio.sleep(2)
        assert ledger.active == 4
        await world.admin.change(KIND, to(2))
        await asyncio.sleep(20)
        assert ledger.active == 2
        await world.admin.change(KIND, to(0))
        await asyncio.sleep(10)
        begun = len(ledger.starts)
        await asyncio.sleep(600)
        assert (ledger.active, len(ledger.starts)) == (0, begun)
        status = await world.admin.change(KIND, to(6))
        assert isinstance(status, LaneStatus)
        await asyncio.sleep(2)
        assert ledger.active == 6
        await world.ended()

    world.play(work)
    assert len(ledger.ends) == 40


def test_a_paused_lane_starts_nothing_and_goes_on_when_it_is_resumed() -> None:
    ledger = Ledger(seconds=1)
    world = a_world(ledger, limit=2)

    async def work() -> None:
        await world.admin.pause(KIND)
        await submitted(world, 10)
        await asyncio.sleep(300)
        assert ledger.starts == []
        await world.admin.resume(KIND)
        await world.ended(MINUTE)

    world.play(work)
    assert (ledger.most, len(ledger.ends)) == (2, 10)


@pytest.mark.parametrize("end", ["lost", "cancelled while queued"])
def test_a_broken_chain_is_mended_by_the_next_sweep(end: str) -> None:
    ledger = Ledger(seconds=1)
    world = a_world(ledger, limit=1)

    async def no_release(*_: object, **__: object) -> None:
        await asyncio.sleep(0)

    async def work() -> None:
        jobs = await submitted(world, 3)
        honest = world.passage.release
        world.passage.release = no_release  # type: ignore[assignment,method-assign]  # as if its process had died
        await asyncio.sleep(3)
        world.passage.release = honest  # type: ignore[method-assign]
        if end == "cancelled while queued":
            await world.service.cancel(jobs[1].id, OWNER)
        assert len(ledger.ends) == 1
        assert any(isinstance(job.state, Blocked) for job in world.jobs.stored)
        await asyncio.sleep(62)
        assert len(ledger.ends) >= 2 or end != "lost"
        await world.ended(2 * MINUTE)

    world.play(work)


def test_the_cancel_of_a_queued_job_lets_the_next_go() -> None:
    ledger = Ledger(seconds=1)
    world = a_world(ledger, limit=1)

    async def work() -> None:
        first = (await submitted(world, 1))[0]
        await asyncio.sleep(0.31)
        await submitted(world, 2)
        assert [job.status for job in world.jobs.stored] == ["running", "blocked", "blocked"]
        await world.ended_one(first.id)
        let_go = next(job for job in world.jobs.stored if job.status == "queued")
        await world.service.cancel(let_go.id, OWNER)
        await world.ended(timedelta(seconds=20))

    world.play(work)
    assert len(ledger.ends) == 2


def test_by_default_each_owner_has_a_lane_so_that_none_waits_for_anothers() -> None:
    ledger = Ledger(seconds=1)
    world = a_world(ledger, owner_limit=2)

    async def work() -> timedelta:
        await submitted(world, 100)
        begun = world.now()
        job = await world.submit(KIND, "other", OTHER)
        await world.ended_one(job.id)
        return world.now() - begun

    assert world.play(work) < timedelta(seconds=1.5)
    assert ledger.most == 3


def test_a_retry_by_hand_stands_in_line_too() -> None:
    ledger = Ledger(seconds=1)
    world = a_world(ledger, limit=1)

    async def work() -> None:
        jobs = await submitted(world, 3)
        await asyncio.sleep(0.31)
        await world.service.cancel(jobs[2].id, OWNER)
        retried = await world.service.retry(jobs[2].id, OWNER)
        assert isinstance(retried, Job)
        assert isinstance(retried.state, Blocked)
        await world.ended(MINUTE)
        again = await world.service.cancel(jobs[0].id, OWNER)
        assert not isinstance(again, Job)

    world.play(work)
    assert (ledger.most, len(ledger.ends)) == (1, 3)
