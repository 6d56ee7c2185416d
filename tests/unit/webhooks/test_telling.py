"""Each change makes one delivery for each receiver, however often and in whatever order it is seen."""

import json
from datetime import timedelta

import pytest

from domain.jobs.disclosure import Disclosure
from domain.jobs.job import BlobRef, Job, Queued
from domain.jobs.listing import summary_of
from domain.jobs.own_types import WEBHOOK_DELIVER
from domain.jobs.repository import CompanionRefused, JobUnreadable
from domain.results import ItemTooLarge
from domain.webhooks.delivery import DELIVERY, Delivery, UnrunDelivery
from domain.webhooks.event import JobEvent
from domain.webhooks.event_bus import bus_events
from domain.webhooks.tell_of import TellOf
from domain.webhooks.telling import Lost, NotMade, Teller
from headrace.testing.clock import FakeClock
from headrace.testing.job_repository import FakeJobRepository
from tests.factories import NOW, failed, in_every_state, retrying, succeeded
from tests.fakes.context import FakeContext
from tests.fakes.faulty_job_repository import OUTAGE, AddFault, FaultyJobRepository
from tests.unit.webhooks.parts import CATALOGUE, TELL_OF, Unreachable, a_teller, an_endpoint, notifying

LATER = NOW + timedelta(seconds=15)


def deliveries(jobs: FakeJobRepository) -> list[Delivery]:
    return [Delivery.model_validate_json(str(job.payload)) for job in jobs.stored]


async def test_a_change_seen_thrice_is_one_delivery_for_each_endpoint() -> None:
    jobs, job = FakeJobRepository(), succeeded(id="job-1")
    teller = a_teller(jobs, an_endpoint("a"), an_endpoint("b"), an_endpoint("c", statuses=("failed",)))
    assert (await teller.tell([job, job], LATER)).made == 2
    assert (await teller.tell([job], LATER)).made == 0
    assert sorted((each.owner_id, each.type, each.tags["job_id"]) for each in jobs.stored) == [
        (owner, WEBHOOK_DELIVER, "job-1") for owner in ("a", "b")
    ]
    assert {each.state for each in jobs.stored} == {Queued(queued_at=NOW)}
    ids = {each.message_id for each in deliveries(jobs)}
    assert ids == {each.id for each in jobs.stored}
    assert len(ids) == 2


async def test_each_version_of_a_job_is_a_change_of_its_own() -> None:
    jobs, endpoint = FakeJobRepository(), an_endpoint(statuses=("retrying", "succeeded"))
    first, later = retrying(id="job-1"), succeeded(id="job-1").model_copy(update={"version": 5})
    assert (await a_teller(jobs, endpoint).tell([first, later], LATER)).made == 2


async def test_deliveries_of_deliveries_are_never_made() -> None:
    jobs = FakeJobRepository()
    changes = list(in_every_state(type=WEBHOOK_DELIVER))
    every = an_endpoint(statuses=("scheduled", "retrying", "succeeded", "failed", "cancelled"))
    assert (await a_teller(jobs, every).tell([*changes, *map(notifying, changes)], LATER)).made == 0
    assert bus_events(changes, TELL_OF) == ()


async def test_notify_is_delivered_by_a_job_of_the_owners_own() -> None:
    jobs, job = FakeJobRepository(), notifying(succeeded(owner_id="ada"))
    for _ in range(2):
        await a_teller(jobs).tell([job, notifying(failed())], LATER)
    (stored,) = jobs.stored
    (delivery,) = deliveries(jobs)
    assert stored.owner_id == delivery.signer_id == "ada"
    assert (delivery.endpoint_id, delivery.url) == (None, "https://me.test/n")


@pytest.mark.parametrize(
    "problem", [OUTAGE, CompanionRefused(job_id="x", index=0)], ids=lambda each: type(each).__name__
)
async def test_a_delivery_that_could_not_be_written_is_named_with_its_change(problem: AddFault) -> None:
    jobs = FaultyJobRepository(FakeJobRepository(), on_add=lambda: problem)
    job = succeeded()
    told = await a_teller(jobs, an_endpoint()).tell([job], LATER)
    assert [(each.job_id, each.version) for each in told.not_made] == [(job.id, job.version)]
    assert (told.made, told.lost) == (0, ())


@pytest.mark.parametrize(
    ("problem", "lost"),
    [
        (ItemTooLarge(size=500_000, limit=400_000), 1),
        (JobUnreadable(job_id="x", detail="version"), 1),
        (JobUnreadable(job_id="x", detail="version", newer=True), 0),
    ],
    ids=["too large", "unreadable", "newer"],
)
async def test_what_can_never_be_written_is_reported_and_holds_nothing_up(problem: AddFault, lost: int) -> None:
    jobs = FaultyJobRepository(FakeJobRepository(), on_add=lambda: problem)
    told = await a_teller(jobs, an_endpoint()).tell([succeeded()], LATER)
    assert (told.made, told.not_made, len(told.lost)) == (0, (), lost)
    assert all(isinstance(each, Lost) for each in told.lost)


async def test_without_endpoints_or_time_nothing_is_made_and_every_change_comes_again() -> None:
    jobs, changes = FakeJobRepository(), [succeeded(), retrying()]
    unread = await Teller(jobs, Unreachable(), TELL_OF, FakeClock()).tell(changes, LATER)
    assert [each.problem for each in unread.not_made] == [OUTAGE, OUTAGE]
    late = await a_teller(jobs, an_endpoint(statuses=("succeeded", "retrying"))).tell(changes, NOW)
    assert [type(each) for each in late.not_made] == [NotMade, NotMade]
    assert jobs.stored == ()


async def test_nothing_to_tell_reads_nothing() -> None:
    assert (await Teller(FakeJobRepository(), Unreachable(), TELL_OF, FakeClock()).tell([], LATER)).not_made == ()


@pytest.mark.parametrize(
    "job", [each for each in in_every_state() if each.status not in {"blocked", "queued", "running", "waiting"}]
)
def test_an_event_has_its_published_form_and_no_document_unless_asked(job: Job) -> None:
    endpoint = an_endpoint(statuses=("scheduled", "retrying", "succeeded", "failed", "cancelled"))
    (new,) = TELL_OF.deliveries(job, [endpoint])
    body = json.loads(Delivery.model_validate_json(str(new.payload)).body)
    event = JobEvent.model_validate(body)
    assert (event.type, event.data.version, event.data.links) == (
        f"job.{job.status}", job.version, {"self": f"/v1/jobs/{job.id}"},
    )  # fmt: skip
    assert json.loads(event.model_dump_json(exclude_unset=True)) == body
    assert not {"payload", "result", "payload_ref", "result_ref"} & set(body["data"])


def test_a_delivery_is_part_of_the_trace_of_its_job() -> None:
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    job = notifying(succeeded(traceparent=trace))
    for new in TELL_OF.deliveries(job, [an_endpoint()]):
        assert new.traceparent == trace
        body = json.loads(Delivery.model_validate_json(str(new.payload)).body)
        assert JobEvent.model_validate(body).data.traceparent == trace


def test_documents_are_told_as_they_are_or_by_where_they_lie() -> None:
    job, endpoint = succeeded(), an_endpoint(include=("result", "payload"))
    (new,) = TELL_OF.deliveries(job, [endpoint])
    data = json.loads(Delivery.model_validate_json(str(new.payload)).body)["data"]
    assert (data["payload"], data["result"]) == ({"csv": "a\n1\n"}, {"rows": 1})
    large = job.model_copy(update={"payload": BlobRef(key="jobs/1", size=9000, sha256="0")})
    (new,) = TELL_OF.deliveries(large, [endpoint])
    data = json.loads(Delivery.model_validate_json(str(new.payload)).body)["data"]
    assert data["payload_ref"] == {"size": 9000, "href": f"/v1/jobs/{job.id}/payload"}
    assert "payload" not in data
    unfinished = retrying()
    (new,) = TELL_OF.deliveries(unfinished, [an_endpoint(statuses=("retrying",), include=("result",))])
    assert "result" not in json.loads(Delivery.model_validate_json(str(new.payload)).body)["data"]


def test_an_event_tells_of_an_error_what_callers_may_see() -> None:
    job = failed()
    summary = Disclosure(CATALOGUE).outside(summary_of(job))
    assert TellOf(CATALOGUE).summary(job).error == summary.error
    (event,) = bus_events([job], TELL_OF)
    assert json.loads(event.detail)["data"]["error"]["code"] == "failed"
    assert (event.type, event.job_id) == ("job.failed", job.id)


def test_the_bus_is_told_of_final_states_alone() -> None:
    assert {event.type for event in bus_events(in_every_state(), TELL_OF)} == {
        "job.succeeded", "job.failed", "job.cancelled",
    }  # fmt: skip


async def test_a_function_that_delivers_nothing_leaves_a_delivery_to_another() -> None:
    delivery = Delivery(message_id="1", signer_id="1", body="{}")
    assert (await UnrunDelivery().run(delivery, FakeContext())).code == "not_here"
    assert CATALOGUE.policy(WEBHOOK_DELIVER) == DELIVERY.policy
    assert (CATALOGUE.names(), CATALOGUE.definition(WEBHOOK_DELIVER)) == ((), None)
    other = UnrunDelivery()
    assert CATALOGUE.with_own(other).handler(WEBHOOK_DELIVER) is other
