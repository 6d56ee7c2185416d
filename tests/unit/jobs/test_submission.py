"""Submitting jobs."""

import asyncio
from datetime import timedelta

import pytest
from pydantic import JsonValue

from domain.jobs.catalogue import Catalogue
from domain.jobs.checking import is_key
from domain.jobs.documents import Documents
from domain.jobs.job import BlobRef, Queued, Scheduled
from domain.jobs.repository import CompanionRefused, JobRepository, JobUnreadable
from domain.jobs.submission import Submission
from domain.jobs.submitting import (
    MAX_DELAY,
    MAX_PAYLOAD_BYTES,
    IdempotencyMismatch,
    InvalidPayload,
    PayloadTooLarge,
    SubmissionService,
    Submitted,
    UnknownJobType,
)
from domain.results import ItemTooLarge, StorageUnavailable
from headrace.authoring.job_type import Policy
from headrace.testing.blob_store import FakeBlobStore
from headrace.testing.clock import FakeClock, numbered_ids
from headrace.testing.job_repository import FakeJobRepository
from tests.factories import NOW, UserFactory
from tests.fakes.faulty_job_repository import OUTAGE, FaultyJobRepository
from tests.fakes.handlers import a_handler

KIND = "text.word_count"
OWNER = UserFactory.build(id="owner-1")
STRANGER = UserFactory.build(id="owner-2")
ADMIN = UserFactory.build(id="admin-1", role="admin")
POLICIES = Policy(max_attempts=4)


def a_service(jobs: JobRepository, clock: FakeClock | None = None) -> SubmissionService:
    return SubmissionService(
        jobs, Catalogue([a_handler(policy=POLICIES)]), clock or FakeClock(), numbered_ids(), Documents(FakeBlobStore())
    )


def a_submission(text: str = "one", /, **fields: object) -> Submission:
    return Submission.model_validate({"type": KIND, "payload": {"text": text}, **fields})


async def accepted(
    service: SubmissionService, submission: Submission | None = None, key: str | None = None
) -> Submitted:
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


async def test_the_policy_fills_in_what_the_submission_omits() -> None:
    assert (await accepted(a_service(FakeJobRepository()))).job.max_attempts == 4


async def test_a_job_can_be_scheduled_by_time_or_by_delay() -> None:
    service = a_service(FakeJobRepository())
    later = NOW + timedelta(seconds=90)
    by_time = (await accepted(service, a_submission(run_at=later))).job
    by_delay = (await accepted(service, a_submission(delay_seconds=90))).job
    assert by_time.state == by_delay.state == Scheduled(run_at=later)


@pytest.mark.parametrize("fields", [{"run_at": NOW + MAX_DELAY * 2}, {"delay_seconds": 1e9}])
async def test_a_job_scheduled_too_far_ahead_is_refused(fields: dict[str, JsonValue]) -> None:
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
async def test_an_invalid_payload_is_refused_with_the_paths_of_its_errors(
    payload: JsonValue, path: tuple[str, ...]
) -> None:
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
    assert isinstance(job.payload, BlobRef)
    assert job.payload.size == MAX_PAYLOAD_BYTES


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (ItemTooLarge(size=2, limit=1), PayloadTooLarge(size=2, limit=1)),
        (OUTAGE, OUTAGE),
        (CompanionRefused(job_id="x", index=0), StorageUnavailable(reason="throttled", detail="contended")),
        (JobUnreadable(job_id="x", detail="?"), JobUnreadable(job_id="x", detail="?")),
    ],
)
async def test_an_error_of_the_store_is_reported(fault: ItemTooLarge, expected: object) -> None:
    jobs = FaultyJobRepository(FakeJobRepository(), on_add=lambda: fault)
    assert await a_service(jobs).submit(a_submission(), OWNER) == expected


async def test_one_idempotency_key_creates_one_job_under_any_race() -> None:
    service = a_service(FakeJobRepository())
    answers = await asyncio.gather(*(accepted(service, key="order-7") for _ in range(20)))
    assert len({answer.job.id for answer in answers}) == 1
    assert sum(not answer.replayed for answer in answers) == 1


async def test_an_idempotency_key_identifies_one_submission() -> None:
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


@pytest.mark.parametrize(
    ("text", "may"), [("order 7", True), ("x" * 255, True), ("x" * 256, False), ("ø", False), ("", False)]
)
def test_a_key_is_printable_ascii_of_some_length(text: str, may: bool) -> None:
    assert is_key(text) is may
