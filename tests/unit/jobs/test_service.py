"""Reading, cancelling and retrying jobs."""

from datetime import timedelta

from domain.jobs import transitions
from domain.jobs.catalogue import Catalogue
from domain.jobs.change import Change
from domain.jobs.job import Job, Running
from domain.jobs.repository import CompanionRefused, JobNotFound, JobRepository, VersionConflict
from domain.jobs.service import Contended, JobService
from domain.jobs.transitions import IllegalTransition
from domain.results import ItemTooLarge, StaleVersion, StorageUnavailable
from headrace.authoring.job_type import Policy
from headrace.testing.clock import FakeClock
from headrace.testing.job_repository import FakeJobRepository
from tests.factories import NOW, POLICY, UserFactory, failed, legal, queued, running, succeeded
from tests.fakes.faulty_job_repository import OUTAGE, FaultyJobRepository
from tests.fakes.handlers import a_handler

KIND = "text.word_count"
OWNER = UserFactory.build(id="owner-1")
STRANGER = UserFactory.build(id="owner-2")
ADMIN = UserFactory.build(id="admin-1", role="admin")
POLICIES = Policy(max_attempts=4)


def a_service(jobs: JobRepository, clock: FakeClock | None = None) -> JobService:
    return JobService(jobs, Catalogue([a_handler(policy=POLICIES)]), clock or FakeClock())


async def test_a_job_is_seen_by_its_owner_and_by_admins_only() -> None:
    jobs, job = FakeJobRepository(), queued(owner_id=OWNER.id)
    await jobs.add(Change(job), NOW)
    service = a_service(jobs)
    assert await service.get(job.id, OWNER) == job
    assert await service.get(job.id, ADMIN) == job
    assert await service.get(job.id, STRANGER) == JobNotFound(job_id=job.id)
    assert await service.cancel(job.id, STRANGER) == JobNotFound(job_id=job.id)
    assert await service.retry(job.id, STRANGER) == JobNotFound(job_id=job.id)


async def test_a_waiting_job_is_cancelled_and_can_be_retried() -> None:
    jobs, job = FakeJobRepository(), queued(owner_id=OWNER.id)
    await jobs.add(Change(job), NOW)
    service = a_service(jobs)
    cancelled = await service.cancel(job.id, OWNER)
    assert isinstance(cancelled, Job)
    assert cancelled.status == "cancelled"
    again = await service.retry(job.id, OWNER)
    assert isinstance(again, Job)
    assert again.status == "queued"


async def test_a_change_of_another_version_than_expected_is_refused() -> None:
    jobs, job = FakeJobRepository(), queued(owner_id=OWNER.id)
    await jobs.add(Change(job), NOW)
    assert await a_service(jobs).cancel(job.id, OWNER, frozenset({7})) == StaleVersion(current_version=job.version)


async def test_an_illegal_transition_is_refused() -> None:
    jobs = FakeJobRepository()
    done, bad = succeeded(id="a", owner_id=OWNER.id), failed(id="b", owner_id=OWNER.id)
    await jobs.add(Change(done), NOW)
    await jobs.add(Change(bad), NOW)
    service = a_service(jobs)
    assert isinstance(await service.cancel(done.id, OWNER), IllegalTransition)
    assert isinstance(await service.retry(done.id, OWNER), IllegalTransition)
    assert isinstance(await service.cancel(bad.id, OWNER), IllegalTransition)


async def test_asking_a_running_job_to_stop_twice_writes_once() -> None:
    jobs = FakeJobRepository()
    job = running(owner_id=OWNER.id)
    await jobs.add(Change(job), NOW)
    service = a_service(jobs)
    first = await service.cancel(job.id, OWNER)
    second = await service.cancel(job.id, OWNER)
    assert first == second
    assert isinstance(second, Job)
    assert isinstance(second.state, Running)
    assert second.version == job.version + 1


async def test_a_cancel_that_loses_a_race_is_applied_to_the_current_job() -> None:
    inner = FakeJobRepository()
    job = queued(owner_id=OWNER.id)
    await inner.add(Change(job), NOW)
    claimed = legal(transitions.claim(job, POLICY, "t", NOW + timedelta(minutes=5), NOW))
    conflicts: list[VersionConflict | None] = [VersionConflict(job_id=job.id, current=claimed)]
    jobs = FaultyJobRepository(inner, on_replace=lambda _: conflicts.pop() if conflicts else None)
    await inner.replace(Change(claimed), job.version)
    changed = await a_service(jobs).cancel(job.id, OWNER)
    assert isinstance(changed, Job)
    assert isinstance(changed.state, Running)
    assert changed.state.cancel_requested


async def test_a_change_that_never_wins_is_contended() -> None:
    inner = FakeJobRepository()
    job = queued(owner_id=OWNER.id)
    await inner.add(Change(job), NOW)
    jobs = FaultyJobRepository(inner, on_replace=lambda _: VersionConflict(job_id=job.id, current=job))
    assert await a_service(jobs).cancel(job.id, OWNER) == Contended(job_id=job.id)


async def test_a_change_whose_companion_is_refused_is_contended() -> None:
    inner = FakeJobRepository()
    job = queued(owner_id=OWNER.id)
    await inner.add(Change(job), NOW)
    jobs = FaultyJobRepository(inner, on_replace=lambda _: CompanionRefused(job_id=job.id, index=0))
    assert await a_service(jobs).cancel(job.id, OWNER) == Contended(job_id=job.id)


async def test_a_change_of_a_job_that_was_just_deleted_is_not_found() -> None:
    inner = FakeJobRepository()
    job = queued(owner_id=OWNER.id)
    await inner.add(Change(job), NOW)
    jobs = FaultyJobRepository(inner, on_replace=lambda _: VersionConflict(job_id=job.id, current=None))
    assert await a_service(jobs).cancel(job.id, OWNER) == JobNotFound(job_id=job.id)


async def test_a_change_that_the_store_refuses_is_reported() -> None:
    inner = FakeJobRepository()
    job = queued(owner_id=OWNER.id)
    await inner.add(Change(job), NOW)
    assert await a_service(FaultyJobRepository(inner, on_replace=lambda _: OUTAGE)).cancel(job.id, OWNER) == OUTAGE
    too_large = FaultyJobRepository(inner, on_replace=lambda _: ItemTooLarge(size=2, limit=1))
    refused = await a_service(too_large).cancel(job.id, OWNER)
    assert isinstance(refused, StorageUnavailable)
    assert refused.reason == "rejected"
