"""What is unfinished, by state."""

from datetime import datetime, timedelta
from zlib import crc32

import pytest

from domain.jobs.change import Change
from domain.jobs.repository import DueJob, DuePage, DueState
from domain.results import StorageUnavailable
from domain.stats.unfinished import EXACT_UP_TO, Unfinished, unfinished
from headrace.testing.job_repository import FakeJobRepository
from tests.factories import NOW, blocked, failed, in_every_state, queued, running, scheduled, succeeded

OUTAGE = StorageUnavailable(reason="timeout", detail="test")


class Crowd(FakeJobRepository):
    """So many jobs in each shard of which every fourth runs, without storing them."""

    def __init__(self, each: int, *, more: bool = False, unread: bool = False, broken: bool = False) -> None:
        super().__init__()
        self._each, self._more, self._unread, self._broken = each, more, unread, broken

    async def due(
        self, shard: str, now: datetime, limit: int, after: str | None, since: datetime | None = None
    ) -> DuePage:
        if self._broken and shard == "3":
            return OUTAGE  # type: ignore[return-value]  # the fake of the rest never fails
        entries = tuple(DueJob(id=f"{shard}-{number}", wake_at=NOW) for number in range(min(limit, self._each)))
        return DuePage(entries=entries, next="more" if self._more else None)

    async def due_states(self, job_ids: tuple[str, ...]) -> dict[str, DueState]:
        return {} if self._unread else {id: self._state(id) for id in job_ids}

    def _state(self, id: str) -> DueState:
        running = crc32(id.encode()) % 4 == 0
        return DueState(type="t", status="running" if running else "queued", since=NOW, written_at=NOW)


async def counted(jobs: FakeJobRepository, type: str | None = None, now: datetime = NOW) -> Unfinished:
    found = await unfinished(jobs, now, type)
    assert isinstance(found, Unfinished)
    return found


async def test_every_unfinished_job_counts_under_its_state() -> None:
    jobs = FakeJobRepository()
    for job in in_every_state():
        await jobs.add(Change(job), NOW)
    found = await counted(jobs)
    expected = {"scheduled": 1, "blocked": 1, "queued": 1, "running": 2, "retrying": 1, "waiting": 1}
    assert (found.by_status, found.total, found.exact) == (expected, sum(expected.values()), True)


async def test_nothing_unfinished_is_exactly_nothing() -> None:
    assert await counted(FakeJobRepository()) == Unfinished(total=0, exact=True, by_status={}, oldest_due=None)


async def test_one_type_can_be_counted() -> None:
    jobs = FakeJobRepository()
    for job in (queued(type="a"), queued(type="b"), running(type="b"), succeeded(type="b"), failed(type="a")):
        await jobs.add(Change(job), NOW)
    assert (await counted(jobs, "b")).by_status == {"queued": 1, "running": 1}


async def test_the_oldest_due_job_is_one_that_could_have_started() -> None:
    jobs = FakeJobRepository()
    due = scheduled(NOW + timedelta(minutes=2))
    for job in (running(), blocked(), due, queued(NOW + timedelta(minutes=3)), scheduled(NOW + timedelta(days=2))):
        await jobs.add(Change(job), NOW)
    oldest = (await counted(jobs, now=NOW + timedelta(hours=1))).oldest_due
    assert oldest is not None
    assert (oldest.job_id, oldest.since, oldest.status) == (due.id, NOW + timedelta(minutes=2), "scheduled")
    assert (await counted(jobs)).oldest_due is None


async def test_a_thousand_are_counted_exactly() -> None:
    found = await counted(Crowd(EXACT_UP_TO // 8))
    assert (found.total, found.exact, sum(found.by_status.values())) == (EXACT_UP_TO, True, EXACT_UP_TO)


@pytest.mark.parametrize("each", [126, 700, 1001])
async def test_more_than_a_thousand_are_estimated_and_labelled(each: int) -> None:
    found = await counted(Crowd(each, more=each > EXACT_UP_TO))
    assert not found.exact
    assert abs(found.total - 8 * each) < 0.01 * 8 * each
    assert abs(found.by_status["running"] - 2 * each) < 0.35 * 2 * each


async def test_what_was_not_read_is_not_called_exact() -> None:
    assert await counted(Crowd(5, unread=True)) == Unfinished(total=0, exact=False, by_status={}, oldest_due=None)
    assert (await counted(Crowd(500, unread=True))).exact is False


async def test_an_outage_is_reported() -> None:
    assert await unfinished(Crowd(5, broken=True), NOW) == OUTAGE
