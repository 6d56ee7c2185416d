"""`notify` on a submission: accepted with a secret to sign with, and part of what an idempotency key stands for."""

import pytest

from domain.jobs.catalogue import Catalogue, DuplicateJobType
from domain.jobs.job import Job, Notify
from domain.jobs.own_types import WEBHOOK_DELIVER
from domain.jobs.repository import JobRepository
from domain.jobs.submission import Submission
from domain.jobs.submitting import IdempotencyMismatch, InvalidPayload, SubmissionService, Submitted, UnknownJobType
from domain.results import StorageUnavailable
from domain.webhooks.delivery import UnrunDelivery
from domain.webhooks.repository import SignerRepository
from headrace.testing.clock import FakeClock, numbered_ids
from headrace.testing.job_repository import FakeJobRepository
from tests.factories import UserFactory
from tests.fakes.faulty_job_repository import OUTAGE
from tests.fakes.handlers import a_handler
from tests.fakes.webhook_repository import FakeSignerRepository
from tests.unit.webhooks.parts import FaultySigners, a_signer

OWNER = UserFactory.build(id="ada")
NOTIFY = Notify(url="https://me.test/n", statuses=("failed",), include=("result",))
CATALOGUE = Catalogue([a_handler("text.word_count")], (UnrunDelivery(),))


def a_service(signers: SignerRepository | None, jobs: JobRepository | None = None) -> SubmissionService:
    return SubmissionService(jobs or FakeJobRepository(), CATALOGUE, FakeClock(), numbered_ids(), signers=signers)


def a_submission(notify: Notify | None = NOTIFY, /, **fields: object) -> Submission:
    return Submission.model_validate({"type": "text.word_count", "payload": {"text": "a"}, "notify": notify, **fields})


async def test_who_is_told_is_kept_on_the_job() -> None:
    submitted = await a_service(FakeSignerRepository(a_signer("ada"))).submit(a_submission(), OWNER)
    assert isinstance(submitted, Submitted)
    assert submitted.job.notify == NOTIFY


async def test_what_could_not_be_signed_is_refused_and_nothing_is_written() -> None:
    jobs = FakeJobRepository()
    unsigned = await a_service(FakeSignerRepository(), jobs).submit(a_submission(), OWNER)
    assert isinstance(unsigned, InvalidPayload)
    assert [flaw.path for flaw in unsigned.flaws] == [("notify",)]
    assert await a_service(FaultySigners(on_get=lambda: OUTAGE), jobs).submit(a_submission(), OWNER) == OUTAGE
    assert isinstance(await a_service(None, jobs).submit(a_submission(), OWNER), StorageUnavailable)
    assert jobs.stored == ()


@pytest.mark.parametrize("fields", [{}, {"delay_seconds": 60.0}])
async def test_another_receiver_is_another_submission(fields: dict[str, object]) -> None:
    service = a_service(FakeSignerRepository(a_signer("ada")))
    first = await service.submit(a_submission(**fields), OWNER, "k")
    again = await service.submit(a_submission(**fields), OWNER, "k")
    assert isinstance(first, Submitted)
    assert isinstance(again, Submitted)
    assert (again.job, again.replayed) == (first.job, True)
    for other in (None, Notify(url="https://me.test/other")):
        assert await service.submit(a_submission(other, **fields), OWNER, "k") == IdempotencyMismatch(key="k")


async def test_headraces_own_type_is_nobodys_to_submit_or_to_name() -> None:
    forged = Submission(type=WEBHOOK_DELIVER, payload={"message_id": "1", "signer_id": "endpoint-1", "body": "{}"})
    assert isinstance(await a_service(None).submit(forged, OWNER), UnknownJobType)
    with pytest.raises(DuplicateJobType, match=r"called webhook\.deliver, which is the name of one of Headrace's own"):
        Catalogue([a_handler(WEBHOOK_DELIVER)], (UnrunDelivery(),))
    alias = Catalogue([a_handler("new.name", aliases=("old.name",))], (UnrunDelivery(),)).with_own(UnrunDelivery())
    assert (alias.names(), alias.handler("old.name") is alias.handler("new.name")) == (("new.name",), True)


async def test_a_stored_job_keeps_who_is_told_through_its_life() -> None:
    from persistence.converters.dynamo_to_domain import item_to_job, job_to_item

    submitted = await a_service(FakeSignerRepository(a_signer("ada"))).submit(a_submission(), OWNER)
    assert isinstance(submitted, Submitted)
    item = job_to_item(submitted.job, "w")
    assert item_to_job(item) == submitted.job
    told = item["notify"]
    assert isinstance(told, dict)
    newer = {**item, "notify": {"M": {**told["M"], "secret_of": {"SS": ["x"]}}}}
    kept = item_to_job(newer)
    assert isinstance(kept, Job)
    assert job_to_item(kept, "w")["notify"] == newer["notify"]
