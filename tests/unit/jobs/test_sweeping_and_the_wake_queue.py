"""The sweeper sends what is due, or soon will be, to the wake queue."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import islice

import pytest

from domain.jobs.catalogue import Catalogue
from domain.jobs.change import Change
from domain.jobs.due_steps import INTERVAL, SENT_AGAIN, WAKE_PATIENCE, step_of
from domain.jobs.job import Job, Retrying, Scheduled, Waiting
from domain.jobs.repository import DueState, JobUnreadable
from domain.jobs.sweeping import PAGE, RESERVE, STATES, Sweeper
from domain.jobs.wake_queue import LONGEST_DELAY, Unsent, Wake, WakeQueue, wake_of
from headrace.authoring.job_type import Policy
from headrace.testing.clock import FakeClock, half
from headrace.testing.job_repository import FakeJobRepository
from headrace.testing.stream_positions import FakeStreamPositions
from headrace.testing.wake_queue import FakeWakeQueue
from persistence.converters.dynamo_to_domain import wake_shard
from tests.conftest import new_id
from tests.factories import NOW, POLICY, claimed, in_every_state, queued, retrying, scheduled
from tests.fakes.faulty_job_repository import OUTAGE, FaultyJobRepository
from tests.fakes.handlers import a_handler

SECOND = timedelta(seconds=1)
EARLY = NOW - timedelta(hours=1)
DEADLINE = NOW + timedelta(seconds=55)


class Down:
    """A wake queue that takes nothing."""

    async def send(self, wakes: Sequence[Wake], now: datetime) -> tuple[Unsent, ...]:
        del now
        return tuple(Unsent(wake=wake, problem=OUTAGE) for wake in wakes)


def a_sweeper(
    jobs: FakeJobRepository | FaultyJobRepository, wakes: WakeQueue, clock: FakeClock | None = None
) -> Sweeper:
    return Sweeper(jobs, FakeStreamPositions(), wakes, Catalogue([a_handler()]), clock or FakeClock(), half)


async def stored(*jobs: Job) -> FakeJobRepository:
    repository = FakeJobRepository()
    for job in jobs:
        await repository.add(Change(job), EARLY)
    return repository


def due_in(delay: timedelta) -> Job:
    return scheduled(run_at=NOW + delay, now=EARLY, id=new_id())


async def test_a_due_job_is_sent_to_the_wake_queue_and_not_written() -> None:
    due, again = due_in(-SECOND), retrying(NOW - timedelta(minutes=1), id=new_id())
    jobs, wakes = await stored(due, again), FakeWakeQueue()
    report = await a_sweeper(jobs, wakes).sweep(DEADLINE)
    assert {wake.job_id for wake in wakes.take(NOW)} == {due.id, again.id}
    assert (report.woken, report.unsent, report.moved, report.complete) == (2, 0, (), True)
    assert [await jobs.get(job.id, NOW) for job in (due, again)] == [due, again]
    assert report.oldest_due == NOW - (again.wake_at or NOW)


async def test_a_job_that_was_sent_twice_is_left_to_its_message_and_then_queued() -> None:
    waits, gives_up = due_in(-SENT_AGAIN), due_in(-WAKE_PATIENCE)
    jobs, wakes = await stored(waits, gives_up), FakeWakeQueue()
    report = await a_sweeper(jobs, wakes).sweep(DEADLINE)
    assert wakes.waiting == ()
    assert [(swept.job_id, swept.after) for swept in report.moved] == [(gives_up.id, "queued")]
    assert report.oldest_due == WAKE_PATIENCE


async def test_while_the_queue_takes_nothing_due_jobs_go_through_the_stream() -> None:
    due, ahead = due_in(-SECOND), due_in(LONGEST_DELAY)
    report = await a_sweeper(await stored(due, ahead), Down()).sweep(DEADLINE)
    assert [(swept.job_id, swept.after) for swept in report.moved] == [(due.id, "queued")]
    assert (report.woken, report.unsent, report.send_problem) == (0, 2, OUTAGE)
    assert report.complete


async def test_a_running_job_whose_entry_is_due_already_is_not_read() -> None:
    busy = claimed(scheduled(run_at=NOW - SECOND, now=EARLY, id=new_id()), NOW)
    assert busy.wake_at == NOW - SECOND

    def read() -> JobUnreadable:
        raise AssertionError("read")

    report = await a_sweeper(FaultyJobRepository(await stored(busy), on_read=read), FakeWakeQueue()).sweep(DEADLINE)
    assert (report.idle, report.oldest_due) == (1, timedelta(0))


async def test_its_lease_is_found_when_it_has_ended() -> None:
    dead = claimed(scheduled(run_at=EARLY, now=EARLY - SECOND, id=new_id()), EARLY)
    report = await a_sweeper(await stored(dead), FakeWakeQueue()).sweep(DEADLINE)
    assert [(swept.before, swept.after) for swept in report.moved] == [("running", "retrying")]


async def test_each_sweep_looks_ahead_over_the_interval_in_which_a_message_becomes_possible() -> None:
    delays = [timedelta(seconds=seconds) for seconds in (780, 781, 839, 840, 841, 900, 901, 960)]
    jobs = [due_in(delay) for delay in delays]
    wakes, clock = FakeWakeQueue(), FakeClock()
    sweeper = a_sweeper(await stored(*jobs), wakes, clock)
    sent: list[timedelta] = []
    for tick in (NOW, NOW + INTERVAL):
        # Not even a sweep that starts late sends a message twice, or leaves one out.
        clock.now = tick + 20 * SECOND
        report = await sweeper.sweep(clock() + timedelta(seconds=55), tick)
        sent += sorted(wake.due - NOW for wake in wakes.take(NOW + timedelta(days=1)))
        assert report.idle == 0
    assert sent == delays[4:]


def of_one_shard(number: int, due: datetime) -> list[Job]:
    ids = islice((id for id in iter(new_id, "") if wake_shard(id) == "3"), number)
    return [scheduled(run_at=due, now=EARLY, id=id) for id in ids]


class Slow(FakeWakeQueue):
    """Takes a minute of the sweep's time for each call."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self._clock = clock

    async def send(self, wakes: Sequence[Wake], now: datetime) -> tuple[Unsent, ...]:
        await asyncio.sleep(0)  # what else runs has begun
        self._clock.forward(timedelta(minutes=1))
        return await super().send(wakes, now)


async def test_a_burst_is_sent_page_by_page() -> None:
    number = PAGE + 200
    jobs, wakes = await stored(*of_one_shard(number, NOW + LONGEST_DELAY)), FakeWakeQueue()
    report = await a_sweeper(jobs, wakes).sweep(DEADLINE)
    assert (report.woken, report.complete) == (number, True)
    assert len({wake.job_id for wake in wakes.waiting}) == number


async def test_an_overdue_burst_is_sent_once_each_by_one_query_a_page() -> None:
    number, queries = PAGE + 200, list[str]()
    inner, wakes = await stored(*of_one_shard(number, NOW - SECOND)), FakeWakeQueue()
    jobs = FaultyJobRepository(inner, on_due=queries.append)
    report = await a_sweeper(jobs, wakes).sweep(DEADLINE)
    assert (report.woken, report.complete) == (number, True)
    assert len({wake.job_id for wake in wakes.waiting}) == number
    assert queries.count("3") == 2 + 1, "two pages of what is due, one of what lies ahead"


async def test_looking_ahead_ends_before_the_function_does() -> None:
    clock = FakeClock()
    wakes = Slow(clock)
    jobs = await stored(*of_one_shard(PAGE + 1, NOW + LONGEST_DELAY))
    report = await a_sweeper(jobs, wakes, clock).sweep(NOW + timedelta(seconds=30) + RESERVE)
    assert not report.complete
    assert len(wakes.waiting) == PAGE


async def test_a_sweep_ends_within_a_page_when_its_time_does() -> None:
    clock = FakeClock()
    wakes = Slow(clock)
    jobs = await stored(*of_one_shard(STATES + 1, NOW - SECOND))
    report = await a_sweeper(jobs, wakes, clock).sweep(NOW + timedelta(seconds=30) + RESERVE)
    assert (report.woken, report.complete) == (STATES, False)
    assert report.oldest_due > timedelta(minutes=1), "what was not reached may be as old"


async def test_a_backlog_takes_no_time_from_looking_ahead() -> None:
    clock = FakeClock()
    wakes, ahead = Slow(clock), due_in(LONGEST_DELAY)
    jobs = await stored(*of_one_shard(STATES + 1, NOW - SECOND), ahead)
    report = await a_sweeper(jobs, wakes, clock).sweep(NOW + timedelta(seconds=30) + RESERVE)
    assert not report.complete
    assert ahead.id in {wake.job_id for wake in wakes.waiting}


async def test_a_shard_that_cannot_be_looked_ahead_into_is_reported() -> None:
    calls: list[str] = []

    def second_time(shard: str) -> object:
        calls.append(shard)
        return OUTAGE if calls.count(shard) == 2 else None

    jobs = FaultyJobRepository(await stored(), on_due=second_time)  # type: ignore[arg-type]
    report = await a_sweeper(jobs, FakeWakeQueue()).sweep(DEADLINE)
    assert report.unavailable == (OUTAGE,) * 8
    assert not report.complete


STATE = DueState(type="t", status="scheduled", since=NOW, written_at=NOW)


@pytest.mark.parametrize("status", ["scheduled", "retrying"])
@pytest.mark.parametrize(
    ("age", "step"),
    [
        (-SECOND, "idle"), (timedelta(0), "send"), (SENT_AGAIN - SECOND, "send"), (SENT_AGAIN, "leave"),
        (WAKE_PATIENCE - SECOND, "leave"), (WAKE_PATIENCE, "examine"), (timedelta(days=30), "examine"),
    ],
)  # fmt: skip
def test_what_is_done_depends_on_how_long_the_job_has_been_due(status: str, age: timedelta, step: str) -> None:
    assert step_of(STATE.model_copy(update={"status": status}), age, POLICY, in_stream=False) == step


@pytest.mark.parametrize(("age", "step"), [(-SECOND, "idle"), (timedelta(0), "examine")])
def test_a_running_job_is_examined_when_its_lease_has_ended(age: timedelta, step: str) -> None:
    assert step_of(STATE.model_copy(update={"status": "running"}), age, POLICY, in_stream=False) == step


def test_a_job_past_its_age_is_not_sent() -> None:
    brief = Policy(max_age=SECOND)
    assert step_of(STATE, SECOND, brief, in_stream=False) == "send"
    assert step_of(STATE, 2 * SECOND, brief, in_stream=False) == "examine"


@pytest.mark.parametrize(("age", "step"), [(POLICY.max_age, "wait"), (POLICY.max_age + SECOND, "examine")])
def test_a_queued_job_waits_for_its_trigger_in_the_stream_until_it_is_too_old(age: timedelta, step: str) -> None:
    assert step_of(STATE.model_copy(update={"status": "queued"}), age, POLICY, in_stream=True) == step


@pytest.mark.parametrize("job", in_every_state(), ids=lambda job: job.status)
def test_only_what_waits_for_its_time_needs_a_message(job: Job) -> None:
    wake = wake_of(job)
    assert (wake is not None) is isinstance(job.state, Scheduled | Retrying | Waiting)
    assert wake is None or wake == Wake(job_id=job.id, due=job.wake_at or NOW, owner_id=job.owner_id)


def test_a_queued_job_needs_none() -> None:
    assert wake_of(queued()) is None
