"""What the sweeper does with what nobody rang for."""

import asyncio
from datetime import timedelta

from domain.jobs.job import Job
from domain.jobs.job_type import Catalogue
from domain.jobs.repository import JobUnreadable, VersionConflict
from domain.jobs.sweeping import PAGE, RESERVE, Sweeper
from domain.results import ItemTooLarge
from tests.conftest import new_id
from tests.factories import NOW, queued, retrying, running, scheduled, succeeded
from tests.fakes.clock import FakeClock, half
from tests.fakes.faulty_job_repository import OUTAGE, FaultyJobRepository
from tests.fakes.handlers import a_handler
from tests.fakes.job_repository import FakeJobRepository

EARLY = NOW - timedelta(hours=1)
DEADLINE = NOW + timedelta(seconds=55)
CATALOGUE = Catalogue([a_handler()])


def a_sweeper(jobs: FakeJobRepository | FaultyJobRepository, clock: FakeClock | None = None) -> Sweeper:
    return Sweeper(jobs, CATALOGUE, clock or FakeClock(), half)


async def stored(*jobs: Job) -> FakeJobRepository:
    repository = FakeJobRepository()
    for job in jobs:
        await repository.add(job, EARLY)
    return repository


async def status(jobs: FakeJobRepository, job: Job) -> str:
    found = await jobs.get(job.id, NOW)
    assert isinstance(found, Job)
    return found.status


async def test_everything_that_is_due_is_moved_on_and_nothing_else() -> None:
    due = scheduled(run_at=NOW, now=EARLY, id=new_id())
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


async def test_a_sweep_tells_for_how_long_the_oldest_had_been_due() -> None:
    jobs = await stored(
        scheduled(run_at=NOW - timedelta(minutes=7), now=EARLY, id=new_id()),
        scheduled(run_at=NOW - timedelta(minutes=2), now=EARLY, id=new_id()),
        scheduled(run_at=NOW + timedelta(minutes=2), now=EARLY, id=new_id()),
    )
    assert (await a_sweeper(jobs).sweep(DEADLINE)).oldest_due == timedelta(minutes=7)
    assert (await a_sweeper(jobs).sweep(DEADLINE)).oldest_due == timedelta(0)


async def test_a_sweep_goes_through_all_pages() -> None:
    jobs = await stored(*(scheduled(run_at=NOW, now=EARLY, id=new_id()) for _ in range(8 * PAGE + 500)))
    report = await a_sweeper(jobs).sweep(DEADLINE)
    assert len(report.moved) == 8 * PAGE + 500
    assert report.complete


async def test_two_sweepers_at_once_move_each_job_once() -> None:
    jobs = await stored(*(scheduled(run_at=NOW, now=EARLY, id=new_id()) for _ in range(50)))
    reports = await asyncio.gather(a_sweeper(jobs).sweep(DEADLINE), a_sweeper(jobs).sweep(DEADLINE))
    assert sum(len(report.moved) for report in reports) == 50


async def test_a_sweep_ends_before_its_function_does() -> None:
    clock = FakeClock()
    inner = await stored(*(scheduled(run_at=NOW, now=EARLY, id=new_id()) for _ in range(200)))

    def slow(_job: Job) -> None:
        clock.forward(timedelta(seconds=1))

    jobs = FaultyJobRepository(inner, on_replace=slow)
    report = await a_sweeper(jobs, clock).sweep(NOW + timedelta(seconds=30) + RESERVE)
    assert not report.complete
    assert 0 < len(report.moved) < 200
    assert clock() <= NOW + timedelta(seconds=31 + RESERVE.total_seconds())


async def test_a_sweep_without_time_does_nothing() -> None:
    jobs = await stored(scheduled(run_at=NOW, now=EARLY))
    report = await a_sweeper(jobs).sweep(NOW)
    assert not report.complete
    assert report.moved == ()


async def test_an_index_entry_whose_job_moved_on_is_idle() -> None:
    job = scheduled(run_at=NOW, now=EARLY)
    gone = FaultyJobRepository(await stored(job), on_replace=lambda _: VersionConflict(job_id=job.id, current=None))
    report = await a_sweeper(gone).sweep(DEADLINE)
    assert (report.moved, report.idle, report.problems) == ((), 1, ())


class LaggingIndex(FakeJobRepository):
    """Its index still shows what the table no longer holds."""

    async def get(self, job_id: str, now: object) -> Job:
        del now
        return succeeded(EARLY, id=job_id)


async def test_an_index_that_lags_behind_the_table_does_no_harm() -> None:
    jobs = LaggingIndex()
    await jobs.add(scheduled(run_at=NOW, now=EARLY), EARLY)
    report = await a_sweeper(jobs).sweep(DEADLINE)
    assert (report.moved, report.idle) == ((), 1)


async def test_an_expired_job_in_the_index_is_idle() -> None:
    long_ago = NOW - timedelta(days=400)
    jobs = await stored(scheduled(run_at=long_ago, now=long_ago - timedelta(days=1)))
    report = await a_sweeper(jobs).sweep(DEADLINE)
    assert (report.moved, report.idle) == ((), 1)


async def test_what_cannot_be_read_or_written_is_told_and_does_not_stop_the_sweep() -> None:
    job = scheduled(run_at=NOW, now=EARLY)
    for faulty in (
        FaultyJobRepository(await stored(job), on_read=lambda: JobUnreadable(job_id=job.id, detail="version")),
        FaultyJobRepository(await stored(job), on_read=lambda: OUTAGE),
        FaultyJobRepository(await stored(job), on_replace=lambda _: OUTAGE),
        FaultyJobRepository(await stored(job), on_replace=lambda _: ItemTooLarge(size=2, limit=1)),
    ):
        report = await a_sweeper(faulty).sweep(DEADLINE)
        assert [swept.job_id for swept in report.problems] == [job.id]
        assert report.complete


async def test_a_shard_that_cannot_be_read_does_not_stop_the_others() -> None:
    jobs = await stored(*(scheduled(run_at=NOW, now=EARLY, id=new_id()) for _ in range(64)))
    broken = FaultyJobRepository(jobs, on_due=lambda shard: OUTAGE if shard == "3" else None)
    report = await a_sweeper(broken).sweep(DEADLINE)
    assert report.unavailable == (OUTAGE,)
    assert not report.complete
    assert len(report.moved) > 30
