"""The cost and the pages of lists, on a database that charges as DynamoDB does: docs/decisions/013."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import pytest

from benchmarks.meter import Cost, Meter
from domain.jobs.change import Change
from domain.jobs.filtering import JobFilter
from domain.jobs.job import Job, Status
from domain.jobs.listing import JobSummary
from domain.paging import Page, PageRequest
from functions.runtime import LazyClient
from headrace.emulator.database import embedded_database
from headrace.emulator.tables import ensure_tables
from headrace.emulator.template import Stack
from persistence.converters.attributes import timestamp
from persistence.converters.dynamo_to_domain import job_to_item
from persistence.cursors import CursorCodec
from tests.conftest import job_listing_on, job_repository_on, new_id
from tests.factories import NOW, cancelled, failed, in_every_state, queued, running, succeeded
from tests.fakes.job_listing import CURSOR_KEY

SECOND = timedelta(seconds=1)
HISTORY = 10_000
OTHERS = 1_000
BATCH = 25


@pytest.fixture(scope="module")
async def database(tmp_path_factory: pytest.TempPathFactory, stack: Stack) -> AsyncIterator[str]:
    """A separate database: the unfinished jobs of other tests would be in the wake index too."""
    folder = tmp_path_factory.mktemp("listing")
    async with embedded_database(None, folder / "database.log") as embedded:
        client = LazyClient(embedded.url)
        await ensure_tables(await client(), tuple(stack.tables.values()))
        yield embedded.url
        await client.close()


async def stored(client: LazyClient, jobs: Iterator[Job]) -> None:
    """Store many jobs concurrently."""
    held = list(jobs)
    batches = iter([held[start : start + BATCH] for start in range(0, len(held), BATCH)])

    async def lane() -> None:
        for batch in batches:
            requests = [{"PutRequest": {"Item": job_to_item(job, "w")}} for job in batch]
            await (await client()).batch_write_item(RequestItems={"JobsTable": requests})  # type: ignore[dict-item]

    await asyncio.gather(*(lane() for _ in range(8)))


def copies(job: Job, owner: str, number: int) -> Iterator[Job]:
    """Return copies of a job, created a second apart."""
    return (
        job.model_copy(update={"id": new_id(), "owner_id": owner, "created_at": job.created_at + n * SECOND})
        for n in range(number)
    )


async def page_of(
    url: str, owner: str, status: Status, limit: int = 20, cursor: str | None = None
) -> tuple[Page[JobSummary], Cost]:
    client = LazyClient(url)
    meter, found = Meter(await client()), []

    async def listed() -> None:
        request = PageRequest(limit=limit, cursor=cursor)
        found.append(await job_listing_on(client).list_by_owner(owner, JobFilter(statuses=(status,)), request, NOW))

    cost = await meter.cost_of(listed())
    await client.close()
    (page,) = found
    assert isinstance(page, Page)
    return page, cost


async def test_three_running_jobs_beside_ten_thousand_finished_are_one_page_of_few_calls(database: str) -> None:
    owner, client = new_id(), LazyClient(database)
    old = NOW - timedelta(days=1)
    await stored(client, copies(succeeded(now=old), owner, HISTORY))
    await stored(client, copies(failed(now=old), owner, 30))
    await stored(client, copies(running(now=old - SECOND), owner, 3))
    page, cost = await page_of(database, owner, "running")
    assert (len(page.items), page.next) == (3, None)
    assert cost.calls <= 10
    assert cost.reads <= 10
    for status in ("scheduled", "queued", "retrying", "cancelled"):
        nothing, of_nothing = await page_of(database, owner, status)
        assert nothing == Page(items=())
        assert of_nothing.calls <= 9
    some, of_some = await page_of(database, owner, "failed")
    assert (len(some.items), of_some.calls) == (20, 2)
    rest, _ = await page_of(database, owner, "failed", cursor=some.next)
    assert (len(rest.items), rest.next) == (10, None)

    # And when other tenants have thousands of unfinished jobs, all waiting in the same index.
    other = new_id()
    await stored(client, copies(queued(now=old), other, OTHERS))
    page, cost = await page_of(database, owner, "running")
    assert (len(page.items), page.next) == (3, None)
    assert {job.owner_id for job in page.items} == {owner}
    assert cost.calls <= 11
    theirs, of_theirs = await page_of(database, other, "queued", 100)
    assert {job.owner_id for job in theirs.items} == {other}
    assert len(theirs.items) == 100
    assert theirs.next is not None
    assert of_theirs.calls <= 11

    # An admin's list of all owners reads as many keys as a page needs.
    meter, everyones = Meter(await client()), []

    async def listed() -> None:
        everyones.append(await job_listing_on(client).list_unfinished(JobFilter(), PageRequest(), NOW))

    assert (await meter.cost_of(listed())).calls == 9
    (of_everyone,) = everyones
    assert isinstance(of_everyone, Page)
    assert len(of_everyone.items) == 20
    await client.close()


def one_entry_of_the_wake_index(params: dict[str, object], **_: object) -> dict[str, object]:
    """Act as if one entry filled a response of 1 MB."""
    return {**params, "Limit": 1} if params["IndexName"] == "wake-index" else params


async def test_a_list_does_not_use_a_wake_index_larger_than_one_response(database: str) -> None:
    """The list then reads the owner's jobs, in bounded pages with a cursor."""
    client, owner = LazyClient(database), new_id()
    await stored(client, copies(running(), owner, 3))
    await stored(client, copies(succeeded(), owner, 300))
    events = (await client()).meta.events
    events.register("provide-client-params.dynamodb.Query", one_entry_of_the_wake_index)  # type: ignore[arg-type]
    lists = job_listing_on(client)
    seen: list[str] = []
    cursor: str | None = None
    for _ in range(20):
        request = PageRequest(limit=2, cursor=cursor)
        page = await lists.list_by_owner(owner, JobFilter(statuses=("running",)), request, NOW)
        assert isinstance(page, Page)
        seen += [job.id for job in page.items]
        cursor = page.next
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) == 3
    await client.close()


async def test_rows_that_are_not_jobs_end_neither_the_list_nor_the_page(ministack_client: LazyClient) -> None:
    client, owner, kind = await ministack_client(), new_id(), f"t{new_id()[:8]}"
    jobs = [
        make(now=NOW + n * SECOND, id=new_id(), owner_id=owner, type=kind)
        for make in (failed, running, cancelled, succeeded)
        for n in range(3)
    ]
    for job in jobs:
        await job_repository_on(ministack_client).add(Change(job), NOW)
        strange: dict[str, object] = {**job_to_item(job, "w"), "id": {"S": new_id()}}
        for broken in (
            {**strange, "version": {"S": "one"}},
            {**strange, "id": {"S": new_id()}, "payload": {"N": "1"}, "history": {"L": []}, "expires_at": {"S": "x"}},
            {"created_at": {"S": "not a time"}, "id": {"S": new_id()}, "owner_id": {"S": owner}, "x": {"B": b"y"}},
        ):
            await client.put_item(TableName="JobsTable", Item=broken)  # type: ignore[arg-type]
    lists = job_listing_on(ministack_client)
    for status in ("failed", "running", "cancelled", "succeeded"):
        page = await lists.list_by_owner(owner, JobFilter(statuses=(status,)), PageRequest(), NOW)
        assert isinstance(page, Page)
        assert [job.id for job in page.items] == [job.id for job in reversed(jobs) if job.status == status]
        assert page.next is None
    everything = await lists.list_by_owner(owner, JobFilter(), PageRequest(limit=100), NOW)
    assert isinstance(everything, Page)
    assert {job.id for job in everything.items} == {job.id for job in jobs}
    of_type = await lists.list_failed(kind, PageRequest(), NOW)
    assert isinstance(of_type, Page)
    assert [job.id for job in of_type.items] == [job.id for job in reversed(jobs) if job.status == "failed"]


async def test_failed_jobs_of_the_previous_version_are_on_the_same_list(ministack_client: LazyClient) -> None:
    """The previous version puts all failed jobs of a type into one partition."""
    kind = f"t{new_id()[:8]}"
    jobs = [failed(now=NOW + n * SECOND, id=new_id(), type=kind) for n in range(9)]
    for place, job in enumerate(jobs):
        item = job_to_item(job, "w")
        before = {name: value for name, value in item.items() if name != "wake_shard"} | {"failed_type": {"S": kind}}
        stored_item = before if place % 2 else item
        await (await ministack_client()).put_item(TableName="JobsTable", Item=stored_item)
    lists = job_listing_on(ministack_client)
    seen: list[str] = []
    cursor: str | None = None
    for _ in range(10):
        page = await lists.list_failed(kind, PageRequest(limit=2, cursor=cursor), NOW)
        assert isinstance(page, Page)
        seen += [job.id for job in page.items]
        cursor = page.next
        if cursor is None:
            break
    assert seen == [job.id for job in reversed(jobs)]


def test_the_previous_version_can_read_what_is_written_of_every_job() -> None:
    """The previous version treats all but three attributes as fields of the state, and refuses unknown ones.

    Not those in lanes, which it must not run beside their limit, and those that wait: it would not know for what.
    """
    skipped = {"write_id", "wake_shard", "failed_type"}
    for job in (job for job in in_every_state() if job.lane is None and job.status != "waiting"):
        known = {*Job.model_fields, *type(job.state).model_fields} - {"state"}
        assert set(job_to_item(job, "w")) - skipped <= known, job.status


async def test_a_cursor_of_the_previous_version_still_works(ministack_client: LazyClient) -> None:
    owner = new_id()
    jobs = [queued(now=NOW + n * SECOND, id=new_id(), owner_id=owner) for n in range(3)]
    for job in jobs:
        await job_repository_on(ministack_client).add(Change(job), NOW)
    position = {"owner_id": owner, "created_at": timestamp(jobs[1].created_at), "id": jobs[1].id}
    for status in (None, "queued"):
        wanted = JobFilter(statuses=() if status is None else (status,))
        old = CursorCodec(CURSOR_KEY).seal(("owner-index", owner, status or "", ""), position, NOW)
        page = await job_listing_on(ministack_client).list_by_owner(owner, wanted, PageRequest(cursor=old), NOW)
        assert isinstance(page, Page)
        assert [job.id for job in page.items] == [jobs[0].id]
        first = await job_listing_on(ministack_client).list_by_owner(owner, wanted, PageRequest(limit=2), NOW)
        assert isinstance(first, Page)
        assert first.next is not None
        assert CursorCodec(CURSOR_KEY).open(("owner-index", owner, status or "", ""), first.next, NOW) == position
