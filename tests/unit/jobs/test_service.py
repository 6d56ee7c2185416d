"""What a person can do with jobs."""

import asyncio
from datetime import timedelta

import pytest
from pydantic import JsonValue

from domain.jobs import transitions
from domain.jobs.job import Job, Queued, Running, Scheduled
from headrace.authoring.job_type import Catalogue, Policy
from domain.jobs.repository import JobNotFound, JobRepository, JobUnreadable, VersionConflict
from domain.jobs.service import (
    MAX_DELAY,
    MAX_PAYLOAD_BYTES,
    Contended,
    IdempotencyMismatch,
    InvalidPayload,
    JobService,
    PayloadTooLarge,
    Submitted,
    UnknownJobType,
)
from domain.jobs.submission import Submission
from domain.jobs.transitions import IllegalTransition
from domain.results import ItemTooLarge, StorageUnavailable
from tests.factories import NOW, POLICY, UserFactory, failed, legal, queued, running, succeeded
from tests.fakes.clock import FakeClock, numbered_ids
from tests.fakes.faulty_job_repository import OUTAGE, FaultyJobRepository
from tests.fakes.handlers import a_handler
from tests.fakes.job_repository import FakeJobRepository

KIND = "text.word_count"
OWNER = UserFactory.build(id="owner-1")
STRANGER = UserFactory.build(id="owner-2")
ADMIN = UserFactory.build(id="admin-1", role="admin")
POLICIES = Policy(max_attempts=4)


def a_service(jobs: JobRepository, clock: FakeClock | None = None) -> JobService:
    return JobService(jobs, Catalogue([a_handler(policy=POLICIES)]), clock or FakeClock(), numbered_ids())


def a_submission(text: str = "one", /, **fields: object) -> Submission:
    return Submission.model_validate({"type": KIND, "payload": {"text": text}, **fields})


async def accepted(service: JobService, submission: Submission | None = None, key: str | None = None) -> Submitted:
    submitted = await service.submit(submission or a_submission(), OWNER, key)
    assert isinstance(submitted, Submitted), submitted
    return submitted


async def test_a_submission_is_stored_as_given() -> None:
    jobs = FakeJobRepository()
    job = (await accepted(a_service(jobs), a_submission(tags={"k": "v"}, max_attempts=7))).job
    assert await jobs.get(job.id, NOW) == job
    assert job.payload == '{"text":"one"}'
    assert (job.owner_id, job.type, job.max_attempts, job.tags) == (OWNER.id, KIND, 7, {"k": "v"})
    assert job.state == Queued(queued_at=NOW)


async def test_the_policy_decides_what_the_submission_leaves_open() -> None:
    assert (await accepted(a_service(FakeJobRepository()))).job.max_attempts == 4


async def test_a_job_can_be_asked_for_later_by_time_or_by_delay() -> None:
    service = a_service(FakeJobRepository())
    later = NOW + timedelta(seconds=90)
    by_time = (await accepted(service, a_submission(run_at=later))).job
    by_delay = (await accepted(service, a_submission(delay_seconds=90))).job
    assert by_time.state == by_delay.state == Scheduled(run_at=later)


@pytest.mark.parametrize("fields", [{"run_at": NOW + MAX_DELAY * 2}, {"delay_seconds": 1e9}])
async def test_a_job_for_too_far_ahead_is_refused(fields: dict[str, JsonValue]) -> None:
    refused = await a_service(FakeJobRepository()).submit(a_submission("one", **fields), OWNER)
    assert isinstance(refused, InvalidPayload)
    assert refused.flaws[0].path == tuple(fields)


async def test_an_unknown_type_is_refused_with_the_known_ones() -> None:
    refused = await a_service(FakeJobRepository()).submit(a_submission().model_copy(update={"type": "nope"}), OWNER)
    assert refused == UnknownJobType(type="nope", known=(KIND,))


@pytest.mark.parametrize(
    ("payload", "path"),
    [
        ({"text": 1}, ("payload", "text")),
        ({"text": "a", "more": 1}, ("payload", "more")),
        ([], ("payload",)),
        ({"text": float("inf")}, ("payload",)),
    ],
)
async def test_a_flawed_payload_is_refused_with_the_places(payload: JsonValue, path: tuple[str, ...]) -> None:
    submission = Submission.model_construct(type=KIND, payload=payload, tags={})
    refused = await a_service(FakeJobRepository()).submit(submission, OWNER)
    assert isinstance(refused, InvalidPayload)
    assert refused.flaws[0].path == path


async def test_a_payload_beyond_the_limit_is_refused() -> None:
    refused = await a_service(FakeJobRepository()).submit(a_submission("é" * (MAX_PAYLOAD_BYTES // 2)), OWNER)
    assert isinstance(refused, PayloadTooLarge)
    assert refused.size > refused.limit == MAX_PAYLOAD_BYTES


async def test_the_largest_job_that_is_accepted_can_be_claimed_and_finished() -> None:
    text = "x" * (MAX_PAYLOAD_BYTES - 11)
    job = (await accepted(a_service(FakeJobRepository()), a_submission(text))).job
    assert len(job.payload) == MAX_PAYLOAD_BYTES


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (ItemTooLarge(size=2, limit=1), PayloadTooLarge(size=2, limit=1)),
        (OUTAGE, OUTAGE),
        (JobUnreadable(job_id="x", detail="?"), JobUnreadable(job_id="x", detail="?")),
    ],
)
async def test_what_the_store_refuses_is_told(fault: ItemTooLarge, expected: object) -> None:
    jobs = FaultyJobRepository(FakeJobRepository(), on_add=lambda: fault)
    assert await a_service(jobs).submit(a_submission(), OWNER) == expected


async def test_one_idempotency_key_is_one_job_under_any_race() -> None:
    service = a_service(FakeJobRepository())
    answers = await asyncio.gather(*(accepted(service, key="order-7") for _ in range(20)))
    assert len({answer.job.id for answer in answers}) == 1
    assert sum(not answer.replayed for answer in answers) == 1


async def test_an_idempotency_key_stands_for_one_submission() -> None:
    service = a_service(FakeJobRepository())
    await accepted(service, key="order-7")
    other = await service.submit(a_submission("two"), OWNER, "order-7")
    assert other == IdempotencyMismatch(key="order-7")
    assert isinstance(await service.submit(a_submission(max_attempts=9), OWNER, "order-7"), IdempotencyMismatch)


async def test_an_idempotency_key_belongs_to_its_owner() -> None:
    service = a_service(FakeJobRepository())
    mine = await accepted(service, key="order-7")
    theirs = await service.submit(a_submission("two"), STRANGER, "order-7")
    assert isinstance(theirs, Submitted)
    assert theirs.job.id != mine.job.id


async def test_an_idempotency_key_is_free_again_when_its_job_has_expired() -> None:
    jobs, clock = FakeJobRepository(), FakeClock()
    service = a_service(jobs, clock)
    first = await accepted(service, key="order-7")
    clock.forward(first.job.expires_at - NOW)
    again = await service.submit(a_submission("two"), OWNER, "order-7")
    assert isinstance(again, Submitted)
    assert not again.replayed


async def test_a_job_is_seen_by_its_owner_and_by_admins_only() -> None:
    jobs = FakeJobRepository()
    service = a_service(jobs)
    job = (await accepted(service)).job
    assert await service.get(job.id, OWNER) == job
    assert await service.get(job.id, ADMIN) == job
    assert await service.get(job.id, STRANGER) == JobNotFound(job_id=job.id)
    assert await service.cancel(job.id, STRANGER) == JobNotFound(job_id=job.id)
    assert await service.retry(job.id, STRANGER) == JobNotFound(job_id=job.id)


async def test_a_waiting_job_is_cancelled_and_can_be_retried() -> None:
    service = a_service(FakeJobRepository())
    job = (await accepted(service)).job
    cancelled = await service.cancel(job.id, OWNER)
    assert isinstance(cancelled, Job)
    assert cancelled.status == "cancelled"
    again = await service.retry(job.id, OWNER)
    assert isinstance(again, Job)
    assert again.status == "queued"


async def test_what_the_state_forbids_is_refused() -> None:
    jobs = FakeJobRepository()
    done, bad = succeeded(id="a", owner_id=OWNER.id), failed(id="b", owner_id=OWNER.id)
    await jobs.add(done, NOW)
    await jobs.add(bad, NOW)
    service = a_service(jobs)
    assert isinstance(await service.cancel(done.id, OWNER), IllegalTransition)
    assert isinstance(await service.retry(done.id, OWNER), IllegalTransition)
    assert isinstance(await service.cancel(bad.id, OWNER), IllegalTransition)


async def test_asking_a_running_job_to_stop_twice_writes_once() -> None:
    jobs = FakeJobRepository()
    job = running(owner_id=OWNER.id)
    await jobs.add(job, NOW)
    service = a_service(jobs)
    first = await service.cancel(job.id, OWNER)
    second = await service.cancel(job.id, OWNER)
    assert first == second
    assert isinstance(second, Job)
    assert isinstance(second.state, Running)
    assert second.version == job.version + 1


async def test_a_cancel_that_loses_a_race_is_applied_to_what_stands() -> None:
    inner = FakeJobRepository()
    job = queued(owner_id=OWNER.id)
    await inner.add(job, NOW)
    claimed = legal(transitions.claim(job, POLICY, "t", NOW + timedelta(minutes=5), NOW))
    conflicts: list[VersionConflict | None] = [VersionConflict(job_id=job.id, current=claimed)]
    jobs = FaultyJobRepository(inner, on_replace=lambda _: conflicts.pop() if conflicts else None)
    await inner.replace(claimed, job.version)
    changed = await a_service(jobs).cancel(job.id, OWNER)
    assert isinstance(changed, Job)
    assert isinstance(changed.state, Running)
    assert changed.state.cancel_requested


async def test_a_change_that_never_wins_is_contended() -> None:
    inner = FakeJobRepository()
    job = queued(owner_id=OWNER.id)
    await inner.add(job, NOW)
    jobs = FaultyJobRepository(inner, on_replace=lambda _: VersionConflict(job_id=job.id, current=job))
    assert await a_service(jobs).cancel(job.id, OWNER) == Contended(job_id=job.id)


async def test_a_change_of_a_job_that_just_went_is_not_found() -> None:
    inner = FakeJobRepository()
    job = queued(owner_id=OWNER.id)
    await inner.add(job, NOW)
    jobs = FaultyJobRepository(inner, on_replace=lambda _: VersionConflict(job_id=job.id, current=None))
    assert await a_service(jobs).cancel(job.id, OWNER) == JobNotFound(job_id=job.id)


async def test_a_change_that_the_store_refuses_is_told() -> None:
    inner = FakeJobRepository()
    job = queued(owner_id=OWNER.id)
    await inner.add(job, NOW)
    assert await a_service(FaultyJobRepository(inner, on_replace=lambda _: OUTAGE)).cancel(job.id, OWNER) == OUTAGE
    too_large = FaultyJobRepository(inner, on_replace=lambda _: ItemTooLarge(size=2, limit=1))
    refused = await a_service(too_large).cancel(job.id, OWNER)
    assert isinstance(refused, StorageUnavailable)
    assert refused.reason == "rejected"
