"""The sweeper recovers jobs that the stream did not deliver."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import islice

from domain.jobs import transitions
from domain.jobs.catalogue import Catalogue
from domain.jobs.change import Change
from domain.jobs.due_steps import WAKE_PATIENCE
from domain.jobs.execution import JobExecutor
from domain.jobs.execution_results import UnknownJobType
from domain.jobs.job import Job
from domain.jobs.repository import (
    CompanionRefused,
    DuePage,
    DueState,
    JobRepository,
    JobUnreadable,
    VersionConflict,
)
from domain.jobs.stream_position import StreamPosition, StreamPositions
from domain.jobs.sweeping import PAGE, RESERVE, STATES, Sweeper
from domain.jobs.wake_queue import Unsent, Wake, WakeQueue
from domain.results import ItemTooLarge, StorageUnavailable
from headrace.authoring.job_type import WORKER, Policy
from headrace.testing.clock import FakeClock, half
from headrace.testing.job_repository import FakeJobRepository
from headrace.testing.stream_positions import FakeStreamPositions
from headrace.testing.wake_queue import FakeWakeQueue
from persistence.converters.dynamo_to_domain import wake_shard
from tests.conftest import new_id
from tests.factories import NOW, POLICY, legal, queued, retrying, running, scheduled, succeeded
from tests.fakes.faulty_job_repository import OUTAGE, FaultyJobRepository
from tests.fakes.handlers import a_handler

EARLY = NOW - timedelta(hours=1)
OVERDUE = NOW - WAKE_PATIENCE
"""By so much that the wake queue is no longer relied on."""
DEADLINE = NOW + timedelta(seconds=55)
CATALOGUE = Catalogue([a_handler()])


class Down:
    """A wake queue that takes nothing."""

    async def send(self, wakes: Sequence[Wake], now: datetime) -> tuple[Unsent, ...]:
        del now
        return tuple(Unsent(wake=wake, problem=OUTAGE) for wake in wakes)


def a_sweeper(
    jobs: FakeJobRepository | FaultyJobRepository, clock: FakeClock | None = None, wakes: WakeQueue | None = None
) -> Sweeper:
    return Sweeper(jobs, FakeStreamPositions(), wakes or FakeWakeQueue(), CATALOGUE, clock or FakeClock(), half)


async def stored(*jobs: Job) -> FakeJobRepository:
    repository = FakeJobRepository()
    for job in jobs:
        await repository.add(Change(job), EARLY)
    return repository


async def status(jobs: FakeJobRepository, job: Job) -> str:
    found = await jobs.get(job.id, NOW)
    assert isinstance(found, Job)
    return found.status


async def test_everything_that_is_due_is_moved_on_and_nothing_else() -> None:
    due = scheduled(run_at=OVERDUE, now=EARLY, id=new_id())
    later = scheduled(run_at=NOW + timedelta(seconds=1), now=EARLY, id=new_id())
    retry = retrying(EARLY, id=new_id())
    lost = queued(EARLY, id=new_id())
    dead = running(EARLY, id=new_id())
    busy, done = running(NOW, id=new_id()), succeeded(EARLY, id=new_id())
    jobs = await stored(due, later, retry, lost, dead, busy, done)
    report = await a_sweeper(jobs).sweep(DEADLINE)
    moves = {(swept.before, swept.after) for swept in report.moved}
    assert moves == {("scheduled", "queued"), ("retrying", "queued"), ("queued", "queued"), ("running", "retrying")}
    assert report.complete
    assert await status(jobs, due) == "queued"
    assert await status(jobs, later) == "scheduled"
    assert await status(jobs, busy) == "running"


async def test_a_sweep_reports_how_long_the_oldest_job_had_been_due() -> None:
    jobs = await stored(
        scheduled(run_at=NOW - timedelta(minutes=7), now=EARLY, id=new_id()),
        scheduled(run_at=NOW - timedelta(minutes=6), now=EARLY, id=new_id()),
        scheduled(run_at=NOW + timedelta(minutes=2), now=EARLY, id=new_id()),
    )
    assert (await a_sweeper(jobs).sweep(DEADLINE)).oldest_due == timedelta(minutes=7)
    assert (await a_sweeper(jobs).sweep(DEADLINE)).oldest_due == timedelta(0)


async def test_a_sweep_goes_through_all_pages() -> None:
    number = PAGE + 2 * STATES
    ids = islice((id for id in iter(new_id, "") if wake_shard(id) == "3"), number)
    jobs = await stored(*(scheduled(run_at=OVERDUE, now=EARLY, id=id) for id in ids))
    report = await a_sweeper(jobs).sweep(DEADLINE)
    assert len(report.moved) == number
    assert report.complete


async def test_two_sweepers_at_once_move_each_job_once() -> None:
    jobs = await stored(*(scheduled(run_at=OVERDUE, now=EARLY, id=new_id()) for _ in range(50)))
    reports = await asyncio.gather(a_sweeper(jobs).sweep(DEADLINE), a_sweeper(jobs).sweep(DEADLINE))
    assert sum(len(report.moved) for report in reports) == 50


async def test_a_sweep_ends_before_its_function_does() -> None:
    clock = FakeClock()
    inner = await stored(*(scheduled(run_at=OVERDUE, now=EARLY, id=new_id()) for _ in range(200)))

    def slow(_job: Job) -> None:
        clock.forward(timedelta(seconds=1))

    jobs = FaultyJobRepository(inner, on_replace=slow)
    report = await a_sweeper(jobs, clock).sweep(NOW + timedelta(seconds=30) + RESERVE)
    assert not report.complete
    assert 0 < len(report.moved) < 200
    assert clock() <= NOW + timedelta(seconds=31 + RESERVE.total_seconds())


async def test_a_sweep_without_time_does_nothing() -> None:
    jobs = await stored(scheduled(run_at=OVERDUE, now=EARLY))
    report = await a_sweeper(jobs).sweep(NOW)
    assert not report.complete
    assert report.moved == ()


async def test_an_index_entry_whose_job_moved_on_is_idle() -> None:
    job = scheduled(run_at=OVERDUE, now=EARLY)
    gone = FaultyJobRepository(await stored(job), on_replace=lambda _: VersionConflict(job_id=job.id, current=None))
    report = await a_sweeper(gone).sweep(DEADLINE)
    assert (report.moved, report.idle, report.problems) == ((), 1, ())


class LaggingIndex(FakeJobRepository):
    """The index still contains entries that the table no longer has."""

    async def get(self, job_id: str, now: object) -> Job:
        del now
        return succeeded(EARLY, id=job_id)


async def test_an_index_that_lags_behind_the_table_does_no_harm() -> None:
    jobs = LaggingIndex()
    await jobs.add(Change(scheduled(run_at=OVERDUE, now=EARLY)), EARLY)
    report = await a_sweeper(jobs).sweep(DEADLINE)
    assert (report.moved, report.idle) == ((), 1)


async def test_an_expired_job_in_the_index_is_idle() -> None:
    long_ago = NOW - timedelta(days=400)
    jobs = await stored(scheduled(run_at=long_ago, now=long_ago - timedelta(days=1)))
    report = await a_sweeper(jobs).sweep(DEADLINE)
    assert (report.moved, report.idle) == ((), 1)


async def test_a_job_that_cannot_be_read_or_written_is_reported_and_does_not_stop_the_sweep() -> None:
    job = scheduled(run_at=OVERDUE, now=EARLY)
    for faulty in (
        FaultyJobRepository(await stored(job), on_read=lambda: JobUnreadable(job_id=job.id, detail="version")),
        FaultyJobRepository(await stored(job), on_read=lambda: OUTAGE),
        FaultyJobRepository(await stored(job), on_replace=lambda _: OUTAGE),
        FaultyJobRepository(await stored(job), on_replace=lambda _: ItemTooLarge(size=2, limit=1)),
        FaultyJobRepository(await stored(job), on_replace=lambda _: CompanionRefused(job_id=job.id, index=0)),
    ):
        report = await a_sweeper(faulty).sweep(DEADLINE)
        assert [swept.job_id for swept in report.problems] == [job.id]
        assert report.complete


async def test_a_shard_that_cannot_be_read_does_not_stop_the_others() -> None:
    jobs = await stored(*(scheduled(run_at=OVERDUE, now=EARLY, id=new_id()) for _ in range(64)))
    broken = FaultyJobRepository(jobs, on_due=lambda shard: OUTAGE if shard == "3" else None)
    report = await a_sweeper(broken).sweep(DEADLINE)
    assert report.unavailable == (OUTAGE, OUTAGE), "what is due, and what lies ahead"
    assert not report.complete
    assert len(report.moved) > 30


def lagging(at: datetime) -> FakeStreamPositions:
    """Positions of two workers, of which the slower one is at `at`."""
    until = NOW + timedelta(minutes=1)
    slower = StreamPosition(environment="1", at=at, until=until)
    faster = StreamPosition(environment="2", at=at + timedelta(minutes=2), until=until)
    return FakeStreamPositions(slower, faster)


def sweeper_beside(jobs: JobRepository, positions: StreamPositions) -> Sweeper:
    return Sweeper(jobs, positions, FakeWakeQueue(), CATALOGUE, FakeClock(), half)


async def test_a_trigger_that_still_waits_in_the_stream_is_not_lost() -> None:
    passed, ahead = queued(NOW - timedelta(minutes=9), id=new_id()), queued(NOW - timedelta(minutes=4), id=new_id())
    dead = running(EARLY, id=new_id())
    jobs = await stored(passed, ahead, dead)
    report = await sweeper_beside(jobs, lagging(NOW - timedelta(minutes=5))).sweep(DEADLINE)
    assert {swept.job_id for swept in report.moved} == {passed.id, dead.id}
    assert report.waiting == 1
    assert await jobs.get(ahead.id, NOW) == ahead, "no write, no version"
    assert report.oldest_queued == timedelta(minutes=9)
    overdue = NOW - (dead.wake_at or NOW)
    assert report.oldest_due == overdue


async def test_a_backlog_shows_in_the_age_of_its_oldest_job_although_nothing_is_redriven() -> None:
    jobs = await stored(queued(NOW - timedelta(minutes=4), id=new_id()))
    report = await sweeper_beside(jobs, lagging(NOW - timedelta(minutes=5))).sweep(DEADLINE)
    assert (report.moved, report.waiting) == ((), 1)
    assert (report.oldest_queued, report.oldest_due) == (timedelta(minutes=4), timedelta(0))


async def test_a_trigger_that_the_index_shows_late_is_left_alone_by_the_transition() -> None:
    ahead = queued(NOW - timedelta(minutes=4), id=new_id())

    class Blind(FakeJobRepository):
        async def due_states(self, job_ids: tuple[str, ...]) -> dict[str, DueState]:
            del job_ids
            return {}

    jobs = Blind()
    await jobs.add(Change(ahead), EARLY)
    report = await sweeper_beside(jobs, lagging(NOW - timedelta(minutes=5))).sweep(DEADLINE)
    assert (report.moved, report.idle) == ((), 1)


async def test_positions_that_cannot_be_read_only_cost_redrives() -> None:
    class Unread(FakeStreamPositions):
        async def current(self, now: datetime) -> StorageUnavailable:  # type: ignore[override]
            del now
            return OUTAGE

    jobs = await stored(queued(EARLY, id=new_id()))
    report = await sweeper_beside(jobs, Unread()).sweep(DEADLINE)
    assert len(report.moved) == 1


async def test_a_sweep_reports_how_long_the_oldest_job_has_been_queued_however_often_it_was_redriven() -> None:
    job = queued(NOW - timedelta(hours=2), id=new_id())
    redriven = legal(transitions.redrive(job, POLICY, NOW - timedelta(minutes=30)))
    report = await a_sweeper(await stored(redriven)).sweep(DEADLINE)
    assert report.oldest_queued == timedelta(hours=2)
    assert report.oldest_due < timedelta(hours=1)


async def test_without_a_queued_job_no_age_is_reported() -> None:
    assert (await a_sweeper(await stored(running(EARLY))).sweep(DEADLINE)).oldest_queued is None


async def test_a_foreign_index_entry_is_reported_and_does_not_stop_the_sweep() -> None:
    class WithForeignRow(FakeJobRepository):
        async def due(
            self, shard: str, now: datetime, limit: int, after: str | None, since: datetime | None = None
        ) -> DuePage:
            page = await super().due(shard, now, limit, after, since)
            foreign = JobUnreadable(job_id="foreign", detail="wake_at is no moment of ours")
            return DuePage(entries=page.entries, unreadable=(foreign,) if shard == "0" else (), next=page.next)

    jobs = WithForeignRow()
    for _ in range(16):
        await jobs.add(Change(scheduled(run_at=OVERDUE, now=EARLY, id=new_id())), EARLY)
    report = await a_sweeper(jobs).sweep(DEADLINE)
    assert [swept.job_id for swept in report.problems] == ["foreign"]
    assert (len(report.moved), report.complete) == (16, True)


async def test_a_job_in_a_newer_versions_form_is_left_to_the_newer_sweeper_but_its_age_is_reported() -> None:
    job = scheduled(run_at=NOW - timedelta(minutes=9), now=EARLY)
    newer = JobUnreadable(job_id=job.id, detail="status", newer=True)
    report = await a_sweeper(FaultyJobRepository(await stored(job), on_read=lambda: newer)).sweep(DEADLINE)
    assert (report.moved, report.problems, report.idle) == ((), (), 1)
    assert report.oldest_due == timedelta(minutes=9)


async def test_a_job_that_the_stream_never_delivers_raises_the_alarm_within_ten_minutes() -> None:
    """`OldestQueuedJobAlarm` of template.yaml fires at 300 s; the sweeper runs each minute."""
    clock = FakeClock()
    jobs = await stored(queued(NOW, id=new_id()))
    ages: list[timedelta] = []
    for _ in range(10):
        clock.forward(timedelta(minutes=1))
        report = await a_sweeper(jobs, clock).sweep(clock() + timedelta(seconds=55))
        ages += [report.oldest_queued] if report.oldest_queued is not None else []
    assert max(ages) >= timedelta(minutes=5)


class Slow(FakeJobRepository):
    """Takes a second of the sweep's time for each page of a backlog."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self._clock = clock

    async def due_states(self, job_ids: tuple[str, ...]) -> dict[str, DueState]:
        self._clock.forward(timedelta(seconds=1))
        return await super().due_states(job_ids)


async def test_a_backlog_larger_than_a_sweep_hides_no_due_job() -> None:
    clock = FakeClock()
    jobs = Slow(clock)
    ids = (id for id in iter(new_id, "") if wake_shard(id) == "3")
    for number, id in zip(range(1_500), ids, strict=False):
        waiting = queued(NOW - timedelta(minutes=10) + timedelta(milliseconds=100 * number), id=id)
        await jobs.add(Change(waiting), NOW)
    hidden = retrying(NOW - timedelta(minutes=5), id=next(ids))
    await jobs.add(Change(hidden), NOW)
    mark = StreamPosition(environment="1", at=NOW - timedelta(minutes=11), until=NOW + timedelta(hours=1))
    for drawn in (0.9, 0.1, 0.4):
        start = clock()
        sweeper = Sweeper(jobs, FakeStreamPositions(mark), FakeWakeQueue(), CATALOGUE, clock, partial(float, drawn))
        report = await sweeper.sweep(start + timedelta(seconds=12))
        assert not report.complete
        assert report.oldest_due > timedelta(minutes=1), "what was not reached may be as old"
        clock.forward(timedelta(minutes=1))
    assert await status(jobs, hidden) == "queued"


async def test_a_job_past_its_age_is_ended_although_its_trigger_still_waits() -> None:
    brief = Policy(max_age=timedelta(minutes=1), runner=WORKER)
    catalogue = Catalogue([a_handler(policy=brief)])
    old = queued(NOW - timedelta(minutes=4), brief, id=new_id(), type="text.word_count")
    jobs = await stored(old)
    sweeper = Sweeper(jobs, lagging(NOW - timedelta(minutes=5)), FakeWakeQueue(), catalogue, FakeClock(), half)
    await sweeper.sweep(DEADLINE)
    assert await status(jobs, old) == "failed"


async def test_what_a_sweep_fails_or_gives_another_attempt_is_reported_with_its_error() -> None:
    lost, last = running(EARLY, id=new_id()), running(EARLY, id=new_id(), max_attempts=1)
    jobs = await stored(lost, last, retrying(EARLY, id=new_id()))
    report = await a_sweeper(jobs).sweep(DEADLINE)
    failures = {swept.job_id: swept.failure for swept in report.moved}
    assert sum(failure is None for failure in failures.values()) == 1, "what was only queued has failed at nothing"
    retried, ended = failures[lost.id], failures[last.id]
    assert retried is not None
    assert (retried.error.code, retried.reason, retried.attempt) == ("lease_expired", None, lost.attempt)
    assert retried.retry_at is not None
    assert ended is not None
    assert (ended.error.code, ended.reason, ended.retry_at) == ("lease_expired", "exhausted", None)
    assert ended.attempt == ended.max_attempts == 1


async def test_a_job_of_a_type_that_no_worker_knows_expires_in_the_end_and_says_so() -> None:
    """Through a week of sweeps and deliveries, as after the removal of a job type."""
    clock = FakeClock(NOW)
    job = queued(NOW, id=new_id(), type="shop.removed")
    jobs = FakeJobRepository()
    await jobs.add(Change(job), NOW)
    executor = JobExecutor(jobs, CATALOGUE, clock, lambda: "fresh", half, {})
    redriven = 0
    while await status(jobs, job) == "queued":
        current = await jobs.get(job.id, clock())
        assert isinstance(current, Job)
        assert clock() - NOW <= Policy().max_age + timedelta(hours=1)
        assert isinstance(await executor.execute(current, clock() + timedelta(minutes=1)), UnknownJobType)
        clock.forward(timedelta(hours=1))
        report = await a_sweeper(jobs, clock).sweep(clock() + timedelta(seconds=55))
        redriven += any(swept.after == "queued" for swept in report.moved)
    assert redriven > 7, "it stays on offer to a newer worker"
    (swept,) = report.moved
    assert swept.failure is not None
    assert (swept.failure.error.code, swept.failure.reason, swept.failure.attempt) == ("expired", "expired", 0)
    assert swept.failure.error.message.endswith("; no worker knows the job type shop.removed")
