"""Lists of an owner's jobs, and their entries."""

import json
from datetime import timedelta

from domain.jobs.change import Change
from domain.jobs.filtering import JobFilter, scope_of
from domain.jobs.listing import PREVIEW, JobListService, NotListed, answer_bytes, documents_for, due_at, summary_of
from domain.paging import Page, PageRequest
from headrace.authoring.json_text import to_json_text
from headrace.testing.clock import FakeClock
from headrace.testing.job_repository import FakeJobRepository
from tests.factories import NOW, failed, queued, retrying, scheduled, succeeded
from tests.fakes.job_listing import FakeJobListing

ANOTHER = "018f0000-0000-7000-8000-00000000000f"


async def test_a_page_has_the_jobs_of_its_owner() -> None:
    jobs, mine = FakeJobRepository(), queued(owner_id="owner-1")
    for job in (mine, queued(owner_id="owner-2")):
        await jobs.add(Change(job), NOW)
    page = await JobListService(FakeJobListing(jobs), FakeClock()).list("owner-1", JobFilter(), PageRequest(limit=9))
    assert page == Page(items=(summary_of(mine),), next=None)


async def test_jobs_of_all_owners_are_listed_where_an_index_holds_them() -> None:
    jobs, waiting, lost = FakeJobRepository(), queued(owner_id="owner-1"), failed(id=ANOTHER, owner_id="owner-2")
    for job in (waiting, lost):
        await jobs.add(Change(job), NOW)
    lists = JobListService(FakeJobListing(jobs), FakeClock())
    assert await lists.list_all(JobFilter(), PageRequest()) == Page(items=(summary_of(waiting),))
    assert await lists.list_all(JobFilter(statuses=("running",)), PageRequest()) == Page(items=())
    of_a_type = await lists.list_all(JobFilter(statuses=("failed",), types=(lost.type,)), PageRequest())
    assert of_a_type == Page(items=(summary_of(lost),))
    assert await lists.list_all(JobFilter(statuses=("failed",)), PageRequest()) == NotListed(status="failed")
    for status in ("succeeded", "cancelled"):
        assert await lists.list_all(JobFilter(statuses=(status,), types=("t",)), PageRequest()) == NotListed(
            status=status
        )


def test_an_entry_has_the_documents_that_were_asked_for() -> None:
    job = succeeded()
    assert (summary_of(job).payload, summary_of(job).result) == (None, None)
    whole = summary_of(job, frozenset({"payload", "result"}))
    assert whole.payload == job.payload
    assert whole.result is not None


def test_only_a_waiting_job_is_due_at_some_time() -> None:
    later = NOW + timedelta(minutes=1)
    assert due_at(scheduled(run_at=later)) == later
    assert due_at(retrying()) is not None
    assert due_at(queued()) is None


def test_the_bytes_of_an_entry_count_what_an_answer_escapes() -> None:
    small, whole = summary_of(succeeded()), summary_of(succeeded(), frozenset({"payload", "result"}))
    assert whole.payload is not None
    assert whole.result is not None
    assert answer_bytes(whole) == answer_bytes(small) + len(json.dumps(whole.payload)) + len(json.dumps(whole.result))


async def test_failed_jobs_of_all_owners_are_listed_alone_and_of_one_type() -> None:
    lists = JobListService(FakeJobListing(FakeJobRepository()), FakeClock())
    for statuses, types in ((("failed", "queued"), ("t",)), (("failed",), ("t", "u")), (("failed",), ())):
        wanted = JobFilter.model_validate({"statuses": statuses, "types": types})
        assert await lists.list_all(wanted, PageRequest()) == NotListed(status="failed")
    wanted = JobFilter(statuses=("queued", "running"), types=("t", "u"))
    assert await lists.list_all(wanted, PageRequest()) == Page(items=())


def test_a_preview_is_no_longer_than_it_says() -> None:
    job = succeeded(payload=to_json_text(["x" * 500]))
    preview = summary_of(job, frozenset({"preview"})).preview
    assert preview is not None
    assert len(preview) == PREVIEW
    assert summary_of(job, frozenset({"payload"})).preview is None
    assert documents_for(frozenset({"preview"})) == documents_for(frozenset({"preview", "payload"})) == {"payload"}
    assert documents_for(frozenset({"result"})) == {"result"}
    assert documents_for(frozenset()) == frozenset()
    exactly = to_json_text("x" * (PREVIEW - 2))
    assert summary_of(succeeded(payload=exactly), frozenset({"preview"})).preview == exactly


def test_the_scope_of_one_status_one_type_and_tags_is_that_of_the_previous_version() -> None:
    assert scope_of(JobFilter()) == ("", "")
    assert scope_of(JobFilter(statuses=("queued",), types=("a",), tags={"b": "c"})) == ("queued", "a", '[["b", "c"]]')
    assert scope_of(JobFilter(types=("a", "b"))) == scope_of(JobFilter(types=("b", "a"))) == ("", '["a", "b"]')
    assert len(scope_of(JobFilter(reverse=True))) == 3
    assert scope_of(JobFilter(lanes=("a", "b", "a"))) == scope_of(JobFilter(lanes=("b", "a")))
    assert scope_of(JobFilter(lanes=("a",))) != scope_of(JobFilter(lanes=("b",)))
