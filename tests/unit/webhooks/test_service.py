"""What admins do with endpoints, and users with their secret."""

import json
from collections.abc import Callable

from domain.jobs.change import Change
from domain.jobs.job import Job
from domain.jobs.repository import CompanionRefused, JobNotFound, JobRepository
from domain.jobs.transitions import IllegalTransition
from domain.results import StaleVersion, StorageUnavailable
from domain.webhooks.endpoint import MAX_ENDPOINTS, Disabled, Endpoint, EndpointWishes
from domain.webhooks.repository import (
    EndpointConflict,
    EndpointNotFound,
    EndpointRepository,
    SignerConflict,
    SignerNotFound,
    SignerRepository,
)
from domain.webhooks.service import Created, TooManyEndpoints, WebhookService
from domain.webhooks.signing import OVERLAP, Signer
from domain.webhooks.tell_of import TellOf
from headrace.testing.clock import FakeClock, numbered_ids
from headrace.testing.job_repository import FakeJobRepository
from tests.factories import NOW, cancelled, queued, succeeded
from tests.fakes.faulty_job_repository import OUTAGE, FaultyJobRepository
from tests.fakes.webhook_repository import FakeEndpointRepository, FakeSignerRepository, fixed_secrets
from tests.unit.webhooks.parts import CATALOGUE, URL, FaultyEndpoints, FaultySigners, a_signer, an_endpoint

WISHES = EndpointWishes(url=URL)


def a_service(
    endpoints: EndpointRepository | None = None,
    signers: SignerRepository | None = None,
    jobs: JobRepository | None = None,
) -> WebhookService:
    return WebhookService(
        endpoints or FakeEndpointRepository(an_endpoint()),
        signers or FakeSignerRepository(a_signer()),
        jobs or FakeJobRepository(),
        FakeClock(),
        numbered_ids(),
        fixed_secrets(),
    )


def renamed(wishes: EndpointWishes) -> EndpointWishes:
    return wishes.model_copy(update={"description": "ours"})


async def test_an_endpoint_is_created_with_a_secret_of_its_own() -> None:
    service = a_service(FakeEndpointRepository())
    first, second = await service.create(WISHES), await service.create(WISHES)
    assert isinstance(first, Created)
    assert isinstance(second, Created)
    assert first.endpoint.id == first.signer.id
    assert first.signer.secret != second.signer.secret
    assert await service.get(first.endpoint.id) == first.endpoint
    assert await service.all() == (first.endpoint, second.endpoint)


async def test_there_are_not_more_endpoints_than_each_change_can_be_compared_with() -> None:
    full = FakeEndpointRepository(*(an_endpoint(str(number)) for number in range(MAX_ENDPOINTS)))
    assert await a_service(full).create(WISHES) == TooManyEndpoints(limit=MAX_ENDPOINTS)


async def test_a_store_that_fails_creates_nothing_without_its_secret() -> None:
    assert await a_service(FaultyEndpoints(on_all=lambda: OUTAGE)).create(WISHES) == OUTAGE
    endpoints = FakeEndpointRepository()
    assert await a_service(endpoints, FaultySigners(on_put=lambda: OUTAGE)).create(WISHES) == OUTAGE
    taken = FaultySigners(on_put=lambda: SignerConflict(signer_id="1"))
    assert isinstance(await a_service(endpoints, taken).create(WISHES), StorageUnavailable)
    assert await endpoints.all() == ()
    assert await a_service(FaultyEndpoints(on_write=lambda: OUTAGE)).create(WISHES) == OUTAGE


async def test_a_change_is_made_at_the_version_that_was_read() -> None:
    service = a_service()
    assert await service.change("endpoint-1", renamed, None, frozenset({7})) == StaleVersion(current_version=1)
    changed = await service.change("endpoint-1", renamed, False, frozenset({1}))
    assert isinstance(changed, Endpoint)
    assert (changed.description, changed.version, type(changed.state)) == ("ours", 2, Disabled)
    assert await service.change("nobody", renamed, None, None) == EndpointNotFound()


async def test_a_change_is_tried_again_when_others_were_first_and_not_for_ever() -> None:
    conflict = EndpointConflict(endpoint_id="endpoint-1")
    left = [conflict, conflict]
    first = a_service(FaultyEndpoints(an_endpoint(), on_replace=lambda: left.pop() if left else None))
    assert isinstance(await first.change("endpoint-1", renamed, None, None), Endpoint)
    never = a_service(FaultyEndpoints(an_endpoint(), on_replace=lambda: conflict))
    assert isinstance(await never.change("endpoint-1", renamed, None, None), StorageUnavailable)


async def test_what_is_deleted_leaves_no_secret() -> None:
    endpoints, signers = FakeEndpointRepository(an_endpoint()), FakeSignerRepository(a_signer())
    service = a_service(endpoints, signers)
    assert await service.delete("endpoint-1") is None
    assert await signers.get("endpoint-1") == SignerNotFound()
    assert await service.delete("endpoint-1") == EndpointNotFound()


async def test_a_secret_is_rotated_and_a_users_first_is_made() -> None:
    service = a_service()
    rotated = await service.rotate("endpoint-1", OVERLAP)
    assert isinstance(rotated, Signer)
    assert (rotated.previous, rotated.previous_until) == (a_signer().secret, NOW + OVERLAP)
    assert await service.rotate("nobody", OVERLAP) == EndpointNotFound()
    first = await service.rotate_own("ada", OVERLAP)
    assert isinstance(first, Signer)
    assert (first.previous, first.version) == (None, 1)


async def test_a_rotation_meets_conflicts_and_failures() -> None:
    down = a_service(signers=FaultySigners(on_get=lambda: OUTAGE))
    assert await down.rotate_own("ada", OVERLAP) == OUTAGE
    always = a_service(signers=FaultySigners(on_put=lambda: SignerConflict(signer_id="ada")))
    assert isinstance(await always.rotate_own("ada", OVERLAP), StorageUnavailable)


async def test_a_trial_is_a_delivery() -> None:
    service = a_service()
    job = await service.test("endpoint-1")
    assert isinstance(job, Job)
    assert (job.owner_id, job.tags) == ("endpoint-1", {"event": "webhook.test"})
    event = json.loads(json.loads(str(job.payload))["body"])
    assert (event["type"], event["data"]) == ("webhook.test", {"endpoint_id": "endpoint-1"})
    assert await service.test("nobody") == EndpointNotFound()
    down = a_service(jobs=FaultyJobRepository(FakeJobRepository(), on_add=lambda: OUTAGE))
    assert await down.test("endpoint-1") == OUTAGE
    refused = CompanionRefused(job_id="1", index=0)
    contended = a_service(jobs=FaultyJobRepository(FakeJobRepository(), on_add=lambda: refused))
    assert isinstance(await contended.test("endpoint-1"), StorageUnavailable)


async def a_delivery(jobs: FakeJobRepository, make: Callable[..., Job]) -> Job:
    (new,) = TellOf(CATALOGUE).deliveries(succeeded(), [an_endpoint()])
    job = make(
        id=new.id, owner_id=new.owner_id, type=new.type, payload=new.payload, tags=new.tags,
        max_attempts=new.max_attempts,
    )  # fmt: skip
    await jobs.add(Change(job), NOW)
    return job


async def test_what_has_ended_is_delivered_again_under_its_message_id() -> None:
    jobs = FakeJobRepository()
    service = a_service(jobs=jobs)
    earlier = await a_delivery(jobs, cancelled)
    again = await service.replay("endpoint-1", earlier.id)
    assert isinstance(again, Job)
    assert again.id != earlier.id
    assert (again.payload, again.tags, again.status) == (earlier.payload, earlier.tags, "queued")


async def test_only_an_endpoints_own_ended_deliveries_are_delivered_again() -> None:
    jobs = FakeJobRepository()
    service = a_service(jobs=jobs)
    waiting = await a_delivery(jobs, queued)
    assert isinstance(await service.replay("endpoint-1", waiting.id), IllegalTransition)
    others = succeeded(id="job-1", owner_id="ada")
    await jobs.add(Change(others), NOW)
    assert await service.replay("endpoint-1", "job-1") == JobNotFound(job_id="job-1")
    assert await service.replay("endpoint-1", "nobody") == JobNotFound(job_id="nobody")
    assert await service.replay("nobody", waiting.id) == EndpointNotFound()
