"""The conformance suite of `JobListing`, for the fake, moto's server and MiniStack."""

import asyncio
import time
from datetime import timedelta
from typing import NamedTuple

import pytest

from domain.jobs import transitions
from domain.jobs.change import Change
from domain.jobs.filtering import JobFilter
from domain.jobs.job import BlobRef, Failed, InLane, Job, JobDocument, Status, is_final
from domain.jobs.listing import (
    DOCUMENTS,
    PAGE_BYTES,
    PREVIEW,
    SUMMARIES,
    Include,
    JobListing,
    JobSummary,
    answer_bytes,
    summary_of,
)
from domain.jobs.outcomes import Done
from domain.jobs.repository import JobRepository
from domain.paging import Page, PageRequest
from domain.results import BadCursor
from functions.runtime import LazyClient
from headrace.authoring.json_text import to_json_text
from headrace.authoring.outcomes import Fail
from headrace.emulator.tables import ensure_tables
from headrace.emulator.template import Stack
from headrace.testing.clock import half
from headrace.testing.job_repository import FakeJobRepository
from persistence.cursors import CursorCodec
from persistence.dynamodb.repositories.job_listing import DynamoJobListing
from persistence.dynamodb.repositories.job_repository import DynamoJobRepository
from tests.conftest import job_listing_on, job_repository_on, new_id
from tests.factories import NOW, POLICY, failed, finished, in_every_state, legal, queued, running, scheduled, succeeded
from tests.fakes.job_listing import CURSOR_KEY, FakeJobListing

SECOND = timedelta(seconds=1)


class Store(NamedTuple):
    """The repository that a test writes to, and the lists of its jobs."""

    jobs: JobRepository
    lists: JobListing


@pytest.fixture(params=["fake", "moto", "ministack"])
def store(request: pytest.FixtureRequest) -> Store:
    return a_store(request)


@pytest.fixture(params=["fake", "ministack"])
def large_store(request: pytest.FixtureRequest) -> Store:
    """Without moto, whose server takes seconds to select from megabytes."""
    return a_store(request)


@pytest.fixture(params=["fake", "moto", "ministack"])
async def own_store(request: pytest.FixtureRequest, stack: Stack) -> Store:
    """On a table of its own: the unfinished jobs of all other tests are many for moto's server."""
    if request.param == "fake":
        return a_store(request)
    client = request.getfixturevalue(f"{request.param}_client")
    assert isinstance(client, LazyClient)
    name = f"Jobs-{new_id()}"
    await ensure_tables(
        await client(),
        (
            stack.tables["JobsTable"].model_copy(
                update={"name": name, "create": {**stack.tables["JobsTable"].create, "TableName": name}}
            ),
        ),
    )
    listing = DynamoJobListing(client, name, CursorCodec(CURSOR_KEY), half, asyncio.sleep, time.monotonic)
    return Store(DynamoJobRepository(client, name, new_id), listing)


def a_store(request: pytest.FixtureRequest) -> Store:
    if request.param == "fake":
        jobs = FakeJobRepository()
        return Store(jobs, FakeJobListing(jobs))
    client = request.getfixturevalue(f"{request.param}_client")
    assert isinstance(client, LazyClient)
    return Store(job_repository_on(client), job_listing_on(client))


def summaries(*jobs: Job) -> tuple[JobSummary, ...]:
    return tuple(summary_of(job) for job in jobs)


async def owners(
    store: Store, owner: str, wanted: JobFilter, limit: int = 20, include: Include = SUMMARIES
) -> list[Page[JobSummary]]:
    """Read every page of an owner's jobs."""
    pages: list[Page[JobSummary]] = []
    cursor: str | None = None
    for _ in range(100):
        request = PageRequest(limit=limit, cursor=cursor)
        page = await store.lists.list_by_owner(owner, wanted, request, NOW, include)
        assert isinstance(page, Page)
        pages = [*pages, page]
        cursor = page.next
        if cursor is None:
            return pages
    raise AssertionError("the list does not end")


async def of_all_owners(store: Store, wanted: JobFilter, limit: int = 100) -> list[str]:
    """Read every page of unfinished jobs; other tests' jobs are in the same index, so `wanted` names a type."""
    seen: list[str] = []
    cursor: str | None = None
    for _ in range(300):
        page = await store.lists.list_unfinished(wanted, PageRequest(limit=limit, cursor=cursor), NOW)
        assert isinstance(page, Page)
        assert len(page.items) <= limit
        seen, cursor = [*seen, *(job.id for job in page.items)], page.next
        if cursor is None:
            return seen
    raise AssertionError("the list does not end")


def ids(pages: list[Page[JobSummary]]) -> list[str]:
    return [job.id for page in pages for job in page.items]


async def test_an_owner_sees_its_own_jobs_newest_first_page_by_page(store: Store) -> None:
    owner = new_id()
    mine = [queued(now=NOW + n * SECOND, id=new_id(), owner_id=owner) for n in range(5)]
    other = queued(id=new_id(), owner_id=new_id())
    for job in (*mine, other):
        await store.jobs.add(Change(job), NOW)
    first = await store.lists.list_by_owner(owner, JobFilter(), PageRequest(limit=2), NOW)
    assert isinstance(first, Page)
    assert [job.id for job in first.items] == [mine[4].id, mine[3].id]
    second = await store.lists.list_by_owner(owner, JobFilter(), PageRequest(limit=2, cursor=first.next), NOW)
    assert isinstance(second, Page)
    assert [job.id for job in second.items] == [mine[2].id, mine[1].id]
    third = await store.lists.list_by_owner(owner, JobFilter(), PageRequest(limit=2, cursor=second.next), NOW)
    assert third == Page(items=summaries(mine[0]))


async def test_a_page_that_is_just_full_at_the_end_has_no_cursor(store: Store) -> None:
    owner = new_id()
    for n in range(2):
        await store.jobs.add(Change(queued(now=NOW + n * SECOND, id=new_id(), owner_id=owner)), NOW)
    page = await store.lists.list_by_owner(owner, JobFilter(), PageRequest(limit=2), NOW)
    assert isinstance(page, Page)
    assert len(page.items) == 2
    assert page.next is None


async def test_a_listing_can_be_narrowed_by_status_and_type(store: Store) -> None:
    owner = new_id()
    done = succeeded(id=new_id(), owner_id=owner, type="a")
    waiting = queued(id=new_id(), owner_id=owner, type="a")
    another = queued(id=new_id(), owner_id=owner, type="b")
    for job in (done, waiting, another):
        await store.jobs.add(Change(job), NOW)

    async def listed(filter: JobFilter) -> set[str]:
        page = await store.lists.list_by_owner(owner, filter, PageRequest(), NOW)
        assert isinstance(page, Page)
        return {job.id for job in page.items}

    assert await listed(JobFilter(statuses=("queued",))) == {waiting.id, another.id}
    assert await listed(JobFilter(types=("a",))) == {done.id, waiting.id}
    assert await listed(JobFilter(statuses=("queued",), types=("a",))) == {waiting.id}
    assert await listed(JobFilter(statuses=("failed",))) == set()


async def test_every_job_is_on_one_page_however_the_filter_thins_them(store: Store) -> None:
    owner = new_id()
    all_jobs = [
        (succeeded if n % 5 == 0 else queued)(now=NOW + n * SECOND, id=new_id(), owner_id=owner) for n in range(23)
    ]
    for job in all_jobs:
        await store.jobs.add(Change(job), NOW)
    seen: list[str] = []
    cursor: str | None = None
    for _ in range(20):
        page = await store.lists.list_by_owner(
            owner, JobFilter(statuses=("succeeded",)), PageRequest(limit=2, cursor=cursor), NOW
        )
        assert isinstance(page, Page)
        seen = [*seen, *(job.id for job in page.items)]
        cursor = page.next
        if cursor is None:
            break
    assert seen == [job.id for job in reversed(all_jobs) if job.status == "succeeded"]


async def test_a_cursor_serves_one_tenants_one_query_for_a_day(store: Store) -> None:
    owner = new_id()
    for n in range(3):
        await store.jobs.add(Change(queued(now=NOW + n * SECOND, id=new_id(), owner_id=owner)), NOW)
    page = await store.lists.list_by_owner(owner, JobFilter(), PageRequest(limit=1), NOW)
    assert isinstance(page, Page)
    cursor = page.next
    assert cursor is not None
    flipped = ("B" if cursor[0] == "A" else "A") + cursor[1:]
    later = NOW + timedelta(hours=25)
    refused = [
        await store.lists.list_by_owner(owner, JobFilter(), PageRequest(cursor=flipped), NOW),
        await store.lists.list_by_owner(owner, JobFilter(), PageRequest(cursor="not a cursor"), NOW),
        await store.lists.list_by_owner(new_id(), JobFilter(), PageRequest(cursor=cursor), NOW),
        await store.lists.list_by_owner(owner, JobFilter(statuses=("queued",)), PageRequest(cursor=cursor), NOW),
        await store.lists.list_failed("csv.profile", PageRequest(cursor=cursor), NOW),
        await store.lists.list_by_owner(owner, JobFilter(), PageRequest(cursor=cursor), later),
    ]
    assert refused == [BadCursor()] * len(refused)


async def test_failed_jobs_are_found_by_type_until_a_person_retries_them(store: Store) -> None:
    kind = f"t{new_id()[:8]}"
    first = failed(id=new_id(), type=kind)
    second = failed(now=NOW + SECOND, id=new_id(), type=kind)
    for job in (first, second, failed(id=new_id()), succeeded(id=new_id(), type=kind)):
        await store.jobs.add(Change(job), NOW)
    assert await store.lists.list_failed(kind, PageRequest(), NOW) == Page(items=summaries(second, first))
    again = legal(transitions.retry_manually(second, POLICY, NOW + SECOND))
    await store.jobs.replace(Change(again), second.version)
    assert await store.lists.list_failed(kind, PageRequest(), NOW) == Page(items=summaries(first))


async def test_an_expired_job_is_on_no_list(store: Store) -> None:
    old = failed(id=new_id(), owner_id=new_id(), type=f"t{new_id()[:8]}")
    await store.jobs.add(Change(old), NOW)
    for wanted in (JobFilter(), JobFilter(statuses=("failed",))):
        listed = await store.lists.list_by_owner(old.owner_id, wanted, PageRequest(), old.expires_at)
        assert listed == Page(items=())
    assert await store.lists.list_failed(old.type, PageRequest(), old.expires_at) == Page(items=())


async def test_each_status_lists_its_jobs_of_the_owner_only(store: Store) -> None:
    mine, other = new_id(), new_id()
    stored = [
        legal_job.model_copy(update={"id": new_id(), "owner_id": owner})
        for owner in (mine, other)
        for legal_job in in_every_state()
    ]
    for job in stored:
        await store.jobs.add(Change(job), NOW)
    for status in sorted({job.status for job in stored}):
        expected = {job.id for job in stored if job.status == status and job.owner_id == mine}
        for limit in (1, 20):
            pages = await owners(store, mine, JobFilter(statuses=(status,)), limit)
            assert sorted(ids(pages)) == sorted(expected)


@pytest.mark.parametrize("status", ["scheduled", "queued", "running", "retrying", "failed", "cancelled"])
async def test_a_job_that_changes_its_status_leaves_the_list_of_the_old_one(store: Store, status: Status) -> None:
    job = next(each for each in in_every_state() if each.status == status)
    job = job.model_copy(update={"id": new_id(), "owner_id": new_id()})
    await store.jobs.add(Change(job), NOW)
    assert ids(await owners(store, job.owner_id, JobFilter(statuses=(status,)))) == [job.id]
    retried = transitions.retry_manually(job, POLICY, NOW)
    moved = legal(retried if isinstance(retried, Change) else transitions.cancel(job, POLICY, NOW))
    if moved.status == status:
        moved = finished(moved, Done(result=to_json_text(1)))
    await store.jobs.replace(Change(moved), job.version)
    assert ids(await owners(store, job.owner_id, JobFilter(statuses=(status,)))) == []
    assert ids(await owners(store, job.owner_id, JobFilter(statuses=(moved.status,)))) == [job.id]


async def test_several_statuses_are_one_list(store: Store) -> None:
    owner = new_id()
    stored = {
        job.status: job.model_copy(update={"id": new_id(), "owner_id": owner, "created_at": NOW + n * SECOND})
        for n, job in enumerate(in_every_state())
    }
    for job in stored.values():
        await store.jobs.add(Change(job), NOW)
    some: tuple[tuple[Status, ...], ...] = (
        ("queued", "running"),
        ("failed", "cancelled"),
        ("queued", "failed"),
        ("succeeded", "cancelled", "scheduled"),
    )
    for statuses in some:
        expected = sorted(stored[status].id for status in statuses)
        for limit in (1, 20):
            pages = await owners(store, owner, JobFilter(statuses=statuses), limit)
            assert sorted(ids(pages)) == expected
            assert ids(pages) == ids(await owners(store, owner, JobFilter(statuses=statuses[::-1]), limit))


async def test_a_list_the_other_way_round_has_the_same_jobs(own_store: Store) -> None:
    owner, kind = new_id(), f"t{new_id()[:8]}"
    waiting = [queued(now=NOW + n * SECOND, id=new_id(), owner_id=owner, type=kind) for n in range(5)]
    ended = [failed(now=NOW + n * SECOND, id=new_id(), owner_id=owner, type=kind) for n in range(5)]
    for job in (*waiting, *ended):
        await own_store.jobs.add(Change(job), NOW)
    choices: tuple[tuple[Status, ...], ...] = (
        (),
        ("queued",),
        ("failed",),
        ("failed", "cancelled"),
        ("queued", "failed"),
    )
    for statuses in choices:
        there = ids(await owners(own_store, owner, JobFilter(statuses=statuses), 2))
        back = ids(await owners(own_store, owner, JobFilter(statuses=statuses, reverse=True), 2))
        assert back == there[::-1]
        assert len(back) == (10 if len(statuses) in {0, 2} and statuses != ("failed", "cancelled") else 5)
    due = await of_all_owners(own_store, JobFilter(types=(kind,), reverse=True), 2)
    assert due == [job.id for job in reversed(waiting)]
    backwards = await own_store.lists.list_failed(kind, PageRequest(), NOW, filter=JobFilter(reverse=True))
    assert isinstance(backwards, Page)
    assert [job.id for job in backwards.items] == [job.id for job in ended]


async def test_a_list_is_of_jobs_that_were_created_in_a_window(own_store: Store) -> None:
    owner, kind = new_id(), f"t{new_id()[:8]}"
    waiting = [queued(now=NOW + n * SECOND, id=new_id(), owner_id=owner, type=kind) for n in range(6)]
    ended = [failed(now=NOW + n * SECOND, id=new_id(), owner_id=owner, type=kind) for n in range(6)]
    for job in (*waiting, *ended):
        await own_store.jobs.add(Change(job), NOW)
    window = JobFilter(types=(kind,), created_from=NOW + 2 * SECOND, created_to=NOW + 4 * SECOND)
    both, open_waiting, open_ended = (waiting[2:4], ended[2:4]), waiting[2:4], ended[2:4]
    for reverse in (False, True):
        for statuses, expected in (
            ((), [job for jobs in both for job in jobs]),
            (("queued",), open_waiting),
            (("failed",), open_ended),
        ):
            wanted = window.model_copy(update={"statuses": statuses, "reverse": reverse})
            for limit in (1, 20):
                found = ids(await owners(own_store, owner, wanted, limit))
                assert sorted(found) == sorted(job.id for job in expected)
    assert sorted(await of_all_owners(own_store, window, 1)) == sorted(job.id for job in open_waiting)
    of_type = await own_store.lists.list_failed(kind, PageRequest(), NOW, filter=window)
    assert isinstance(of_type, Page)
    assert [job.id for job in of_type.items] == [ended[3].id, ended[2].id]
    for until in (NOW + SECOND, NOW + 2 * SECOND):
        empty = window.model_copy(update={"created_to": until})
        assert ids(await owners(own_store, owner, empty)) == await of_all_owners(own_store, empty) == []
    since = JobFilter(types=(kind,), created_from=NOW + 5 * SECOND)
    before = JobFilter(types=(kind,), created_to=NOW + SECOND)
    assert sorted(ids(await owners(own_store, owner, since))) == sorted([waiting[5].id, ended[5].id])
    assert sorted(ids(await owners(own_store, owner, before))) == sorted([waiting[0].id, ended[0].id])


async def test_what_no_index_has_is_found_job_by_job(own_store: Store) -> None:
    owner, kind = new_id(), f"t{new_id()[:8]}"
    first = queued(id=new_id(), owner_id=owner, type=kind, lane=InLane(name="press", priority=9))
    second = queued(id=new_id(), owner_id=owner, type="another", lane=InLane(name="oven", priority=0))
    third = failed(id=new_id(), owner_id=owner, type=kind)
    for job in (first, second, third):
        await own_store.jobs.add(Change(job), NOW)
    assert isinstance(third.state, Failed)
    for wanted, found in (
        (JobFilter(types=(kind, "another")), (first, second, third)),
        (JobFilter(types=("another", "third")), (second,)),
        (JobFilter(lanes=("press", "none")), (first,)),
        (JobFilter(lanes=("press", "oven")), (first, second)),
        (JobFilter(priorities=(0, 1)), (second,)),
        (JobFilter(min_attempt=1), (third,)),
        (JobFilter(min_attempt=2), ()),
        (JobFilter(error_code=third.state.error.code), (third,)),
        (JobFilter(error_code="another"), ()),
    ):
        assert sorted(ids(await owners(own_store, owner, wanted, 1))) == sorted(job.id for job in found)
    assert await of_all_owners(own_store, JobFilter(types=(kind,), lanes=("press",))) == [first.id]
    of_lane = await own_store.lists.list_failed(kind, PageRequest(), NOW, filter=JobFilter(lanes=("press",)))
    assert of_lane == Page(items=())


@pytest.mark.parametrize(
    "changed",
    [
        {"statuses": ("queued", "running")}, {"types": ("a", "b")}, {"lanes": ("x",)}, {"priorities": (3,)},
        {"min_attempt": 1}, {"created_from": NOW}, {"created_to": NOW}, {"error_code": "x"}, {"reverse": True},
    ],
)  # fmt: skip
async def test_a_cursor_serves_no_other_filter(store: Store, changed: dict[str, object]) -> None:
    owner = new_id()
    for n in range(2):
        await store.jobs.add(Change(queued(now=NOW + n * SECOND, id=new_id(), owner_id=owner)), NOW)
    page = await store.lists.list_by_owner(owner, JobFilter(), PageRequest(limit=1), NOW)
    assert isinstance(page, Page)
    assert page.next is not None
    other = JobFilter.model_validate(changed)
    assert await store.lists.list_by_owner(owner, other, PageRequest(cursor=page.next), NOW) == BadCursor()


async def test_a_preview_is_how_the_payload_begins(store: Store) -> None:
    owner = new_id()
    short, long = to_json_text({"a": 1}), to_json_text({"b": "ø" * 500})
    elsewhere = BlobRef(key="k", size=9, sha256="0" * 64)
    payloads: tuple[JobDocument, ...] = (short, long, elsewhere)
    for n, payload in enumerate(payloads):
        job = queued(now=NOW + n * SECOND, id=new_id(), owner_id=owner).model_copy(update={"payload": payload})
        await store.jobs.add(Change(job), NOW)
    page = await store.lists.list_by_owner(owner, JobFilter(reverse=True), PageRequest(), NOW, frozenset({"preview"}))
    assert isinstance(page, Page)
    assert [job.preview for job in page.items] == [short, f"{long[: PREVIEW - 1]}…", None]
    assert {job.payload for job in page.items} == {None}
    bare = await store.lists.list_by_owner(owner, JobFilter(), PageRequest(), NOW)
    assert isinstance(bare, Page)
    assert {job.preview for job in bare.items} == {None}


async def test_unfinished_jobs_are_listed_newest_first_page_by_page(store: Store) -> None:
    owner = new_id()
    mine = [running(now=NOW + n * SECOND, id=new_id(), owner_id=owner) for n in range(5)]
    for job in (*mine, queued(id=new_id(), owner_id=owner), running(id=new_id(), owner_id=new_id())):
        await store.jobs.add(Change(job), NOW)
    pages = await owners(store, owner, JobFilter(statuses=("running",)), 2)
    assert [[job.id for job in page.items] for page in pages] == [
        [mine[4].id, mine[3].id],
        [mine[2].id, mine[1].id],
        [mine[0].id],
    ]


async def test_failed_jobs_of_an_owner_are_listed_the_last_to_fail_first(store: Store) -> None:
    owner = new_id()
    slow, quick = running(id=new_id(), owner_id=owner), running(now=NOW + SECOND, id=new_id(), owner_id=owner)
    for job, ends in ((slow, NOW + 5 * SECOND), (quick, NOW + 2 * SECOND)):
        ended = legal(transitions.fail(job, POLICY, Fail(reason="x"), "permanent", ends))
        await store.jobs.add(Change(ended), NOW)
    assert ids(await owners(store, owner, JobFilter(statuses=("failed",)))) == [slow.id, quick.id]
    assert ids(await owners(store, owner, JobFilter())) == [quick.id, slow.id]


async def test_a_list_includes_the_documents_that_were_requested(store: Store) -> None:
    owner, kind = new_id(), f"t{new_id()[:8]}"
    done = succeeded(now=NOW + SECOND, id=new_id(), owner_id=owner, type=kind)
    lost = failed(id=new_id(), owner_id=owner, type=kind)
    for job in (done, lost):
        await store.jobs.add(Change(job), NOW)
    choices: tuple[Include, ...] = (SUMMARIES, frozenset({"payload"}), frozenset({"result"}), DOCUMENTS)
    for include in choices:
        expected = (summary_of(done, include), summary_of(lost, include))
        listed = await store.lists.list_by_owner(owner, JobFilter(), PageRequest(), NOW, include)
        assert listed == Page(items=expected)
        assert await store.lists.list_failed(kind, PageRequest(), NOW, include) == Page(items=expected[1:])
    assert summary_of(done).payload is None
    assert summary_of(done).result is None


@pytest.mark.parametrize("sign", ["x", "é", '"'])
async def test_a_page_with_documents_ends_before_its_response_is_too_large(large_store: Store, sign: str) -> None:
    store = large_store
    owner, kind = new_id(), f"t{new_id()[:8]}"
    text = to_json_text(sign * (200_000 // (len(to_json_text(sign).encode()) - 2)))
    stored = [
        failed(now=NOW + n * SECOND, id=new_id(), owner_id=owner, type=kind, payload=text, tags={}) for n in range(24)
    ]
    for job in stored:
        await store.jobs.add(Change(job), NOW)
    whole = await owners(store, owner, JobFilter(), 100, DOCUMENTS)
    assert ids(whole) == [job.id for job in reversed(stored)]
    assert len(whole) > 1
    for page in whole:
        assert sum(answer_bytes(job) for job in page.items) <= PAGE_BYTES
    of_type = await store.lists.list_failed(kind, PageRequest(limit=100), NOW, DOCUMENTS)
    assert isinstance(of_type, Page)
    assert [job.id for job in of_type.items] == [job.id for job in whole[0].items]
    assert of_type.next is not None
    assert len(await owners(store, owner, JobFilter(), 100)) == 1, "summaries are small"


async def test_summaries_are_bounded_in_bytes_too(large_store: Store) -> None:
    store = large_store
    owner = new_id()
    tags = {f"{n:02}" + "é" * 62: "é" * 256 for n in range(20)}
    for n in range(110):
        await store.jobs.add(Change(queued(now=NOW + n * SECOND, id=new_id(), owner_id=owner, tags=tags)), NOW)
    for wanted in (JobFilter(), JobFilter(statuses=("queued",))):
        pages = await owners(store, owner, wanted, 100)
        assert len(set(ids(pages))) == len(ids(pages)) == 110
        assert all(sum(answer_bytes(job) for job in page.items) <= PAGE_BYTES for page in pages)


async def test_failed_jobs_of_one_type_are_one_list_however_many_partitions_hold_them(store: Store) -> None:
    kind = f"t{new_id()[:8]}"
    stored = [failed(now=NOW + n * SECOND, id=new_id(), type=kind) for n in range(24)]
    for job in stored:
        await store.jobs.add(Change(job), NOW)
    for limit in (5, 23, 24, 100):
        seen: list[str] = []
        cursor: str | None = None
        for _ in range(100):
            page = await store.lists.list_failed(kind, PageRequest(limit=limit, cursor=cursor), NOW)
            assert isinstance(page, Page)
            assert len(page.items) <= limit
            seen = [*seen, *(job.id for job in page.items)]
            cursor = page.next
            if cursor is None:
                break
        assert seen == [job.id for job in reversed(stored)]


async def test_unfinished_jobs_of_all_owners_are_listed_the_next_due_first(own_store: Store) -> None:
    kind = f"t{new_id()[:8]}"
    stored = [
        scheduled(run_at=NOW + (n * 7 % 12) * SECOND, id=new_id(), owner_id=new_id(), type=kind) for n in range(12)
    ]
    for job in stored:
        await own_store.jobs.add(Change(job), NOW)
    due = sorted(stored, key=lambda job: (job.wake_at or NOW, job.id))
    for limit in (5, 12, 100):
        assert await of_all_owners(own_store, JobFilter(types=(kind,)), limit) == [job.id for job in due]


async def test_only_unfinished_jobs_are_listed_of_all_owners(own_store: Store) -> None:
    kind = f"t{new_id()[:8]}"
    stored = [job.model_copy(update={"id": new_id(), "owner_id": new_id(), "type": kind}) for job in in_every_state()]
    for job in stored:
        await own_store.jobs.add(Change(job), NOW)
    unfinished = [job for job in stored if not is_final(job)]
    assert sorted(await of_all_owners(own_store, JobFilter(types=(kind,)))) == sorted(job.id for job in unfinished)
    for status in sorted({job.status for job in unfinished}):
        expected = sorted(job.id for job in stored if job.status == status)
        assert sorted(await of_all_owners(own_store, JobFilter(statuses=(status,), types=(kind,)))) == expected


async def test_a_job_that_ends_or_expires_leaves_the_list_of_all_owners(own_store: Store) -> None:
    kind = f"t{new_id()[:8]}"
    job, old = queued(id=new_id(), type=kind), queued(id=new_id(), type=kind)
    gone = old.model_copy(update={"expires_at": NOW - SECOND})
    for each in (job, gone):
        await own_store.jobs.add(Change(each), NOW - timedelta(days=1))
    assert await of_all_owners(own_store, JobFilter(types=(kind,))) == [job.id]
    await own_store.jobs.replace(Change(legal(transitions.cancel(job, POLICY, NOW))), job.version)
    assert await of_all_owners(own_store, JobFilter(types=(kind,))) == []


async def test_a_cursor_of_all_owners_serves_no_other_query_and_no_owner(own_store: Store) -> None:
    kind = f"t{new_id()[:8]}"
    for n in range(3):
        await own_store.jobs.add(Change(queued(now=NOW + n * SECOND, id=new_id(), type=kind)), NOW)
    page = await own_store.lists.list_unfinished(JobFilter(), PageRequest(limit=1), NOW)
    assert isinstance(page, Page)
    assert page.next is not None
    request = PageRequest(cursor=page.next)
    refused = [
        await own_store.lists.list_unfinished(JobFilter(types=(kind,)), request, NOW),
        await own_store.lists.list_unfinished(JobFilter(statuses=("queued",)), request, NOW),
        await own_store.lists.list_unfinished(JobFilter(), request, NOW + timedelta(hours=25)),
        await own_store.lists.list_by_owner("*", JobFilter(), request, NOW),
        await own_store.lists.list_failed(kind, request, NOW),
    ]
    assert refused == [BadCursor()] * len(refused)


async def test_jobs_with_a_tag_are_listed_and_a_cursor_is_of_its_tag(own_store: Store) -> None:
    owner, kind = new_id(), f"tagged.{new_id()[:8]}"
    waiting = [
        queued(NOW, id=new_id(), owner_id=owner, type=kind, tags={"batch": str(n % 2), "x": "y"}) for n in range(4)
    ]
    ended = [failed(NOW, id=new_id(), owner_id=owner, type=kind, tags={"batch": str(n)}) for n in range(2)]
    for job in (*waiting, *ended):
        await own_store.jobs.add(Change(job), NOW)
    tags = {"batch": "1"}
    mine = await own_store.lists.list_by_owner(owner, JobFilter(tags=tags), PageRequest(), NOW)
    bad = await own_store.lists.list_by_owner(owner, JobFilter(tags={"batch": "1", "x": "z"}), PageRequest(), NOW)
    unfinished = await own_store.lists.list_unfinished(JobFilter(types=(kind,), tags=tags), PageRequest(), NOW)
    of_type = await own_store.lists.list_failed(kind, PageRequest(), NOW, filter=JobFilter(tags=tags))
    pages = [page for page in (mine, bad, unfinished, of_type) if isinstance(page, Page)]
    found = [{job.id for job in page.items} for page in pages]
    tagged = {waiting[1].id, waiting[3].id}
    assert found == [tagged | {ended[1].id}, set(), tagged, {ended[1].id}]
    first = await own_store.lists.list_by_owner(owner, JobFilter(tags=tags), PageRequest(limit=1), NOW)
    assert isinstance(first, Page)
    cursor = PageRequest(cursor=first.next)
    assert isinstance(await own_store.lists.list_by_owner(owner, JobFilter(), cursor, NOW), BadCursor)
    rest = await own_store.lists.list_by_owner(owner, JobFilter(tags=tags), cursor, NOW)
    assert isinstance(rest, Page)
    assert {job.id for job in (*first.items, *rest.items)} == found[0]
